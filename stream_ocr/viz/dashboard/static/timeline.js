// One row a track, bars from the first frame of a text to its last. Only tracks with a text in the time shown have a row.

import { clock, daytime, oneLine } from "./format.js";

const ROW = 24;
const AXIS = 26;
const LEAST_PX = 2;
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400];
const LIVE_S = 120;

export class Timeline {
  constructor(root, model, { onJump, onPoint, onFollow }) {
    Object.assign(this, { root, model, onJump, onPoint, onFollow });
    this.canvas = root.querySelector("canvas");
    this.space = root.querySelector(".space");
    this.window = null; // [from, to] once it was zoomed; null: all, or the latest where live
    this.cursor = null;
    this.chosen = null;
    this.rows = [];
    this.#listen();
    new ResizeObserver(() => this.draw()).observe(root);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recolour());
    this.recolour();
  }

  recolour() {
    const style = getComputedStyle(document.documentElement);
    const named = (name) => style.getPropertyValue(`--${name}`).trim();
    const names = ["ink", "soft", "line", "steady", "steady-2", "doubt", "accent", "panel", "overlay", "new"];
    this.colours = Object.fromEntries(names.map((name) => [name, named(name)]));
    this.font = getComputedStyle(document.body).fontFamily;
    this.draw();
  }

  /** The time shown, [from, to]. */
  get range() {
    if (this.window) return this.window;
    const { first, last } = this.model;
    if (!(last > first)) return Number.isFinite(first) ? [first, first + 1] : [0, 1];
    if (this.model.live) {
      return [this.model.now - LIVE_S, this.model.now];
    }
    return [Math.min(first, first < 0.2 * last ? 0 : first), last];
  }

  zoom(factor, around) {
    const [from, to] = this.range;
    const middle = around ?? (this.cursor !== null && this.cursor > from && this.cursor < to ? this.cursor : (from + to) / 2);
    const [first, last] = this.#bounds();
    const length = Math.min(Math.max((to - from) * factor, 0.2), Math.max(last - first, 0.2));
    this.#set(middle - ((middle - from) / (to - from)) * length, length);
  }

  pan(seconds) {
    const [from, to] = this.range;
    this.#set(from + seconds, to - from);
  }

  fit(window = null) {
    this.window = window;
    this.onFollow(this.window === null);
    this.draw();
  }

  all() {
    this.fit(this.model.live ? this.#bounds() : null);
  }

  choose(span) {
    this.chosen = span;
    const row = span && this.rows.findIndex((each) => each.spans.includes(span));
    if (span) {
      const [from, to] = this.range;
      if (span.from < from || span.from > to) this.#set(span.from - (to - from) / 3, to - from);
      if (row >= 0) {
        const top = row * ROW;
        if (top < this.root.scrollTop || top > this.root.scrollTop + this.root.clientHeight - AXIS - ROW) {
          this.root.scrollTop = top - this.root.clientHeight / 3;
        }
      }
    }
    this.draw();
  }

  point(time) {
    this.cursor = time;
    if (this.window && (time < this.window[0] || time > this.window[1])) {
      const length = this.window[1] - this.window[0];
      this.#set(time - length / 10, length);
    }
    this.draw();
  }

  draw() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.#draw();
    });
  }

  /** The middle of a bar, in pixels of the page; for tests and for those who point. */
  placeOf(span) {
    const row = this.rows.findIndex((each) => each.spans.includes(span));
    if (row < 0) return null;
    const box = this.canvas.getBoundingClientRect();
    const x = (this.#x(span.from) + this.#x(this.model.to(span))) / 2;
    return [box.left + x, box.top + AXIS + row * ROW - this.root.scrollTop + ROW / 2];
  }

  get #gutter() {
    const several = this.model.streams.size > 1;
    return this.root.clientWidth < 560 ? (several ? 128 : 84) : several ? 232 : 168;
  }

  #bounds() {
    return [Math.min(this.model.first, this.model.live ? this.model.first : 0), this.model.now];
  }

  #set(from, length) {
    const [first, last] = this.#bounds();
    const whole = length >= last - first;
    const begin = Math.min(Math.max(from, first), Math.max(last - length, first));
    this.window = whole && !this.model.live ? null : [begin, begin + length];
    this.onFollow(this.window === null);
    this.draw();
  }

  #x(time) {
    const [from, to] = this.range;
    return this.#gutter + ((time - from) / (to - from)) * (this.root.clientWidth - this.#gutter - 12);
  }

  #time(x) {
    const [from, to] = this.range;
    return from + ((x - this.#gutter) / (this.root.clientWidth - this.#gutter - 12)) * (to - from);
  }

  #arrange([from, to]) {
    const tracks = new Map();
    for (const span of this.model.spans) {
      if (span.from > to || this.model.to(span) < from) continue;
      const key = `${span.track} ${span.stream}`;
      const row = tracks.get(key);
      if (row) row.spans.push(span);
      else tracks.set(key, { stream: span.stream, spans: [span] });
    }
    this.rows = [...tracks.values()];
    if (this.model.streams.size > 1) this.rows.sort((a, b) => (a.stream < b.stream ? -1 : a.stream > b.stream ? 1 : 0));
  }

  #draw() {
    const range = this.range;
    this.#arrange(range);
    const width = this.root.clientWidth;
    const height = this.root.clientHeight;
    this.space.style.height = `${AXIS + this.rows.length * ROW + 8}px`;
    const ratio = devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
    }
    const pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const ticks = this.#ticks(width, range);
    this.#drawGrid(pen, height, ticks);
    this.#drawRows(pen, width, height);
    this.#drawAxis(pen, width, ticks);
    if (this.cursor !== null && !this.model.live) this.#drawCursor(pen, height);
  }

  #drawRows(pen, width, height) {
    const first = Math.max(Math.floor(this.root.scrollTop / ROW), 0);
    const last = Math.min(Math.ceil((this.root.scrollTop + height) / ROW), this.rows.length);
    const several = this.model.streams.size > 1;
    for (let index = first; index < last; index++) {
      const row = this.rows[index];
      const top = AXIS + index * ROW - this.root.scrollTop;
      pen.strokeStyle = this.colours.line;
      pen.beginPath();
      pen.moveTo(0, top + ROW - 0.5);
      pen.lineTo(width, top + ROW - 0.5);
      pen.stroke();
      pen.save();
      pen.beginPath();
      pen.rect(this.#gutter, top, width - this.#gutter, ROW);
      pen.clip();
      row.spans.forEach((span, place) => this.#drawBar(pen, span, place, top));
      pen.restore();
      pen.save();
      pen.beginPath();
      pen.rect(0, top, this.#gutter - 8, ROW);
      pen.clip();
      pen.font = `12.5px ${this.font}`;
      pen.textBaseline = "middle";
      const newGroup = several && (index === first || this.rows[index - 1].stream !== row.stream);
      let left = 12;
      if (several) {
        pen.fillStyle = this.colours.soft;
        if (newGroup) pen.fillText(fitting(pen, oneLine(row.stream, 60), this.#gutter * 0.4), left, top + ROW / 2);
        left += this.#gutter * 0.42;
      }
      pen.fillStyle = this.colours.ink;
      pen.fillText(fitting(pen, oneLine(this.#named(row).text, 60), this.#gutter - 12 - left), left, top + ROW / 2);
      pen.restore();
    }
  }

  #drawBar(pen, span, place, top) {
    const left = this.#x(span.from);
    const width = Math.max(this.#x(this.model.to(span)) - left, LEAST_PX);
    const ours = span.overlay ? "overlay" : span.confidence < 0.8 ? "doubt" : place % 2 ? "steady-2" : "steady";
    pen.fillStyle = this.colours[ours];
    pen.beginPath();
    pen.roundRect(left, top + 5, Math.max(width - 0.75, LEAST_PX), ROW - 11, Math.min(2.5, width / 2));
    pen.fill();
    if (span === this.chosen) {
      pen.strokeStyle = this.colours.ink;
      pen.lineWidth = 2;
      pen.stroke();
      pen.lineWidth = 1;
    }
  }

  /** What names a row: the text at the cursor, or else its latest where live and its first where not. */
  #named({ spans }) {
    const here = this.cursor === null ? null : spans.findLast((span) => span.from <= this.cursor + 1e-6);
    return here ?? (this.model.live ? spans.at(-1) : spans[0]);
  }

  #ticks(width, [from, to]) {
    const room = Math.max((width - this.#gutter) / 90, 1);
    const step = STEPS.find((each) => (to - from) / each <= room) ?? STEPS.at(-1);
    const digits = step < 1 ? 1 : 0;
    const ticks = [];
    for (let n = Math.ceil(from / step - 1e-9); n * step <= to; n++) {
      ticks.push([this.#x(n * step), this.model.live ? daytime(n * step, digits) : clock(n * step, digits)]);
    }
    return ticks;
  }

  #drawGrid(pen, height, ticks) {
    pen.strokeStyle = this.colours.line;
    pen.beginPath();
    for (const [x] of ticks) {
      pen.moveTo(Math.round(x) + 0.5, AXIS);
      pen.lineTo(Math.round(x) + 0.5, height);
    }
    pen.stroke();
  }

  #drawAxis(pen, width, ticks) {
    pen.fillStyle = this.colours.panel;
    pen.fillRect(0, 0, width, AXIS);
    pen.strokeStyle = this.colours.line;
    pen.beginPath();
    pen.moveTo(0, AXIS - 0.5);
    pen.lineTo(width, AXIS - 0.5);
    pen.stroke();
    pen.font = `12px ${this.font}`;
    pen.fillStyle = this.colours.soft;
    pen.textBaseline = "middle";
    for (const [x, name] of ticks) if (x < width - 50) pen.fillText(name, x, AXIS / 2);
  }

  #drawCursor(pen, height) {
    const x = this.#x(this.cursor);
    if (x < this.#gutter) return;
    pen.strokeStyle = pen.fillStyle = this.colours.ink;
    pen.beginPath();
    pen.moveTo(x, 8);
    pen.lineTo(x, height);
    pen.stroke();
    pen.beginPath();
    pen.arc(x, 8, 4, 0, 7);
    pen.fill();
  }

  #spanAt(x, y) {
    const row = this.rows[Math.floor((y - AXIS + this.root.scrollTop) / ROW)];
    if (!row || y < AXIS || x < this.#gutter) return null;
    const near = (span) => Math.max(this.#x(span.from) - x, x - this.#x(this.model.to(span)), 0);
    const best = row.spans.reduce((a, b) => (near(b) <= near(a) ? b : a));
    return near(best) <= 4 ? best : null;
  }

  #listen() {
    let held = null;
    const at = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      held = { x: at(event)[0], range: this.range, moved: false };
    });
    addEventListener("pointerup", () => (held = null));
    this.canvas.addEventListener("pointermove", (event) => {
      const [x, y] = at(event);
      if (held && event.pointerType === "mouse" && Math.abs(x - held.x) > 4) {
        held.moved = this.dragged = true;
        const [from, to] = held.range;
        this.#set(from - ((x - held.x) / (this.root.clientWidth - this.#gutter)) * (to - from), to - from);
      } else if (!held) {
        this.onPoint(this.#spanAt(x, y));
      }
    });
    this.canvas.addEventListener("pointerleave", () => this.onPoint(null));
    this.canvas.addEventListener("click", (event) => {
      if (this.dragged) return (this.dragged = false);
      const [x, y] = at(event);
      const span = this.#spanAt(x, y);
      if (span) this.onJump(span, span.from);
      else if (x > this.#gutter) this.onJump(null, this.#time(x));
    });
    this.canvas.addEventListener("dblclick", (event) => this.zoom(0.5, this.#time(at(event)[0])));
    this.root.addEventListener("scroll", () => this.draw(), { passive: true });
    this.root.addEventListener(
      "wheel",
      (event) => {
        const [from, to] = this.range;
        if (event.ctrlKey) this.zoom(Math.exp(event.deltaY / 300), this.#time(at(event)[0]));
        else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
          this.pan(((event.deltaX || event.deltaY) / this.root.clientWidth) * (to - from));
        } else return;
        event.preventDefault();
      },
      { passive: false },
    );
    this.root.addEventListener("keydown", (event) => {
      const [from, to] = this.range;
      const step = (to - from) / 10;
      const does = {
        ArrowLeft: () => this.onJump(null, Math.max((this.cursor ?? to) - step / 5, this.#bounds()[0])),
        ArrowRight: () => this.onJump(null, Math.min((this.cursor ?? from) + step / 5, this.#bounds()[1])),
        PageUp: () => this.pan(-5 * step),
        PageDown: () => this.pan(5 * step),
        Home: () => this.onJump(null, this.#bounds()[0]),
        End: () => this.onJump(null, this.#bounds()[1]),
      }[event.key];
      if (!does || event.ctrlKey || event.metaKey || event.altKey) return;
      does();
      event.preventDefault();
    });
  }
}

/** As much of a text as there is room for. */
function fitting(pen, text, room) {
  const width = pen.measureText(text).width;
  if (width <= room) return text;
  let shorter = text.slice(0, Math.max(Math.floor((text.length * room) / width), 1));
  while (shorter.length > 1 && pen.measureText(`${shorter}…`).width > room) shorter = shorter.slice(0, -1);
  return `${shorter.trimEnd()}…`;
}
