// Search over everything that was kept, by the server.

import { element, oneLine, read } from "./format.js";

const WAIT_MS = 200;

export class Search {
  /** pictures: whether there is a video to take them from; when(found): its times in words. */
  constructor({ query, said, results, pictures, choose, when }) {
    Object.assign(this, { query, said, results, pictures, choose, when });
    this.asked = 0;
    query.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.ask(), WAIT_MS);
    });
  }

  async ask() {
    const wanted = this.query.value.trim();
    const number = ++this.asked;
    if (!wanted) return this.#show([], "");
    let found;
    try {
      const answer = await fetch(`api/search?q=${encodeURIComponent(wanted)}`);
      if (!answer.ok) throw new Error(String(answer.status));
      found = await answer.json();
    } catch {
      if (number === this.asked) this.#show([], "The search could not be answered; try again.");
      return;
    }
    if (number !== this.asked) return; // another question was asked meanwhile
    const many = found.length === 1 ? "1 text" : `${found.length === 100 ? "the latest 100" : found.length} texts`;
    this.#show(found, found.length ? many : "Nothing has that in it.");
  }

  #show(found, said) {
    this.said.textContent = said;
    this.results.replaceChildren(...found.map((span) => this.#row(span)));
  }

  /** What it looked like: out of the video, or as it was kept when it was read. */
  #picture({ stream, track, start, evidence }) {
    if (this.pictures) return `api/thumbnail?${new URLSearchParams({ stream, track, start })}`;
    return evidence === null ? null : `api/evidence?${new URLSearchParams({ stream, seq: evidence })}`;
  }

  #row(span) {
    const button = element("button", { type: "button" });
    const source = this.#picture(span);
    if (source) {
      const picture = element("img", { alt: "", loading: "lazy", src: source });
      picture.addEventListener("error", () => picture.remove());
      button.append(picture);
    }
    const facts = element("small", {}, element("time", { textContent: this.when(span) }), read(` ${oneLine(span.stream, 60)}`));
    button.append(read(oneLine(span.text)), facts);
    button.addEventListener("click", () => this.choose(span));
    return element("li", {}, button);
  }
}
