// Search on the server, in the store or the buffered events.

import { element, isolated, oneLine } from "./format.js";
import { image, imageUrl } from "./images.js";

const DEBOUNCE_MS = 200;

export class Search {
  /** about: of the page; formatTimes(result) formats the times of a result. */
  constructor({ query, status, results, about, onSelect, formatTimes }) {
    Object.assign(this, { query, status, results, about, onSelect, formatTimes });
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

  #row(span) {
    const button = element("button", { type: "button" });
    const source = imageUrl(span, this.about);
    if (source) button.append(image(source));
    const details = element("small", {}, element("time", { textContent: this.formatTimes(span) }), isolated(` ${oneLine(span.stream, 60)}`));
    button.append(isolated(oneLine(span.text)), details);
    button.addEventListener("click", () => this.onSelect(span));
    return element("li", {}, button);
  }
}
