// Single keys: maps of keys to what they do, the last one opened first. Typing in a field is typing.

const layers = [];

/** Add a map of keys ("J", "ArrowDown", "Shift+N", "Ctrl+Z") to functions of the event; returns how to
 *  take it off again. `within`: the dialog that the map belongs to. While a dialog is open, maps of that
 *  dialog alone are heard. A function that returns false leaves the key to the browser. */
export function onKeys(map, { within = null } = {}) {
  const layer = { map, within };
  layers.push(layer);
  return () => {
    const place = layers.indexOf(layer);
    if (place >= 0) layers.splice(place, 1);
  };
}

/** Tell whether single letters are keys: people who speak to their computer switch them off. */
export function lettersAreKeys() {
  try {
    return localStorage.getItem("letters") !== "off";
  } catch {
    return true;
  }
}

function nameOf(event) {
  const letter = event.key.length === 1 && /[a-z]/i.test(event.key);
  const key = letter ? event.key.toUpperCase() : event.key;
  const parts = [];
  if (event.ctrlKey || event.metaKey) parts.push("Ctrl");
  if (event.altKey) parts.push("Alt");
  // Signs such as ? are made with Shift on some keyboards and without it on others.
  if (event.shiftKey && (letter || event.key.length > 1)) parts.push("Shift");
  return [...parts, key].join("+");
}

function isTyping(target) {
  return target instanceof Element
    && target.closest("input:not([type=checkbox], [type=radio], [type=range]), select, textarea, [contenteditable]") !== null;
}

/** Tell whether the control that has the focus has a use of its own for the key. */
function isTaken(event) {
  const target = event.target;
  if (!(target instanceof Element)) return false;
  if (["Enter", " "].includes(event.key)) {
    return target.closest("button, a, summary, input, label") !== null && target.closest("[data-keys]") === null;
  }
  return target.closest("input[type=range], input[type=radio]") !== null && event.key.startsWith("Arrow");
}

/** Keys that go on while they are held: what moves. A decision takes a press of its own: a key held a moment
 *  too long would decide on the groups that come next. */
const GOES_ON = /^(Shift\+)?(Arrow\w+|J)$|^[-+=[\]]$/;

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || isTyping(event.target) || isTaken(event)) return;
  const name = nameOf(event);
  if (name.length === 1 && !lettersAreKeys() && /\S/.test(name)) return;
  const dialog = [...document.querySelectorAll("dialog:modal")].at(-1) ?? null;
  for (const { map, within } of [...layers].reverse()) {
    const run = within === dialog ? map[name] : undefined;
    if (run) {
      if (event.repeat && !GOES_ON.test(name)) event.preventDefault();
      else if (run(event) !== false) event.preventDefault();
      return;
    }
  }
});
