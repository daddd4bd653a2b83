// Formats times and texts.

const two = (number) => String(number).padStart(2, "0");

/** Format media seconds as 1:02:03.45, without hours if there are none. */
export function formatTime(seconds, digits = 2) {
  const unit = 10 ** digits;
  const whole = Math.round(Math.abs(seconds) * unit);
  const s = Math.floor(whole / unit);
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  const head = h ? `${h}:${two(m)}` : `${m}`;
  const tail = digits ? `.${String(whole % unit).padStart(digits, "0")}` : "";
  return `${seconds < 0 ? "−" : ""}${head}:${two(s % 60)}${tail}`;
}

/** Format seconds since 1970 as local time of day. */
export function formatTimeOfDay(seconds, digits = 0) {
  const date = new Date(seconds * 1000);
  const tail = digits ? `.${String(date.getMilliseconds()).padStart(3, "0").slice(0, digits)}` : "";
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}${tail}`;
}

/** Return a text on one line without control characters, truncated to `limit` characters. */
export function oneLine(text, limit = 200) {
  const plain = text.slice(0, limit + 1).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, " ");
  return plain.length > limit ? `${plain.slice(0, limit)}…` : plain;
}

/** Create an element with properties and children; strings are inserted as text, never as HTML. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Create an element for a text from a video, isolated so that its direction does not affect the text around it. */
export function isolated(text, name = "span") {
  return element(name, { className: "read", dir: "auto", textContent: text });
}

/** Truncate a text to the available width in pixels on a canvas. */
export function truncate(context, text, available) {
  const width = context.measureText(text).width;
  if (width <= available) return text;
  let shorter = text.slice(0, Math.max(Math.floor((text.length * available) / width), 1));
  while (shorter.length > 1 && context.measureText(`${shorter}…`).width > available) shorter = shorter.slice(0, -1);
  return `${shorter.trimEnd()}…`;
}
