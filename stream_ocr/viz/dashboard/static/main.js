// Connects the parts of the page.

import { AreaEditor } from "./areas.js";
import { Cameras } from "./cameras.js";
import { connect } from "./connection.js";
import { Day } from "./day.js";
import { showFleet } from "./fleet.js";
import { element, formatTime, formatTimeOfDay, isolated, oneLine } from "./format.js";
import { showHealth } from "./health.js";
import { figure, imageUrl } from "./images.js";
import { List } from "./list.js";
import { Model } from "./model.js";
import { Preview } from "./preview.js";
import { Screen } from "./screen.js";
import { Search } from "./search.js";
import { Timeline } from "./timeline.js";

const $ = (id) => document.getElementById(id);
const KINDS = { appeared: "new", changed: "changed", updated: "updated", ended: "ended" };
const STATES = { connecting: "connecting", connected: "connected", lost: "connection lost, reconnecting" };

const about = await (await fetch("api/about")).json();
const model = new Model();
const filter = { kinds: new Set([...Object.keys(KINDS), "source"]), text: "", stream: "" };
let selected = null;
let current = null; // the latest event at the position of the video

document.title = `${oneLine(about.title, 80)} · stream_ocr`;
$("title").textContent = oneLine(about.title, 80);

// The time of an event on the axis; the end of the text for "ended".
const axisTime = (event) => (event.kind === "ended" ? event.at + event.end - event.start : event.at);
const formatEventTime = (event) => (model.live ? formatTimeOfDay(axisTime(event), 1) : formatTime(axisTime(event)));

// The video, or the cameras.
const screen = about.video ? new Screen($("screen"), model, { onTime, onSelect: select }) : null;
const cameras = about.video ? null : new Cameras($("cameras"), model, { onSelect: (name) => filterStream(name ?? ""), onSelectSpan: select });
if (screen) screen.open(about.stream);
else $("cameras").hidden = false;
if (cameras && about.cameras) {
  cameras.preview = new Preview({
    onState(status) {
      if (status) cameras.setStatus(status.cameras);
      if (status?.events) showFleet($("health"), $("hosts"), status);
      else showHealth($("health"), status);
    },
    onImage: (name) => cameras.touch(name),
  });
}
const areas = about.edit ? new AreaEditor($("areas")) : null;
$("edit-areas").hidden = !areas;
$("edit-areas").onclick = () => areas.open(cameras.selected);
$("pause").hidden = Boolean(screen);
document.body.dataset.mode = screen ? "video" : "cameras";

// The policy of this page names the hosts of the time when it was loaded. A picture of a later one needs a new page.
const RELOAD_MS = 5000;
document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => {
  const before = Number(sessionStorage.getItem("reloaded"));
  if (effectiveDirective !== "img-src" || Date.now() - before < RELOAD_MS) return;
  sessionStorage.setItem("reloaded", Date.now());
  location.reload();
});

// The timeline.
const timeline = new Timeline($("timeline"), model, { onSeek: seek, onHover: showHovered, onFollow: (on) => ($("follow").ariaPressed = String(on)) });
$("zoom-in").onclick = () => timeline.zoom(0.5);
$("zoom-out").onclick = () => timeline.zoom(2);
$("fit").onclick = () => timeline.all();
$("follow").onclick = () => timeline.fit();
setInterval(() => model.live && !document.hidden && timeline.window === null && timeline.draw(), 500);

// The list.
const list = new List($("list"), { height: 56, make: makeRow, show: showRow, onSelect: (event) => select(spanOf(event)), newestFirst: !about.video });
$("filter").addEventListener("input", () => {
  filter.text = $("filter").value.trim().toLowerCase();
  refilter();
});
$("stream").addEventListener("change", () => filterStream($("stream").value));
for (const box of document.querySelectorAll(".filters input[type=checkbox]")) {
  box.addEventListener("change", () => {
    filter.kinds[box.checked ? "add" : "delete"](box.value);
    refilter();
  });
}
$("pause").onclick = () => {
  pausedAt = pausedAt === null ? model.events.length : null;
  filterNew();
  showPause();
};

// Search.
const search = new Search({ query: $("query"), status: $("found"), results: $("results"), about, onSelect: selectResult, formatTimes: formatResultTimes });

// The day. A video has no days.
const day = new Day($("day"), { about, onSelect: (text) => selectResult({ ...text, isDated: true }) });
$("tab-day").hidden = Boolean(about.video);

const tabs = [...document.querySelectorAll("[role=tab]")].filter((tab) => !tab.hidden);
for (const tab of tabs) tab.onclick = () => openTab(tab);
tabs[0].parentElement.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  const other = tabs.at((tabs.findIndex((tab) => tab.ariaSelected === "true") + step) % tabs.length);
  openTab(other);
  other.focus();
});

