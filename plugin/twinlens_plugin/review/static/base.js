// What every page does: says things, toasts with Undo, requests that change something, theme, keys.

import { atRest, enter, openedAgainBy } from "./back.js";
import { lettersAreKeys, onKeys } from "./keys.js";

/** Have a screen reader say something, politely. */
export function say(text) {
  const said = voice().querySelector("#said");
  said.textContent = "";
  // Emptied first, and set a moment later: the same words twice are said twice.
  setTimeout(() => { said.textContent = text; }, 30);
}

const undos = [];

/** Show a line at the bottom. `undo`: an async function that takes back what was done; it is offered on
 *  the toast and by U, until the page goes. `bad`: an error, which stays until it is dismissed. */
export function toast(text, { undo = null, bad = false, seconds = 8 } = {}) {
  const line = document.createElement("div");
  line.className = bad ? "toast bad" : "toast";
  if (bad) line.setAttribute("role", "alert");
  const words = document.createElement("span");
  words.textContent = text;
  line.append(words);
  if (undo) line.append(button("Undo", "undo", () => takeBack(entry)));
  line.append(button("✕", "square", () => line.remove(), "Dismiss"));
  const entry = { undo, line };
  if (undo) undos.push(entry);
  const toasts = voice().querySelector("#toasts");
  while (toasts.children.length > 2) toasts.firstElementChild.remove();
  toasts.append(line);
  if (!bad) {
    say(text);
    vanish(line, seconds);
  }
  return line;
}

/** Have U take back what was done on an earlier page: what comes first here is taken back last. */
export function canBeTakenBack(undo) {
  undos.push({ undo, line: null });
}

/** Take back what was done last, of what can be taken back. */
export async function undoLast() {
  const entry = undos.at(-1);
  if (entry) await takeBack(entry);
  else toast("Nothing to take back.", { seconds: 3 });
}

async function takeBack(entry) {
  const place = undos.indexOf(entry);
  if (place < 0) return;
  undos.splice(place, 1);
  entry.line?.remove();
  try {
    await entry.undo();
  } catch (error) {
    // Still to be taken back: the next press tries again. Not what the server has forgotten.
    if (error.status !== 410) undos.push(entry);
    if (!(error instanceof Refused)) throw error;
  }
}

/** The server said no, or did not answer; shown already. */
export class Refused extends Error {
  /** `status`: of the answer, 0 where there was none. */
  constructor(text, status = 0) {
    super(text);
    this.status = status;
  }
}

/** Send JSON (or a FormData) by POST; return the JSON that came back. Throws Refused, once it is shown. */
export async function post(url, body = {}) {
  const form = body instanceof FormData;
  return await answerOf(url, {
    method: "POST",
    headers: { "X-Twinlens": "1", Accept: "application/json", ...(form ? {} : { "Content-Type": "application/json" }) },
    body: form ? body : JSON.stringify(body),
  }, async (answer) => (answer.status === 204 ? {} : await answer.json()));
}

/** Get a piece of a page; null where there is nothing (204). Throws Refused, once it is shown. */
export async function fetchFragment(url, { signal = null, quiet = false } = {}) {
  const text = await answerOf(url, { headers: { Accept: "text/html", "X-Twinlens": "1" }, signal },
    async (answer) => (answer.status === 204 ? null : await answer.text()), quiet);
  if (text === null) return null;
  const made = document.createElement("template");
  made.innerHTML = text; // our own server's, escaped by its templates; scripts in it do not run
  return made.content;
}

async function answerOf(url, options, read, quiet = false) {
  let answer;
  try {
    answer = await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw refused("No answer: twinlens review is not running any more. Start it again.", quiet);
  }
  if (answer.ok) return await read(answer);
  throw refused(await reasonOf(answer), quiet, answer.status);
}

