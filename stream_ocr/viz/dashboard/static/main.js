// Puts the parts together: what one part is told, the others show.

import { Cameras } from "./cameras.js";
import { connect } from "./connection.js";
import { clock, daytime, element, oneLine, read } from "./format.js";
import { List } from "./list.js";
import { Live } from "./live.js";
import { Model } from "./model.js";
import { Screen } from "./screen.js";
import { Search } from "./search.js";
import { Timeline } from "./timeline.js";

const $ = (id) => document.getElementById(id);
const KINDS = { appeared: "new", changed: "changed", updated: "updated", ended: "ended" };
const STATES = { waiting: "connecting", connected: "connected", lost: "connection lost, trying again" };

const about = await (await fetch("api/about")).json();
const model = new Model();
const shown = { kinds: new Set([...Object.keys(KINDS), "source"]), text: "", stream: "", current: null };
let chosen = null;

document.title = `${oneLine(about.title, 80)} · stream_ocr`;
$("title").textContent = oneLine(about.title, 80);

// When an event happened, on the axis: an end at the end.
const moment = (event) => (event.kind === "ended" ? event.at + event.end - event.start : event.at);
const when = (event) => (model.live ? daytime(moment(event), 1) : clock(moment(event)));

// The video, or the cameras.
const screen = about.video ? new Screen($("screen"), model, { onTime, choose }) : null;
const cameras = about.video ? null : new Cameras($("cameras"), model, { onPick: (name) => filterStream(name ?? ""), choose });
if (screen) screen.open(about.stream);
else $("cameras").hidden = false;
if (cameras && about.cameras) {
  cameras.pictures = new Live({
    onState(state) {
      if (state) cameras.told(state.cameras);
      showHealth(state);
    },
    onPicture: (name) => cameras.touch(name),
  });
}
$("pause").hidden = Boolean(screen);
document.body.dataset.mode = screen ? "video" : "cameras";

// The timeline.
const timeline = new Timeline($("timeline"), model, { onJump: jump, onPoint: point, onFollow: (on) => ($("follow").ariaPressed = String(on)) });
$("zoom-in").onclick = () => timeline.zoom(0.5);
$("zoom-out").onclick = () => timeline.zoom(2);
$("fit").onclick = () => timeline.all();
$("follow").onclick = () => timeline.fit();
setInterval(() => model.live && !document.hidden && timeline.window === null && timeline.draw(), 500);

// The list.
const list = new List($("list"), { height: 56, make: makeRow, show: showRow, choose: (event) => choose(spanOf(event)), newestFirst: !about.video });
$("filter").addEventListener("input", () => {
  shown.text = $("filter").value.trim().toLowerCase();
  refilter();
});
$("of-stream").addEventListener("change", () => filterStream($("of-stream").value));
for (const box of document.querySelectorAll(".filters input[type=checkbox]")) {
  box.addEventListener("change", () => {
    shown.kinds[box.checked ? "add" : "delete"](box.value);
    refilter();
  });
}
$("pause").onclick = () => {
  pausedAt = pausedAt === null ? model.events.length : null;
  refilterNew();
  showPause();
};

// Search.
const search = new Search({ query: $("query"), said: $("found"), results: $("results"), pictures: about.video, choose: chooseFound, when: whenFound });
for (const tab of [$("tab-events"), $("tab-search")]) tab.onclick = () => openTab(tab);
$("tab-events").parentElement.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
  const other = $("tab-events").ariaSelected === "true" ? $("tab-search") : $("tab-events");
  openTab(other);
  other.focus();
});

// Events as they come.
let fresh = false;
connect({
  onEvents(events) {
    model.add(events);
    if (cameras) for (const event of events) cameras.touch(event.stream);
    update();
  },
  onRestart() {
    model.forget();
    filtered = [];
    unfiltered = 0;
    pausedAt = null; // what was held still is gone
    chosen = null;
    cameras?.forget();
    choose(null);
    timeline.fit();
    update();
  },
  onState(state) {
    $("connection").dataset.state = state;
    $("connection").textContent = STATES[state];
  },
});

function update() {
  if (fresh) return;
  fresh = true;
  requestAnimationFrame(() => {
    fresh = false;
    showStreams();
    refilterNew();
    showPause();
    timeline.draw();
    screen?.draw();
    $("follow").hidden = !model.live;
    document.querySelector(".key .overlay").hidden = !model.overlays;
    $("sources").hidden = !model.troubles;
  });
}

// Filtering: what is new is filtered alone, all of it only when the filter changes. What comes during a pause waits.
let filtered = [];
let unfiltered = 0;
let pausedAt = null; // how many events there were when it was paused

