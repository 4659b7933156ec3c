// Search: a photo that is dropped, pasted or chosen; a box on the photo that is looked for.

import { post, Refused, say, toast } from "./base.js";
import { boxOn, parse, text, words } from "./box.js";
import { onKeys } from "./keys.js";

const found = document.getElementById("found");
const ask = document.getElementById("ask");

/** The file that was brought, as long as it is what is looked for. */
let brought = null;

/** The address of what is shown. */
let here = location.pathname + location.search;

function value(name) {
  return ask.elements.namedItem(name)?.value ?? "";
}

async function bring(file, box = null) {
  if (file.size > Number(ask.dataset.most)) {
    toast(`${file.name} is larger than this page takes. Name its path instead.`, { bad: true });
    return;
  }
  const form = new FormData();
  form.append("k", value("k"));
  form.append("min-score", value("min-score"));
  if (box) form.append("box", text(box));
  // Beside the file: as the name of a part of the form, a quotation mark would arrive as %22, a newline as %0A.
  form.append("name", JSON.stringify(file.name || "pasted picture"));
  form.append("photo", file, file.name || "pasted picture");
  found.setAttribute("aria-busy", "true");
  say("Looking.");
  try {
    const answer = await post("/search", form);
    brought = file;
    document.querySelector("main > .notice")?.remove();
    for (const name of ["photo", "box"]) ask.elements.namedItem(name)?.remove();
    ask.elements.namedItem("path").value = "";
    if (location.search) history.pushState(null, "", "/search");
    here = "/search";
    const made = document.createElement("template");
    made.innerHTML = answer.html; // our own server's, escaped by its templates; scripts in it do not run
    found.replaceChildren(made.content);
    showBrought(file);
    prepare();
    say(answer.words);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  } finally {
    found.removeAttribute("aria-busy");
  }
}

/** Show the brought photo from here: the server keeps nothing of it. */
function showBrought(file) {
  const whole = document.getElementById("whole");
  const address = URL.createObjectURL(file);
  whole.addEventListener("load", () => {
    URL.revokeObjectURL(address);
    for (const id of ["stage", "parts", "parts-how"]) document.getElementById(id).hidden = false;
  }, { once: true });
  whole.addEventListener("error", () => { // RAW, HEIC
    URL.revokeObjectURL(address);
    document.getElementById("unshown").hidden = false;
  }, { once: true });
  whole.src = address;
}

function searchPart(box) {
  if (brought) {
    bring(brought, box);
    return;
  }
  const { photo } = document.getElementById("subject").dataset;
  const query = new URLSearchParams({ photo, box: text(box), k: value("k") });
  if (value("min-score")) query.set("min-score", value("min-score"));
  location.assign(`/search?${query}`);
}

let announcing = 0;

/** Wire the box on the photo that stands there now. */
function prepare() {
  const [stage, part, draw, go, none] = ["stage", "part", "part-draw", "part-go", "part-none"]
    .map((id) => document.getElementById(id));
  if (!stage || !draw) return;
  const { box: drawn } = document.getElementById("subject").dataset;
  const box = boxOn(stage, part, {
    changed(now, done) {
      draw.hidden = now !== null;
      go.hidden = now === null;
      if (none.tagName === "BUTTON") none.hidden = now === null;
      if (!done) return;
      clearTimeout(announcing);
      if (now) announcing = setTimeout(() => say(words(now)), 350);
      else if (document.activeElement === document.body || document.activeElement === part) draw.focus();
    },
    chosen: () => searchPart(box.get()),
  });
  const begin = () => {
    box.set(box.get() ?? { x: 0.25, y: 0.25, w: 0.5, h: 0.5 });
    part.focus();
  };
  draw.addEventListener("click", begin);
  go.addEventListener("click", () => searchPart(box.get()));
  if (none.tagName === "BUTTON") none.addEventListener("click", () => { box.set(null); draw.focus(); });
  beginPart = begin;
  if (drawn) {
    box.set(parse(drawn), false);
    go.hidden = true; // it is what was looked for
  }
}

let beginPart = () => false;

function filesOf(transfer) {
  return transfer?.types.includes("Files") ? transfer.files : null;
}

function wireBringing() {
  const file = document.getElementById("file");
  document.getElementById("choose").addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    if (file.files[0]) bring(file.files[0]);
    file.value = "";
  });
  document.addEventListener("paste", (event) => {
    const [first] = filesOf(event.clipboardData) ?? [];
    if (!first) return;
    event.preventDefault();
    bring(first);
  });

  const dropping = document.getElementById("dropping");
  let own = false; // a picture of this page is dragged: it is no file
  document.addEventListener("dragstart", () => { own = true; });
  document.addEventListener("dragend", () => { own = false; });
  document.addEventListener("dragover", (event) => {
    if (own || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    dropping.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) dropping.hidden = true;
  });
  document.addEventListener("drop", (event) => {
    dropping.hidden = true;
    const files = own ? null : filesOf(event.dataTransfer);
    if (!files?.length) return;
    event.preventDefault();
    if (files.length > 1) toast(`One photo at a time: this is ${files[0].name}.`);
    bring(files[0]);
  });
}

// What is typed is looked for, not the photo that stands there.
ask.elements.namedItem("path").addEventListener("input", () => {
  for (const name of ["photo", "box"]) ask.elements.namedItem(name)?.remove();
});
ask.addEventListener("submit", (event) => {
  // Another number of matches for the photo that was brought: no address names it.
  if (brought && !value("path")) {
    event.preventDefault();
    bring(brought);
  }
});
// Back to another search; dialogs have the same address as the page below them.
addEventListener("popstate", () => {
  if (location.pathname + location.search !== here) location.reload();
});

wireBringing();
prepare();
onKeys({ B: () => beginPart() });
const count = document.getElementById("count");
if (count) say(count.textContent);
