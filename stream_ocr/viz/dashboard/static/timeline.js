// One row per track with a text in the visible range; one bar per text, from its first frame to its last.

import { formatTime, formatTimeOfDay, oneLine, truncate } from "./format.js";

const ROW_PX = 24;
const AXIS_PX = 26;
const MIN_BAR_PX = 2;
const TICK_STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400];
const LIVE_S = 120; // visible range of live streams
const LOW_CONFIDENCE = 0.8; // as in reports

export class Timeline {
  constructor(root, model, { onSeek, onHover, onFollow }) {
    Object.assign(this, { root, model, onSeek, onHover, onFollow });
    this.canvas = root.querySelector("canvas");
    this.space = root.querySelector(".space");
    this.window = null; // [from, to] after zooming; null: everything, or the latest LIVE_S of live streams
    this.cursor = null;
    this.selected = null;
    this.rows = [];
    this.#listen();
    new ResizeObserver(() => this.draw()).observe(root);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.updateColours());
    this.updateColours();
  }

  updateColours() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const names = ["ink", "soft", "line", "steady", "steady-2", "unsure", "accent", "panel", "overlay", "new"];
    this.colours = Object.fromEntries(names.map((name) => [name, colour(name)]));
    this.font = getComputedStyle(document.body).fontFamily;
    this.draw();
  }

  /** The visible range, [from, to]. */
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

  select(span) {
    this.selected = span;
    const row = span && this.rows.findIndex((each) => each.spans.includes(span));
    if (span) {
      const [from, to] = this.range;
      if (span.from < from || span.from > to) this.#set(span.from - (to - from) / 3, to - from);
      if (row >= 0) {
        const top = row * ROW_PX;
        if (top < this.root.scrollTop || top > this.root.scrollTop + this.root.clientHeight - AXIS_PX - ROW_PX) {
          this.root.scrollTop = top - this.root.clientHeight / 3;
        }
      }
    }
    this.draw();
  }

  setCursor(time) {
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

  /** Return the centre of a bar in page pixels; used by tests. */
  positionOf(span) {
    const row = this.rows.findIndex((each) => each.spans.includes(span));
    if (row < 0) return null;
    const box = this.canvas.getBoundingClientRect();
    const x = (this.#x(span.from) + this.#x(this.model.endOf(span))) / 2;
    return [box.left + x, box.top + AXIS_PX + row * ROW_PX - this.root.scrollTop + ROW_PX / 2];
  }

  get #gutter() {
    const multipleStreams = this.model.streams.size > 1;
    return this.root.clientWidth < 560 ? (multipleStreams ? 128 : 84) : multipleStreams ? 232 : 168;
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

  #buildRows([from, to]) {
    const tracks = new Map();
    for (const span of this.model.spans) {
      if (span.from > to || this.model.endOf(span) < from) continue;
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
    this.#buildRows(range);
    const width = this.root.clientWidth;
    const height = this.root.clientHeight;
    this.space.style.height = `${AXIS_PX + this.rows.length * ROW_PX + 8}px`;
    const ratio = devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
    }
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const ticks = this.#ticks(width, range);
    this.#drawGrid(context, height, ticks);
    this.#drawRows(context, width, height);
    this.#drawAxis(context, width, ticks);
    if (this.cursor !== null && !this.model.live) this.#drawCursor(context, height);
  }

  #drawRows(context, width, height) {
    const first = Math.max(Math.floor(this.root.scrollTop / ROW_PX), 0);
    const last = Math.min(Math.ceil((this.root.scrollTop + height) / ROW_PX), this.rows.length);
    const multipleStreams = this.model.streams.size > 1;
    for (let index = first; index < last; index++) {
      const row = this.rows[index];
      const top = AXIS_PX + index * ROW_PX - this.root.scrollTop;
      context.strokeStyle = this.colours.line;
      context.beginPath();
      context.moveTo(0, top + ROW_PX - 0.5);
      context.lineTo(width, top + ROW_PX - 0.5);
      context.stroke();
      context.save();
      context.beginPath();
      context.rect(this.#gutter, top, width - this.#gutter, ROW_PX);
      context.clip();
      row.spans.forEach((span, n) => this.#drawBar(context, span, n, top));
      context.restore();
      context.save();
      context.beginPath();
      context.rect(0, top, this.#gutter - 8, ROW_PX);
      context.clip();
      context.font = `12.5px ${this.font}`;
      context.textBaseline = "middle";
      const newGroup = multipleStreams && (index === first || this.rows[index - 1].stream !== row.stream);
      let left = 12;
      if (multipleStreams) {
        context.fillStyle = this.colours.soft;
        if (newGroup) context.fillText(truncate(context, oneLine(row.stream, 60), this.#gutter * 0.4), left, top + ROW_PX / 2);
        left += this.#gutter * 0.42;
      }
      context.fillStyle = this.colours.ink;
      context.fillText(truncate(context, oneLine(this.#labelSpan(row).text, 60), this.#gutter - 12 - left), left, top + ROW_PX / 2);
      context.restore();
    }
  }

  #drawBar(context, span, index, top) {
    const left = this.#x(span.from);
    const width = Math.max(this.#x(this.model.endOf(span)) - left, MIN_BAR_PX);
    const colour = span.overlay ? "overlay" : span.confidence < LOW_CONFIDENCE ? "unsure" : index % 2 ? "steady-2" : "steady";
    context.fillStyle = this.colours[colour];
    context.beginPath();
    context.roundRect(left, top + 5, Math.max(width - 0.75, MIN_BAR_PX), ROW_PX - 11, Math.min(2.5, width / 2));
    context.fill();
    if (span === this.selected) {
      context.strokeStyle = this.colours.ink;
      context.lineWidth = 2;
      context.stroke();
      context.lineWidth = 1;
    }
  }

  /** Return the span that labels a row: the one at the cursor, or else the latest (live) or first one. */
  #labelSpan({ spans }) {
    const here = this.cursor === null ? null : spans.findLast((span) => span.from <= this.cursor + 1e-6);
    return here ?? (this.model.live ? spans.at(-1) : spans[0]);
  }

  #ticks(width, [from, to]) {
    const available = Math.max((width - this.#gutter) / 90, 1);
    const step = TICK_STEPS_S.find((each) => (to - from) / each <= available) ?? TICK_STEPS_S.at(-1);
    const digits = step < 1 ? 1 : 0;
    const ticks = [];
    for (let n = Math.ceil(from / step - 1e-9); n * step <= to; n++) {
      ticks.push([this.#x(n * step), this.model.live ? formatTimeOfDay(n * step, digits) : formatTime(n * step, digits)]);
    }
    return ticks;
  }

  #drawGrid(context, height, ticks) {
    context.strokeStyle = this.colours.line;
    context.beginPath();
    for (const [x] of ticks) {
      context.moveTo(Math.round(x) + 0.5, AXIS_PX);
      context.lineTo(Math.round(x) + 0.5, height);
    }
    context.stroke();
  }

  #drawAxis(context, width, ticks) {
    context.fillStyle = this.colours.panel;
    context.fillRect(0, 0, width, AXIS_PX);
    context.strokeStyle = this.colours.line;
    context.beginPath();
    context.moveTo(0, AXIS_PX - 0.5);
    context.lineTo(width, AXIS_PX - 0.5);
    context.stroke();
    context.font = `12px ${this.font}`;
    context.fillStyle = this.colours.soft;
    context.textBaseline = "middle";
    for (const [x, name] of ticks) if (x < width - 50) context.fillText(name, x, AXIS_PX / 2);
  }

  #drawCursor(context, height) {
    const x = this.#x(this.cursor);
    if (x < this.#gutter) return;
    context.strokeStyle = context.fillStyle = this.colours.ink;
    context.beginPath();
    context.moveTo(x, 8);
    context.lineTo(x, height);
    context.stroke();
    context.beginPath();
    context.arc(x, 8, 4, 0, 7);
    context.fill();
  }

  #spanAt(x, y) {
    const row = this.rows[Math.floor((y - AXIS_PX + this.root.scrollTop) / ROW_PX)];
    if (!row || y < AXIS_PX || x < this.#gutter) return null;
    const distance = (span) => Math.max(this.#x(span.from) - x, x - this.#x(this.model.endOf(span)), 0);
    const best = row.spans.reduce((a, b) => (distance(b) <= distance(a) ? b : a));
    return distance(best) <= 4 ? best : null;
  }

  #listen() {
    let drag = null;
    const at = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      drag = { x: at(event)[0], range: this.range, moved: false };
    });
    addEventListener("pointerup", () => (drag = null));
    this.canvas.addEventListener("pointermove", (event) => {
      const [x, y] = at(event);
      if (drag && event.pointerType === "mouse" && Math.abs(x - drag.x) > 4) {
        drag.moved = this.dragged = true;
        const [from, to] = drag.range;
        this.#set(from - ((x - drag.x) / (this.root.clientWidth - this.#gutter)) * (to - from), to - from);
      } else if (!drag) {
        this.onHover(this.#spanAt(x, y));
      }
    });
    this.canvas.addEventListener("pointerleave", () => this.onHover(null));
    this.canvas.addEventListener("click", (event) => {
      if (this.dragged) return (this.dragged = false);
      const [x, y] = at(event);
      const span = this.#spanAt(x, y);
      if (span) this.onSeek(span, span.from);
      else if (x > this.#gutter) this.onSeek(null, this.#time(x));
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
      const action = {
        ArrowLeft: () => this.onSeek(null, Math.max((this.cursor ?? to) - step / 5, this.#bounds()[0])),
        ArrowRight: () => this.onSeek(null, Math.min((this.cursor ?? from) + step / 5, this.#bounds()[1])),
        PageUp: () => this.pan(-5 * step),
        PageDown: () => this.pan(5 * step),
        Home: () => this.onSeek(null, this.#bounds()[0]),
        End: () => this.onSeek(null, this.#bounds()[1]),
      }[event.key];
      if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
      action();
      event.preventDefault();
    });
  }
}
