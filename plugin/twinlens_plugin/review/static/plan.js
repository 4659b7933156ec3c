// The overview of a plan: leaving photos out, and doing it.

import { post, Refused, say } from "./base.js";
import { onKeys } from "./keys.js";
import { forgetChosen, sayMissing } from "./planning.js";

const plan = document.getElementById("plan");
const form = document.getElementById("doing");
const name = plan.dataset.plan;
const button = document.getElementById("do");

/** Each change is told to the server after the one before it: it gives a new revision to the plan. */
let queue = Promise.resolve();
let waiting = 0;

function words(count, one) {
  return `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;
}

function leave(what, out) {
  waiting += 1;
  showButton();
  queue = queue.then(async () => {
    const said = await post(`/plans/${name}/leave`, { revision: plan.dataset.revision, leave: out, ...what });
    plan.dataset.revision = said.revision;
    plan.dataset.photos = said.photos;
    const values = { photos: words(said.photos, "photo"), groups: words(said.groups, "group"), size: said.size };
    for (const place of plan.querySelectorAll("[data-say]")) place.textContent = values[place.dataset.say];
    return said;
  }).finally(() => {
    waiting -= 1;
    showButton();
  });
  const done = queue;
  queue = queue.catch(() => {}); // said already; what comes next is tried all the same
  return done;
}

function chosenAction() {
  return form.elements.action.value;
}

function showButton() {
  const count = Number(plan.dataset.photos);
  const choice = form.querySelector("[name=action]:checked");
  button.textContent = choice.dataset.button.replace("{}", words(count, "photo"));
  button.disabled = waiting > 0 || count === 0;
  document.getElementById("to-field").hidden = chosenAction() !== "move";
  document.getElementById("to").required = chosenAction() === "move";
  const merge = document.getElementById("merge");
  merge.closest("label").hidden = chosenAction() === "tag";
}

// --- Ticks.

function showGroup(group) {
  const shots = [...group.querySelectorAll("[data-shot]")];
  const ticked = shots.filter((shot) => shot.checked).length;
  const tick = group.querySelector("[data-tick]");
  tick.checked = ticked > 0;
  tick.indeterminate = ticked > 0 && ticked < shots.length;
  group.classList.toggle("out", ticked === 0);
  for (const shot of shots) shot.closest("li").classList.toggle("out", !shot.checked);
}

async function ticked(box) {
  const group = box.closest(".planned");
  const number = Number(group.dataset.number);
  const before = [...group.querySelectorAll("[data-shot]")].map((shot) => shot.checked);
  const shots = [...group.querySelectorAll("[data-shot]")];
  const whole = box.dataset.shot === undefined;
  if (whole) for (const shot of shots) shot.checked = box.checked;
  else before[shots.indexOf(box)] = !box.checked;
  const out = !box.checked;
  showGroup(group);
  try {
    const said = await leave(whole ? { group: number } : { group: number, photo: Number(box.dataset.shot) }, out);
    say(`${out ? "Left out" : "Taken in"}. ${words(said.photos, "photo")} would go.`);
  } catch (error) {
    if (whole) for (const shot of shots) shot.checked = out;
    else shots.forEach((shot, place) => { shot.checked = before[place]; });
    showGroup(group);
    if (!(error instanceof Refused)) throw error;
  }
}

async function leavePart(part, out) {
  try {
    await leave({ part }, out);
    location.reload();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  }
}

document.getElementById("groups").addEventListener("change", (event) => ticked(event.target));
plan.addEventListener("click", (event) => {
  const pressed = event.target.closest("button");
  if (pressed?.dataset.leavePart) leavePart({ [pressed.dataset.leavePart]: pressed.dataset.value }, true);
  if (pressed?.id === "take-all") leavePart({ left: "1" }, false);
  if (pressed?.id === "discard") discard();
});
for (const group of plan.querySelectorAll(".planned")) showGroup(group);

async function discard() {
  try {
    location.assign((await post(`/plans/${name}/discard`)).url);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  }
}

// --- Doing it.

form.addEventListener("change", showButton);
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (button.disabled) return;
  button.disabled = true;
  const action = chosenAction();
  try {
    const { url } = await post(`/plans/${name}/apply`, {
      revision: plan.dataset.revision,
      photos: Number(plan.dataset.photos),
      action,
      ...(action === "move" ? { to: document.getElementById("to").value } : {}),
      merge_metadata: action !== "tag" && document.getElementById("merge").checked,
    });
    forgetChosen(name);
    location.assign(url);
  } catch (error) {
    showButton();
    if (!(error instanceof Refused)) throw error;
  }
});
// Back from where the button led: the browser keeps what was typed, and the page as it was left.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

// --- Keys.

function groupNow() {
  return document.activeElement?.closest(".planned") ?? null;
}

function go(step) {
  const groups = [...plan.querySelectorAll(".planned")];
  const now = groups.indexOf(groupNow());
  const next = groups[now < 0 ? (step > 0 ? 0 : groups.length - 1) : now + step];
  if (!next) return say(step > 0 ? "That was the last group of this page." : "That is the first group.");
  next.querySelector("[data-tick]").focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  return undefined;
}

function turn() {
  const box = document.activeElement?.matches(".planned input") ? document.activeElement : groupNow()?.querySelector("[data-tick]");
  box?.click();
}

function follow(rel) {
  document.querySelector(`.paging a[rel=${rel}]`)?.click();
}

onKeys({
  J: () => go(1),
  ArrowDown: () => go(1),
  ArrowUp: () => go(-1),
  K: () => go(-1),
  X: turn,
  N: () => follow("next"),
  P: () => follow("prev"),
  D: () => {
    form.querySelector("[name=action]:checked").focus({ preventScroll: true });
    form.scrollIntoView({ block: "start" });
  },
});
sayMissing();
showButton();
