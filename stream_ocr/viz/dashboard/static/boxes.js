// Outlines over a picture, one for each text on screen. Coordinates are those of the source frame.

import { oneLine } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const FRESH_S = 1.5;

export class Boxes {
  constructor(svg, { choose = null } = {}) {
    this.svg = svg;
    this.written = false; // whether the texts themselves are drawn where they stand, for want of a picture
    this.drawn = new Map();
    if (choose) svg.addEventListener("click", (event) => event.target.closest("g") && choose(event.target.closest("g").span));
  }

  /** Draws spans; place(span): its four corners; age(span): seconds since it became what it is. */
  show(spans, place, size, age) {
    if (size && this.size !== String(size)) {
      this.size = String(size);
      this.svg.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
    }
    const pixel = size[1] / (this.svg.clientHeight || size[1]);
    const height = Math.max(size[1] / 40, 11 * pixel); // of the labels: they stay legible on a phone
    const wanted = new Set(spans);
    for (const [span, group] of this.drawn) {
      if (wanted.has(span)) continue;
      group.remove();
      this.drawn.delete(span);
    }
    for (const span of spans) {
      let group = this.drawn.get(span);
      if (!group) {
        group = this.#group(span);
        this.drawn.set(span, group);
      }
      const look = span.overlay ? "overlay" : age(span) < FRESH_S ? span.kind : "steady";
      if (group.look !== look) group.setAttribute("class", (group.look = look));
      this.#place(group, place(span), span, height);
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

  #place(group, polygon, span, height) {
    const [outline, label] = group.children;
    const points = polygon.map((point) => point.join()).join(" ");
    const said = oneLine(span.text, 80);
    if (group.points === points && group.said === said && group.height === height && group.written === this.written) return;
    Object.assign(group, { points, height, written: this.written });
    outline.setAttribute("points", points);
    if (group.said !== said) label.textContent = group.said = said;
    const xs = polygon.map(([x]) => x);
    const ys = polygon.map(([, y]) => y);
    const [left, top, right, bottom] = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
    if (this.written) {
      label.style.display = "";
      label.setAttribute("x", left);
      label.setAttribute("y", bottom - (bottom - top) * 0.22);
      label.setAttribute("font-size", Math.max((bottom - top) * 0.8, 4));
      label.setAttribute("textLength", Math.max(right - left, 4));
      label.setAttribute("lengthAdjust", "spacingAndGlyphs");
    } else {
      label.style.display = bottom - top < 1.5 * height ? "none" : ""; // it would hide what is beside it
      const above = top > 1.6 * height;
      label.setAttribute("x", Math.max(left, 2));
      label.removeAttribute("textLength");
      label.setAttribute("y", above ? top - height * 0.45 : bottom + height * 1.2);
      label.setAttribute("font-size", height);
    }
  }
}
