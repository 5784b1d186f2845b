// Which takes are shown, and in what order.

class Filters {
  constructor(takes, choices, onChange) {
    Object.assign(this, { choices, onChange });
    const classes = [...new Set(takes.map((take) => take.class).filter(Boolean))].sort();
    for (const name of classes.length > 1 ? classes : []) {
      const box = element("input", { type: "checkbox", value: name });
      byId("classes").append(element("label", {}, box, name));
    }
    for (const id of ["classes", "words", "stars-filter", "decision-filter", "order"])
      byId(id).addEventListener("input", onChange);
    byId("unfilter").addEventListener("click", () => this.clear());
    if (matchMedia("(max-width: 760px)").matches) byId("filters").open = byId("more").open = false;
  }

  clear() {
    for (const box of byId("classes").querySelectorAll("input")) box.checked = false;
    for (const id of ["words", "stars-filter", "decision-filter"]) byId(id).value = "";
    this.onChange();
  }

  // The tiles that are shown, in their order.
  apply(tiles) {
    const classes = [...byId("classes").querySelectorAll(":checked")].map((box) => box.value);
    const words = parseWords(byId("words").value);
    const stars = byId("stars-filter").value;
    const decision = byId("decision-filter").value;
    const kept = tiles.filter(({ take }) => {
      const rated = this.choices.get(take.key, "stars") ?? 0;
      return (
        (!classes.length || classes.includes(take.class)) &&
        (!words.length || words.some((matches) => matches(take, this.choices.get(take.key, "note") ?? ""))) &&
        (stars === "" || (stars === "0" ? rated === 0 : rated >= Number(stars))) &&
        this.#decided(take, decision)
      );
    });
    return kept.sort(this.#order());
  }

  #decided(take, wanted) {
    const decision = this.choices.get(take.key, "decision");
    if (wanted === "undecided") return decision === null;
    if (wanted === "unrejected") return decision !== "rejected";
    if (wanted === "replaced") return this.choices.replaced(take.key).length > 0;
    return wanted === "" || decision === wanted;
  }

  // Sorting is stable: what is alike stays in the order the takes were made.
  #order() {
    const stars = ({ take }) => this.choices.get(take.key, "stars") ?? 0;
    const seed = ({ take }) => take.seed ?? Infinity;
    return {
      made: () => 0,
      name: (a, b) => a.take.name.localeCompare(b.take.name, undefined, { numeric: true }),
      seed: (a, b) => (seed(a) === seed(b) ? 0 : seed(a) - seed(b)),
      stars: (a, b) => stars(b) - stars(a),
    }[byId("order").value];
  }
}

// "3, 17-20, walk": seeds, ranges of seeds, and words in a name, a class or a note; any of them will do.
function parseWords(text) {
  return text.toLowerCase().split(/[\s,]+/).filter(Boolean).map((word) => {
    const seeds = /^(\d+)(?:-(\d+))?$/.exec(word);
    const found = (take, note) => `${take.key} ${take.class ?? ""} ${note}`.toLowerCase().includes(word);
    if (!seeds) return found;
    const [low, high] = [Number(seeds[1]), Number(seeds[2] ?? seeds[1])];
    return (take, note) => (take.seed === null ? found(take, note) : take.seed >= low && take.seed <= high);
  });
}
