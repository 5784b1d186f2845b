// What was chosen of each take. With a server every change is sent at once, and waits in this browser until it has been
// saved; without one, changes stay in this browser until they are downloaded.

class Choices {
  takes = {};
  waiting = []; // changes that no server has confirmed
  revision = 0;
  offline = false;

  constructor(data, { onChange, onSaved, onNews }) {
    this.served = data.served;
    Object.assign(this, { onChange, onSaved, onNews });
    this.takes = data.choices.takes;
    this.revision = data.choices.revision;
    this.store = `vidgan-review ${data.id}`;
    const left = this.#stored();
    if (this.served) {
      this.waiting = left.waiting ?? [];
      for (const change of this.waiting) this.#show(change, change.based_on);
      this.#send();
      setInterval(() => document.hidden || this.#ask(), 1500);
    } else {
      this.changed = left.changed ?? 0;
      for (const [take, fields] of Object.entries(left.takes ?? {}))
        for (const [field, chosen] of Object.entries(fields)) {
          const here = this.takes[take]?.[field];
          if (!here || chosen.at > here.at) (this.takes[take] ??= {})[field] = chosen;
        }
      addEventListener("beforeunload", (event) => this.changed && event.preventDefault());
    }
  }

  get(take, field) {
    return this.takes[take]?.[field]?.value ?? null;
  }

  // [{field, value, by}] that were replaced without having been seen.
  replaced(take) {
    const fields = Object.entries(this.takes[take] ?? {});
    return fields.flatMap(([field, chosen]) => (chosen.replaced ? [{ field, now: chosen, ...chosen.replaced }] : []));
  }

  set(take, field, value, by) {
    if (value === "") value = null;
    if (this.get(take, field) === value && !this.takes[take]?.[field]?.replaced) return;
    const based_on = this.takes[take]?.[field]?.revision ?? 0;
    const change = { take, field, value, based_on, by };
    if (this.served) {
      this.waiting.push(change);
      this.#show(change, based_on);
      this.#keep();
      this.#send();
    } else {
      this.changed += 1;
      this.#show(change, 0); // no revision yet: that is for the file's keeper to give
      this.#keep();
    }
    this.onChange(take);
    this.onSaved();
  }

  // All choices as the file that the command line reads.
  text() {
    return JSON.stringify({ version: 1, revision: this.revision, takes: this.takes }, null, 1) + "\n";
  }

  downloaded() {
    this.changed = 0;
    this.#keep();
    this.onSaved();
  }

  #show({ take, field, value, by }, revision) {
    const at = new Date().toISOString().replace(/\.\d+Z$/, "+00:00");
    (this.takes[take] ??= {})[field] = { value, revision, by, at, replaced: null };
  }

  #stored() {
    try {
      return JSON.parse(localStorage.getItem(this.store) ?? "{}");
    } catch {
      return {};
    }
  }

  #keep() {
    const { waiting, takes, changed } = this;
    try {
      localStorage.setItem(this.store, JSON.stringify(this.served ? { waiting } : { takes, changed }));
    } catch {
      // A browser that stores nothing still sends or downloads.
    }
  }

  // One after another, in order; a change that could not be sent is tried again.
  async #send() {
    if (this.sending) return;
    this.sending = true;
    while (this.waiting.length) {
      const change = this.waiting[0];
      const answer = await call("changes", { method: "POST", body: JSON.stringify(change), keepalive: true });
      if (!answer || answer.status >= 500) {
        this.offline = true;
        this.onSaved();
        await new Promise((go) => setTimeout(go, 2000));
        continue;
      }
      this.offline = false;
      this.waiting.shift();
      const body = await answer.json().catch(() => ({}));
      if (answer.ok) {
        // What waits behind it was chosen by the same person, who has seen this.
        for (const next of this.waiting)
          if (next.take === change.take && next.field === change.field) next.based_on = body.chosen.revision;
        if (!this.#isWaiting(change.take, change.field)) (this.takes[change.take] ??= {})[change.field] = body.chosen;
      } else {
        this.onNews(body.error ?? `not saved (${answer.status})`);
      }
      this.#keep();
      this.onChange(change.take);
      this.onSaved();
    }
    this.sending = false;
  }

  #isWaiting(take, field) {
    return this.waiting.some((change) => change.take === take && change.field === field);
  }

  // What others have changed since.
  async #ask() {
    const answer = await call(`changes?since=${this.revision}`);
    if (!answer?.ok) return;
    const news = await answer.json();
    this.revision = news.revision;
    for (const [take, fields] of Object.entries(news.takes)) {
      let different = false;
      for (const [field, chosen] of Object.entries(fields)) {
        if (this.#isWaiting(take, field) || (this.takes[take]?.[field]?.revision ?? 0) >= chosen.revision) continue;
        (this.takes[take] ??= {})[field] = chosen;
        different = true;
      }
      if (different) this.onChange(take);
    }
  }
}

// An answer of the server, or null if there is none.
async function call(address, options = {}) {
  const headers = options.body ? { "Content-Type": "application/json" } : {};
  return fetch(address, { headers, cache: "no-store", ...options }).catch(() => null);
}
