// Draws an outline for each text on screen over an image. Coordinates are source pixels.

import { oneLine } from "./format.js";
import { place, widthOf } from "./labels.js";

const SVG = "http://www.w3.org/2000/svg";
const LINE = 1.35; // height of a label in units of its font size, with ascenders, descenders and a gap
const ASCENT = 1.05; // of a label above its base line
const HIGHLIGHT_S = 1.5; // new and changed texts keep their colour for this long

export class Boxes {
  constructor(svg, { onSelect = null } = {}) {
    this.svg = svg;
    this.textOnly = false; // draw the texts themselves where there is no image
    this.drawn = new Map();
    if (onSelect) svg.addEventListener("click", (event) => event.target.closest("g") && onSelect(event.target.closest("g").span));
  }

  /** Draw spans. polygonOf(span) returns four corners, age(span) the seconds since it appeared or changed. */
  show(spans, polygonOf, size, age) {
    if (size && this.size !== String(size)) {
      this.size = String(size);
      this.svg.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
    }
    const pixel = size[1] / (this.svg.clientHeight || size[1]);
    const height = Math.max(size[1] / 40, 11 * pixel); // height of labels; legible on a phone
    const current = new Set(spans);
    for (const [span, group] of this.drawn) {
      if (current.has(span)) continue;
      group.remove();
      this.drawn.delete(span);
    }
    const polygons = spans.map(polygonOf);
    const bounds = polygons.map(boundsOf);
    const labels = this.textOnly ? [] : this.#place(spans, bounds, height, size);
    spans.forEach((span, index) => {
      let group = this.drawn.get(span);
      if (!group) {
        group = this.#group(span);
        this.drawn.set(span, group);
      }
      const state = span.overlay ? "overlay" : age(span) < HIGHLIGHT_S ? span.kind : "steady";
      if (group.state !== state) group.setAttribute("class", (group.state = state));
      this.#layout(group, polygons[index], bounds[index], labels[index], span, height);
    });
  }

  clear() {
    for (const group of this.drawn.values()) group.remove();
    this.drawn.clear();
  }

  #group(span) {
    const group = document.createElementNS(SVG, "g");
    group.span = span;
    group.append(document.createElementNS(SVG, "polygon"), document.createElementNS(SVG, "text"));
    return this.svg.appendChild(group);
  }

  /** Return the place of each label; null for a text that is too low for one. The order is that of the tracks. */
  #place(spans, bounds, height, size) {
    const font = (this.font ??= getComputedStyle(this.svg).fontFamily);
    const labels = spans.map(() => null);
    const order = spans.map((_, index) => index).sort((a, b) => spans[a].track - spans[b].track);
    for (const index of order) {
      if (bounds[index][3] - bounds[index][1] < 1.5 * height) continue;
      const taken = [...bounds.filter((_, other) => other !== index), ...labels.filter(Boolean)];
      const width = widthOf(labelOf(spans[index]), font) * height;
      labels[index] = place(bounds[index], [width, LINE * height], size, taken);
    }
    return labels;
  }

  #layout(group, polygon, [left, top, right, bottom], place, span, height) {
    const [outline, label] = group.children;
    const points = polygon.map((point) => point.join()).join(" ");
    const text = labelOf(span);
    const where = String(place);
    if (group.points === points && group.text === text && group.height === height && group.where === where && group.textOnly === this.textOnly) return;
    Object.assign(group, { points, height, where, textOnly: this.textOnly });
    outline.setAttribute("points", points);
    if (group.text !== text) label.textContent = group.text = text;
    if (this.textOnly) {
      label.style.display = "";
      label.setAttribute("x", left);
      label.setAttribute("y", bottom - (bottom - top) * 0.22);
      label.setAttribute("font-size", Math.max((bottom - top) * 0.8, 4));
      label.setAttribute("textLength", Math.max(right - left, 4));
      label.setAttribute("lengthAdjust", "spacingAndGlyphs");
    } else {
      label.style.display = place ? "" : "none"; // of low texts, there are many
      label.removeAttribute("textLength");
      if (!place) return;
      label.setAttribute("x", place[0]);
      label.setAttribute("y", place[1] + ASCENT * height);
      label.setAttribute("font-size", height);
    }
  }
}

function labelOf(span) {
  return oneLine(span.text, 80);
}

/** Return [left, top, right, bottom] of a polygon. */
function boundsOf(polygon) {
  const xs = polygon.map(([x]) => x);
  const ys = polygon.map(([, y]) => y);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}