// Events from the server.
let updateDue = false;
connect({
  onEvents(events) {
    model.add(events);
    if (cameras) for (const event of events) cameras.touch(event.stream);
    update();
  },
  onRestart() {
    model.clear();
    filtered = [];
    nextToFilter = 0;
    pausedAt = null;
    selected = null;
    cameras?.clear();
    select(null);
    timeline.fit();
    update();
  },
  onState(state) {
    $("connection").dataset.state = state;
    $("connection").textContent = STATES[state];
  },
});

function update() {
  if (updateDue) return;
  updateDue = true;
  requestAnimationFrame(() => {
    updateDue = false;
    showStreams();
    filterNew();
    showPause();
    timeline.draw();
    screen?.draw();
    $("follow").hidden = !model.live;
    document.querySelector(".key .overlay").hidden = !model.hasOverlays;
    $("sources").hidden = !model.hasSourceEvents;
  });
}

// Filtering: only new events are filtered, all of them only when the filter changes. A pause holds new events back.
let filtered = [];
let nextToFilter = 0;
let pausedAt = null; // number of events at the start of the pause

function passes(event) {
  const kind = event.kind.startsWith("source.") ? "source" : event.kind;
  if (!filter.kinds.has(kind) || (filter.stream && event.stream !== filter.stream)) return false;
  if (about.stream && event.stream !== about.stream) return false;
  return !filter.text || (event.text ?? event.reason ?? "").toLowerCase().includes(filter.text);
}

function filterNew() {
  for (const until = pausedAt ?? model.events.length; nextToFilter < until; nextToFilter++) {
    if (passes(model.events[nextToFilter])) filtered.push(model.events[nextToFilter]);
  }
  if (screen) filtered.sort((a, b) => axisTime(a) - axisTime(b) || a.seq - b.seq);
  list.set(filtered.slice());
  $("count").textContent = filtered.length.toLocaleString("en");
}

function refilter() {
  filtered = [];
  nextToFilter = 0;
  filterNew();
  showPause();
}

function showPause() {
  const paused = pausedAt !== null;
  const waiting = paused ? model.events.slice(pausedAt).filter(passes).length : 0;
  $("pause").ariaPressed = String(paused);
  $("pause").textContent = paused ? (waiting ? `Resume (${waiting} new)` : "Resume") : "Pause";
}

function showStreams() {
  const names = [...model.streams.keys()].sort();
  const known = [...$("stream").options].map((option) => option.value).slice(1);
  if (String(names) === String(known)) return;
  $("stream").replaceChildren(
    element("option", { value: "", textContent: "all sources" }),
    ...names.map((name) => element("option", { value: name, textContent: oneLine(name, 60) })),
  );
  $("stream").value = filter.stream;
  $("stream").hidden = names.length < 2 || Boolean(about.video);
}

function filterStream(name) {
  filter.stream = name;
  $("stream").value = name;
  refilter();
}

function makeRow() {
  const parts = { time: element("time"), kind: element("span", { className: "kind" }), text: isolated("") };
  parts.details = element("small", { className: "details" });
  const button = element("button", { type: "button" }, parts.kind, parts.text, parts.time, parts.details);
  return Object.assign(element("li", {}, button), { parts });
}

function showRow(row, event) {
  row.classList.toggle("current", event === current);
  if (row.event === event) return;
  row.event = event;
  const { time, kind, text, details } = row.parts;
  const source = event.kind.startsWith("source.");
  time.textContent = formatEventTime(event);
  kind.textContent = KINDS[event.kind] ?? event.kind.slice("source.".length);
  row.dataset.kind = source ? event.kind : event.kind === "appeared" ? "new" : event.kind;
  text.textContent = oneLine(source ? (event.reason ?? event.stream) : event.text);
  const notes = [];
  if (model.streams.size > 1) notes.push(oneLine(event.stream, 30));
  if (event.kind === "changed") notes.push(`was ${oneLine(event.previous ?? "", 60)}`);
  details.replaceChildren(...notes.flatMap((part) => [isolated(part), " "]));
}

// Selection: the same text in all parts.
function spanOf(event) {
  const spans = model.streams.get(event.stream)?.spans ?? [];
  return spans.findLast((span) => span.track === event.track && span.start <= event.start + 1e-6) ?? null;
}

function select(span) {
  selected = span;
  timeline.select(span);
  showDetail(span);
  if (span && screen) screen.seek(span.start);
}

function selectResult(result) {
  const spans = model.streams.get(result.stream)?.spans ?? [];
  const span = spans.find((each) => each.track === result.track && Math.abs(each.start - result.start) < 1e-6);
  if (span) select(span);
  else {
    showDetail({ ...result, from: resultAxisTime(result) });
    screen?.seek(result.start);
  }
}