function passes(event) {
  const kind = event.kind.startsWith("source.") ? "source" : event.kind;
  if (!shown.kinds.has(kind) || (shown.stream && event.stream !== shown.stream)) return false;
  if (about.stream && event.stream !== about.stream) return false;
  return !shown.text || (event.text ?? event.reason ?? "").toLowerCase().includes(shown.text);
}

function refilterNew() {
  for (const until = pausedAt ?? model.events.length; unfiltered < until; unfiltered++) {
    if (passes(model.events[unfiltered])) filtered.push(model.events[unfiltered]);
  }
  if (screen) filtered.sort((a, b) => moment(a) - moment(b) || a.seq - b.seq);
  list.set(filtered.slice());
  $("count").textContent = filtered.length.toLocaleString("en");
}

function refilter() {
  filtered = [];
  unfiltered = 0;
  refilterNew();
  showPause();
}

function showPause() {
  const paused = pausedAt !== null;
  const waiting = paused ? model.events.slice(pausedAt).filter(passes).length : 0;
  $("pause").ariaPressed = String(paused);
  $("pause").textContent = paused ? (waiting ? `Go on (${waiting} new)` : "Go on") : "Pause";
}

/** How the run does, at a glance. */
function showHealth(state) {
  $("health").hidden = !state;
  if (!state) return;
  const all = Object.values(state.cameras);
  const stages = Object.values(state.stages);
  const sum = (what) => all.reduce((total, camera) => total + camera[what], 0);
  const share = (part, whole) => (sum(whole) ? `${((100 * sum(part)) / sum(whole)).toFixed(1)} %` : "–");
  const up = all.filter((camera) => camera.state === "up").length;
  const detect = state.stages.detect?.batch;
  const restarts = stages.reduce((total, stage) => total + stage.restarts, 0);
  const facts = [
    ["cameras", `${up} of ${all.length} up`, up < all.length],
    ["pictures", `${sum("fps").toFixed(0)} /s`],
    ["dropped", sum("dropped").toLocaleString("en"), sum("dropped") > 0],
    ["detected", share("detector_frames", "frames"), false, "Pictures that the detector saw, of all"],
    ["read", share("crops_read", "boxes"), false, "Crops that were read, of all text boxes seen"],
    ["batch", detect ? detect.toFixed(1) : "–", false, "Pictures that the detector takes at once"],
    ["restarts", `${restarts}`, restarts > 0 || stages.some((stage) => !stage.up)],
  ];
  $("health").replaceChildren(
    ...facts.map(([name, value, bad, title = ""]) =>
      element("div", { title, className: bad ? "bad" : "" }, element("dt", { textContent: name }), element("dd", { textContent: value })),
    ),
  );
}

function showStreams() {
  const names = [...model.streams.keys()].sort();
  const known = [...$("of-stream").options].map((option) => option.value).slice(1);
  if (String(names) === String(known)) return;
  $("of-stream").replaceChildren(
    element("option", { value: "", textContent: "all sources" }),
    ...names.map((name) => element("option", { value: name, textContent: oneLine(name, 60) })),
  );
  $("of-stream").value = shown.stream;
  $("of-stream").hidden = names.length < 2 || Boolean(about.video);
}

function filterStream(name) {
  shown.stream = name;
  $("of-stream").value = name;
  refilter();
}

function makeRow() {
  const parts = { time: element("time"), kind: element("span", { className: "kind" }), text: read("") };
  parts.facts = element("small", { className: "facts" });
  const button = element("button", { type: "button" }, parts.kind, parts.text, parts.time, parts.facts);
  return Object.assign(element("li", {}, button), { parts });
}

function showRow(row, event) {
  row.classList.toggle("current", event === shown.current);
  if (row.shown === event) return;
  row.shown = event;
  const { time, kind, text, facts } = row.parts;
  const source = event.kind.startsWith("source.");
  time.textContent = when(event);
  kind.textContent = KINDS[event.kind] ?? event.kind.slice("source.".length);
  row.dataset.kind = source ? event.kind : event.kind === "appeared" ? "new" : event.kind;
  text.textContent = oneLine(source ? (event.reason ?? event.stream) : event.text);
  const said = [];
  if (model.streams.size > 1) said.push(oneLine(event.stream, 30));
  if (event.kind === "changed") said.push(`was ${oneLine(event.previous ?? "", 60)}`);
  facts.replaceChildren(...said.flatMap((part) => [read(part), " "]));
}

// Choosing: the same text everywhere.
function spanOf(event) {
  const spans = model.streams.get(event.stream)?.spans ?? [];
  return spans.findLast((span) => span.track === event.track && span.start <= event.start + 1e-6) ?? null;
}

