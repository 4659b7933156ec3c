// The line in the header: how far a scan is, what stands in the way, and a button where groups changed.
// It never moves what is looked at: new groups are shown when they are asked for.

const SECONDS = 2;
const line = document.getElementById("progress");
let first = null;
let asking = false;
let wrote = "";

async function ask() {
  if (asking || document.visibilityState !== "visible") return;
  asking = true;
  try {
    const answer = await fetch(first === null ? "/progress" : `/progress?since=${first}`, { headers: { Accept: "application/json" } });
    if (answer.ok) show(await answer.json());
    else if (answer.status === 401) stop("This page was closed where it runs. Start it again.");
  } catch {
    stop("twinlens review is not running any more.");
  } finally {
    asking = false;
  }
}

function stop(words) {
  write({ words, problems: [], photos: 0 });
}

function show(now) {
  first ??= now.changed;
  write({ ...now, fresh: now.changed > first && ["groups", "map"].includes(document.body.dataset.page) });
}

function write({ words, problems, photos, waiting = 0, busy = false, fresh = false, new: found = 0 }) {
  const key = JSON.stringify([words, problems, fresh, found]);
  if (key === wrote) return;
  wrote = key;
  const parts = [];
  if (words) {
    const said = document.createElement("span");
    said.textContent = words;
    said.title = words;
    parts.push(said);
  }
  if (busy && photos > 0 && waiting > 0) {
    const bar = document.createElement("progress");
    bar.max = photos;
    bar.value = photos - waiting;
    bar.setAttribute("aria-label", "Photos read");
    parts.unshift(bar);
  }
  if (problems.length) parts.push(trouble(problems));
  if (fresh) parts.push(news(found));
  line.replaceChildren(...parts.flatMap((part, place) => (place ? [" ", part] : [part])));
}

function trouble(problems) {
  const more = document.createElement("details");
  more.className = "trouble";
  const summary = document.createElement("summary");
  summary.textContent = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  const list = document.createElement("ul");
  for (const problem of problems) {
    const item = document.createElement("li");
    item.textContent = problem;
    list.append(item);
  }
  more.append(summary, list);
  more.open = line.querySelector(".trouble")?.open ?? false;
  return more;
}

function news(found) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "news";
  button.textContent = found > 0 ? `${found.toLocaleString("en")} new ${found === 1 ? "duplicate" : "duplicates"}: show` : "Groups changed: show";
  button.addEventListener("click", () => location.reload());
  return button;
}

setInterval(ask, SECONDS * 1000);
document.addEventListener("visibilitychange", ask);
ask();