/** Return the start of a search result on the axis. */
function resultAxisTime(result) {
  if (result.start_utc) return Date.parse(result.start_utc) / 1000;
  return result.start + (model.streams.get(result.stream)?.shift ?? 0);
}

function formatResultTimes(result) {
  if (!model.live) return `${formatTime(result.start)} – ${formatTime(result.end)}`;
  const from = resultAxisTime(result);
  const date = new Date(from * 1000);
  const times = `${formatTimeOfDay(from)}${result.end > result.start ? ` – ${formatTimeOfDay(from + result.end - result.start)}` : ""}`;
  return date.toDateString() === new Date().toDateString() ? times : `${date.toLocaleDateString()} ${times}`;
}

function seek(span, time) {
  if (span) return select(span);
  timeline.setCursor(time);
  screen?.seek(time);
}

function showHovered(span) {
  $("hovered").textContent = span ? `${formatSpanTimes(span)}  ${oneLine(span.text, 100)}` : "";
}

function formatSpanTimes(span) {
  const isDated = model.live || span.isDated;
  const format = (time) => (isDated ? formatTimeOfDay(time, 1) : formatTime(time));
  const from = span.from ?? span.start;
  const isToday = !isDated || new Date(from * 1000).toDateString() === new Date().toDateString();
  const end = span.end === null ? (span.on_screen === false ? "end not known" : "now") : format(span.end + from - span.start);
  return `${isToday ? "" : `${new Date(from * 1000).toLocaleDateString()} `}${format(from)} – ${end}`;
}

function showDetail(span) {
  $("detail").hidden = !span;
  if (!span) return;
  const details = [
    ["time", formatSpanTimes(span)],
    ["confidence", span.confidence.toFixed(2)],
    ["track", `${span.track}`],
    ...(model.streams.size > 1 || span.isDated ? [["source", oneLine(span.stream, 60)]] : []),
    ...(span.previous ? [["before", oneLine(span.previous)]] : []),
  ];
  const close = element("button", { type: "button", ariaLabel: "Close", textContent: "×" });
  close.onclick = () => select(null);
  const url = imageUrl(span, about);
  $("detail").replaceChildren(
    close,
    isolated(span.text, "p"),
    ...(url ? [figure(url, span, about)] : []),
    element("dl", {}, ...details.map(([name, value]) => element("div", {}, element("dt", { textContent: name }), isolated(value, "dd")))),
  );
}

function onTime(seconds) {
  timeline.setCursor(seconds);
  const before = current;
  let low = 0;
  let high = filtered.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (axisTime(filtered[middle]) <= seconds + 1e-6) low = middle + 1;
    else high = middle;
  }
  current = filtered[low - 1] ?? null;
  if (current !== before) {
    if (!screen.video.paused && current) list.reveal(current);
    list.draw();
  }
}

function neighbour(step) {
  const spans = (screen ? model.streams.get(about.stream)?.spans : null) ?? model.spans;
  const index = selected ? spans.indexOf(selected) + step : step > 0 ? 0 : spans.length - 1;
  if (spans[index]) select(spans[index]);
}

function openTab(tab) {
  for (const each of tabs) {
    const open = each === tab;
    each.ariaSelected = String(open);
    each.tabIndex = open ? 0 : -1;
    $(each.getAttribute("aria-controls")).hidden = !open;
  }
  if (tab === $("tab-search")) $("query").focus();
  if (tab === $("tab-day")) day.open();
}

// Dark mode follows the system until it is switched on the page.
function theme(name) {
  document.documentElement.dataset.theme = name;
  localStorage.setItem("theme", name);
  timeline.updateColours();
}
if (localStorage.getItem("theme")) theme(localStorage.getItem("theme"));
$("theme").onclick = () => {
  const now = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  theme(now === "dark" ? "light" : "dark");
};

$("help").onclick = () => $("keys").showModal();
const keys = {
  "/": () => openTab($("tab-search")),
  t: () => about.video || (openTab($("tab-day")), $("tab-day").focus()),
  f: () => (openTab($("tab-events")), $("filter").focus()),
  p: () => $("pause").click(),
  j: () => neighbour(1),
  k: () => neighbour(-1),
  "+": () => timeline.zoom(0.5),
  "-": () => timeline.zoom(2),
  0: () => timeline.all(),
  d: () => $("theme").click(),
  "?": () => $("keys").showModal(),
  Escape: () => select(null),
  " ": () => screen?.toggle(),
};
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  if (event.target.closest("input, select, textarea") || (event.key === " " && event.target.closest("button, summary, video"))) return;
  const action = keys[event.key];
  if (!action) return;
  action();
  event.preventDefault();
});

// For tests and debugging; nothing else uses it.
globalThis.streamOcr = { model, timeline, screen, cameras, areas, day };
