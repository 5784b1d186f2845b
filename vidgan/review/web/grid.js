// All takes as tiles. Only what is on screen, or about to be, loads and plays.

const SIGNS = { picked: "✓", rejected: "✕" };

class Tile {
  constructor(take, grid) {
    this.take = take;
    this.player = new Player(take);
    this.element = element("div", { className: "tile", role: "option", tabIndex: -1 });
    this.element.dataset.key = take.key;
    this.canvas = element("canvas", {});
    [this.canvas.height, this.canvas.width] = [take.shape[0], take.shape[1]];
    this.canvas.style.aspectRatio = `${take.shape[1]} / ${take.shape[0]}`;
    this.canvas.style.backgroundImage = `url(${take.poster})`;
    this.loading = element("div", { className: "loading" });
    this.sign = element("span", { className: "sign" });
    this.stars = element("span", { className: "said" });
    const called = element("span", { className: "called", textContent: take.name, title: take.key });
    const below = element("div", { className: "below" }, this.sign, called, this.stars);
    this.element.append(this.canvas, this.loading, below);
    this.element.addEventListener("click", () => grid.select(this));
    this.element.addEventListener("dblclick", () => grid.onOpen());
  }

  open() {
    this.player.open(this.canvas.clientWidth * devicePixelRatio, () => this.loaded());
  }

  loaded() {
    const { progress, trouble } = this.player;
    this.loading.style.width = progress < 1 ? `${100 * progress}%` : "0";
    if (trouble && !this.trouble) {
      this.trouble = element("div", { className: "trouble", textContent: trouble });
      this.element.append(this.trouble);
    }
    this.drawn = null;
  }

  draw(frame) {
    if (this.drawn === frame) return;
    const picture = this.player.picture(frame);
    if (!picture) return;
    fit(this.canvas, picture);
    this.canvas.getContext("2d").drawImage(picture, 0, 0, this.canvas.width, this.canvas.height);
    this.drawn = this.player.follows ? null : frame;
  }

  say(choices) {
    const { key, name, class: ofClass, seed } = this.take;
    const decision = choices.get(key, "decision");
    const stars = choices.get(key, "stars") ?? 0;
    const note = choices.get(key, "note");
    const conflict = choices.replaced(key).length > 0;
    this.element.classList.toggle("picked", decision === "picked");
    this.element.classList.toggle("rejected", decision === "rejected");
    this.sign.textContent = SIGNS[decision] ?? "";
    this.stars.textContent = "★".repeat(stars) + (note ? " ✎" : "") + (conflict ? " ⚠" : "");
    const words = [name, ofClass && `class ${ofClass}`, seed !== null && `seed ${seed}`, decision ?? "undecided"];
    words.push(stars && `${stars} stars`, note && `note: ${note}`, conflict && "changed by two people");
    this.element.ariaLabel = words.filter(Boolean).join(", ");
  }
}

class Grid {
  shown = [];
  selected = null;

  constructor(takes, { choices, onSelect, onOpen }) {
    Object.assign(this, { choices, onSelect, onOpen });
    this.element = document.getElementById("grid");
    this.tiles = takes.map((take) => new Tile(take, this));
    this.byKey = new Map(this.tiles.map((tile) => [tile.take.key, tile]));
    const byElement = new Map(this.tiles.map((tile) => [tile.element, tile]));
    this.onScreen = new Set();
    this.watcher = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) {
          const tile = byElement.get(entry.target);
          if (entry.isIntersecting) {
            this.onScreen.add(tile);
            tile.drawn = null;
            tile.open();
          } else {
            this.onScreen.delete(tile);
            tile.player.hide();
          }
        }
      },
      { root: document.querySelector("main"), rootMargin: "150px" },
    );
    for (const tile of this.tiles) {
      tile.say(choices);
      this.watcher.observe(tile.element);
    }
  }

  // Show these tiles in this order, and no others.
  show(tiles) {
    this.shown = tiles;
    this.element.replaceChildren(...tiles.map((tile) => tile.element));
    document.getElementById("nothing").hidden = tiles.length > 0;
    if (!tiles.includes(this.selected) && tiles.length) this.select(tiles[0], { focus: false });
  }

  select(tile, { focus = true } = {}) {
    if (this.selected) {
      this.selected.element.ariaSelected = "false";
      this.selected.element.tabIndex = -1;
    }
    this.selected = tile;
    tile.element.ariaSelected = "true";
    tile.element.tabIndex = 0;
    if (focus && !this.element.hidden) tile.element.focus({ preventScroll: true });
    if (focus) tile.element.scrollIntoView({ block: "nearest" });
    this.onSelect(tile);
  }

  // The next take, or the one before (-1).
  move(by) {
    const at = this.shown.indexOf(this.selected);
    const tile = this.shown[clamp(at + by, 0, this.shown.length - 1)];
    if (tile) this.select(tile);
  }

  draw(frameOf) {
    if (!this.element.hidden) for (const tile of this.onScreen) tile.draw(frameOf(tile.take));
  }
}

// A canvas of the size of a picture that is smaller than it is shown keeps its pixels square.
function fit(canvas, picture) {
  if (canvas.width === picture.width && canvas.height === picture.height) return;
  [canvas.width, canvas.height] = [picture.width, picture.height];
  canvas.style.imageRendering = picture.width * 1.5 < canvas.clientWidth * devicePixelRatio ? "pixelated" : "auto";
}

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
