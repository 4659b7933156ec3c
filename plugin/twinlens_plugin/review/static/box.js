// The box on a photo: drawn, moved and sized by pointer and by keys. Shares of the photo's sides, 0 to 1.

const LEAST = 0.02;
const STEP = 0.02;

export function clamped({ x, y, w, h }) {
  const width = Math.min(1, Math.max(LEAST, w));
  const height = Math.min(1, Math.max(LEAST, h));
  return { x: Math.min(1 - width, Math.max(0, x)), y: Math.min(1 - height, Math.max(0, y)), w: width, h: height };
}

export function words({ x, y, w, h }) {
  const percent = (share) => `${Math.round(share * 100)} %`;
  return `${percent(w)} wide, ${percent(h)} high, ${percent(x)} from the left, ${percent(y)} from the top`;
}

export function text({ x, y, w, h }) {
  return [x, y, w, h].map((share) => String(Number(share.toFixed(4)))).join(",");
}

export function parse(given) {
  const [x, y, w, h] = given.split(",").map(Number);
  return [x, y, w, h].every(Number.isFinite) ? clamped({ x, y, w, h }) : null;
}

/** Let a box be drawn on `stage` (the photo's element), shown as `part`. Calls `changed(box or null, done)`:
 *  `done` is false while the pointer is still down. Calls `chosen()` on Enter. Returns `set`, `get`. */
export function boxOn(stage, part, { changed, chosen }) {
  let box = null;
  const shade = document.createElement("div");
  shade.className = "shade";
  shade.hidden = true;
  stage.insertBefore(shade, part);

  function set(wanted, done = true) {
    box = wanted && clamped(wanted);
    part.hidden = shade.hidden = box === null;
    if (box) {
      const [left, top, right, bottom] = [box.x, box.y, box.x + box.w, box.y + box.h].map((share) => `${share * 100}%`);
      Object.assign(part.style, { left, top, width: `${box.w * 100}%`, height: `${box.h * 100}%` });
      shade.style.clipPath = `polygon(evenodd, 0 0, 100% 0, 100% 100%, 0 100%, 0 0, ${left} ${top}, ${right} ${top},`
        + ` ${right} ${bottom}, ${left} ${bottom}, ${left} ${top})`;
      part.setAttribute("aria-label", `Part to look for: ${words(box)}`);
    }
    changed(box, done);
  }

  const place = (event) => {
    const frame = stage.getBoundingClientRect();
    const share = (at, start, length) => Math.min(1, Math.max(0, (at - start) / length));
    return { x: share(event.clientX, frame.left, frame.width), y: share(event.clientY, frame.top, frame.height) };
  };
  const between = (a, b) => ({ x: Math.min(a.x, b.x), y: Math.min(a.y, b.y), w: Math.abs(a.x - b.x), h: Math.abs(a.y - b.y) });

  /** What the pointer does, from where it went down: a function of where it is. */
  function gesture(event) {
    const from = place(event);
    const corner = event.target.dataset.corner;
    if (box && corner) {
      // The corner across stays where it is.
      const fixed = { x: corner.includes("w") ? box.x + box.w : box.x, y: corner.includes("n") ? box.y + box.h : box.y };
      return (to) => between(fixed, to);
    }
    if (box && event.target === part) {
      const start = box;
      return (to) => ({ ...start, x: start.x + to.x - from.x, y: start.y + to.y - from.y });
    }
    return (to) => between(from, to);
  }

  stage.addEventListener("pointerdown", (down) => {
    if (down.button !== 0) return;
    down.preventDefault();
    const made = gesture(down);
    const before = box;
    let moved = false;
    stage.setPointerCapture(down.pointerId);
    const move = (event) => {
      moved ||= Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) > 4;
      if (moved) set(made(place(event)), false);
    };
    const end = (event) => {
      for (const [name, run] of Object.entries(listeners)) stage.removeEventListener(name, run);
      if (event.type === "pointercancel") set(before);
      else if (moved) set(made(place(event)));
      // A click beside the box is none that was drawn: it stays.
      if (box) part.focus({ preventScroll: true });
    };
    const listeners = { pointermove: move, pointerup: end, pointercancel: end };
    for (const [name, run] of Object.entries(listeners)) stage.addEventListener(name, run);
  });

  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  part.addEventListener("keydown", (event) => {
    const way = ways[event.key];
    if (way && box && !event.ctrlKey && !event.altKey && !event.metaKey) {
      const [dx, dy] = way.map((one) => one * STEP);
      if (event.shiftKey) set({ ...box, w: Math.min(1 - box.x, box.w + dx), h: Math.min(1 - box.y, box.h + dy) });
      else set({ ...box, x: box.x + dx, y: box.y + dy });
    } else if (event.key === "Enter") chosen();
    else if (event.key === "Escape") set(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  return { set, get: () => box };
}
