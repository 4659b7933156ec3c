// An apply or an undo: how far it is, and what can be done after it.

import { post, Refused, say } from "./base.js";

const job = document.getElementById("job");
const POLL_MS = 700;

function number(count) {
  return count.toLocaleString("en");
}

async function look() {
  let said;
  try {
    const answer = await fetch(`/plans/jobs/${job.dataset.job}/progress`, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    said = await answer.json();
  } catch {
    document.getElementById("current").textContent = "No answer from twinlens review. What runs goes on without it.";
    setTimeout(look, POLL_MS * 4);
    return;
  }
  if (!said.running) {
    location.reload(); // the server writes the result
    return;
  }
  document.getElementById("bar").value = said.seen;
  document.getElementById("seen").textContent = number(said.seen);
  const not = said.skipped + said.failed;
  document.getElementById("not-done").textContent = not ? `, ${number(not)} not` : "";
  document.getElementById("current").textContent = said.current;
  setTimeout(look, POLL_MS);
}

async function start(button, url, body) {
  button.disabled = true;
  try {
    location.assign((await post(url, body)).url);
  } catch (error) {
    button.disabled = false;
    if (!(error instanceof Refused)) throw error;
  }
}

if (job.dataset.running === "true") {
  document.getElementById("stop").addEventListener("click", async (event) => {
    event.target.disabled = true;
    try {
      say((await post(`/plans/jobs/${job.dataset.job}/stop`)).words);
    } catch (error) {
      event.target.disabled = false;
      if (!(error instanceof Refused)) throw error;
    }
  });
  setTimeout(look, 300);
} else {
  const heading = document.getElementById("heading");
  heading.focus({ preventScroll: true });
  say(heading.textContent);
  document.getElementById("undo")?.addEventListener("click", (event) =>
    start(event.target, "/plans/undo", { plan: event.target.dataset.undoPlan }));
  document.getElementById("go-on")?.addEventListener("click", (event) => {
    const { revision, photos, action, to, merge } = event.target.dataset;
    start(event.target, `/plans/${job.dataset.plan}/apply`, {
      revision, photos: Number(photos), action, merge_metadata: merge === "true", ...(to ? { to } : {}),
    });
  });
}
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
