// Draws areas over the picture of a camera: new rectangles and polygons, and moves of areas and points, by mouse, touch
// and keyboard. Points are [x, y] in fractions of the width and height of the picture.

import { element } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const CLOSE_PX = 14; // a point that is set so near to the first one closes a polygon
const SAME_PX = 4; // a second click of a double click
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const DEFAULT_RECTANGLE = [[0.3, 0.3], [0.7, 0.3], [0.7, 0.7], [0.3, 0.7]];

export class AreaCanvas {
  /** onChange() follows a change of an area, onSelect(area) a selection, onDrawn(points) a new outline. */
  constructor(root, { onChange, onSelect, onDrawn }) {
    Object.assign(this, { root, onChange, onSelect, onDrawn });
    this.svg = root.querySelector("svg");
    this.points = root.querySelector(".points");
    this.areas = [];
    this.inherited = []; // shown only
    this.selected = null;
    this.active = 0; // the point that was used last
    this.tool = null;
    this.draft = [];
    this.drag = null;
    root.addEventListener("pointerdown", (event) => this.#down(event));
    root.addEventListener("pointermove", (event) => this.#move(event));
    root.addEventListener("pointerup", (event) => this.#up(event));
    root.addEventListener("pointercancel", () => this.#drop());
    root.addEventListener("dblclick", () => this.finish());
    this.points.addEventListener("keydown", (event) => this.#key(event));
    this.points.addEventListener("click", (event) => event.detail === 0 && this.#addAt(event.target));
  }

  /** Show areas, one of them selected. */
  show(areas, selected = null, inherited = []) {
    Object.assign(this, { areas, selected, inherited });
    this.active = 0;
    this.draw();
  }

  setSize(width, height) {
    this.root.style.aspectRatio = `${width} / ${height}`;
    this.root.style.width = `min(100%, ${(75 * width) / height}vh)`;
  }

  /** Choose "rectangle", "polygon" or null. */
  use(tool) {
    this.tool = tool;
    this.draft = [];
    this.root.dataset.tool = tool ?? "";
    this.draw();
  }

  /** Draw a rectangle in the middle, for those who draw with the keyboard. */
  drawDefault() {
    this.#drawn(DEFAULT_RECTANGLE.map((point) => [...point]));
    this.points.querySelector("button")?.focus();
  }

  /** Complete the polygon that is being drawn. */
  finish() {
    if (this.tool === "polygon" && this.draft.length > 2) this.#drawn(this.draft);
  }

  /** Remove the point of the selected area that was used last. */
  removePoint() {
    if (!this.selected || this.selected.points.length < 4) return;
    this.selected.points.splice(this.active, 1);
    this.active = Math.min(this.active, this.selected.points.length - 1);
    this.#changed();
  }

  draw() {
    const shapes = [
      ...this.inherited.map((area) => this.#shape(area, "inherited")),
      ...this.areas.map((area) => this.#shape(area, area === this.selected ? "selected" : "")),
    ];
    if (this.draft.length) shapes.push(this.#shape({ kind: "draft", points: this.draft }, ""));
    this.svg.replaceChildren(...shapes);
    this.#drawPoints();
  }

  #shape(area, state) {
    const shape = document.createElementNS(SVG, "polygon");
    shape.setAttribute("class", `${area.kind} ${state}`);
    shape.setAttribute("points", area.points.map((point) => point.join()).join(" "));
    shape.area = state === "inherited" ? null : area;
    return shape;
  }

  /** Draw a button at each point, and one between two points that adds a point. Keep the focus. */
  #drawPoints() {
    const corners = this.tool ? [] : (this.selected?.points ?? []);
    while (this.points.children.length > 2 * corners.length) this.points.lastChild.remove();
    while (this.points.children.length < 2 * corners.length) {
      this.points.append(element("button", { type: "button", className: this.points.children.length % 2 ? "middle" : "point" }));
    }
    corners.forEach((corner, index) => {
      const next = corners[(index + 1) % corners.length];
      const [point, middle] = [this.points.children[2 * index], this.points.children[2 * index + 1]];
      point.ariaLabel = `Point ${index + 1}: ${percent(corner[0])} from the left, ${percent(corner[1])} from the top`;
      middle.ariaLabel = `Add a point after point ${index + 1}`;
      place(point, corner);
      place(middle, [(corner[0] + next[0]) / 2, (corner[1] + next[1]) / 2]);
    });
  }

  #down(event) {
    if (event.button !== 0 || this.drag) return;
    const at = this.#at(event);
    this.root.setPointerCapture(event.pointerId);
    const index = [...this.points.children].indexOf(event.target);
    if (this.tool === "rectangle") {
      this.drag = { from: at };
    } else if (this.tool === "polygon") {
      this.#addToDraft(at);
    } else if (index >= 0) {
      if (index % 2) this.selected.points.splice((index + 1) / 2, 0, at);
      this.active = Math.ceil(index / 2);
      this.drag = { point: this.active };
      if (index % 2) this.#changed();
    } else {
      const area = event.target.area ?? null;
      if (area !== this.selected) this.onSelect(area);
      if (area) this.drag = { area, from: at, points: area.points.map((point) => [...point]) };
    }
  }

  #move(event) {
    if (!this.drag) return;
    const at = this.#at(event);
    if (this.drag.area) this.#moveArea(at);
    else if (this.drag.point !== undefined) {
      this.selected.points[this.drag.point] = at;
      this.#changed();
    } else {
      this.draft = rectangle(this.drag.from, at);
      this.draw();
    }
  }

  #up(event) {
    const { drag, draft } = this;
    this.#drop();
    if (this.tool !== "rectangle" || !drag) return;
    const at = this.#at(event);
    if (draft.length && this.#distance(drag.from, at) > CLOSE_PX) this.#drawn(draft);
    else this.use(this.tool); // a click without a move
  }

  #drop() {
    this.drag = null;
    if (this.tool === "rectangle") this.draft = [];
  }

  #moveArea(at) {
    const { area, from, points } = this.drag;
    const shift = [0, 1].map((axis) => {
      const values = points.map((point) => point[axis]);
      return Math.min(Math.max(at[axis] - from[axis], -Math.min(...values)), 1 - Math.max(...values));
    });
    if (!shift[0] && !shift[1]) return;
    area.points = points.map(([x, y]) => [round(x + shift[0]), round(y + shift[1])]);
    this.#changed();
  }

  #addToDraft(at) {
    const last = this.draft.at(-1);
    if (last && this.#distance(last, at) < SAME_PX) return;
    if (this.draft.length > 2 && this.#distance(this.draft[0], at) < CLOSE_PX) return this.finish();
    this.draft.push(at);
    this.draw();
  }

  #drawn(points) {
    this.use(null);
    this.onDrawn(points);
  }

  #key(event) {
    const index = [...this.points.children].indexOf(event.target);
    if (index < 0 || index % 2 || event.ctrlKey || event.metaKey || event.altKey) return;
    this.active = index / 2;
    const step = STEPS[event.key];
    if (step) {
      const size = event.shiftKey ? 0.001 : 0.01;
      const point = this.selected.points[this.active];
      this.selected.points[this.active] = point.map((value, axis) => clamp(value + step[axis] * size));
      this.#changed();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.removePoint();
      this.points.children[2 * this.active].focus();
    } else return;
    event.preventDefault();
  }

  /** Add a point with the keyboard. */
  #addAt(button) {
    const index = [...this.points.children].indexOf(button);
    if (index < 0 || index % 2 === 0) return;
    const { points } = this.selected;
    const [a, b] = [points[(index - 1) / 2], points[((index + 1) / 2) % points.length]];
    points.splice((index + 1) / 2, 0, [round((a[0] + b[0]) / 2), round((a[1] + b[1]) / 2)]);
    this.#changed();
    this.points.children[index + 1].focus();
  }

  #changed() {
    this.draw();
    this.onChange();
  }

  /** Return the place of a pointer as fractions. */
  #at(event) {
    const box = this.root.getBoundingClientRect();
    return [clamp((event.clientX - box.left) / box.width), clamp((event.clientY - box.top) / box.height)];
  }

  /** Return the distance of two points in pixels of the screen. */
  #distance([x0, y0], [x1, y1]) {
    return Math.hypot((x1 - x0) * this.root.clientWidth, (y1 - y0) * this.root.clientHeight);
  }
}

/** Round to what is saved: less than half a pixel of a picture 8K wide. */
function round(value) {
  return Math.round(value * 1e4) / 1e4;
}

function clamp(value) {
  return round(Math.min(Math.max(value, 0), 1));
}

function percent(value) {
  return `${(value * 100).toFixed(1)} %`;
}

function place(button, [x, y]) {
  button.style.left = `${x * 100}%`;
  button.style.top = `${y * 100}%`;
}

function rectangle([x0, y0], [x1, y1]) {
  const [left, right, top, bottom] = [Math.min(x0, x1), Math.max(x0, x1), Math.min(y0, y1), Math.max(y0, y1)];
  return [[left, top], [right, top], [right, bottom], [left, bottom]];
}
