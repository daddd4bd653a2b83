// Search on the server, in the store or the buffered events.

import { element, isolated, oneLine } from "./format.js";

const DEBOUNCE_MS = 200;

export class Search {
  /** hasVideo: thumbnails are available; formatTimes(result) formats the times of a result. */
  constructor({ query, status, results, hasVideo, onSelect, formatTimes }) {
    Object.assign(this, { query, status, results, hasVideo, onSelect, formatTimes });
    this.lastRequest = 0;
    query.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.search(), DEBOUNCE_MS);
    });
  }

  async search() {
    const text = this.query.value.trim();
    const number = ++this.lastRequest;
    if (!text) return this.#show([], "");
    let found;
    try {
      const response = await fetch(`api/search?q=${encodeURIComponent(text)}`);
      if (!response.ok) throw new Error(String(response.status));
      found = await response.json();
    } catch {
      if (number === this.lastRequest) this.#show([], "The search failed; try again.");
      return;
    }
    if (number !== this.lastRequest) return; // a later request was sent meanwhile
    const many = found.length === 1 ? "1 text" : `${found.length === 100 ? "the latest 100" : found.length} texts`;
    this.#show(found, found.length ? many : "No text contains that.");
  }

  #show(found, status) {
    this.status.textContent = status;
    this.results.replaceChildren(...found.map((span) => this.#row(span)));
  }

  /** Return the URL of an image of a text: from the video, or the stored crop. */
  #imageUrl({ stream, track, start, crop_seq: seq }) {
    if (this.hasVideo) return `api/thumbnail?${new URLSearchParams({ stream, track, start })}`;
    return seq === null ? null : `api/crop?${new URLSearchParams({ stream, seq })}`;
  }

  #row(span) {
    const button = element("button", { type: "button" });
    const source = this.#imageUrl(span);
    if (source) {
      const image = element("img", { alt: "", loading: "lazy", src: source });
      image.addEventListener("error", () => image.remove());
      button.append(image);
    }
    const details = element("small", {}, element("time", { textContent: this.formatTimes(span) }), isolated(` ${oneLine(span.stream, 60)}`));
    button.append(isolated(oneLine(span.text)), details);
    button.addEventListener("click", () => this.onSelect(span));
    return element("li", {}, button);
  }
}
