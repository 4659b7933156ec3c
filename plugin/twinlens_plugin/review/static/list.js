// The list of groups: keys and buttons on photos and groups, the way back to where one was.

import { fetchFragment, openDialog, Refused, say, toast } from "./base.js";
import { openTheatre } from "./compare.js";
import { decide } from "./deciding.js";
import "./filters.js";
import { onKeys } from "./keys.js";
import { ignoreRefused, Pages } from "./pages.js";
import { selection } from "./selection.js";

const list = document.getElementById("list");
let pages = null;

// --- Where one is: one photo in the list can be reached by Tab, the arrows go on from there.

let current = null;

function photosOf(group) {
  return [...group.querySelectorAll(".photo")];
}

function setCurrent(photo) {
  if (current === photo) return;
  if (current) setReachable(current, false);
  current = photo;
  if (photo) setReachable(photo, true);
}

/** Let Tab reach a photo, its buttons and those of its group, or not. */
function setReachable(photo, reachable) {
  const group = photo.closest(".group");
  const controls = photo.querySelectorAll("a, button");
  const shared = group ? group.querySelectorAll(":scope > header button, :scope > p button") : [];
  for (const control of [...controls, ...shared]) control.tabIndex = reachable ? 0 : -1;
}

function focusPhoto(photo) {
  setCurrent(photo);
  photo.querySelector(".look").focus({ preventScroll: true });
  const group = photo.closest(".group");
  // The group whole where it fits, else the photo.
  const part = group.offsetHeight < innerHeight - 80 ? group : photo;
  part.scrollIntoView({ block: "nearest" });
}

function groupNow() {
  return current?.isConnected ? current.closest(".group") : null;
}

async function groupBeside(group, step) {
  const side = step > 0 ? "nextElementSibling" : "previousElementSibling";
  let page = group.closest(".page");
  let next = group[side];
  while (!next) {
    page = page[side];
    if (!page) return null;
    await pages.load(page);
    next = step > 0 ? page.firstElementChild : page.lastElementChild;
  }
  return next.matches(".done") ? groupBeside(next, step) : next;
}

async function toGroup(step) {
  const group = groupNow();
  // Not there yet: the first key goes into the list, to where one looks.
  const inside = group && list.contains(document.activeElement);
  const next = inside ? await groupBeside(group, step) : firstVisible();
  if (next) focusPhoto(photosOf(next)[0]);
  else toast(step > 0 ? "That was the last group." : "That is the first group.", { seconds: 3 });
}

function firstVisible() {
  const groups = [...list.querySelectorAll(".group:not(.done)")];
  return groups.find((group) => group.getBoundingClientRect().bottom > 60) ?? groups[0];
}

function toPhoto(step) {
  const group = groupNow();
  if (!group || !list.contains(document.activeElement)) return toGroup(1);
  const photos = photosOf(group);
  const next = photos[photos.indexOf(current) + step];
  if (next) focusPhoto(next);
  return undefined;
}

// --- What is done to a group.

function entryOf(group) {
  const { group: name, cursor, bytes, spare } = group.dataset;
  return { name, cursor, bytes: Number(bytes), photos: Number(spare), query: list.dataset.query };
}

function showAccepted(group) {
  const button = group.querySelector("[data-act=accept]");
  if (!button) return;
  const accepted = selection.has(group.dataset.group);
  group.classList.toggle("accepted", accepted);
  button.setAttribute("aria-pressed", String(accepted));
  button.textContent = accepted ? "✓ In the plan" : "Add to plan";
  button.disabled = group.dataset.spare === "0";
}

function accept(group) {
  if (group.dataset.spare === "0") return toast("All photos of this group stay.", { seconds: 4 });
  const accepted = selection.toggle(entryOf(group));
  return say(accepted ? "Added to the plan." : "Taken out of the plan.");
}

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
  const had = current && group.contains(current) ? current.dataset.photo : null;
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
  if (focused && there) focusPhoto(there);
  else if (photo && there) setCurrent(there);
}

