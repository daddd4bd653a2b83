// One tile per camera: its latest image if there is one, the texts on screen, and its status.

import { Boxes } from "./boxes.js";
import { element, isolated, oneLine } from "./format.js";
import { polygonAt } from "./model.js";

const SVG = "http://www.w3.org/2000/svg";
const IDLE_S = 60;
const GAP_PX = 12;
const CAPTION_PX = 42; // height of the caption below an image
const MIN_TILE_PX = 160;

export class Cameras {
  constructor(root, model, { onSelect, onSelectSpan }) {
    this.root = root;
    this.model = model;
    this.onSelect = onSelect;
    this.onSelectSpan = onSelectSpan;
    this.tiles = new Map();
    this.selected = null;
    this.dirty = new Set();
    this.preview = null; // updates the images of the tiles, if a run provides them
    setInterval(() => this.#updateAges(), 1000);
    new ResizeObserver(() => this.#layout()).observe(root);
  }

  /** Redraw the tile of a stream in the next animation frame. */
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

  /** Set the status of the cameras of a run, by name. */
  setStatus(cameras) {
    for (const [name, tile] of this.tiles) {
      if (!tile.live || name in cameras) continue;
      tile.root.remove(); // the camera was removed from the settings
      this.tiles.delete(name);
      this.preview?.unwatch(name, tile);
      this.#layout();
    }
    for (const [name, camera] of Object.entries(cameras)) {
      this.#tile(name).live = camera;
      this.touch(name);
    }
  }

  clear() {
    this.tiles.clear();
    this.preview?.clear();
    this.root.replaceChildren();
    this.selected = null;
  }

  #tile(name) {
    let tile = this.tiles.get(name);
    if (tile) return tile;
    const svg = document.createElementNS(SVG, "svg");
    svg.classList.add("boxes");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    const image = element("img", { alt: "" });
    const frame = element("div", { className: "frame" }, image, svg);
    const state = element("span", { className: "state" });
    const button = element("button", { type: "button", ariaPressed: "false" }, isolated(oneLine(name, 60)), state);
    button.addEventListener("click", () => this.#select(name));
    const root = element("article", { className: "tile" }, frame, button);
    tile = { root, frame, image, state, button, boxes: new Boxes(svg, { onSelect: this.onSelectSpan }) };
    this.tiles.set(name, tile);
    const after = [...this.tiles.keys()].sort().indexOf(name);
    this.root.insertBefore(root, this.root.children[after] ?? null);
    this.preview?.watch(name, tile);
    this.#layout();
    return tile;
  }

  /** Choose the largest tiles that all fit into view, or small ones that scroll if there are too many. */
  #layout() {
    const width = this.root.clientWidth;
    const height = matchMedia("(min-width: 901px)").matches ? this.root.clientHeight : innerHeight * 0.6;
    const maxColumns = Math.max(Math.floor((width + GAP_PX) / (MIN_TILE_PX + GAP_PX)), 1);
    let [columns, tile] = [maxColumns, 0];
    for (let each = 1; each <= maxColumns; each++) {
      const rows = Math.ceil(this.tiles.size / each);
      const maxWidth = (width - (each - 1) * GAP_PX) / each;
      const maxHeight = (height - (rows - 1) * GAP_PX) / rows - CAPTION_PX;
      const fitted = Math.floor(Math.min(maxWidth, (maxHeight * 16) / 9));
      if (fitted > tile) [columns, tile] = [each, fitted];
    }
    if (tile < MIN_TILE_PX) [columns, tile] = [maxColumns, Math.floor((width - (maxColumns - 1) * GAP_PX) / maxColumns)];
    this.root.style.gridTemplateColumns = `repeat(${columns}, minmax(0, ${tile}px))`;
    this.root.style.setProperty("--columns", columns);
  }

  #select(name) {
    this.selected = this.selected === name ? null : name;
    for (const [each, tile] of this.tiles) {
      tile.root.classList.toggle("selected", each === this.selected);
      tile.button.ariaPressed = String(each === this.selected);
    }
    this.onSelect(this.selected);
  }

  #draw(name) {
    const stream = this.model.streams.get(name);
    const tile = this.#tile(name);
    const hasImage = Boolean(tile.image.naturalWidth);
    const size = stream?.size ?? (hasImage ? [tile.image.naturalWidth, tile.image.naturalHeight] : null);
    if (size) tile.frame.style.aspectRatio = `${size[0]} / ${size[1]}`;
    if (stream?.size) {
      const now = Date.now() / 1000;
      tile.frame.classList.toggle("text-only", !hasImage);
      tile.boxes.textOnly = !hasImage;
      const polygonOf = (span) => tile.polygons?.get(span.track) ?? polygonAt(span, Infinity);
      tile.boxes.show([...stream.live.values()], polygonOf, stream.size, (span) => now - span.receivedAt);
    }
    this.#showStatus(tile, stream);
  }

  #showStatus(tile, stream) {
    const now = Date.now() / 1000;
    const receivedAt = stream?.latest?.receivedAt ?? null;
    const age = receivedAt === null ? null : Math.max(now - receivedAt, 0);
    const state = tile.live?.state ?? stream?.state;
    const isDown = state === "down" || state === "unassigned";
    tile.root.dataset.state = isDown ? "down" : age !== null && age > IDLE_S ? "idle" : "up";
    let status = age === null ? "no text yet" : age < 2 ? "now" : ago(age);
    if (isDown) status = tile.live?.reason ?? stream?.reason ?? state;
    else if (tile.live) status = describe(tile.live);
    if (tile.state.textContent !== status) tile.state.textContent = tile.state.title = status;
  }

  #updateAges() {
    for (const [name, tile] of this.tiles) {
      const stream = this.model.streams.get(name);
      this.#showStatus(tile, stream);
      if (stream?.live.size) this.touch(name);
    }
  }
}

/** Describe the status of a camera. */
function describe({ state, fps, age_s: age, dropped, host }) {
  if (state !== "up") return state;
  const status = [`${fps.toFixed(1)} fps`];
  if (host) status.push(oneLine(host, 30));
  if (age > 3) status.push(ago(age));
  if (dropped) status.push(`${dropped} dropped`);
  return status.join(" · ");
}

function ago(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return seconds < 86400 ? `${Math.floor(seconds / 3600)} h ago` : `${Math.floor(seconds / 86400)} d ago`;
}
