// The texts of one day: a bar for each hour, and hours that open. Repeated texts are folded into one row.
// Hours are of the browser's time zone; a day on which the clocks change has 23 or 25.

import { element, formatTimeOfDay, isolated, oneLine } from "./format.js";
import { image, imageUrl } from "./images.js";

const DEBOUNCE_MS = 300;
const MAX_TEXTS = 10_000; // that an hour or a filter loads
const MAX_OPEN = 300; // a day with so few texts is shown open
const MAX_ROWS = 200; // that are added to the document at a time
const HOUR_MS = 3_600_000;

/** Fold texts of one camera that are the same but for case and blanks, or that count (a clock, a counter).
 *
 *  Texts count if one took the other's place and only its numbers differ. Returns arrays, ordered by their first text. */
export function fold(texts) {
  const shape = ({ stream, text }, of = text) => JSON.stringify([stream, "counts", of.replace(/\p{Nd}+/gu, "0")]);
  const words = ({ stream, text }) => JSON.stringify([stream, "same", text.trim().replace(/\s+/g, " ").toLowerCase()]);
  const counters = new Set(texts.filter((each) => each.previous !== null && shape(each) === shape(each, each.previous)).map((each) => shape(each)));
  const groups = new Map();
  for (const each of texts) {
    const key = counters.has(shape(each)) ? shape(each) : words(each);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(each);
  }
  return [...groups.values()];
}

/** Return the hours of a local day, such as "2026-03-29": {start, end, label} in ms since 1970. */
export function hoursOf(day) {
  const [year, month, date] = day.split("-").map(Number);
  const [midnight, next] = [date, date + 1].map((each) => {
    const time = new Date(2000, 0, 1); // a year below 100 would be taken as one of the 20th century
    time.setFullYear(year, month - 1, each);
    return time.getTime();
  });
  const hours = [];
  for (let start = midnight; start < next; start += HOUR_MS) hours.push({ start, end: Math.min(start + HOUR_MS, next) });
  const usual = next - midnight === 24 * HOUR_MS;
  const zone = new Intl.DateTimeFormat("en", { timeZoneName: "short" });
  for (const hour of hours) {
    const name = usual ? "" : ` ${zone.formatToParts(hour.start).find(({ type }) => type === "timeZoneName").value}`;
    hour.label = `${formatTimeOfDay(hour.start / 1000).slice(0, 5)}${name}`;
  }
  return hours;
}

