// One take, large, alone or held against another take or a movie of the footage.

const MODES = [
  ["alone", "Alone"],
  ["beside", "Side by side"],
  ["wipe", "Wipe"],
  ["onion", "Onion skin"],
  ["difference", "Difference"],
];

class Viewer {
  mode = "alone";
  take = null;
  other = null;

  constructor(data) {
    this.section = document.getElementById("viewer");
    this.stage = document.getElementById("stage");
    this.movies = new Map([...data.takes, ...data.footage].map((movie) => [movie.id, movie]));
    this.#fillChoices(data);
    this.amount.addEventListener("input", () => this.redraw());
    this.offset.addEventListener("input", () => this.redraw());
    new ResizeObserver(() => this.redraw()).observe(this.stage);
    const wipe = (event) => {
      if (this.mode !== "wipe" || !this.place || !(event.buttons & 1)) return;
      const x = event.clientX - this.stage.getBoundingClientRect().left;
      const { left, width } = this.place;
      this.amount.value = clamp((100 * (x * devicePixelRatio - left)) / width, 0, 100);
      this.redraw();
    };
    this.stage.addEventListener("pointerdown", wipe);
    this.stage.addEventListener("pointermove", wipe);
  }

  get open() {
    return !this.section.hidden;
  }

  show(take) {
    this.section.hidden = false;
    if (this.take?.movie !== take) {
      this.take?.close();
      this.take = this.#player(take);
    }
    if (this.mode !== "alone") this.#openOther();
    this.#say();
  }

  hide() {
    this.section.hidden = true;
    this.take?.close();
    this.other?.close();
    this.take = this.other = null;
  }

  setMode(mode) {
    this.mode = mode;
    document.querySelector(`#modes [value=${mode}]`).checked = true;
    if (mode === "alone") {
      this.other?.close();
      this.other = null;
    } else {
      this.#openOther();
    }
    this.#say();
  }

  // Hold takes against this movie from now on.
  compareWith(movie) {
    this.select.value = movie.id;
    this.offset.value = 1;
    if (this.open && this.mode !== "alone") this.#openOther();
    this.#say();
  }

  redraw() {
    this.drawn = null;
  }

  draw(frameOf) {
    if (!this.open) return;
    const frame = frameOf(this.take.movie);
    const from = Number(this.offset.value || 1) - 1;
    const other = this.other && mod(frameOf(this.other.movie) + from, this.other.movie.frames);
    const state = `${frame} ${other}`;
    if (this.drawn === state && !this.take.follows && !this.other?.follows) return;
    const [picture, second] = [this.take.picture(frame), this.other?.picture(other)];
    if (!picture || (this.other && !second)) return;
    this.drawn = state;
    const { name, frames } = this.take.movie;
    this.stage.ariaLabel = `${name}, frame ${frame + 1} of ${frames}`;
    if (second) this.stage.ariaLabel += `, ${this.mode} with ${this.other.movie.name}, frame ${other + 1}`;
    this.#paint(picture, second);
  }

  #paint(picture, second) {
    const stage = this.stage;
    const [width, height] = [stage.clientWidth, stage.clientHeight].map((size) => Math.round(size * devicePixelRatio));
    if (stage.width !== width || stage.height !== height) [stage.width, stage.height] = [width, height];
    const context = stage.getContext("2d");
    context.clearRect(0, 0, width, height);
    const half = this.mode === "beside" ? width / 2 : width;
    const place = (this.place = placed(this.take.movie, 0, half, height));
    paint(context, picture, place);
    if (!second) return;
    const amount = this.amount.value / 100;
    context.save();
    if (this.mode === "beside") {
      paint(context, second, placed(this.other.movie, half, half, height));
    } else {
      const cut = place.left + place.width * amount;
      context.beginPath();
      context.rect(this.mode === "wipe" ? cut : place.left, place.top, place.width, place.height);
      context.clip();
      if (this.mode === "onion") context.globalAlpha = amount;
      if (this.mode === "difference") context.globalCompositeOperation = "difference";
      paint(context, second, placed(this.other.movie, place.left, place.width, place.height, place.top));
      if (this.mode === "wipe") {
        context.fillStyle = "#f0b43c";
        context.fillRect(cut - 1, place.top, 2, place.height);
      }
    }
    context.restore();
  }

  #player(movie) {
    const player = new Player(movie);
    player.open(movie.shape[1], () => {
      this.redraw();
      this.#say();
    });
    return player;
  }

  #openOther() {
    const movie = this.movies.get(this.select.value);
    if (this.other?.movie === movie) return;
    this.other?.close();
    this.other = movie ? this.#player(movie) : null;
    this.offset.max = movie?.frames ?? 1;
    this.redraw();
  }

  #say() {
    const compared = this.mode !== "alone";
    for (const id of ["other-label", "offset-label"]) document.getElementById(id).hidden = !compared;
    document.getElementById("amount-label").hidden = !["wipe", "onion"].includes(this.mode);
    const shown = [this.take, compared && this.other].filter(Boolean);
    const copies = shown.map(({ movie }) => movie).filter((movie) => movie.copy);
    const words = copies.map(
      ({ name, shape, height, width }) => `${name}: a review copy of ${size(shape)}, the file has ${size([height, width])}`,
    );
    words.push(...shown.map((player) => player.trouble).filter(Boolean));
    const loading = shown.find((player) => !player.trouble && player.progress < 1);
    if (loading) words.push(`loading ${loading.movie.name} ${Math.round(100 * loading.progress)} %`);
    document.getElementById("stage-note").textContent = words.join(" · ");
    this.redraw();
  }

  #fillChoices(data) {
    this.select = document.getElementById("other");
    this.offset = document.getElementById("offset");
    this.amount = document.getElementById("amount");
    for (const [label, movies] of [["footage", data.footage], ["takes", data.takes]]) {
      if (!movies.length) continue;
      const options = movies.map((movie) => element("option", { value: movie.id, textContent: movie.key }));
      this.select.append(element("optgroup", { label }, ...options));
    }
    this.select.addEventListener("change", () => this.compareWith(this.movies.get(this.select.value)));
    const modes = document.getElementById("modes");
    for (const [value, words] of MODES) {
      const radio = element("input", { type: "radio", name: "mode", value, checked: value === "alone" });
      radio.addEventListener("change", () => this.setMode(value));
      modes.append(element("label", {}, radio, words));
    }
  }
}

const size = ([height, width]) => `${width}x${height}`;

// Where a movie lies in a box, whole and in its shape.
function placed(movie, left, width, height, top = 0) {
  const scale = Math.min(width / movie.shape[1], height / movie.shape[0]);
  const [wide, high] = [movie.shape[1] * scale, movie.shape[0] * scale];
  return { left: left + (width - wide) / 2, top: top + (height - high) / 2, width: wide, height: high };
}

function paint(context, picture, { left, top, width, height }) {
  context.imageSmoothingEnabled = width < 1.5 * picture.width; // much enlarged, pixels are squares
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, left, top, width, height);
}
