// The groups accepted into the plan, for this tab: told of by "change" events, kept in sessionStorage.
// An entry is {name, cursor, query, bytes, photos}: what the plan needs to find a group, and to say what it wins.

const KEPT = "selection";

class Selection extends EventTarget {
  #entries = read();

  constructor() {
    super();
    // Shown again by Back as it was left: what was planned or emptied meanwhile must not come back.
    addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      this.#entries = read();
      this.dispatchEvent(new Event("change"));
    });
  }

  /** All entries, in the order in which they were accepted. */
  get all() {
    return [...this.#entries.values()];
  }

  get size() {
    return this.#entries.size;
  }

  has(name) {
    return this.#entries.has(name);
  }

  add(...entries) {
    for (const entry of entries) this.#entries.set(entry.name, entry);
    this.#changed();
  }

  remove(...names) {
    const gone = names.filter((name) => this.#entries.delete(name));
    if (gone.length) this.#changed();
  }

  /** Add or remove; tell whether it is in there now. */
  toggle(entry) {
    if (this.has(entry.name)) this.remove(entry.name);
    else this.add(entry);
    return this.has(entry.name);
  }

  clear() {
    this.#entries.clear();
    this.#changed();
  }

  #changed() {
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(this.all));
    } catch {
      // Forbidden or full: it lasts as long as the page.
    }
    this.dispatchEvent(new Event("change"));
  }
}

function read() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
    const entries = Array.isArray(kept) ? kept.filter((entry) => typeof entry?.name === "string") : [];
    return new Map(entries.map((entry) => [entry.name, entry]));
  } catch {
    return new Map();
  }
}

export const selection = new Selection();
