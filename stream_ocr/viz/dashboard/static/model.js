// What is known: streams, their tracks, and spans (one text in one place, from its first frame to its last).
// Times of spans: `start` and `end` in media seconds; `from` and `to` on the axis, which is UTC for live streams.

const LIVE_S = 120;

export class Model {
  constructor() {
    this.forget();
  }

  forget() {
    this.events = [];
    this.spans = [];
    this.streams = new Map();
    this.live = false;
    this.first = Infinity;
    this.last = -Infinity;
  }

  /** Takes events, in order. */
  add(events) {
    for (const event of events) this.#add(event);
  }

  /** The spans of a stream that are on screen at a media time. */
  at(name, seconds) {
    const stream = this.streams.get(name);
    if (!stream) return [];
    return stream.spans.filter((span) => span.start <= seconds + 1e-6 && (span.end ?? Infinity) > seconds + 1e-6);
  }

  /** The latest time on the axis: that of the last event, or the time of day while events are of today's cameras. */
  get now() {
    const now = Date.now() / 1000;
    return this.live && now > this.last && now - this.last < LIVE_S ? now : this.last;
  }

  /** The end of a span on the axis; of one that is still on screen, the latest that is known. */
  to(span) {
    return span.to ?? Math.max(span.from, this.now);
  }

  #add(event) {
    const stream = this.#stream(event.stream);
    event.at = this.#axis(event, stream);
    const now = Date.now() / 1000;
    event.seen = Math.min(now, Date.parse(event.emitted_utc ?? "") / 1000 || now);
    this.events.push(event);
    if (event.kind.startsWith("source.")) {
      stream.state = event.kind.slice("source.".length);
      stream.reason = event.reason;
      this.troubles = true;
      return;
    }
    if (event.overlay) this.overlays = true;
    stream.size = event.size;
    stream.latest = event;
    const before = stream.live.get(event.track);
    if (event.kind === "updated" && before) {
      Object.assign(before, { text: event.text, confidence: event.confidence, final: event.polygon, seen: event.seen });
    } else if (event.kind === "ended" && before) {
      before.text = event.text;
      before.confidence = event.confidence;
      this.#end(stream, before, event.end, event.polygon);
    } else {
      if (before) this.#end(stream, before, event.start, carried(before.final, event.polygon));
      const span = this.#span(event, stream, event.kind === "changed" ? "changed" : "new");
      if (event.kind === "ended") this.#end(stream, span, event.end, event.polygon);
      else stream.live.set(event.track, span);
    }
    for (const time of [event.at, event.at + (event.end ?? event.start) - event.start]) {
      this.first = Math.min(this.first, time);
      this.last = Math.max(this.last, time);
    }
  }

  #stream(name) {
    let stream = this.streams.get(name);
    if (!stream) {
      stream = { name, size: null, state: null, reason: null, latest: null, shift: null, spans: [], live: new Map() };
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
      seen: event.seen,
    };
    this.spans.push(span);
    stream.spans.push(span);
    return span;
  }

  #end(stream, span, end, polygon) {
    span.end = end ?? span.start;
    span.to = span.from + span.end - span.start;
    span.final = polygon;
    stream.live.delete(span.track);
  }
}

/** Where a text has come to when another takes its place: of its own size, aligned as that one is (see spans.py). */
function carried(polygon, successor) {
  const move = [0, 1].map((axis) => {
    const [old, other] = [polygon, successor].map((each) => each.map((corner) => corner[axis]));
    const low = Math.min(...other) - Math.min(...old);
    const high = Math.max(...other) - Math.max(...old);
    return [low, (low + high) / 2, high].reduce((a, b) => (Math.abs(b) < Math.abs(a) ? b : a));
  });
  return polygon.map(([x, y]) => [x + move[0], y + move[1]]);
}

/** Where a span is at a media time, on the straight way from its first to its last place. */
export function placeAt(span, seconds) {
  const share = span.end > span.start ? Math.min(Math.max((seconds - span.start) / (span.end - span.start), 0), 1) : 1;
  return span.initial.map(([x, y], i) => [x + share * (span.final[i][0] - x), y + share * (span.final[i][1] - y)]);
}