const dayOf = (time) => {
  const two = (number) => String(number).padStart(2, "0");
  return `${String(time.getFullYear()).padStart(4, "0")}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
};
const counted = (number) => (number === 1 ? "1 text" : `${number.toLocaleString("en")} texts`);

export class Day {
  /** panel: its element. about: of the page. onSelect(text): called on a click. */
  constructor(panel, { about, onSelect }) {
    Object.assign(this, { panel, about, onSelect, loads: 0, hours: [] });
    for (const name of ["earlier", "later", "reload", "date", "camera", "query", "status", "bars", "zone", "csv", "list"]) {
      this[name] = panel.querySelector(`.${name}`);
    }
    this.date.addEventListener("change", () => this.load());
    this.camera.addEventListener("change", () => this.load());
    this.query.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.load(), DEBOUNCE_MS);
    });
    this.reload.onclick = () => this.load();
    for (const button of [this.earlier, this.later]) button.onclick = () => this.#show(button.day);
    this.bars.addEventListener("click", ({ target }) => this.#openHour(target.closest(".bar-of-hour")?.hour));
    this.zone.textContent = `Hours in ${Intl.DateTimeFormat().resolvedOptions().timeZone}, the time zone of this browser.`;
  }

  /** Show today, unless a day is shown already. */
  open() {
    if (!this.date.value) this.#show(dayOf(new Date()));
  }

  #show(day) {
    this.date.value = day;
    this.load();
  }

  /** Load the day that is chosen. */
  async load() {
    if (!this.date.value) return;
    const load = ++this.loads;
    const current = () => load === this.loads;
    this.hours = hoursOf(this.date.value).map((hour) => ({ ...hour, count: 0, texts: null }));
    this.filter = { stream: this.camera.value, q: this.query.value.trim() };
    this.csv.href = `api/texts.csv?${this.#parameters(this.hours[0].start, this.hours.at(-1).end)}`;
    this.list.replaceChildren();
    this.status.textContent = "Loading…";
    try {
      await (this.filter.q ? this.#loadMatches(current) : this.#loadCounts(current));
    } catch (error) {
      if (current()) this.status.textContent = error.message;
    }
  }

  #parameters(from, to, more = {}) {
    const all = { since: new Date(from).toISOString(), until: new Date(to).toISOString(), ...this.filter, ...more };
    return new URLSearchParams(Object.entries(all).filter(([, value]) => value !== "" && value !== null));
  }

  /** Yield the answers about a span of time, page by page. */
  async *#pages(path, from, to, current) {
    for (let after = null; ; ) {
      let response;
      try {
        response = await fetch(`api/${path}?${this.#parameters(from, to, { after })}`);
      } catch {
        throw new Error("The texts could not be loaded; try again.");
      }
      if (!response.ok) throw new Error(oneLine(await response.text(), 300) || "The texts could not be loaded; try again.");
      const page = await response.json();
      if (!current()) return;
      yield page;
      after = page.next;
      if (after === null) return;
    }
  }

  async #loadCounts(current) {
    for await (const page of this.#pages("texts/hours", this.hours[0].start, this.hours.at(-1).end, current)) {
      for (const [index, number] of page.hours) this.hours[index].count += number;
      if (page.streams) this.#offer(page);
      this.#drawBars();
    }
    if (!current()) return;
    const total = this.hours.reduce((sum, hour) => sum + hour.count, 0);
    this.status.textContent = total ? counted(total) : "No texts on this day.";
    this.#drawHours(total <= MAX_OPEN);
  }

  async #loadMatches(current) {
    let total = 0;
    let complete = true;
    for (const hour of this.hours) hour.texts = [];
    for await (const page of this.#pages("texts", this.hours[0].start, this.hours.at(-1).end, current)) {
      for (const text of page.texts) this.#hourOf(text).texts.push(text);
      total += page.texts.length;
      this.status.textContent = `Loading… ${counted(total)}`;
      complete = page.next === null;
      if (total >= MAX_TEXTS) break;
    }
    if (!current()) return;
    for (const hour of this.hours) hour.count = hour.texts.length;
    const more = complete ? "" : "; the day has more, and the CSV contains them all";
    this.status.textContent = total ? `${counted(total)}${more}` : "No text of this day contains that.";
    this.#drawBars();
    this.#drawHours(total <= MAX_OPEN);
  }

  #hourOf(text) {
    const time = Date.parse(text.start_utc);
    return this.hours.findLast(({ start }) => start <= time) ?? this.hours[0];
  }

  /** Offer the cameras, and the nearest days with texts. */
  #offer({ streams, earlier, later }) {
    for (const [button, time] of [[this.earlier, earlier], [this.later, later]]) {
      button.disabled = time === null;
      button.day = time === null ? null : dayOf(new Date(time));
    }
    const chosen = this.camera.value;
    const names = chosen && !streams.includes(chosen) ? [chosen, ...streams] : streams;
    this.camera.replaceChildren(
      element("option", { value: "", textContent: "all cameras" }),
      ...names.map((name) => element("option", { value: name, textContent: oneLine(name, 60) })),
    );
    this.camera.value = chosen;
  }

  #drawBars() {
    const most = this.hours.reduce((best, hour) => (hour.count > best.count ? hour : best), this.hours[0]);
    this.bars.ariaLabel = most.count ? `Texts per hour; most at ${most.label}: ${most.count}` : "Texts per hour: none";
    this.bars.replaceChildren(
      ...this.hours.map((hour) => {
        const bar = element("span", { className: "bar-of-hour", title: `${hour.label} ${counted(hour.count)}`, hour }, element("span"));
        bar.classList.toggle("some", hour.count > 0);
        bar.firstChild.style.height = `${(100 * hour.count) / Math.max(most.count, 1)}%`;
        return bar;
      }),
    );
  }

  #drawHours(open) {
    const current = this.#sameLoad();
    this.list.replaceChildren(...this.hours.filter((hour) => hour.count).map((hour) => {
      const heading = element("h3", {}, `${hour.label} `, element("small", { textContent: counted(hour.count) }));
      hour.rows = element("ol", { className: "results" });
      hour.box = element("details", { open, className: "hour" }, element("summary", {}, heading), hour.rows);
      hour.box.addEventListener("toggle", () => hour.box.open && this.#fillHour(hour, current));
      return hour.box;
    }));
  }

  #sameLoad() {
    const load = this.loads;
    return () => load === this.loads;
  }

  #openHour(hour) {
    if (!hour?.box) return;
    hour.box.open = true;
    hour.box.scrollIntoView({ block: "start" });
  }

  async #fillHour(hour, current) {
    if (hour.filled) return;
    hour.filled = true;
    let note = "";
    if (hour.texts === null) {
      hour.rows.replaceChildren(element("li", { className: "note", textContent: "Loading…" }));
      hour.texts = [];
      try {
        for await (const page of this.#pages("texts", hour.start, hour.end, current)) {
          hour.texts.push(...page.texts);
          if (hour.texts.length < MAX_TEXTS || page.next === null) continue;
          note = `The first ${hour.texts.length.toLocaleString("en")} texts of this hour. Choose a camera or filter to see the others; the CSV contains them all.`;
          break;
        }
      } catch (error) {
        hour.filled = false; // another attempt when it is opened again
        hour.texts = null;
        note = error.message;
      }
      if (!current()) return;
    }
    const groups = fold((hour.texts ?? []).sort((a, b) => a.start_utc.localeCompare(b.start_utc)));
    hour.rows.replaceChildren(...(note ? [element("li", { className: "note", textContent: note })] : []));
    fill(hour.rows, groups, (group) => this.#group(group));
  }

  #group(texts) {
    if (texts.length === 1) return element("li", {}, this.#row(texts[0]));
    const [first, last] = [texts[0], texts.at(-1)];
    const name = first.text === last.text ? oneLine(first.text) : `${oneLine(first.text, 60)} … ${oneLine(last.text, 60)}`;
    const rows = element("ol");
    const picture = this.#image(texts.find((each) => each.crop_seq !== null));
    const count = element("span", { className: "times", textContent: `${texts.length.toLocaleString("en")} times` });
    const between = `${formatTimeOfDay(Date.parse(first.start_utc) / 1000)} – ${this.#end(last)}`;
    const summary = element("summary", {}, ...picture, isolated(name), " ", count, this.#details(between, first.stream));
    const box = element("details", { className: "repeated" }, summary, rows);
    box.addEventListener("toggle", () => box.open && !rows.hasChildNodes() && fill(rows, texts, (each) => element("li", {}, this.#row(each))));
    return element("li", {}, box);
  }

  #row(text) {
    const times = `${formatTimeOfDay(Date.parse(text.start_utc) / 1000)} – ${this.#end(text)}`;
    const button = element("button", { type: "button" }, ...this.#image(text), isolated(oneLine(text.text)), this.#details(times, text.stream));
    button.addEventListener("click", () => this.onSelect(text));
    return button;
  }

  #end(text) {
    if (text.end_utc !== null) return formatTimeOfDay(Date.parse(text.end_utc) / 1000);
    return text.on_screen ? "now" : "end not known";
  }

  #details(times, stream) {
    return element("small", {}, element("time", { textContent: times }), isolated(` ${oneLine(stream, 60)}`));
  }

  #image(text) {
    const url = text && imageUrl(text, this.about);
    return url ? [image(url)] : [];
  }
}

/** Append the rows of some items to a list, and a button for the others where there are many. */
function fill(list, items, make) {
  list.append(...items.slice(0, MAX_ROWS).map(make));
  const rest = items.slice(MAX_ROWS);
  if (!rest.length) return;
  const more = element("button", { type: "button", textContent: `Show more (${rest.length.toLocaleString("en")})` });
  const row = list.appendChild(element("li", { className: "more" }, more));
  more.onclick = () => {
    row.remove();
    const first = list.childElementCount;
    fill(list, rest, make);
    list.children[first].querySelector("button, summary").focus();
  };
}
