// Decisions: what a person says of photos, sent, told, and taken back.

import { ask, post, say, toast } from "./base.js";

/** Send a decision on photos, each {id, version} as the page shows it: one that changed since is refused.
 *  `verdict`: "keep", "same" or "not-duplicates", `keep`: the number of the one to keep. `undone` is called after it was taken back. Throws Refused, which was shown. */
export async function decide(verdict, photos, { keep = null, undone = () => {} } = {}) {
  const answer = await post("/decisions", {
    verdict,
    photos: photos.map(({ id }) => Number(id)),
    seen: Object.fromEntries(photos.map(({ id, version }) => [id, version])),
    keep: keep === null ? null : Number(keep),
  });
  toast(answer.words, {
    undo: async () => {
      await post("/decisions/undo", { undo: answer.undo });
      say("Taken back.");
      await undone();
    },
  });
}

/** Ask before one of several frames is kept: of copies it is plain that the others are spare, of these not. */
export function isKeepMeant(name, others) {
  const [they, are] = others === 1 ? ["The other photo", "It is no copy"] : [`The other ${others} photos`, "They are no copies"];
  return ask(
    `Keep ${name}? ${they} would go then. ${are} of it: another frame of the same moment, or only alike.`,
    "Keep it",
  );
}
