// Where one is in the list: one photo can be reached by Tab, the arrows go on from there.

import { toast } from "./base.js";

export function photosOf(group) {
  return [...group.querySelectorAll(".photo")];
}

/** Let Tab reach a photo, its buttons and those of its group, or not. */
function setReachable(photo, reachable) {
  const group = photo.closest(".group");
  const controls = photo.querySelectorAll("a, button");
  const shared = group ? group.querySelectorAll(":scope > header button, :scope > p button") : [];
  for (const control of [...controls, ...shared]) control.tabIndex = reachable ? 0 : -1;
}

export class Walk {
  /** The photo one is at; it may be in the page no more. */
  current = null;
  #list;
  #pages;

  constructor(list) {
    this.#list = list;
  }

  /** Pages to walk through: they call for a photo to start from while they are made. */
  within(pages) {
    this.#pages = pages;
  }

  /** The group one is at; null where it is in the page no more. */
  get group() {
    return this.current?.isConnected ? this.current.closest(".group") : null;
  }

  at(photo) {
    if (this.current === photo) return;
    if (this.current) setReachable(this.current, false);
    this.current = photo;
    if (photo) setReachable(photo, true);
  }

  focus(photo) {
    this.at(photo);
    photo.querySelector(".look").focus({ preventScroll: true });
    const group = photo.closest(".group");
    // The group whole where it fits, else the photo.
    const part = group.offsetHeight < innerHeight - 80 ? group : photo;
    part.scrollIntoView({ block: "nearest" });
  }

  /** The next group, or the one before; null where there is none. */
  async beside(group, step) {
    const side = step > 0 ? "nextElementSibling" : "previousElementSibling";
    let page = group.closest(".page");
    let next = group[side];
    while (!next) {
      page = page[side];
      if (!page) return null;
      await this.#pages.load(page);
      next = step > 0 ? page.firstElementChild : page.lastElementChild;
    }
    return next.matches(".done") ? this.beside(next, step) : next;
  }

  async toGroup(step) {
    // Not there yet: the first key goes into the list, to where one looks.
    const next = this.#inside ? await this.beside(this.group, step) : this.firstVisible();
    if (next) this.focus(photosOf(next)[0]);
    else toast(step > 0 ? "That was the last group." : "That is the first group.", { seconds: 3 });
  }

  toPhoto(step) {
    if (!this.#inside) return this.toGroup(1);
    const photos = photosOf(this.group);
    const next = photos[photos.indexOf(this.current) + step];
    if (next) this.focus(next);
    return undefined;
  }

  toStart() {
    this.focus(this.#list.querySelector(".photo"));
    scrollTo(0, 0);
  }

  firstVisible() {
    const groups = [...this.#list.querySelectorAll(".group:not(.done)")];
    return groups.find((group) => group.getBoundingClientRect().bottom > 60) ?? groups[0];
  }

  get #inside() {
    return this.group !== null && this.#list.contains(document.activeElement);
  }
}
