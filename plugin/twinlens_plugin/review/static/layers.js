// The two photos on the stage: small first, whole when they are looked at closely, and where each lies.

import { corners, IDENTITY, inverse, matrix3d, multiply, moving, scaling } from "./geometry.js";

/** Longest side of the box in which a photo is laid out, in CSS pixels: the matrix scales it from there. */
const BOX = 1000;

export class Layer {
  /** Width and height of the whole photo; of one whose size nobody knows, that of its thumbnail. */
  size;
  /** Takes the unit square of this photo to the world. */
  placed = IDENTITY;
  #pane;
  #image;
  #whole = "none"; // loading, there, failed

  constructor(pane, size) {
    this.#pane = pane;
    this.#image = pane.querySelector("img");
    if (!this.#image.dataset.full) this.#whole = "failed"; // its disk is away: the thumbnail is all there is
    this.size = size;
  }

  get pane() {
    return this.#pane;
  }

  /** Settle the size by the thumbnail where it is not known. */
  async ready() {
    try {
      await this.#image.decode();
    } catch {
      this.#pane.classList.add("none"); // the whole photo may be shown yet
    }
    if (!this.size) this.size = [this.#image.naturalWidth || 4, this.#image.naturalHeight || 3];
  }

  /** Draw where a view of the world has it. */
  draw(view) {
    const scale = BOX / Math.max(...this.size);
    const box = this.size.map((side) => side * scale);
    const seen = multiply(moving(view.x, view.y), scaling(view.scale, view.scale));
    const all = multiply(multiply(seen, this.placed), scaling(1 / box[0], 1 / box[1]));
    const style = this.#image.style;
    style.setProperty("width", `${box[0]}px`);
    style.setProperty("height", `${box[1]}px`);
    style.setProperty("transform", matrix3d(all));
    this.outline = corners(all, box);
    this.#sharpen();
  }

  /** Have the whole photo where it is shown larger than its thumbnail is. */
  #sharpen() {
    if (!this.outline) return;
    const [a, b] = this.outline;
    const shown = Math.hypot(b[0] - a[0], b[1] - a[1]) * devicePixelRatio;
    this.#image.classList.toggle("pixels", shown > this.size[0] * 3);
    if (this.#whole === "none" && shown > this.#image.naturalWidth) this.#loadWhole();
  }

  async #loadWhole() {
    this.#whole = "loading";
    this.#pane.classList.add("loading");
    const whole = new Image();
    whole.src = this.#image.dataset.full;
    try {
      await whole.decode();
      this.#image.src = whole.src;
      this.#whole = "there";
      this.#pane.classList.remove("none");
    } catch {
      this.#whole = "failed";
      this.#pane.classList.add("failed");
    }
    this.#pane.classList.remove("loading");
  }
}

/** Where the second photo lies in the world, which is the first one's pixels. `transform` takes the first's unit
 *  square to the second's; null: not known, or not wanted, and it is fitted into the first one's frame. */
export function placeOf(second, first, transform) {
  const world = scaling(...first);
  const back = transform && inverse(transform);
  const aligned = back && multiply(world, back);
  const outline = aligned && corners(aligned, [1, 1]);
  if (outline && isSane(outline, first)) return aligned;
  const scale = Math.min(first[0] / second[0], first[1] / second[1]);
  const box = second.map((side) => side * scale);
  return multiply(moving((first[0] - box[0]) / 2, (first[1] - box[1]) / 2), scaling(...box));
}

/** Tell whether a photo laid over another can be looked at: not a sliver, not a hundred times as large. */
function isSane(outline, [width, height]) {
  const area = outline.reduce((sum, [x, y], i) => {
    const [nextX, nextY] = outline[(i + 1) % outline.length];
    return sum + x * nextY - nextX * y;
  }, 0) / 2;
  const share = Math.abs(area) / (width * height);
  return share > 1e-3 && share < 100;
}
