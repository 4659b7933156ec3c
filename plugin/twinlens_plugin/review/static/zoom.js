// Zoom and pan: one view of the world (pixels of the first photo), shared by all panes; wheel, pinch, drag.

const LARGEST = 16; // screen pixels for one of the photo's

export class View {
  scale = 1;
  x = 0;
  y = 0;
  /** Whether it shows all there is. */
  fitted = true;
  #changed;
  #size = [1, 1];
  #world = [0, 0, 1, 1];

  constructor(changed) {
    this.#changed = changed;
  }

  /** Set the size of a pane and the box of the world that is to be seen; fit anew where it was fitted. */
  within(size, world) {
    this.#size = size;
    this.#world = world;
    if (this.fitted) this.fit();
    else this.#set(this.scale, this.x, this.y);
  }

  get #fitting() {
    const [left, top, right, bottom] = this.#world;
    return Math.min(this.#size[0] / (right - left), this.#size[1] / (bottom - top));
  }

  fit() {
    const [left, top, right, bottom] = this.#world;
    const scale = this.#fitting;
    this.fitted = true;
    this.scale = scale;
    this.x = (this.#size[0] - (right - left) * scale) / 2 - left * scale;
    this.y = (this.#size[1] - (bottom - top) * scale) / 2 - top * scale;
    this.#changed();
  }

  /** Zoom by a factor; the point of the world below `at` (in the pane) stays there. */
  zoom(factor, at = this.#middle) {
    this.to(this.scale * factor, at);
  }

  to(scale, at = this.#middle) {
    const least = this.#fitting * 0.5;
    const next = Math.max(least, Math.min(Math.max(LARGEST / devicePixelRatio, least), scale));
    const factor = next / this.scale;
    this.#set(next, at[0] - (at[0] - this.x) * factor, at[1] - (at[1] - this.y) * factor);
  }

  /** One pixel of the photo for one of the screen. */
  actual(at = this.#middle) {
    this.to(1 / devicePixelRatio, at);
  }

  pan(x, y) {
    this.#set(this.scale, this.x + x, this.y + y);
  }

  get #middle() {
    return [this.#size[0] / 2, this.#size[1] / 2];
  }

  #set(scale, x, y) {
    const [left, top, right, bottom] = this.#world;
    this.fitted = false;
    this.scale = scale;
    // A corner of the world stays within the pane: nobody gets lost.
    this.x = clamp(x, 40 - right * scale, this.#size[0] - 40 - left * scale);
    this.y = clamp(y, 40 - bottom * scale, this.#size[1] - 40 - top * scale);
    this.#changed();
  }
}

function clamp(value, least, most) {
  return Math.max(least, Math.min(most, value));
}

/** Have wheel, drag, pinch and double click on a pane move the view. */
export function followPointers(pane, view) {
  const points = new Map();
  const place = (event) => {
    const box = pane.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  pane.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    view.zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.002)), place(event));
  }, { passive: false });
  pane.addEventListener("dblclick", (event) => (view.fitted ? view.actual(place(event)) : view.fit()));
  pane.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    pane.setPointerCapture(event.pointerId);
    points.set(event.pointerId, place(event));
  });
  pane.addEventListener("pointermove", (event) => {
    const before = points.get(event.pointerId);
    if (!before) return;
    const now = place(event);
    const other = [...points].find(([id]) => id !== event.pointerId)?.[1];
    points.set(event.pointerId, now);
    if (other) pinch(view, before, now, other);
    else view.pan(now[0] - before[0], now[1] - before[1]);
  });
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
    pane.addEventListener(name, (event) => points.delete(event.pointerId));
  }
}

function pinch(view, before, now, other) {
  const distance = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]);
  if (distance(before) < 1) return;
  const middle = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
  view.zoom(distance(now) / distance(before), middle);
  view.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
}
