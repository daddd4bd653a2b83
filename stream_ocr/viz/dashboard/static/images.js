// Images of texts.

import { element } from "./format.js";

/** Return the URL of an image of a text: from the video, or the stored crop. Null if there is none.
 *
 *  crop_seq: the event with the crop, if that is known; seqs: the events that may have one. about: of the page. */
export function imageUrl({ stream, track, start, crop_seq: seq, seqs = [] }, about) {
  if (about.video) return `api/thumbnail?${new URLSearchParams({ stream, track, start })}`;
  const candidates = seq === undefined ? seqs : seq === null ? [] : [seq];
  if (!candidates.length || !about.crops) return null;
  return `api/crop?${new URLSearchParams([["stream", stream], ...candidates.map((each) => ["seq", each])])}`;
}

/** Create an image that removes `part`, by default itself, if there is no such picture. */
export function image(url, properties = {}, part = null) {
  const made = element("img", { alt: "", loading: "lazy", ...properties });
  made.addEventListener("error", () => (part ?? made).remove());
  made.src = url;
  return made;
}

/** Create the picture of a text, with links to open and to download it. */
export function figure(url, span, about) {
  const name = `${span.stream}-${span.track}`.replace(/[^\p{L}\p{N}-]+/gu, "_").slice(0, 80);
  const open = element("a", { href: url, target: "_blank", rel: "noopener" });
  const download = element("a", { href: url, download: `${name}.${about.video ? "jpg" : "webp"}`, textContent: "Download picture" });
  const made = element("figure", {}, open, download);
  open.append(image(url, { alt: "Open the picture of the text", loading: "eager" }, made));
  return made;
}
