// The page: wires the parts together, and listens to keys.

const data = JSON.parse(byId("data").textContent);
const clock = new Clock();
const who = () => byId("who").value.trim() || "someone";

const choices = new Choices(data, { onChange: chosen, onSaved: saySaved, onNews: toast });
const inspector = new Inspector(choices, { who, onMark: marked });
const viewer = new Viewer(data);
const grid = new Grid(data.takes, { choices, onSelect: selected, onOpen: openViewer });
const filters = new Filters(data.takes, choices, filter);

const take = () => grid.selected.take;
const rangeOf = (movie) => range(movie, choices);
const frameNow = () => clock.frame(take(), rangeOf(take()));
const frameOf = (movie) => clock.frame(movie, rangeOf(movie));

function filter() {
  const tiles = filters.apply(grid.tiles);
  grid.show(tiles);
  byId("shown").textContent = `${tiles.length} of ${grid.tiles.length} takes, ${countPicked()} picked`;
}

const countPicked = () => data.takes.filter(({ key }) => choices.get(key, "decision") === "picked").length;

function selected(tile) {
  inspector.show(tile.take);
  byId("scrub").max = tile.take.frames - 1;
  if (viewer.open) viewer.show(tile.take);
}

// Something was chosen of a take, here or by somebody else. Tiles do not jump: the filter waits until it is touched.
function chosen(key) {
  const tile = grid.byKey.get(key);
  if (!tile) return;
  tile.say(choices);
  if (tile === grid.selected) inspector.show(tile.take);
  byId("shown").textContent = `${grid.shown.length} of ${grid.tiles.length} takes, ${countPicked()} picked`;
}

// In or out moved: the frame that was shown still is, if it is between them.
function marked(movie, frame) {
  clock.goTo(movie, rangeOf(movie), clamp(frame, ...rangeOf(movie)));
}

function saySaved() {
  const saved = byId("saved");
  if (choices.served) {
    const count = choices.waiting.length;
    saved.textContent = count ? "saving" : "saved";
    if (choices.offline) saved.textContent = `not saved yet: ${count} (is vidgan review --serve running?)`;
    saved.classList.toggle("waiting", choices.offline);
  } else {
    saved.textContent = choices.changed ? `changes in this browser only: ${choices.changed}` : "";
    saved.classList.toggle("waiting", choices.changed > 0);
  }
}

function toast(words) {
  byId("toast").textContent = words;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => (byId("toast").textContent = ""), 6000);
}

function openViewer() {
  grid.element.hidden = true;
  viewer.show(take());
  viewer.stage.focus();
}

function closeViewer() {
  viewer.hide();
  grid.element.hidden = false;
  grid.select(grid.selected);
}

function compare(mode) {
  if (!viewer.open) openViewer();
  viewer.setMode(viewer.mode === mode ? "alone" : mode);
}

function compareWith(movie) {
  viewer.compareWith(movie);
  toast(`compared with ${movie.name}`);
}

