// Times and texts as they are shown.

const two = (number) => String(number).padStart(2, "0");

/** Media seconds as 1:02:03.45, without hours where there are none. */
export function clock(seconds, digits = 2) {
  const unit = 10 ** digits;
  const whole = Math.round(Math.abs(seconds) * unit);
  const s = Math.floor(whole / unit);
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  const head = h ? `${h}:${two(m)}` : `${m}`;
  const tail = digits ? `.${String(whole % unit).padStart(digits, "0")}` : "";
  return `${seconds < 0 ? "−" : ""}${head}:${two(s % 60)}${tail}`;
}

/** Seconds since 1970 as the time of day here. */
export function daytime(seconds, digits = 0) {
  const date = new Date(seconds * 1000);
  const tail = digits ? `.${String(date.getMilliseconds()).padStart(3, "0").slice(0, digits)}` : "";
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}${tail}`;
}

/** A text in one line, without what cannot be shown, and not longer than a line can be. */
export function oneLine(text, most = 200) {
  const plain = text.slice(0, most + 1).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, " ");
  return plain.length > most ? `${plain.slice(0, most)}…` : plain;
}

/** An element with properties and children; text goes in as text only. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** A text that was read, kept from turning round what stands beside it. */
export function read(text, name = "span") {
  return element(name, { className: "read", dir: "auto", textContent: text });
}
