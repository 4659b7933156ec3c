// The filters: F opens them; what is not asked for stays out of the address.

import { onKeys } from "./keys.js";

const filters = document.getElementById("filters");
const form = filters?.querySelector("form");

/** The kinds that are asked for where nobody asks. */
const USUAL = "identical,same-pixels,copy,edit";

function tidy(event) {
  const data = event.formData;
  for (const [name, value] of [...data]) if (value === "" || value === "0" && name !== "rotated") data.delete(name);
  const kinds = data.getAll("kind");
  if (kinds.join(",") === USUAL) data.delete("kind");
}

function start() {
  const percent = form.querySelector("[data-percent]");
  const share = form.querySelector("[name=min-score]");
  percent.addEventListener("input", () => {
    share.value = percent.value === "" ? "" : String(Number(percent.value) / 100);
  });
  form.addEventListener("formdata", tidy);
  onKeys({
    F: () => {
      filters.open = !filters.open;
      (filters.open ? form.querySelector("input") : filters.querySelector("summary")).focus();
    },
  });
}

if (form) start();
