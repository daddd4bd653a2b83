// Draws an outline for each text on screen over an image. Coordinates are source pixels.

import { oneLine } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
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
    for (const span of spans) {
      let group = this.drawn.get(span);
      if (!group) {
        group = this.#group(span);
        this.drawn.set(span, group);
      }
      const state = span.overlay ? "overlay" : age(span) < HIGHLIGHT_S ? span.kind : "steady";
      if (group.state !== state) group.setAttribute("class", (group.state = state));
      this.#layout(group, polygonOf(span), span, height);
    }
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

  #layout(group, polygon, span, height) {
    const [outline, label] = group.children;
    const points = polygon.map((point) => point.join()).join(" ");
    const text = oneLine(span.text, 80);
    if (group.points === points && group.text === text && group.height === height && group.textOnly === this.textOnly) return;
    Object.assign(group, { points, height, textOnly: this.textOnly });
    outline.setAttribute("points", points);
    if (group.text !== text) label.textContent = group.text = text;
    const xs = polygon.map(([x]) => x);
    const ys = polygon.map(([, y]) => y);
    const [left, top, right, bottom] = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
    if (this.textOnly) {
      label.style.display = "";
      label.setAttribute("x", left);
      label.setAttribute("y", bottom - (bottom - top) * 0.22);
      label.setAttribute("font-size", Math.max((bottom - top) * 0.8, 4));
      label.setAttribute("textLength", Math.max(right - left, 4));
      label.setAttribute("lengthAdjust", "spacingAndGlyphs");
    } else {
      label.style.display = bottom - top < 1.5 * height ? "none" : ""; // it would hide other texts
      const above = top > 1.6 * height;
      label.setAttribute("x", Math.max(left, 2));
      label.removeAttribute("textLength");
      label.setAttribute("y", above ? top - height * 0.45 : bottom + height * 1.2);
      label.setAttribute("font-size", height);
    }
  }
}