/** Make of a group that is none any more a line that says so, and go on to the next. */
async function close(group, said, focused) {
  const next = await groupBeside(group, 1) ?? await groupBeside(group, -1);
  selection.remove(group.dataset.group);
  group.classList.remove("changing");
  group.classList.add("done");
  group.removeAttribute("aria-labelledby");
  group.setAttribute("aria-label", said);
  const line = document.createElement("p");
  line.textContent = said;
  group.replaceChildren(line);
  if (focused && next) focusPhoto(photosOf(next)[0]);
  else if (next) setCurrent(photosOf(next)[0]);
  return null;
}

/** Put a group back in its place after a decision was taken back, wherever that is now. */
async function undone(name, before) {
  const there = list.querySelector(`.group[data-cursor="${before.dataset.cursor}"]`) ?? document.getElementById(`g-${name}`);
  if (!there) return;
  there.dataset.group = before.dataset.group;
  there.dataset.keeper = before.dataset.keeper;
  const fresh = await redraw(there);
  if (fresh) focusPhoto(photosOf(fresh)[0]);
}

function keep(group, photo) {
  if (photo.dataset.relation === "identical") {
    toast("The two are the same, byte for byte: which file stays is chosen by folder or name (twinlens duplicates --keep).");
    return group;
  }
  const ids = photosOf(group).map((other) => other.dataset.photo);
  const chosen = photo.dataset.photo;
  return change(group, () => showKept(group, photo),
    (then) => decide("keep", ids, { keep: chosen, undone: then }), "Kept.");
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
    (then) => decide("not-duplicates", [keeper.dataset.photo, photo.dataset.photo], { undone: then }), "Not duplicates.");
}

function apartAll(group) {
  return change(group, () => {},
    (then) => decide("not-duplicates", photosOf(group).map((photo) => photo.dataset.photo), { undone: then }), "Not duplicates.");
}

function same(group, photo) {
  const [keeper] = photosOf(group);
  if (photo === keeper) return undefined;
  return change(group, () => {},
    (then) => decide("same", [keeper.dataset.photo, photo.dataset.photo], { undone: then }), "The same.");
}

function compare(photo) {
  const group = photo.closest(".group");
  const photos = photosOf(group).map((one) => ({ id: one.dataset.photo, name: one.dataset.name }));
  const at = photos.findIndex((one) => one.id === photo.dataset.photo);
  let shown = group;
  openTheatre(document.getElementById("theatre"), {
    keeper: photos[0],
    photos,
    at: Math.max(at, 1),
    // Each returns the photos of the group as they are then, keeper first; empty where it is none any more.
    act: async (act, id) => {
      const chosen = photosOf(shown).find((one) => one.dataset.photo === id);
      if (!chosen) return [];
      shown = await ACTS[act](shown, chosen);
      return shown ? photosOf(shown).map((one) => ({ id: one.dataset.photo, name: one.dataset.name })) : [];
    },
    again: (name) => {
      shown = document.getElementById(shown?.id) ?? document.getElementById(`g-${name}`) ?? groupNow();
      return shown ? photosOf(shown).map((one) => ({ id: one.dataset.photo, name: one.dataset.name })) : [];
    },
    closed: () => current?.isConnected && focusPhoto(current),
  }).catch(ignoreRefused);
}

const ACTS = { keep, apart, same };

async function press(event) {
  const look = event.target.closest(".look");
  const button = event.target.closest("[data-act]");
  const group = event.target.closest(".group");
  if (look && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    setCurrent(look.closest(".photo"));
    return compare(current);
  }
  if (!button || !group || group.matches(".changing")) return undefined;
  const photo = button.closest(".photo");
  setCurrent(photo ?? photosOf(group)[0]);
  switch (button.dataset.act) {
    case "accept": return accept(group);
    case "apart-all": return apartAll(group);
    case "whole": return redraw(group, { whole: true }).then((fresh) => fresh && focusPhoto(photosOf(fresh)[0]));
    default: return ACTS[button.dataset.act](group, photo);
  }
}

