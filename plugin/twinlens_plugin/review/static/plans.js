// The list of plans and of what was done.

import { post, Refused } from "./base.js";
import { planAll, planChosen } from "./planning.js";
import { selection } from "./selection.js";

const page = document.getElementById("plans");
const chosen = document.getElementById("plan-chosen");
const all = document.getElementById("plan-all");

function show() {
  const count = selection.size;
  chosen.hidden = count === 0;
  document.getElementById("none-chosen").hidden = count > 0;
  chosen.textContent = `Of the ${count === 1 ? "group" : `${count} groups`} that you chose`;
  chosen.dataset.words = chosen.textContent;
}

async function quietly(action) {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  }
}

all.dataset.words = all.textContent;
all.addEventListener("click", () => quietly(() => planAll(page.dataset.query, all)));
chosen.addEventListener("click", () => quietly(() => planChosen(chosen)));
selection.addEventListener("change", show);
show();

page.addEventListener("click", (event) => quietly(async () => {
  const button = event.target.closest("button");
  if (button?.dataset.discard) {
    await post(`/plans/${button.dataset.discard}/discard`);
    location.reload();
  } else if (button?.dataset.undoRun) {
    button.disabled = true;
    try {
      const { url } = await post("/plans/undo", { run: button.dataset.undoRun });
      location.assign(url);
    } finally {
      button.disabled = false;
    }
  }
}));
