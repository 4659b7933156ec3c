// Groups accepted into the plan, as the list shows them: on each group, and in the bar at the bottom.

import { say, toast } from "./base.js";
import { selection } from "./selection.js";

function entryOf(group) {
  const { group: name, cursor, bytes, spare } = group.dataset;
  return { name, cursor, bytes: Number(bytes), photos: Number(spare), query: group.closest(".list").dataset.query };
}

export function showAccepted(group) {
  const button = group.querySelector("[data-act=accept]");
  if (!button) return;
  const accepted = selection.has(group.dataset.group);
  group.classList.toggle("accepted", accepted);
  button.setAttribute("aria-pressed", String(accepted));
  button.textContent = accepted ? "✓ In the plan" : "Add to plan";
  button.disabled = group.dataset.spare === "0";
}

export function accept(group) {
  if (group.dataset.spare === "0") return toast("All photos of this group stay.", { seconds: 4 });
  const accepted = selection.toggle(entryOf(group));
  return say(accepted ? "Added to the plan." : "Taken out of the plan.");
}

/** Say below the list what was accepted, and mark it in the list. */
function showChosen() {
  const all = selection.all;
  const bytes = all.reduce((sum, entry) => sum + entry.bytes, 0);
  const photos = all.reduce((sum, entry) => sum + entry.photos, 0);
  document.getElementById("chosen").hidden = all.length === 0;
  document.getElementById("chosen-words").textContent =
    `${all.length} ${all.length === 1 ? "group" : "groups"} in the plan: ${photos} ${photos === 1 ? "photo" : "photos"} would go, `
    + `${(bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`;
  for (const group of document.querySelectorAll(".group")) showAccepted(group);
}

/** Have the bar and the groups follow what is accepted. */
export function followChosen() {
  selection.addEventListener("change", showChosen);
  document.getElementById("chosen-clear").addEventListener("click", () => {
    const entries = selection.all;
    selection.clear();
    toast("The plan is empty.", { undo: async () => selection.add(...entries) });
  });
  showChosen();
}
