// Frames of a movie as pictures. A <video> finds each frame once, by its time; from then on frames are drawn from
// memory: in step with all other takes, in both directions, over a loop's end without a hitch. Movies too long for that
// are followed, frame by frame, as fast as the browser finds them.

const MEMORY = (navigator.deviceMemory ?? 4) >= 4 ? 800e6 : 250e6; // bytes of pictures, of all takes together
const MEMORY_OF_ONE = MEMORY / 5;
const AT_ONCE = 12; // videos that are searched at the same time; more do not find frames any faster
const [PATIENCE, TRIES] = [2000, 10]; // milliseconds until a frame is looked for again, and how often

const queue = { running: 0, waiting: [] };
async function inTurn(work) {
  if (queue.running >= AT_ONCE) await new Promise((go) => queue.waiting.push(go));
  queue.running += 1;
  try {
    return await work();
  } finally {
    queue.running -= 1;
    queue.waiting.shift()?.();
  }
}

const kept = new Set(); // players with pictures in memory, the longest unseen first
let bytesKept = 0;

class Player {
  frames = [];
  progress = 0; // of its frames that are in memory, 0 to 1
  trouble = "";
  visible = false;
  #video = null;
  #life = 0; // counts openings, so that what is left of an earlier one ends
  #wanted = null;

  constructor(movie) {
    this.movie = movie;
  }

  // `width` is that of the pictures, in pixels of the screen.
  open(width, onChange) {
    this.visible = true;
    this.onChange = onChange;
    this.width = Math.min(this.movie.shape[1], Math.ceil(width));
    this.height = Math.max(1, Math.round((this.width * this.movie.shape[0]) / this.movie.shape[1]));
    this.bytes = 4 * this.width * this.height * this.movie.frames;
    if (kept.delete(this)) kept.add(this);
    if (this.opened) return;
    this.opened = true;
    this.trouble = "";
    const life = ++this.#life;
    this.follows = this.bytes > MEMORY_OF_ONE || !makeRoom(this.bytes);
    if (!this.follows) {
      kept.add(this);
      bytesKept += this.bytes;
    }
    inTurn(() => (life === this.#life ? this.#load(life) : null)).catch((error) => {
      if (life !== this.#life) return;
      this.trouble = error.message;
      this.onChange();
    });
  }

  // Out of sight: its pictures stay until the room is needed.
  hide() {
    this.visible = false;
    if (this.follows || this.progress < 1) this.close();
  }

  close() {
    if (!this.opened) return;
    this.opened = this.visible = false;
    this.#life += 1;
    if (kept.delete(this)) bytesKept -= this.bytes;
    for (const frame of this.frames) frame?.close();
    this.frames = [];
    this.progress = 0;
    this.found = undefined;
    this.#release();
  }

  // The picture of a frame; undefined if it is not there yet, and then it is looked for.
  picture(index) {
    if (!this.follows) return this.frames[index];
    this.#wanted = index;
    this.#follow();
    return this.frames[0];
  }

  #release() {
    if (!this.#video) return;
    this.#video.removeAttribute("src");
    this.#video.load();
    this.#video = null;
  }

  async #load(life) {
    const video = document.createElement("video");
    this.#video = video;
    Object.assign(video, { muted: true, playsInline: true, preload: "auto", src: this.movie.src });
    if (this.follows) return this.#follow();
    for (let index = 0; index < this.movie.frames; index++) {
      const picture = await this.#find(video, index);
      if (life !== this.#life) return picture.close();
      this.frames[index] = picture;
      this.progress = (index + 1) / this.movie.frames;
      this.onChange();
    }
    this.#release();
  }

  // The browser says "seeked" a moment before the frame can be drawn, and until then draws the one before: the frame's
  // own time tells.
  async #find(video, index) {
    const time = (index + 0.5) / rateOf(this.movie);
    await frameAt(video, time, 1 / rateOf(this.movie), this.movie);
    return createImageBitmap(video, { resizeWidth: this.width, resizeHeight: this.height, resizeQuality: "medium" });
  }

  async #follow() {
    const video = this.#video;
    if (this.following || this.trouble || !video) return;
    this.following = true;
    try {
      while (this.#wanted !== null && this.#wanted !== this.found && this.#video === video) {
        const index = this.#wanted;
        const picture = await this.#find(video, index);
        if (this.#video !== video) return picture.close();
        this.frames[0]?.close();
        [this.frames[0], this.found, this.progress] = [picture, index, 1];
        this.onChange();
      }
    } catch (error) {
      if (this.#video !== video) return;
      this.trouble = error.message;
      this.onChange();
    } finally {
      this.following = false;
    }
  }
}

// Pictures of takes out of sight go first; false if what is in sight leaves no room.
function makeRoom(bytes) {
  for (const player of [...kept]) {
    if (bytesKept + bytes <= MEMORY) break;
    if (!player.visible) player.close();
  }
  return bytesKept + bytes <= MEMORY;
}

// Until the frame that covers a time, in seconds, has been drawn. In a hidden tab nothing is drawn; there it waits.
async function frameAt(video, time, duration, movie) {
  let drawn, timer;
  const shown = new Promise((resolve, reject) => {
    const look = (_, { mediaTime }) => {
      if (mediaTime <= time && time < mediaTime + duration) resolve();
      else drawn = video.requestVideoFrameCallback(look);
    };
    drawn = video.requestVideoFrameCallback(look);
    let waited = 0;
    timer = setInterval(() => {
      if (document.hidden) return;
      waited += 1;
      video.currentTime = time; // what was drawn before anybody looked is drawn again
      if (waited === TRIES) reject(new Error(`${movie.name}: takes too long to load`));
    }, PATIENCE);
  });
  const failed = new Promise((_, reject) => {
    const words = `${movie.name}: this browser cannot play it, or the file has gone`;
    video.onerror = video.onemptied = () => reject(new Error(words));
  });
  try {
    video.currentTime = time;
    await Promise.race([shown, failed]);
  } finally {
    clearInterval(timer);
    video.cancelVideoFrameCallback(drawn);
  }
}
