// State built from events: streams, tracks and spans (one text of a track, from its first frame to its last).
// `start` and `end` of spans are media seconds; `from` and `to` are times on the axis, which is UTC for live streams.

const MAX_SEQS = 8; // events of a text that may have its picture
const LIVE_S = 120; // without events for this long, "now" is the time of the last event

export class Model {
  constructor() {
    this.clear();
  }

  clear() {
    this.events = [];
    this.spans = [];
    this.streams = new Map();
    this.live = false;
    this.first = Infinity;
    this.last = -Infinity;
  }

  /** Add events in order. */
  add(events) {
    for (const event of events) this.#add(event);
  }

  /** Return the spans of a stream that are on screen at a media time. */
  at(name, seconds) {
    const stream = this.streams.get(name);
    if (!stream) return [];
    return stream.spans.filter((span) => span.start <= seconds + 1e-6 && (span.end ?? Infinity) > seconds + 1e-6);
  }

  /** The latest time on the axis: the current time for live streams, or else the time of the last event. */
  get now() {
    const now = Date.now() / 1000;
    return this.live && now > this.last && now - this.last < LIVE_S ? now : this.last;
  }

  /** Return the end of a span on the axis; the latest time if it is still on screen. */
  endOf(span) {
    return span.to ?? Math.max(span.from, this.now);
  }

  #add(event) {
    const stream = this.#stream(event.stream);
    const run = runOf(event);
    if (run > stream.run) this.#beginRun(stream, run);
    event.at = this.#axis(event, stream);
    const now = Date.now() / 1000;
    event.receivedAt = Math.min(now, Date.parse(event.emitted_utc ?? "") / 1000 || now);
    this.events.push(event);
    const isLate = run < stream.run; // it waited on the disk of a host that was lost
    if (event.kind.startsWith("source.")) {
      this.hasSourceEvents = true;
      if (!isLate) Object.assign(stream, { state: event.kind.slice("source.".length), reason: event.reason });
      return;
    }
    if (event.overlay) this.hasOverlays = true;
    if (!isLate) {
      stream.size = event.size;
      stream.latest = event;
    }
    const open = isLate ? stream.lost : stream.live; // the texts that an event can be about
    const key = isLate ? `${run}/${event.track}` : event.track;
    const previous = open.get(key);
    if (event.kind === "updated" && previous) {
      Object.assign(previous, { text: event.text, confidence: event.confidence, final: event.polygon, receivedAt: event.receivedAt });
      previous.seqs = [event.seq, ...previous.seqs].slice(0, MAX_SEQS);
    } else if (event.kind === "ended" && previous) {
      previous.text = event.text;
      previous.confidence = event.confidence;
      this.#end(previous, event.end, event.polygon);
      open.delete(key);
    } else {
      if (previous) this.#end(previous, event.start, finalPolygon(previous.final, event.polygon));
      const span = this.#span(event, stream, event.kind === "changed" ? "changed" : "new");
      if (event.kind === "ended" || isLate) this.#end(span, event.end, event.polygon);
      if (event.kind === "ended") open.delete(key);
      else open.set(key, span);
    }
    for (const time of [event.at, event.at + (event.end ?? event.start) - event.start]) {
      this.first = Math.min(this.first, time);
      this.last = Math.max(this.last, time);
    }
  }

  #stream(name) {
    let stream = this.streams.get(name);
    if (!stream) {
      stream = { name, size: null, state: null, reason: null, latest: null, shift: null, spans: [], live: new Map(), run: 0, lost: new Map() };
      this.streams.set(name, stream);
    }
    return stream;
  }

  #axis(event, stream) {
    if (event.kind.startsWith("source.")) {
      this.live = true; // files have no such events
      return Date.parse(event.start_utc ?? event.emitted_utc) / 1000;
    }
    if (event.utc_source === "rtcp" || event.utc_source === "arrival" || stream.shift) {
      this.live = true;
      if (event.start_utc) stream.shift = Date.parse(event.start_utc) / 1000 - event.start;
      else stream.shift ??= Date.parse(event.emitted_utc) / 1000 - event.start;
    }
    return event.start + (stream.shift ?? 0);
  }

  #span(event, stream, kind) {
    const span = {
      stream: stream.name,
      track: event.track,
      seqs: [event.seq], // of its readings, latest first
      kind,
      text: event.text,
      previous: event.previous,
      confidence: event.confidence,
      overlay: Boolean(event.overlay),
      start: event.start,
      end: null,
      from: event.at,
      to: null,
      initial: event.polygon,
      final: event.polygon,
      size: event.size,
      receivedAt: event.receivedAt,
    };
    this.spans.push(span);
    stream.spans.push(span);
    return span;
  }

  #end(span, end, polygon) {
    span.end = end ?? span.start;
    span.to = span.from + span.end - span.start;
    span.final = polygon;
  }

  /** Another host or run reads the camera: the texts before are over, and their ends come late or never. */
  #beginRun(stream, run) {
    for (const [track, span] of stream.live) {
      this.#end(span, span.start + Math.max((stream.latest?.at ?? span.from) - span.from, 0), span.final);
      stream.lost.set(`${stream.run}/${track}`, span);
    }
    stream.live.clear();
    stream.run = run;
  }
}

/** Return the number with which the ids of a run of a fleet begin, 0 for others. */
function runOf(event) {
  return Number(/^(\d{1,15})-/.exec(event.id)?.[1] ?? 0);
}

/** Return the last polygon of a text that another replaces: its own size, aligned with the successor (see spans.py). */
function finalPolygon(polygon, successor) {
  const offset = [0, 1].map((axis) => {
    const [old, other] = [polygon, successor].map((each) => each.map((corner) => corner[axis]));
    const low = Math.min(...other) - Math.min(...old);
    const high = Math.max(...other) - Math.max(...old);
    return [low, (low + high) / 2, high].reduce((a, b) => (Math.abs(b) < Math.abs(a) ? b : a));
  });
  return polygon.map(([x, y]) => [x + offset[0], y + offset[1]]);
}

/** Return the polygon of a span at a media time, interpolated between its first and its last. */
export function polygonAt(span, seconds) {
  const share = span.end > span.start ? Math.min(Math.max((seconds - span.start) / (span.end - span.start), 0), 1) : 1;
  return span.initial.map(([x, y], i) => [x + share * (span.final[i][0] - x), y + share * (span.final[i][1] - y)]);
}
