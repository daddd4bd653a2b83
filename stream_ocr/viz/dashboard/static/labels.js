// Places labels beside their texts, where they cover neither another text nor another label.

const context = document.createElement("canvas").getContext("2d");
const widths = new Map();
const MAX_WIDTHS = 2000;

/** Return the width of a text in units of its font size. */
export function widthOf(text, font) {
  const key = `${font}\n${text}`;
  if (!widths.has(key)) {
    if (widths.size >= MAX_WIDTHS) widths.clear();
    context.font = `600 100px ${font}`;
    widths.set(key, context.measureText(text).width / 100);
  }
  return widths.get(key);
}

/** Return the first free place [left, top, right, bottom] for a label: above its text, below, right, left, or over it. */
export function place([left, top, right, bottom], [width, height], [pictureWidth, pictureHeight], taken) {
  const x = Math.max(Math.min(left, pictureWidth - width), 0);
  const middle = Math.max((top + bottom - height) / 2, 0);
  const places = [[x, top - height], [x, bottom], [right, middle], [left - width, middle]];
  const boxes = places.map(([x, y]) => [x, y, x + width, y + height]);
  const fits = (box) => box[0] >= 0 && box[1] >= 0 && box[2] <= pictureWidth && box[3] <= pictureHeight;
  const isFree = (box) => fits(box) && !taken.some((other) => overlap(box, other));
  return boxes.find(isFree) ?? [x, middle, x + width, middle + height];
}

function overlap(a, b) {
  return a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
}