function choose(span) {
  chosen = span;
  timeline.choose(span);
  showDetail(span);
  if (span && screen) screen.seek(span.start);
}

function chooseFound(found) {
  const spans = model.streams.get(found.stream)?.spans ?? [];
  const span = spans.find((each) => each.track === found.track && Math.abs(each.start - found.start) < 1e-6);
  if (span) choose(span);
  else {
    showDetail({ ...found, from: fromFound(found) });
    screen?.seek(found.start);
  }
}

/** Where what was found begins on the axis. */
function fromFound(found) {
  if (found.start_utc) return Date.parse(found.start_utc) / 1000;
  return found.start + (model.streams.get(found.stream)?.shift ?? 0);
}

function whenFound(found) {
  if (!model.live) return `${clock(found.start)} – ${clock(found.end)}`;
  const from = fromFound(found);
  const date = new Date(from * 1000);
  const said = `${daytime(from)}${found.end > found.start ? ` – ${daytime(from + found.end - found.start)}` : ""}`;
  return date.toDateString() === new Date().toDateString() ? said : `${date.toLocaleDateString()} ${said}`;
}

function jump(span, time) {
  if (span) return choose(span);
  timeline.point(time);
  screen?.seek(time);
}

function point(span) {
  $("pointed").textContent = span ? `${spoken(span)}  ${oneLine(span.text, 100)}` : "";
}

function spoken(span) {
  const named = (time) => (model.live ? daytime(time, 1) : clock(time));
  const shift = (span.from ?? span.start) - span.start;
  return `${named(span.from ?? span.start)} – ${span.end === null ? "now" : named(span.end + shift)}`;
}

function showDetail(span) {
  $("detail").hidden = !span;
  if (!span) return;
  const facts = [
    ["time", spoken(span)],
    ["confidence", span.confidence.toFixed(2)],
    ["track", `${span.track}`],
    ...(model.streams.size > 1 ? [["source", oneLine(span.stream, 60)]] : []),
    ...(span.previous ? [["before", oneLine(span.previous)]] : []),
  ];
  const close = element("button", { type: "button", ariaLabel: "Close", textContent: "×" });
  close.onclick = () => choose(null);
  $("detail").replaceChildren(
    close,
    read(span.text, "p"),
    element("dl", {}, ...facts.map(([name, value]) => element("div", {}, element("dt", { textContent: name }), read(value, "dd")))),
  );
}

function onTime(seconds) {
  timeline.point(seconds);
  const before = shown.current;
  let low = 0;
  let high = filtered.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (moment(filtered[middle]) <= seconds + 1e-6) low = middle + 1;
    else high = middle;
  }
  shown.current = filtered[low - 1] ?? null;
  if (shown.current !== before) {
    if (!screen.video.paused && shown.current) list.reveal(shown.current);
    list.draw();
  }
}

function neighbour(step) {
  const spans = (screen ? model.streams.get(about.stream)?.spans : null) ?? model.spans;
  const index = chosen ? spans.indexOf(chosen) + step : step > 0 ? 0 : spans.length - 1;
  if (spans[index]) choose(spans[index]);
}

function openTab(tab) {
  for (const each of [$("tab-events"), $("tab-search")]) {
    const open = each === tab;
    each.ariaSelected = String(open);
    each.tabIndex = open ? 0 : -1;
    $(each.getAttribute("aria-controls")).hidden = !open;
  }
  if (tab === $("tab-search")) $("query").focus();
}

// Dark and light: as the system has it, until the reader says otherwise.
function theme(name) {
  document.documentElement.dataset.theme = name;
  localStorage.setItem("theme", name);
  timeline.recolour();
}
if (localStorage.getItem("theme")) theme(localStorage.getItem("theme"));
$("theme").onclick = () => {
  const now = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  theme(now === "dark" ? "light" : "dark");
};

$("help").onclick = () => $("keys").showModal();
const keys = {
  "/": () => openTab($("tab-search")),
  f: () => (openTab($("tab-events")), $("filter").focus()),
  p: () => $("pause").click(),
  j: () => neighbour(1),
  k: () => neighbour(-1),
  "+": () => timeline.zoom(0.5),
  "-": () => timeline.zoom(2),
  0: () => timeline.all(),
  d: () => $("theme").click(),
  "?": () => $("keys").showModal(),
  Escape: () => choose(null),
  " ": () => screen?.toggle(),
};
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || $("keys").open) return;
  if (event.target.closest("input, select, textarea") || (event.key === " " && event.target.closest("button, video"))) return;
  const does = keys[event.key];
  if (!does) return;
  does();
  event.preventDefault();
});

// What tests and curious people look at; nothing else uses it.
globalThis.streamOcr = { model, timeline, screen, cameras };