function save(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

async function exportPicks(format) {
  toast(`making ${format}`);
  const answer = await call(`export/picks.${format}`);
  if (!answer) return toast("the server does not answer");
  if (!answer.ok) return toast((await answer.json().catch(() => ({}))).error ?? `no ${format} (${answer.status})`);
  save(await answer.blob(), `picks.${format}`);
  toast(`picks.${format}: downloaded`);
}

function addExports() {
  const button = (words, title, work) => {
    const made = element("button", { type: "button", textContent: words, title });
    made.addEventListener("click", work);
    byId("exports").append(made);
  };
  if (data.served) {
    byId("exports").append(element("span", { className: "dim", textContent: "Picks as" }));
    for (const format of ["otio", "edl", "csv", "mp4"])
      button(format.toUpperCase(), `Download the picks as ${format}`, () => exportPicks(format));
  } else {
    button("Download choices", "For: vidgan review FOLDER --choices review.json", () => {
      save(new Blob([choices.text()], { type: "application/json" }), "review.json");
      choices.downloaded();
    });
  }
}

// [keys, what they do, how]. Keys are those of `event.key`.
const KEYS = [
  [[" "], "play, stop", () => togglePlay()],
  [["j", "J"], "backwards; again: twice as fast", () => clock.shuttle(-1, speed())],
  [["k", "K"], "stop", () => (clock.playing = false)],
  [["l", "L"], "forwards; again: twice as fast", () => clock.shuttle(1, speed())],
  [["ArrowLeft"], "a frame back", () => clock.step(take(), rangeOf(take()), -1)],
  [["ArrowRight"], "a frame on", () => clock.step(take(), rangeOf(take()), 1)],
  [["ArrowUp"], "take before", () => grid.move(-1)],
  [["ArrowDown"], "next take", () => grid.move(1)],
  [["Home"], "first frame", () => goTo(rangeOf(take())[0])],
  [["End"], "last frame", () => goTo(rangeOf(take())[1])],
  [["i", "I"], "in: begin at this frame", () => inspector.mark("in", frameNow())],
  [["o", "O"], "out: end at this frame", () => inspector.mark("out", frameNow())],
  [["u", "U"], "clear in and out", () => inspector.clearMarks(frameNow())],
  [["p", "P"], "pick, or take it back", () => inspector.decide("picked")],
  [["x", "X"], "reject, or take it back", () => inspector.decide("rejected")],
  [["0", "1", "2", "3", "4", "5"], "stars", (key) => inspector.rate(Number(key))],
  [["n", "N"], "write a note (Esc when done)", () => ((byId("more").open = true), byId("note").focus())],
  [["Enter"], "large, and back", () => (viewer.open ? closeViewer() : openViewer())],
  [["Escape"], "back to all takes", () => viewer.open && closeViewer()],
  [["c", "C"], "compare others with this take", () => compareWith(take())],
  [["w", "W"], "wipe against it", () => compare("wipe")],
  [["s", "S"], "onion skin", () => compare("onion")],
  [["d", "D"], "difference", () => compare("difference")],
  [["b", "B"], "beside it", () => compare("beside")],
  [["/"], "filter", () => ((byId("filters").open = true), byId("words").focus())],
  [["?"], "these keys", () => byId("help").showModal()],
];
const NAMES = { " ": "space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc" };

const speed = () => Number(byId("speed").value);

function togglePlay() {
  if (clock.loop === "once" && !clock.playing && frameNow() === rangeOf(take())[1]) goTo(rangeOf(take())[0]);
  clock.playing = !clock.playing;
  clock.speed = speed();
}

function goTo(frame) {
  clock.playing = false;
  clock.goTo(take(), rangeOf(take()), frame);
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const on = event.target;
  const writes = on.matches("textarea, input:not([type=range], [type=radio], [type=checkbox])");
  if (writes && event.key === "Escape") return on.blur();
  const own = { Enter: "button, select, summary", " ": "button, select, summary, input" };
  const moves = event.key.length > 1 ? "select, input" : "select"; // arrows, Home and End move a slider
  if (writes || on.matches(own[event.key] ?? moves)) return;
  const found = KEYS.find(([keys]) => keys.includes(event.key));
  if (!found) return;
  event.preventDefault();
  found[2](event.key);
}

// What was chosen with a pointer lets go of the keys: space plays, and does not press the same button again.
function keepKeysForThePlayer() {
  let byPointer = false;
  addEventListener("pointerdown", () => (byPointer = true), true);
  addEventListener("keydown", () => (byPointer = false), true);
  const letGo = (event) => {
    const control = event.target.closest("button, select, input:not([type=search], [type=number], #who)");
    if (!byPointer || !control || control.closest("dialog")) return;
    if (event.type === "change" || control.tagName === "BUTTON")
      (viewer.open ? viewer.stage : grid.selected.element).focus({ preventScroll: true });
  };
  addEventListener("click", letGo);
  addEventListener("change", letGo);
}

function tick(now) {
  const passed = Math.min(0.25, (now - (tick.last ?? now)) / 1000); // a page that slept goes on where it was
  tick.last = now;
  clock.pass(passed, take(), rangeOf(take()));
  grid.draw(frameOf);
  viewer.draw(frameOf);
  const frame = frameNow();
  const state = `${take().key} ${frame} ${clock.playing} ${clock.speed}`;
  if (state !== tick.state) sayTime(frame);
  tick.state = state;
  requestAnimationFrame(tick);
}

function sayTime(frame) {
  byId("scrub").value = frame;
  byId("scrub").setAttribute("aria-valuetext", `frame ${frame + 1} of ${take().frames}`);
  const fast = clock.playing && clock.speed !== 1 ? `  ${clock.speed > 0 ? "" : "−"}${Math.abs(clock.speed)}×` : "";
  byId("counter").textContent = `${frame + 1} / ${take().frames}${fast}`;
  byId("play").textContent = clock.playing ? "❚❚" : "▶";
  byId("play").ariaLabel = clock.playing ? "Stop (space)" : "Play (space)";
}

function stored(name, fallback) {
  try {
    return localStorage.getItem(`vidgan-review ${name}`) ?? fallback;
  } catch {
    return fallback;
  }
}

function store(name, value) {
  try {
    localStorage.setItem(`vidgan-review ${name}`, value);
  } catch {
    // Forgotten when the page closes; nothing of the choices is.
  }
}

function begin() {
  byId("title").textContent = data.title;
  byId("keys").append(
    ...KEYS.map(([keys, words]) => {
      const names = [...new Set(keys.map((key) => NAMES[key] ?? key.toUpperCase()))];
      const shown = names.length > 2 ? [names[0], "to", names.at(-1)] : names;
      const cell = element("td", {});
      cell.append(...shown.map((name) => (name === "to" ? " to " : element("kbd", { textContent: name }))));
      return element("tr", {}, cell, element("td", { textContent: words }));
    }),
  );
  const clicks = {
    first: () => goTo(rangeOf(take())[0]),
    last: () => goTo(rangeOf(take())[1]),
    back: () => clock.step(take(), rangeOf(take()), -1),
    forth: () => clock.step(take(), rangeOf(take()), 1),
    play: togglePlay,
    "mark-in": () => inspector.mark("in", frameNow()),
    "mark-out": () => inspector.mark("out", frameNow()),
    "clear-marks": () => inspector.clearMarks(frameNow()),
    "open-viewer": openViewer,
    "close-viewer": closeViewer,
    before: () => grid.move(-1),
    next: () => grid.move(1),
    "help-button": () => byId("help").showModal(),
  };
  for (const [id, work] of Object.entries(clicks)) byId(id).addEventListener("click", work);
  byId("scrub").addEventListener("input", (event) => {
    const [first, last] = rangeOf(take());
    goTo(clamp(Number(event.target.value), first, last));
  });
  byId("speed").addEventListener("change", () => (clock.speed = Math.sign(clock.speed) * speed()));
  byId("loop").addEventListener("change", (event) => (clock.loop = event.target.value));
  const root = document.documentElement;
  byId("size").addEventListener("input", (event) => root.style.setProperty("--size", `${event.target.value}px`));
  byId("who").value = stored("who", `reviewer ${Math.floor(1000 + 9000 * Math.random())}`);
  store("who", byId("who").value);
  byId("who").addEventListener("change", () => store("who", who()));
  addEventListener("keydown", pressed);
  keepKeysForThePlayer();
  addExports();
  if (data.notes.length) {
    byId("left-out").hidden = false;
    byId("left-out").querySelector("summary").textContent = `Not shown: ${data.notes.length}`;
    byId("left-out").querySelector("ul").append(...data.notes.map((note) => element("li", { textContent: note })));
  }
  if (matchMedia("(max-width: 760px)").matches) root.style.setProperty("--size", "110px");
  filter();
  saySaved();
  clock.playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  requestAnimationFrame(tick);
}

begin();
globalThis.review = { data, clock, choices, grid, viewer }; // for the console, and for tests
