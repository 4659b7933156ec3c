// Decisions: what a person says of photos, sent, told, and taken back.

import { ask, canBeTakenBack, post, say, toast } from "./base.js";

/** What was decided in this tab and can be taken back, also once the list was left and come back to. */
const KEPT = "undos";
const MOST = 100;

/** Send a decision on photos, each {id, version} as the page shows it: one that changed since is refused.
 *  `verdict`: "keep", "same" or "not-duplicates", `keep`: the number of the one to keep. `undone` is called after it was taken back. Throws Refused, which was shown. */
export async function decide(verdict, photos, { keep = null, undone = () => {} } = {}) {
  const answer = await post("/decisions", {
    verdict,
    photos: photos.map(({ id }) => Number(id)),
    seen: Object.fromEntries(photos.map(({ id, version }) => [id, version])),
    keep: keep === null ? null : Number(keep),
  });
  keepTokens([...keptTokens(), answer.undo]);
  toast(answer.words, { undo: () => takeBack(answer.undo, undone) });
}

async function takeBack(token, undone) {
  try {
    await post("/decisions/undo", { undo: token });
  } catch (error) {
    if (error.status === 410) keepTokens([]); // another server: it knows none of those before either
    throw error;
  }
  keepTokens(keptTokens().filter((one) => one !== token));
  say("Taken back.");
  await undone();
}

/** Ask before one of several frames is kept: of copies it is plain that the others are spare, of these not. */
export function isKeepMeant(name, others) {
  const [they, are] = others === 1 ? ["The other photo", "It is no copy"] : [`The other ${others} photos`, "They are no copies"];
  return ask(
    `Keep ${name}? ${they} would go then. ${are} of it: another frame of the same moment, or only alike.`,
    "Keep it",
  );
}

function keptTokens() {
  try {
    const tokens = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
    return Array.isArray(tokens) ? tokens : [];
  } catch {
    return [];
  }
}

function keepTokens(tokens) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(tokens.slice(-MOST)));
  } catch {
    // Forbidden or full: it lasts as long as the page.
  }
}

for (const token of keptTokens()) canBeTakenBack(() => takeBack(token, () => location.reload()));
