// The list of groups: what keys and buttons do to photos and groups.

import { isBookmark, openedAgainBy } from "./back.js";
import { fetchFragment, toast } from "./base.js";
import { accept, followChosen, showAccepted } from "./chosen.js";
import { decide, isKeepMeant } from "./deciding.js";
import "./filters.js";
import { onKeys } from "./keys.js";
import { ignoreRefused, Pages } from "./pages.js";
import { goBack, rememberPlace } from "./place.js";
import { selection } from "./selection.js";
import { addressed, openTheatre } from "./theatre.js";
import { photosOf, Walk } from "./walking.js";

const list = document.getElementById("list");
const walk = new Walk(list);
let pages = null;
/** Done when one is where one was before, after Back or a reload. */
let there = null;

/** Ask for a group anew and put it in its place; null where it is no group any more. */
async function redraw(group, { whole = false } = {}) {
  const { group: name, cursor, keeper } = group.dataset;
  const words = new URLSearchParams(list.dataset.query);
  words.set("near", cursor);
  words.set("photo", keeper);
  if (whole) words.set("whole", "1");
  const fragment = await fetchFragment(`/groups/${name}?${words}`);
  const fresh = fragment?.querySelector(".group") ?? null;
  if (!fresh) return null;
  if (name !== fresh.dataset.group && selection.has(name)) selection.remove(name);
  group.replaceWith(fresh);
  showAccepted(fresh);
  return fresh;
}

/** Do something to a group that is seen at once: `look` changes it, `send` tells the server. Where that is
 *  refused, the group is as it was. Returns the group as it is now, null where it is none any more. */
async function change(group, look, send, said) {
  const before = group.cloneNode(true);
  const had = walk.current && group.contains(walk.current) ? walk.current.dataset.photo : null;
  const focused = group.contains(document.activeElement);
  group.classList.add("changing");
  look();
  try {
    await send(async () => undone(group.dataset.group, before));
  } catch (error) {
    group.replaceWith(before);
    refocus(before, had, focused);
    ignoreRefused(error);
    return before;
  }
  let fresh = null;
  try {
    fresh = await redraw(group);
  } catch (error) {
    // Decided, and not drawn: it is drawn anew when one comes back to it.
    ignoreRefused(error);
    fresh = group;
    group.classList.remove("changing");
  }
  if (fresh === null) return await close(group, said, focused);
  refocus(fresh, had, focused);
  return fresh;
}

function refocus(group, photo, focused) {
  const there = group.querySelector(`.photo[data-photo="${photo}"]`) ?? photosOf(group)[0];
  if (focused && there) walk.focus(there);
  else if (photo && there) walk.at(there);
}

/** Make of a group that is none any more a line that says so, and go on to the next. */
async function close(group, said, focused) {
  const next = await walk.beside(group, 1) ?? await walk.beside(group, -1);
  selection.remove(group.dataset.group);
  group.classList.remove("changing");
  group.classList.add("done");
  group.removeAttribute("aria-labelledby");
  group.setAttribute("aria-label", said);
  const line = document.createElement("p");
  line.textContent = said;
  group.replaceChildren(line);
  if (focused && next) walk.focus(photosOf(next)[0]);
  else if (next) walk.at(photosOf(next)[0]);
  return null;
}

/** Put a group back in its place after a decision was taken back, wherever that is now. */
async function undone(name, before) {
  const there = list.querySelector(`.group[data-cursor="${before.dataset.cursor}"]`) ?? document.getElementById(`g-${name}`);
  if (!there) return;
  there.dataset.group = before.dataset.group;
  there.dataset.keeper = before.dataset.keeper;
  const fresh = await redraw(there);
  if (fresh) walk.focus(photosOf(fresh)[0]);
}

/** Show all photos of a group before something is said of all of them; tell whether that was needed. */
async function shownFirst(group) {
  const count = Number(group.dataset.members);
  if (photosOf(group).length === count) return false;
  const fresh = await redraw(group, { whole: true });
  if (fresh) walk.focus(photosOf(fresh)[0]);
  toast(`This group has ${count} photos. Now all of them are shown: look through them, and press again.`);
  return true;
}

async function keep(group, photo) {
  if (photo.dataset.relation === "identical") {
    toast("The two are the same, byte for byte: which file stays is chosen by folder or name (twinlens duplicates --keep).");
    return group;
  }
  if (await shownFirst(group)) return document.getElementById(group.id);
  const { photo: chosen, name } = photo.dataset;
  const others = photosOf(group).length - 1;
  const frames = photosOf(group).some((other) => ["burst", "similar"].includes(other.dataset.relation));
  if (frames && !await isKeepMeant(name, others)) return group;
  return change(group, () => showKept(group, photo),
    (then) => decide("keep", photosOf(group).map(asShown), { keep: chosen, undone: then }), "Kept.");
}

/** A photo as decisions name it. */
function asShown(photo) {
  return { id: photo.dataset.photo, version: photo.dataset.version };
}

function showKept(group, photo) {
  for (const other of photosOf(group)) {
    const kept = other === photo;
    other.classList.toggle("keep", kept);
    other.classList.toggle("goes", !kept && other.classList.contains("goes"));
    const tag = other.querySelector(".marks .tag");
    tag.className = kept ? "tag keep" : "tag";
    tag.textContent = kept ? "✓ Keep" : "…";
  }
  photo.parentElement.prepend(photo);
}

function apart(group, photo) {
  const [keeper] = photosOf(group);
  if (photo === keeper || photosOf(group).length === 2) return apartAll(group);
  return change(group, () => photo.classList.add("leaving"),
    (then) => decide("not-duplicates", [keeper, photo].map(asShown), { undone: then }), "Not duplicates.");
}

