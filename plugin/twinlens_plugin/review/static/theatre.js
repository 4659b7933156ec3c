// Comparing in a dialog over the list: the photos of a group follow one another, and are decided on.

import { readdress } from "./back.js";
import { fetchFragment, openDialog, Refused, say, toast, undoLast } from "./base.js";
import { Compare } from "./compare.js";
import { onKeys } from "./keys.js";

const ADDRESS = /^#compare=(\d+)-(\d+)$/;

/** The two photos that the address would have compared, keeper first; null where it asks for none. */
export function addressed() {
  return ADDRESS.exec(location.hash)?.slice(1) ?? null;
}

/** Open the dialog on the photos of a group, keeper first, at one of them. `act(name, id)` does something to a
 *  photo and returns the photos of the group as they are then; so does `again()`. */
export async function openTheatre(dialog, { photos, at, act, again, closed }) {
  const theatre = new Theatre(dialog, photos, at, act, again);
  await theatre.show();
  if (!dialog.open) openDialog(dialog, { address: theatre.address });
  theatre.refit();
  const off = onKeys(theatre.keys, { within: dialog });
  dialog.addEventListener("close", () => {
    off();
    theatre.stop();
    closed();
  }, { once: true });
}

class Theatre {
  #dialog;
  #photos;
  #at;
  #act;
  #again;
  #compare = null;
  #asked = null;

  constructor(dialog, photos, at, act, again) {
    this.#dialog = dialog;
    this.#photos = photos;
    this.#at = at;
    this.#act = act;
    this.#again = again;
  }

  async show() {
    const [keeper] = this.#photos;
    const other = this.#photos[this.#at];
    this.#asked?.abort();
    this.#asked = new AbortController();
    let fragment;
    try {
      fragment = await fetchFragment(`/compare?a=${keeper.id}&b=${other.id}&fragment=1`, { signal: this.#asked.signal });
    } catch (error) {
      if (error.name === "AbortError") return;
      throw error;
    }
    const root = fragment.querySelector(".compare");
    const view = this.#compare?.view;
    const before = this.#dialog.querySelector(".compare");
    const stays = before?.dataset.a === root.dataset.a && before?.dataset.aSize === root.dataset.aSize;
    const focused = document.activeElement?.id;
    this.stop();
    if (before) before.replaceWith(root);
    else this.#dialog.prepend(root);
    this.#compare = new Compare(root, stays ? view : null);
    root.querySelector(".place").textContent = this.#photos.length > 2 ? `${this.#at} of ${this.#photos.length - 1}` : "";
    for (const control of root.querySelectorAll("[data-step]")) control.hidden = this.#photos.length < 3;
    root.addEventListener("click", (event) => this.#press(event));
    await this.#compare.start();
    if (focused) root.querySelector(`#${CSS.escape(focused)}`)?.focus({ preventScroll: true });
    if (!this.#dialog.open) return;
    readdress(this.#dialog, this.address);
    say(`${other.name}. ${root.querySelector(".relation").textContent.trim()}`);
  }

  get address() {
    return `#compare=${this.#photos[0].id}-${this.#photos[this.#at].id}`;
  }

  refit() {
    this.#dialog.querySelector(".stage").focus({ preventScroll: true });
  }

  stop() {
    this.#compare?.stop();
  }

  get keys() {
    const compare = () => this.#compare.keys;
    const forwarded = Object.fromEntries(Object.keys(compare()).map((key) => [key, (event) => compare()[key](event)]));
    return {
      ...forwarded,
      ArrowRight: () => this.#step(1), ArrowLeft: () => this.#step(-1),
      K: () => this.#do("keep"), N: () => this.#do("apart"), E: () => this.#do("same"),
      U: () => this.#takeBack(), "Ctrl+Z": () => this.#takeBack(),
    };
  }

  #press(event) {
    const button = event.target.closest("button");
    if (!button) return undefined;
    if (button.dataset.step) return this.#step(Number(button.dataset.step));
    if (button.dataset.act) return this.#do(button.dataset.act, button.dataset.photo);
    if (button.matches(".close")) return this.#dialog.close();
    return undefined;
  }

  async #step(step) {
    const next = this.#at + step;
    if (next < 1 || next >= this.#photos.length) {
      toast(step > 0 ? "That was the last photo of the group." : "That is the first one beside the keeper.", { seconds: 3 });
      return;
    }
    this.#at = next;
    await this.#shown();
  }

  async #do(act, photo = this.#photos[this.#at].id) {
    this.#now(await this.#act(act, photo));
    if (this.#photos.length) await this.#shown();
    else this.#dialog.close();
  }

  async #takeBack() {
    await undoLast();
    this.#now(this.#again());
    if (this.#photos.length) await this.#shown();
  }

  #now(photos) {
    this.#photos = photos.length > 1 ? photos : [];
    this.#at = Math.max(1, Math.min(this.#at, this.#photos.length - 1));
  }

  async #shown() {
    try {
      await this.show();
    } catch (error) {
      if (!(error instanceof Refused)) throw error; // shown; what was there stays
    }
  }
}
