// A tile a camera: its latest picture where there is one, the texts where they stand, and how old all that is.

import { Boxes } from "./boxes.js";
import { element, oneLine, read } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const QUIET_S = 60;

export class Cameras {
  constructor(root, model, { onPick, choose }) {
    this.root = root;
    this.model = model;
    this.onPick = onPick;
    this.choose = choose;
    this.tiles = new Map();
    this.picked = null;
    this.dirty = new Set();
    this.pictures = null;
    setInterval(() => this.#age(), 1000);
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

  forget() {
    this.tiles.clear();
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
    const picture = element("img", { alt: "", hidden: true });
    const frame = element("div", { className: "frame written" }, picture, svg);
    const state = element("span", { className: "state" });
    const button = element("button", { type: "button", ariaPressed: "false" }, read(oneLine(name, 60)), state);
    button.addEventListener("click", () => this.#pick(name));
    const root = element("article", { className: "tile" }, frame, button);
    tile = { root, frame, picture, state, button, boxes: new Boxes(svg, { written: true, choose: this.choose }) };
    this.tiles.set(name, tile);
    const after = [...this.tiles.keys()].sort().indexOf(name);
    this.root.insertBefore(root, this.root.children[after] ?? null);
    this.pictures?.watch(name, tile);
    this.root.dataset.many = this.tiles.size > 9 ? "many" : this.tiles.size > 4 ? "some" : "few";
    return tile;
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
    if (!stream) return;
    const tile = this.#tile(name);
    if (stream.size) {
      tile.frame.style.aspectRatio = `${stream.size[0]} / ${stream.size[1]}`;
      const now = Date.now() / 1000;
      tile.boxes.show([...stream.live.values()], Infinity, stream.size, (span) => now - span.seen);
    }
    this.#said(tile, stream);
  }

  #said(tile, stream) {
    const now = Date.now() / 1000;
    const seen = stream.latest?.seen ?? null;
    const age = seen === null ? null : Math.max(now - seen, 0);
    const down = stream.state === "down";
    tile.root.dataset.state = down ? "down" : age !== null && age > QUIET_S ? "quiet" : "up";
    const said = down ? (stream.reason ?? "down") : age === null ? "no text yet" : age < 2 ? "now" : ago(age);
    if (tile.state.textContent !== said) tile.state.textContent = said;
  }

  #age() {
    for (const [name, tile] of this.tiles) {
      const stream = this.model.streams.get(name);
      if (!stream) continue;
      this.#said(tile, stream);
      if (stream.live.size) this.touch(name);
    }
  }
}

function ago(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return seconds < 86400 ? `${Math.floor(seconds / 3600)} h ago` : `${Math.floor(seconds / 86400)} d ago`;
}
