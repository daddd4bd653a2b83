// A tile a camera: its latest picture where there is one, the texts where they stand, and how old all that is.

import { Boxes } from "./boxes.js";
import { element, oneLine, read } from "./format.js";
import { placeAt } from "./model.js";

const SVG = "http://www.w3.org/2000/svg";
const QUIET_S = 60;
const GAP_PX = 12;
const UNDER_PX = 42; // the line below a picture
const LEAST_PX = 160;

export class Cameras {
  constructor(root, model, { onPick, choose }) {
    this.root = root;
    this.model = model;
    this.onPick = onPick;
    this.choose = choose;
    this.tiles = new Map();
    this.picked = null;
    this.dirty = new Set();
    this.pictures = null; // what watches the pictures of tiles, where there are any
    setInterval(() => this.#age(), 1000);
    new ResizeObserver(() => this.#arrange()).observe(root);
  }

  /** A stream has news. */
  touch(name) {
    this.dirty.add(name);
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      for (const each of this.dirty) this.#draw(each);
      this.dirty.clear();
    });
  }

  /** How the cameras of the run do, by name. */
  told(cameras) {
    for (const [name, tile] of this.tiles) {
      if (!tile.live || name in cameras) continue;
      tile.root.remove(); // it was taken out of the settings
      this.tiles.delete(name);
      this.pictures?.leave(name, tile);
      this.#arrange();
    }
    for (const [name, camera] of Object.entries(cameras)) {
      this.#tile(name).live = camera;
      this.touch(name);
    }
  }

  forget() {
    this.tiles.clear();
    this.pictures?.forget();
    this.root.replaceChildren();
    this.picked = null;
  }

  #tile(name) {
    let tile = this.tiles.get(name);
    if (tile) return tile;
    const svg = document.createElementNS(SVG, "svg");
    svg.classList.add("boxes");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    const picture = element("img", { alt: "" });
    const frame = element("div", { className: "frame" }, picture, svg);
    const state = element("span", { className: "state" });
    const button = element("button", { type: "button", ariaPressed: "false" }, read(oneLine(name, 60)), state);
    button.addEventListener("click", () => this.#pick(name));
    const root = element("article", { className: "tile" }, frame, button);
    tile = { root, frame, picture, state, button, boxes: new Boxes(svg, { choose: this.choose }) };
    this.tiles.set(name, tile);
    const after = [...this.tiles.keys()].sort().indexOf(name);
    this.root.insertBefore(root, this.root.children[after] ?? null);
    this.pictures?.watch(name, tile);
    this.#arrange();
    return tile;
  }

  /** Tiles as large as they can be while all are in sight; small ones that scroll where there are too many. */
  #arrange() {
    const width = this.root.clientWidth;
    const height = matchMedia("(min-width: 901px)").matches ? this.root.clientHeight : innerHeight * 0.6;
    const most = Math.max(Math.floor((width + GAP_PX) / (LEAST_PX + GAP_PX)), 1);
    let [columns, tile] = [most, 0];
    for (let each = 1; each <= most; each++) {
      const rows = Math.ceil(this.tiles.size / each);
      const wide = (width - (each - 1) * GAP_PX) / each;
      const high = (height - (rows - 1) * GAP_PX) / rows - UNDER_PX;
      const fitting = Math.floor(Math.min(wide, (high * 16) / 9));
      if (fitting > tile) [columns, tile] = [each, fitting];
    }
    if (tile < LEAST_PX) [columns, tile] = [most, Math.floor((width - (most - 1) * GAP_PX) / most)];
    this.root.style.gridTemplateColumns = `repeat(${columns}, minmax(0, ${tile}px))`;
    this.root.style.setProperty("--columns", columns);
  }

  #pick(name) {
    this.picked = this.picked === name ? null : name;
    for (const [each, tile] of this.tiles) {
      tile.root.classList.toggle("picked", each === this.picked);
      tile.button.ariaPressed = String(each === this.picked);
    }
    this.onPick(this.picked);
  }

  #draw(name) {
    const stream = this.model.streams.get(name);
    const tile = this.#tile(name);
    const pictured = Boolean(tile.picture.naturalWidth);
    const size = stream?.size ?? (pictured ? [tile.picture.naturalWidth, tile.picture.naturalHeight] : null);
    if (size) tile.frame.style.aspectRatio = `${size[0]} / ${size[1]}`;
    if (stream?.size) {
      const now = Date.now() / 1000;
      tile.frame.classList.toggle("written", !pictured);
      tile.boxes.written = !pictured;
      const place = (span) => tile.places?.get(span.track) ?? placeAt(span, Infinity);
      tile.boxes.show([...stream.live.values()], place, stream.size, (span) => now - span.seen);
    }
    this.#said(tile, stream);
  }

  #said(tile, stream) {
    const now = Date.now() / 1000;
    const seen = stream?.latest?.seen ?? null;
    const age = seen === null ? null : Math.max(now - seen, 0);
    const state = tile.live?.state ?? stream?.state;
    tile.root.dataset.state = state === "down" ? "down" : age !== null && age > QUIET_S ? "quiet" : "up";
    let said = age === null ? "no text yet" : age < 2 ? "now" : ago(age);
    if (state === "down") said = tile.live?.reason ?? stream?.reason ?? "down";
    else if (tile.live) said = doing(tile.live);
    if (tile.state.textContent !== said) tile.state.textContent = tile.state.title = said;
  }

  #age() {
    for (const [name, tile] of this.tiles) {
      const stream = this.model.streams.get(name);
      this.#said(tile, stream);
      if (stream?.live.size) this.touch(name);
    }
  }
}

/** What a camera of a run does. */
function doing({ state, fps, age_s: age, dropped }) {
  if (state !== "up") return state;
  const said = [`${fps.toFixed(1)} fps`];
  if (age > 3) said.push(ago(age));
  if (dropped) said.push(`${dropped} dropped`);
  return said.join(" · ");
}

function ago(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return seconds < 86400 ? `${Math.floor(seconds / 3600)} h ago` : `${Math.floor(seconds / 86400)} d ago`;
}
