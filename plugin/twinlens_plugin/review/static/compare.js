// Comparing two photos: side by side, swipe, blink, overlay, difference; zoomed and moved in step. Here on a page
// of its own; theatre.js does it in a dialog over the list.

import { Refused } from "./base.js";
import { decide, isKeepMeant } from "./deciding.js";
import { around, corners } from "./geometry.js";
import { onKeys } from "./keys.js";
import { Layer, placeOf } from "./layers.js";
import { followPointers, View } from "./zoom.js";

const MODES = ["side", "swipe", "blink", "overlay", "difference"];
/** What the slider does in a mode: its name, where it starts, [least, most, step]. */
const SLIDERS = {
  swipe: ["Line", 50, [0, 100, 1]],
  overlay: ["Second photo", 50, [0, 100, 1]],
  difference: ["Brighter", 4, [1, 16, 1]],
};
const still = matchMedia("(prefers-reduced-motion: reduce)");

/** What stays as it was chosen from one pair to the next. */
const chosen = { mode: "side", aligned: true, same: false, sliders: {}, seconds: 0.7 };

export class Compare {
  #root;
  #stage;
  #view;
  #layers;
  #transform;
  #timer = null;
  #watch;

  /** `view`: that of the pair before, where the first photo is still the same. */
  constructor(root, view = null) {
    this.#root = root;
    this.#stage = root.querySelector(".stage");
    this.#transform = JSON.parse(root.dataset.transform);
    this.#layers = ["a", "b"].map((name) => new Layer(root.querySelector(`.pane.${name}`), JSON.parse(root.dataset[`${name}Size`])));
    this.#view = new View(() => this.#draw());
    if (view && !view.fitted) Object.assign(this.#view, view);
    this.#watch = new ResizeObserver(() => this.#fit());
  }

  get view() {
    const { scale, x, y, fitted } = this.#view;
    return { scale, x, y, fitted };
  }

  async start() {
    this.#bind();
    this.mode = chosen.mode;
    this.#showSame();
    await Promise.all(this.#layers.map((layer) => layer.ready()));
    this.#place();
    this.#watch.observe(this.#stage);
  }

  stop() {
    clearInterval(this.#timer);
    this.#watch.disconnect();
  }

  /** Keys of every comparison. */
  get keys() {
    const pan = (x, y) => () => this.#view.pan(x, y);
    return {
      S: () => { this.mode = "side"; }, W: () => { this.mode = "swipe"; }, B: () => { this.mode = "blink"; },
      O: () => { this.mode = "overlay"; }, D: () => { this.mode = "difference"; },
      V: () => { this.mode = MODES[(MODES.indexOf(chosen.mode) + 1) % MODES.length]; },
      L: () => this.#part("#aligned").click(),
      "+": () => this.#view.zoom(1.25), "=": () => this.#view.zoom(1.25), "-": () => this.#view.zoom(0.8),
      0: () => this.#view.fit(), 1: () => this.#view.actual(),
      "Shift+ArrowLeft": pan(60, 0), "Shift+ArrowRight": pan(-60, 0),
      "Shift+ArrowUp": pan(0, 60), "Shift+ArrowDown": pan(0, -60),
      "[": () => this.#slide(-5), "]": () => this.#slide(5),
      " ": () => (chosen.mode === "blink" ? this.#flip() : false),
      P: () => this.#part("#blink-auto").click(),
      I: () => this.#part("#same").click(),
    };
  }

  set mode(name) {
    chosen.mode = name;
    this.#stage.dataset.mode = name;
    for (const choice of this.#root.querySelectorAll("[name=mode]")) choice.checked = choice.value === name;
    this.#part(".slider").hidden = !(name in SLIDERS);
    this.#part(".blink").hidden = name !== "blink";
    for (const property of ["clip-path", "opacity", "visibility", "filter"]) {
      for (const element of [this.#stage, ...this.#layers.map((layer) => layer.pane)]) element.style.removeProperty(property);
    }
    if (name in SLIDERS) this.#setSlider(...SLIDERS[name]);
    this.#blink(name === "blink" && !still.matches);
    this.#fit();
  }

  #part(selector) {
    return this.#root.querySelector(selector);
  }

  #bind() {
    for (const { pane } of this.#layers) followPointers(pane, this.#view);
    for (const choice of this.#root.querySelectorAll("[name=mode]")) {
      choice.addEventListener("change", () => { this.mode = choice.value; });
    }
    const press = {
      "#zoom-in": () => this.#view.zoom(1.25), "#zoom-out": () => this.#view.zoom(0.8),
      "#zoom-fit": () => this.#view.fit(), "#zoom-actual": () => this.#view.actual(),
      "#blink-flip": () => this.#flip(), "#blink-auto": () => this.#blink(this.#timer === null),
      "#same": () => { chosen.same = !chosen.same; this.#showSame(); },
    };
    for (const [selector, run] of Object.entries(press)) this.#part(selector)?.addEventListener("click", run);
    const aligned = this.#part("#aligned");
    aligned.checked = chosen.aligned && !aligned.disabled;
    aligned.addEventListener("change", () => { chosen.aligned = aligned.checked; this.#place(); });
    this.#part("#slider").addEventListener("input", () => this.#slid());
    this.#bindDivider();
    const seconds = this.#part("#seconds");
    seconds.value = String(chosen.seconds);
    seconds.addEventListener("change", () => {
      chosen.seconds = Number(seconds.value);
      if (this.#timer !== null) this.#blink(true);
    });
  }

  #bindDivider() {
    const divider = this.#part(".divider");
    divider.addEventListener("pointerdown", (event) => divider.setPointerCapture(event.pointerId));
    divider.addEventListener("pointermove", (event) => {
      if (!divider.hasPointerCapture(event.pointerId)) return;
      const box = this.#stage.getBoundingClientRect();
      this.#part("#slider").value = String(((event.clientX - box.left) / box.width) * 100);
      this.#slid();
    });
  }

  // --- Where things lie.

  #place() {
    const [first, second] = this.#layers;
    first.placed = placeOf(first.size, first.size, null);
    second.placed = placeOf(second.size, first.size, this.#part("#aligned").checked ? this.#transform : null);
    this.#fit();
  }

  #fit() {
    const [first, second] = this.#layers;
    if (!first.size || !second.size || !this.#root.isConnected) return;
    const { clientWidth, clientHeight } = first.pane;
    const world = around(this.#layers.flatMap((layer) => corners(layer.placed, [1, 1]) ?? []));
    if (clientWidth && clientHeight) this.#view.within([clientWidth, clientHeight], world);
  }

  #draw() {
    for (const layer of this.#layers) layer.draw(this.#view);
    const percent = Math.round(this.#view.scale * devicePixelRatio * 100);
    this.#part("#zoom-says").textContent = `${percent} %`;
    if (chosen.mode === "difference") this.#clipToShared();
  }

  /** Show of the difference what both photos show: beside it there is nothing to compare. */
  #clipToShared() {
    const outlines = this.#layers.map((layer) => layer.outline);
    if (outlines.includes(null) || outlines.includes(undefined)) return;
    const shape = (points) => `polygon(${points.map(([x, y]) => `${x}px ${y}px`).join(",")})`;
    this.#layers[0].pane.style.setProperty("clip-path", shape(outlines[1]));
    this.#layers[1].pane.style.setProperty("clip-path", shape(outlines[0]));
  }

  // --- Modes.

  #setSlider(words, start, [least, most, step]) {
    const slider = this.#part("#slider");
    Object.assign(slider, { min: least, max: most, step });
    slider.value = String(chosen.sliders[chosen.mode] ?? start);
    this.#part("#slider-says").textContent = words;
    this.#slid();
  }

  #slide(steps) {
    const slider = this.#part("#slider");
    if (!(chosen.mode in SLIDERS)) return;
    slider.value = String(Number(slider.value) + Math.sign(steps) * (chosen.mode === "difference" ? 1 : 5));
    this.#slid();
  }

  #slid() {
    const value = Number(this.#part("#slider").value);
    chosen.sliders[chosen.mode] = value;
    const { style } = this.#layers[1].pane;
    if (chosen.mode === "swipe") {
      style.setProperty("clip-path", `inset(0 0 0 ${value}%)`);
      this.#part(".divider").style.setProperty("left", `${value}%`);
    }
    if (chosen.mode === "overlay") style.setProperty("opacity", String(value / 100));
    if (chosen.mode === "difference") this.#stage.style.setProperty("filter", `brightness(${value})`);
  }

  #blink(auto) {
    clearInterval(this.#timer);
    this.#timer = auto ? setInterval(() => this.#flip(), chosen.seconds * 1000) : null;
    const button = this.#part("#blink-auto");
    button.setAttribute("aria-pressed", String(auto));
  }

  #flip() {
    const { style } = this.#layers[1].pane;
    style.setProperty("visibility", style.getPropertyValue("visibility") === "hidden" ? "visible" : "hidden");
  }

  #showSame() {
    const rows = this.#part(".same");
    if (!rows) return;
    rows.hidden = !chosen.same;
    this.#part("#same").setAttribute("aria-expanded", String(chosen.same));
  }
}

// --- On a page of its own.

async function startPage(root) {
  const compare = new Compare(root);
  const act = async (name, keep = null) => {
    const { a, b, aVersion, bVersion } = root.dataset;
    try {
      await decide(name, [{ id: a, version: aVersion }, { id: b, version: bVersion }], { keep });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
  };
  const keep = async (photo) => {
    const { title } = root.querySelector(`.verdicts [data-photo="${photo}"]`).dataset;
    if (root.dataset.doubtful === undefined || await isKeepMeant(title, 1)) await act("keep", photo);
  };
  const acts = { keep, apart: () => act("not-duplicates"), same: () => act("same") };
  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act]");
    if (button) acts[button.dataset.act](button.dataset.photo);
  });
  onKeys({ ...compare.keys, K: () => acts.keep(root.dataset.b), N: acts.apart, E: acts.same });
  await compare.start();
}

const own = document.querySelector("main > .compare");
if (own) startPage(own);