async function apartAll(group) {
  if (await shownFirst(group)) return document.getElementById(group.id);
  return change(group, () => {},
    (then) => decide("not-duplicates", photosOf(group).map(asShown), { undone: then }), "Not duplicates.");
}

function same(group, photo) {
  const [keeper] = photosOf(group);
  if (photo === keeper) return undefined;
  return change(group, () => {},
    (then) => decide("same", [keeper, photo].map(asShown), { undone: then }), "The same.");
}

/** The photos of a group for the dialog, keeper first; none where it is none any more. */
function shownIn(group) {
  return group ? photosOf(group).map((one) => ({ id: one.dataset.photo, name: one.dataset.name })) : [];
}

function compare(photo) {
  let shown = photo.closest(".group");
  return openTheatre(document.getElementById("theatre"), {
    photos: shownIn(shown),
    at: Math.max(1, photosOf(shown).indexOf(photo)),
    act: async (act, id) => {
      const chosen = photosOf(shown).find((one) => one.dataset.photo === id);
      shown = chosen ? await ACTS[act](shown, chosen) : null;
      return shownIn(shown);
    },
    again: () => {
      shown = document.getElementById(shown?.id) ?? walk.group;
      return shownIn(shown);
    },
    closed: () => walk.current?.isConnected && walk.focus(walk.current),
  }).then(() => true, ignoreRefused);
}

/** Compare [keeper, other] of an address: in their group, or on a page of its own where that is not in sight. */
async function compareAddressed(photos) {
  await there;
  if (!photos) return false;
  const [keeper, other] = photos;
  const photo = list.querySelector(`.photo[data-photo="${other}"]`);
  if (photo && photosOf(photo.closest(".group"))[0]?.dataset.photo === keeper) {
    walk.at(photo);
    return compare(photo);
  }
  location.replace(`/compare?a=${keeper}&b=${other}`);
  return true;
}

/** A bookmark, or an address that was typed: the list is its own place, below the comparison. */
function openBookmark() {
  const photos = addressed();
  if (!photos || !isBookmark()) return;
  history.replaceState(null, "", location.pathname + location.search);
  compareAddressed(photos);
}

const ACTS = { keep, apart, same };

async function press(event) {
  const look = event.target.closest(".look");
  const button = event.target.closest("[data-act]");
  const group = event.target.closest(".group");
  if (look && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    walk.at(look.closest(".photo"));
    return compare(walk.current);
  }
  // The second click of a double click: by now the next group may be where this one was.
  if (!button || !group || group.matches(".changing") || event.detail > 1) return undefined;
  const photo = button.closest(".photo");
  walk.at(photo ?? photosOf(group)[0]);
  switch (button.dataset.act) {
    case "accept": return accept(group);
    case "apart-all": return apartAll(group);
    case "whole": return redraw(group, { whole: true }).then((fresh) => fresh && walk.focus(photosOf(fresh)[0]));
    default: return ACTS[button.dataset.act](group, photo);
  }
}

function onCurrent(run) {
  return () => {
    const group = walk.group;
    if (group && !group.matches(".changing")) return run(group, walk.current);
    if (!group) return walk.toGroup(1);
    return undefined;
  };
}

function arrived(page) {
  page.dataset.count = page.childElementCount;
  let place = 0;
  for (let before = page.previousElementSibling; before; before = before.previousElementSibling) {
    place += Number(before.dataset.count ?? 20);
  }
  [...page.children].forEach((group, i) => {
    group.setAttribute("aria-posinset", String(place + i + 1));
    group.setAttribute("aria-setsize", "-1");
    showAccepted(group);
  });
  if (!walk.current?.isConnected) {
    const photo = list.querySelector(".photo");
    if (photo) walk.at(photo);
  }
  document.getElementById("end").hidden = !pages?.complete;
}

function start() {
  pages = new Pages(list, arrived);
  walk.within(pages);
  document.getElementById("end").hidden = !pages.complete;
  list.addEventListener("click", press);
  list.addEventListener("focusin", (event) => {
    const photo = event.target.closest(".photo");
    if (photo) walk.at(photo);
  });
  // Thumbnails that cannot be shown: words instead of a broken picture.
  list.addEventListener("error", (event) => {
    if (event.target instanceof HTMLImageElement) event.target.closest(".frame")?.classList.add("none");
  }, { capture: true });
  followChosen();
  addEventListener("pagehide", () => rememberPlace(pages, walk));
  there = goBack(pages, walk).catch(ignoreRefused);
  openedAgainBy("theatre", () => compareAddressed(addressed()));
  addEventListener("popstate", openBookmark);
  openBookmark();
  const next = () => walk.toGroup(1);
  const before = () => walk.toGroup(-1);
  onKeys({
    J: next, S: next, ArrowDown: next,
    "Shift+J": before, ArrowUp: before,
    ArrowRight: () => walk.toPhoto(1), ArrowLeft: () => walk.toPhoto(-1),
    Home: () => walk.toStart(),
    Enter: onCurrent((_group, photo) => compare(photo)),
    K: onCurrent((group, photo) => (photo === photosOf(group)[0] ? toast("It is kept already.", { seconds: 3 }) : keep(group, photo))),
    N: onCurrent(apart),
    "Shift+N": onCurrent(apartAll),
    E: onCurrent(same),
    A: onCurrent(async (group) => { accept(group); await walk.toGroup(1); }),
    M: onCurrent((_group, photo) => location.assign(`/search?photo=${photo.dataset.photo}`)),
  });
}

if (list) start();