function onCurrent(run) {
  return () => {
    const group = groupNow();
    if (group && !group.matches(".changing")) return run(group, current);
    if (!group) return toGroup(1);
    return undefined;
  };
}

// --- What was accepted.

function showChosen() {
  const all = selection.all;
  const bytes = all.reduce((sum, entry) => sum + entry.bytes, 0);
  const photos = all.reduce((sum, entry) => sum + entry.photos, 0);
  document.getElementById("chosen").hidden = all.length === 0;
  document.getElementById("chosen-words").textContent =
    `${all.length} ${all.length === 1 ? "group" : "groups"} in the plan: ${photos} ${photos === 1 ? "photo" : "photos"} would go, `
    + `${(bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`;
  for (const group of list.querySelectorAll(".group")) showAccepted(group);
}

// --- The way back: where one was in the list when one left it.

const PLACE = "list-place";

function rememberPlace() {
  const group = firstVisible();
  if (!group) return;
  const place = {
    address: location.search,
    pages: pages.remembered(),
    page: group.closest(".page").dataset.after,
    group: group.dataset.group,
    top: group.getBoundingClientRect().top,
    photo: current?.dataset.photo ?? null,
  };
  try {
    sessionStorage.setItem(PLACE, JSON.stringify(place));
  } catch {
    // Full or forbidden: then Back leads to the top.
  }
}

async function goBack() {
  const [navigation] = performance.getEntriesByType("navigation");
  if (!["back_forward", "reload"].includes(navigation?.type)) return;
  const place = JSON.parse(sessionStorage.getItem(PLACE) ?? "null");
  if (place?.address !== location.search) return;
  history.scrollRestoration = "manual";
  pages.restore(place.pages);
  const page = pages.all.find((one) => one.dataset.after === place.page);
  if (!page) return;
  await pages.load(page);
  const group = document.getElementById(`g-${place.group}`) ?? page.firstElementChild;
  if (!group) return;
  scrollBy(0, group.getBoundingClientRect().top - place.top);
  const photo = list.querySelector(`.photo[data-photo="${place.photo}"]`);
  if (photo) setCurrent(photo);
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
  if (!current?.isConnected) {
    const photo = list.querySelector(".photo");
    if (photo) setCurrent(photo);
  }
  document.getElementById("end").hidden = !pages?.complete;
}

function start() {
  pages = new Pages(list, arrived);
  document.getElementById("end").hidden = !pages.complete;
  list.addEventListener("click", press);
  list.addEventListener("focusin", (event) => {
    const photo = event.target.closest(".photo");
    if (photo) setCurrent(photo);
  });
  // Thumbnails that cannot be shown: words instead of a broken picture.
  list.addEventListener("error", (event) => {
    if (event.target instanceof HTMLImageElement) event.target.closest(".frame")?.classList.add("none");
  }, { capture: true });
  selection.addEventListener("change", showChosen);
  document.getElementById("chosen-clear").addEventListener("click", () => {
    const entries = selection.all;
    selection.clear();
    toast("The plan is empty.", { undo: async () => selection.add(...entries) });
  });
  showChosen();
  addEventListener("pagehide", rememberPlace);
  goBack().catch(ignoreRefused);
  const next = () => toGroup(1);
  const before = () => toGroup(-1);
  onKeys({
    J: next, S: next, ArrowDown: next,
    "Shift+J": before, ArrowUp: before,
    ArrowRight: () => toPhoto(1), ArrowLeft: () => toPhoto(-1),
    Home: () => { focusPhoto(list.querySelector(".photo")); scrollTo(0, 0); },
    Enter: onCurrent((_group, photo) => compare(photo)),
    K: onCurrent((group, photo) => (photo === photosOf(group)[0] ? toast("It is kept already.", { seconds: 3 }) : keep(group, photo))),
    N: onCurrent(apart),
    "Shift+N": onCurrent(apartAll),
    E: onCurrent(same),
    A: onCurrent(async (group) => { accept(group); await toGroup(1); }),
    M: onCurrent((_group, photo) => location.assign(`/search?photo=${photo.dataset.photo}`)),
  });
}

if (list) start();
