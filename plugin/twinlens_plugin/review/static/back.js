// Open dialogs are places in the browser's history: Back closes one, Forward opens it again, and so does a
// reload. A place's state lists the dialogs that are open there, the lowest first. However a dialog is closed,
// its place is left by going back: none piles up.

const open = [];
const openers = new Map();

/** Done when the browser is where it was told to go back to. */
let turned = Promise.resolve();

function wanted() {
  return history.state?.dialogs ?? [];
}

/** Make a dialog that was just opened a place, of this address. */
export async function enter(dialog, address = location.href) {
  const entry = { name: dialog.id, dialog };
  open.push(entry);
  dialog.addEventListener("close", () => left(entry), { once: true });
  await turned;
  // Closed in the meantime, or opened because its place was come to.
  if (!open.includes(entry) || wanted().length >= open.length) return;
  history.pushState({ dialogs: open.map(({ name }) => name) }, "", address);
}

/** Give the place where one is another address, while this dialog is the one on top. */
export async function readdress(dialog, address) {
  await turned;
  if (open.at(-1)?.dialog !== dialog || wanted().length !== open.length) return;
  history.replaceState(history.state, "", address);
}

/** Say how the dialog of this name is opened again, as the address says; a promise of whether it was. */
export function openedAgainBy(name, opener) {
  openers.set(name, opener);
}

/** Whether the address alone asks for a dialog: a bookmark. Its place is made when it opens. */
export function isBookmark() {
  return wanted().length === 0 && location.hash !== "";
}

/** Done when the browser is at rest after a dialog was closed. */
export function atRest() {
  return turned;
}

function left(entry) {
  const place = open.indexOf(entry);
  if (place < 0) return; // closed by Back
  open.splice(place, 1);
  const beyond = wanted().length - open.length;
  if (beyond > 0) goBack(beyond);
}

function goBack(steps) {
  turned = new Promise((done) => {
    addEventListener("popstate", done, { once: true });
  });
  history.go(-steps);
}

async function arrive() {
  const names = wanted();
  while (open.length && (open.length > names.length || open.at(-1).name !== names[open.length - 1])) {
    open.pop().dialog.close();
  }
  for (const name of names.slice(open.length)) {
    const there = await openers.get(name)?.();
    if (wanted().join() !== names.join()) return; // gone on
    // A question that was answered, a photo that is no more: there is nothing here to come back to.
    if (!there) return goBack(names.length - open.length);
  }
  return undefined;
}

addEventListener("popstate", arrive);
// After the modules of the page have said what they open.
document.addEventListener("DOMContentLoaded", arrive);