async function reasonOf(answer) {
  try {
    const said = await answer.clone().json();
    if (said.error) return said.error;
  } catch {
    // No JSON: the status says it.
  }
  const text = (await answer.text()).trim();
  return text && text.length < 300 && !text.startsWith("<") ? text : `The server refused: ${answer.status}.`;
}

function refused(text, quiet, status = 0) {
  if (!quiet) toast(text, { bad: true });
  return new Refused(text, status);
}

/** The toasts and the live region, within the open dialog if there is one: what is outside is not heard. */
function voice() {
  const box = document.getElementById("voice");
  const open = [...document.querySelectorAll("dialog:modal")].at(-1) ?? document.body;
  if (box.parentElement !== open) open.append(box);
  return box;
}

/** Open a dialog; toasts follow it in, and out again when it closes. Back closes it, see back.js. `address`: of
 *  the page with this dialog open, where it has one of its own. */
export function openDialog(dialog, { address } = {}) {
  dialog.showModal();
  dialog.scrollTop = 0; // it scrolls to the button that has the focus, the last thing in it
  voice();
  dialog.addEventListener("close", voice, { once: true });
  enter(dialog, address);
}

/** Ask before something that is easily meant otherwise; tell whether it was meant. */
export function ask(question, yes) {
  const dialog = document.createElement("dialog");
  dialog.className = "sheet asking";
  dialog.id = "asking";
  const words = document.createElement("p");
  words.id = "asked";
  words.textContent = question;
  dialog.setAttribute("aria-labelledby", words.id);
  const acts = document.createElement("p");
  acts.className = "acts";
  acts.append(
    button(yes, "main", () => dialog.close("yes")),
    button("Cancel", "", () => dialog.close()),
  );
  dialog.append(words, acts);
  document.body.append(dialog);
  openDialog(dialog);
  return new Promise((answer) => {
    dialog.addEventListener("close", async () => {
      voice();
      dialog.remove();
      await atRest(); // what is opened or addressed next is not at the question's place
      answer(dialog.returnValue === "yes");
    }, { once: true });
  });
}

function vanish(line, seconds) {
  let left = seconds * 1000;
  const timer = setInterval(() => {
    // Not while it is read or about to be pressed.
    if (line.matches(":hover, :focus-within")) return;
    left -= 250;
    if (left > 0 && line.isConnected) return;
    clearInterval(timer);
    line.remove();
  }, 250);
}

export function button(text, className, press, label = null) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = className;
  made.textContent = text;
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", press);
  return made;
}

const THEMES = { system: "as the system", light: "light", dark: "dark" };

function theme() {
  return document.documentElement.dataset.theme ?? "system";
}

function showTheme() {
  const shown = document.getElementById("theme");
  shown.textContent = { system: "◐", light: "☀", dark: "☾" }[theme()];
  shown.title = `Theme: ${THEMES[theme()]} (T)`;
  shown.setAttribute("aria-label", `Theme: ${THEMES[theme()]}`);
}

function nextTheme() {
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(theme()) + 1) % names.length];
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  keepIn("theme", next);
  showTheme();
  say(`Theme: ${THEMES[next]}`);
}

function keepIn(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Forbidden: it lasts as long as the page.
  }
}

function showKeys() {
  const dialog = document.getElementById("keys");
  if (dialog.open) dialog.close();
  else openDialog(dialog);
}

function start() {
  showTheme();
  openedAgainBy("keys", async () => {
    openDialog(document.getElementById("keys"));
    return true;
  });
  document.getElementById("theme").addEventListener("click", nextTheme);
  document.getElementById("help").addEventListener("click", showKeys);
  const letters = document.getElementById("letters");
  letters.checked = lettersAreKeys();
  letters.addEventListener("change", () => keepIn("letters", letters.checked ? "on" : "off"));
  onKeys({
    U: undoLast,
    "Ctrl+Z": undoLast,
    T: nextTheme,
    "?": showKeys,
    "/": () => location.assign("/search"),
  });
}

start();
