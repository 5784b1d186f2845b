// What is known and chosen of the selected take, and the buttons to choose with.

class Inspector {
  constructor(choices, { who, onMark }) {
    Object.assign(this, { choices, who, onMark });
    byId("stars").append(
      ...[1, 2, 3, 4, 5].map((count) => {
        const star = element("button", { type: "button", textContent: "★", ariaLabel: `${count} stars` });
        star.addEventListener("click", () => this.rate(count));
        return star;
      }),
    );
    byId("pick").addEventListener("click", () => this.decide("picked"));
    byId("reject").addEventListener("click", () => this.decide("rejected"));
    byId("note").addEventListener("input", () => {
      this.typed = true;
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.saveNote(), 400);
    });
    byId("note").addEventListener("blur", () => this.saveNote());
    addEventListener("pagehide", () => this.saveNote());
  }

  show(take) {
    if (take !== this.take) {
      this.saveNote();
      this.take = take;
      byId("name").textContent = take.name;
      const facts = {
        class: take.class,
        seed: take.seed,
        frames: `${take.frames} at ${take.rate[1] === 1 ? take.rate[0] : take.rate.join("/")} frames/s`,
        size: size([take.height, take.width]) + (take.copy ? `, shown as ${size(take.shape)}` : ""),
        file: take.key,
        weights: take.weights,
        "weights hash": take.weights_sha256,
        trained: take.trained_kclips && `${take.trained_kclips} kclips`,
      };
      const given = Object.entries(facts).filter(([, value]) => value !== null && value !== undefined);
      byId("facts").replaceChildren(
        ...given.flatMap(([name, value]) => [
          element("dt", { textContent: name }),
          element("dd", { textContent: value }),
        ]),
      );
    }
    const chosen = (field) => this.choices.get(take.key, field);
    byId("pick").ariaPressed = chosen("decision") === "picked";
    byId("reject").ariaPressed = chosen("decision") === "rejected";
    for (const [index, star] of [...byId("stars").children].entries()) {
      star.classList.toggle("lit", index < (chosen("stars") ?? 0));
      star.ariaPressed = index < (chosen("stars") ?? 0);
    }
    if (!this.typed) byId("note").value = chosen("note") ?? "";
    const [first, last] = range(take, this.choices);
    const marked = chosen("in") !== null || chosen("out") !== null;
    byId("marks").textContent = marked ? `${first + 1} to ${last + 1}: ${last - first + 1} frames` : "all frames";
    byId("clear-marks").disabled = !marked;
    byId("replaced").replaceChildren(...this.choices.replaced(take.key).map((conflict) => this.#conflict(conflict)));
  }

  // Another press takes it back.
  decide(decision) {
    this.set("decision", this.choices.get(this.take.key, "decision") === decision ? null : decision);
  }

  rate(stars) {
    this.set("stars", stars === 0 || this.choices.get(this.take.key, "stars") === stars ? null : stars);
  }

  // The frame shown becomes the first, or the last, that is used.
  mark(field, frame) {
    const [first, last] = range(this.take, this.choices);
    this.set(field, frame);
    if (field === "in" && frame > last) this.set("out", null);
    if (field === "out" && frame < first) this.set("in", null);
    this.onMark(this.take, frame);
  }

  clearMarks(frame) {
    this.set("in", null);
    this.set("out", null);
    this.onMark(this.take, frame);
  }

  saveNote() {
    clearTimeout(this.typing);
    if (!this.typed) return;
    this.typed = false;
    this.set("note", byId("note").value);
  }

  set(field, value) {
    this.choices.set(this.take.key, field, value, this.who());
  }

  #conflict({ field, now, value, by }) {
    const then = `${by} had ${field} ${value ?? "not set"}`;
    const words = `${then}; ${now.by} set it to ${now.value ?? "nothing"} without having seen that.`;
    const keep = element("button", { type: "button", textContent: "Keep" });
    keep.addEventListener("click", () => this.set(field, now.value));
    const restore = element("button", { type: "button", textContent: `Take ${by}'s` });
    restore.addEventListener("click", () => this.set(field, value));
    return element("li", {}, words, element("div", { className: "row" }, keep, restore));
  }
}

const byId = (id) => document.getElementById(id);

// First and last frame index that are used. Marks outside the take, or the wrong way round, count as not set.
function range(take, choices) {
  const [first, last] = [choices.get(take.key, "in"), choices.get(take.key, "out")];
  const start = first === null || first >= take.frames ? 0 : first;
  return [start, last === null || last >= take.frames || last < start ? take.frames - 1 : last];
}
