// Time is one number, seconds, for all takes. Which frame a take shows follows from it, so takes cannot drift apart.

const mod = (value, length) => ((value % length) + length) % length;
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const rateOf = (movie) => movie.rate[0] / movie.rate[1];

class Clock {
  seconds = 0;
  speed = 1; // negative: backwards
  playing = false;
  loop = "loop";

  // Frames from `seconds` 0; in the middle of a frame there is no rounding to fear.
  count(movie) {
    return Math.floor(this.seconds * rateOf(movie) + 1e-6);
  }

  // The frame index that a movie shows, between its in and out (indices, both included).
  frame(movie, [first, last]) {
    const length = last - first + 1;
    const count = this.count(movie);
    if (this.loop === "once") return first + clamp(count, 0, length - 1);
    if (this.loop === "loop" || length === 1) return first + mod(count, length);
    const there = mod(count, 2 * length - 2);
    return first + Math.min(there, 2 * length - 2 - there);
  }

  // Go to where the movie shows this frame.
  goTo(movie, [first], frame) {
    this.seconds = (frame - first + 0.5) / rateOf(movie);
  }

  step(movie, range, by) {
    this.playing = false;
    this.goTo(movie, range, this.frame(movie, range)); // each length has its own round; from here count in the first
    const length = range[1] - range[0] + 1;
    const next = this.count(movie) + by;
    this.seconds = ((this.loop === "once" ? clamp(next, 0, length - 1) : mod(next, length)) + 0.5) / rateOf(movie);
  }

  // A moment has passed. True while something moves.
  pass(seconds, movie, range) {
    if (!this.playing) return false;
    this.seconds += seconds * this.speed;
    const duration = (range[1] - range[0] + 1) / rateOf(movie);
    if (this.loop === "once" && (this.seconds >= duration || this.seconds < 0)) {
      this.seconds = clamp(this.seconds, 0, duration - 0.5 / rateOf(movie));
      this.playing = false;
    }
    return true;
  }

  // J and L: another press is twice as fast, the other direction begins at the chosen speed.
  shuttle(direction, speed) {
    const same = this.playing && Math.sign(this.speed) === direction;
    this.speed = same ? clamp(this.speed * 2, -8, 8) : direction * speed;
    this.playing = true;
  }
}
