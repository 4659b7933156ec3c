// Making a plan of what is chosen or listed, and going to its overview.

import { post, Refused, toast } from "./base.js";
import { selection } from "./selection.js";

const OF_SELECTION = "planned-selection";

async function make(body, button) {
  const words = button?.dataset.words ?? button?.textContent ?? "";
  if (button) {
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    button.textContent = "Looking through the groups …";
  }
  try {
    const { url, missing } = await post("/plans", body);
    if (missing) remember("plan-missing", String(missing));
    return url;
  } finally {
    if (button) {
      button.disabled = false;
      button.removeAttribute("aria-busy");
      if (words) button.textContent = words;
    }
  }
}

/** Plan everything that the filters list, and go there. */
export async function planAll(query, button) {
  location.assign(await make({ filters: query }, button));
}

/** Plan the groups that were chosen, and go there. */
export async function planChosen(button) {
  const groups = selection.all.map(({ name, cursor, query }) => ({ name, cursor, filters: query ?? "" }));
  const url = await make({ groups }, button);
  remember(OF_SELECTION, JSON.stringify({ plan: url.split("/").at(-1), names: groups.map(({ name }) => name) }));
  location.assign(url);
}

/** A plan is being carried out: what was chosen for it is chosen no more. */
export function forgetChosen(plan) {
  try {
    const made = JSON.parse(sessionStorage.getItem(OF_SELECTION) ?? "null");
    if (made?.plan !== plan) return;
    selection.remove(...made.names);
    sessionStorage.removeItem(OF_SELECTION);
  } catch {
    // Forbidden: nothing was remembered.
  }
}

/** Say, once, that chosen groups are none any more. */
export function sayMissing() {
  try {
    const missing = Number(sessionStorage.getItem("plan-missing"));
    sessionStorage.removeItem("plan-missing");
    if (missing) toast(`${missing} of the groups that you chose ${missing === 1 ? "is" : "are"} none any more, and left out.`);
  } catch {
    // Forbidden.
  }
}

function remember(name, value) {
  try {
    sessionStorage.setItem(name, value);
  } catch {
    // Forbidden.
  }
}

// On the list of groups: both lead to the overview at once.
const all = document.querySelector("[data-plan-all]");
all?.addEventListener("click", () => planAll(all.dataset.planAll, all).catch(ignoreRefused));
const chosen = document.querySelector("[data-plan-chosen]");
chosen?.addEventListener("click", (event) => {
  if (!selection.size || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  planChosen().catch(ignoreRefused);
});

function ignoreRefused(error) {
  if (!(error instanceof Refused)) throw error; // what was refused has been shown
}
