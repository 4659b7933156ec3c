// A list without end in a page of bounded size. Pages of groups are fetched by cursor as one nears them; pages
// far from the window give up their groups and keep their place: an empty box as high as they were, that knows
// its cursor and asks again on the way back.

import { fetchFragment, Refused } from "./base.js";

/** Pages that keep their groups, some 20 groups each: several screens either way. */
export const MOST_PAGES = 9;
/** Groups in a page. */
export const PAGE_SIZE = 20;
/** How far from the window a page is fetched, in pixels. */
const NEAR = 2000;

export class Pages {
  #list;
  #query;
  #arrived;
  #observer;
  #loading = new Map();

  /** `list`: the element with the first page in it. `arrived(page)` is called with each page that came. */
  constructor(list, arrived) {
    this.#list = list;
    this.#query = list.dataset.query;
    this.#arrived = arrived;
    this.#observer = new IntersectionObserver((seen) => this.#seen(seen), { rootMargin: `${NEAR}px 0px` });
    for (const page of this.all) this.#settle(page);
  }

  get all() {
    return [...this.#list.children];
  }

  /** Whether all there is has been listed. */
  get complete() {
    return this.all.at(-1)?.dataset.last !== undefined;
  }

  /** Fetch a page's groups if they are not there; done when they are. */
  async load(page) {
    if (page.dataset.given === undefined) return;
    if (!this.#loading.has(page)) {
      this.#loading.set(page, this.#fetch(page).finally(() => this.#loading.delete(page)));
    }
    await this.#loading.get(page);
  }

  /** The page after one, fetched; null where it was the last. */
  async after(page) {
    const next = page.nextElementSibling;
    if (next) await this.load(next);
    return next;
  }

  /** The places of the pages, to be gone back to. */
  remembered() {
    return this.all.map((page) => [page.dataset.after, page.dataset.next ?? null, page.getBoundingClientRect().height]);
  }

  /** Lay out remembered pages below the first one, without their groups. */
  restore(places) {
    const [first] = this.all;
    if (!places.length || places[0][1] !== (first.dataset.next ?? null)) return;
    for (const page of this.all.slice(1)) this.#drop(page);
    for (const [after, next, height] of places.slice(1)) this.#add(after, next, height);
  }

  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      target.toggleAttribute("data-near", isIntersecting);
      // A page that does not come (the server went away) is asked for again when one looks at it again.
      if (isIntersecting) this.load(target).catch(ignoreRefused);
    }
    this.#trim();
  }

  async #fetch(page) {
    this.#list.ariaBusy = "true";
    try {
      const until = page.dataset.next;
      const fragment = await fetchFragment(this.#address(page.dataset.after, until === undefined));
      page.replaceChildren(...(fragment ? fragment.childNodes : []));
      if (until !== undefined) cut(page, until);
      delete page.dataset.given;
      page.style.removeProperty("height");
      this.#settle(page);
      this.#trim();
    } finally {
      this.#list.ariaBusy = String(this.#loading.size > 1);
    }
  }

  /** A page that was here before is asked for more than it had: groups may have come since. */
  #address(after, first) {
    const words = new URLSearchParams(this.#query);
    words.set("n", first ? PAGE_SIZE : 2 * PAGE_SIZE);
    if (after) words.set("after", after);
    return `/groups?${words}`;
  }

  /** Make a page that just got its groups part of the list, and the next one known. */
  #settle(page) {
    const next = page.querySelector(":scope > .next");
    if (next) page.dataset.next = next.dataset.after;
    else delete page.dataset.next;
    page.toggleAttribute("data-last", !next && !page.nextElementSibling);
    next?.remove();
    if (page.dataset.next && !page.nextElementSibling) this.#add(page.dataset.next, null, null);
    this.#observer.observe(page);
    this.#arrived(page);
  }

  #add(after, next, height) {
    const page = document.createElement("div");
    page.className = "page";
    page.dataset.after = after;
    if (next !== null) page.dataset.next = next;
    page.dataset.given = "";
    // Of a page that was never seen the height is guessed: a screen, so that one is fetched at a time.
    page.style.setProperty("height", `${height ?? innerHeight}px`);
    this.#list.append(page);
    this.#observer.observe(page);
  }

  #drop(page) {
    this.#observer.unobserve(page);
    page.remove();
  }

  /** Have pages far away give up their groups. Never one that holds the focus. */
  #trim() {
    const full = this.all.filter((page) => page.dataset.given === undefined);
    const middle = innerHeight / 2;
    const far = full
      .filter((page) => !page.hasAttribute("data-near") && !page.contains(document.activeElement))
      .map((page) => ({ page, box: page.getBoundingClientRect() }))
      .sort((a, b) => Math.abs(b.box.top - middle) - Math.abs(a.box.top - middle));
    for (const { page, box } of far.slice(0, Math.max(0, full.length - MOST_PAGES))) {
      page.style.setProperty("height", `${box.height}px`);
      page.dataset.given = "";
      page.replaceChildren();
    }
  }
}

/** Take off a page what belongs to the next one, which begins after the cursor `until`. */
function cut(page, until) {
  for (const group of page.querySelectorAll(":scope > .group")) {
    if (isAfter(group.dataset.cursor, until)) group.remove();
  }
  page.querySelector(":scope > .next")?.remove();
  const next = document.createElement("div");
  next.className = "next";
  next.dataset.after = until;
  page.append(next);
}

/** Tell which of two cursors comes later: `bytes to win-content-count`, the most bytes first. */
function isAfter(one, other) {
  const [won, content, count] = one.split("-").map(Number);
  const [wonThere, contentThere, countThere] = other.split("-").map(Number);
  return (wonThere - won || content - contentThere || count - countThere) > 0;
}

export function ignoreRefused(error) {
  if (!(error instanceof Refused)) throw error;
}
