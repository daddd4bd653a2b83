// The editor of the areas of a camera: regions, masks and named fields, which the server saves in the settings file.

import { AreaCanvas } from "./area_canvas.js";
import { element, formatTimeOfDay, oneLine } from "./format.js";

const KINDS = { region: "Region", mask: "Mask", field: "Field" };
const NAME = /^[a-z][a-z0-9_]{0,31}$/;
const POLL_MS = 1000;
const PATIENCE_MS = 60_000; // for the run to take a change over

export class AreaEditor {
  constructor(root) {
    this.root = root;
    const find = (selector) => root.querySelector(selector);
    [this.select, this.status, this.list, this.image, this.note] = [".camera", ".status", "ol", "img", ".inherited"].map(find);
    [this.saveButton, this.cancelButton] = [".save", ".cancel"].map(find);
    this.tools = [...root.querySelectorAll("[data-tool]")];
    this.canvas = new AreaCanvas(find(".canvas"), {
      onChange: () => this.#setDirty(true),
      onSelect: (area) => this.#show(area),
      onDrawn: (points) => this.#add(points),
    });
    this.areas = [];
    this.rows = new Map();
    this.select.addEventListener("change", () => this.#load(this.select.value));
    this.saveButton.onclick = () => this.#save();
    this.cancelButton.onclick = () => root.close();
    root.addEventListener("close", () => clearTimeout(this.timer));
    root.addEventListener("cancel", (event) => this.#onEscape(event));
    root.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !this.canvas.draft.length) return;
      this.canvas.finish();
      event.preventDefault();
    });
    for (const button of this.tools) {
      button.onclick = (event) => (event.detail === 0 ? this.canvas.drawDefault() : this.#use(this.canvas.tool === button.dataset.tool ? null : button.dataset.tool));
    }
  }

  /** Open the editor for a camera, or the first one. */
  async open(camera) {
    this.described = null;
    this.saved = 0;
    this.#say("Loading…");
    this.root.showModal();
    try {
      const response = await fetch("api/areas");
      if (!response.ok) throw new Error(await response.text());
      this.described = await response.json();
    } catch (error) {
      this.#load(null);
      return this.#say(error.message, "bad");
    }
    const names = Object.keys(this.described.cameras);
    this.select.replaceChildren(...names.map((name) => element("option", { value: name, textContent: oneLine(name, 60) })));
    this.#load(names.includes(camera) ? camera : names[0]);
  }

  /** Show the areas of a camera as they are in the file. */
  #load(camera) {
    this.camera = camera;
    if (camera) this.select.value = camera;
    const own = this.described?.cameras[camera] ?? { regions: [], masks: [], fields: {} };
    const shared = this.described?.inherited ?? { regions: [], masks: [], fields: {} };
    const problem = this.described?.problem ?? own.problem ?? null;
    this.canEdit = Boolean(this.described) && !problem;
    this.areas = listed(own);
    const inherited = ["regions", "masks", "fields"].filter((what) => Object.keys(shared[what]).length && !Object.keys(own[what]).length);
    this.inherited = listed({ regions: [], masks: [], fields: {}, ...Object.fromEntries(inherited.map((what) => [what, shared[what]])) });
    this.note.hidden = !inherited.length;
    this.note.textContent = `Dashed: ${inherited.join(", ")} of all cameras. They hold until this camera has its own.`;
    for (const button of this.tools) button.disabled = !this.canEdit;
    this.#say(problem ?? "", problem ? "bad" : "");
    this.#setDirty(false);
    this.#use(null);
    this.#show(null);
    this.#poll();
  }

  #use(tool) {
    this.canvas.use(this.canEdit ? tool : null);
    for (const button of this.tools) button.ariaPressed = String(button.dataset.tool === this.canvas.tool);
  }

  #add(points) {
    const area = { kind: "region", points, name: "", pattern: "" };
    this.areas.push(area);
    this.#use(null);
    this.#setDirty(true);
    this.#show(area);
  }

  #remove(area) {
    this.areas.splice(this.areas.indexOf(area), 1);
    this.#setDirty(true);
    this.#show(null);
    (this.list.querySelector("button") ?? this.tools[0]).focus();
  }

  /** Show the areas, one of them selected. */
  #show(selected) {
    this.canvas.show(this.areas, this.canEdit ? selected : null, this.inherited);
    this.rows = new Map(this.areas.map((area, index) => [area, this.#row(area, index + 1, area === selected)]));
    this.list.replaceChildren(...this.rows.values());
  }

  #row(area, number, isSelected) {
    const choose = element("button", { type: "button", className: "choose", textContent: `Area ${number}`, ariaPressed: String(isSelected) });
    choose.onclick = () => this.#show(area);
    const kind = element("select", { ariaLabel: `Kind of area ${number}`, disabled: !this.canEdit });
    kind.append(...Object.entries(KINDS).map(([value, textContent]) => element("option", { value, textContent })));
    kind.value = area.kind;
    kind.onchange = () => {
      area.kind = kind.value;
      this.#setDirty(true);
      this.#show(area);
      this.rows.get(area).querySelector(area.kind === "field" ? "input" : "select").focus();
    };
    const row = element("li", { className: area.kind }, choose, kind);
    if (this.canEdit) {
      const remove = element("button", { type: "button", textContent: "Delete", ariaLabel: `Delete area ${number}` });
      remove.onclick = () => this.#remove(area);
      row.append(remove);
    }
    if (area.kind === "field") row.append(this.#input(area, "name", "name, such as home_score", `Name of area ${number}`), this.#input(area, "pattern", "pattern (optional)", `Pattern of area ${number}`));
    if (isSelected && this.canEdit) {
      const point = element("button", { type: "button", className: "remove-point", textContent: "Remove point" });
      point.onclick = () => this.canvas.removePoint();
      row.append(point);
    }
    return row;
  }

  #input(area, what, placeholder, ariaLabel) {
    const input = element("input", { type: "text", value: area[what], placeholder, ariaLabel, autocomplete: "off", spellcheck: false, disabled: !this.canEdit });
    input.oninput = () => {
      area[what] = input.value;
      this.#setDirty(true);
    };
    return input;
  }

  /** Return a mistake that can be seen here, or null. Patterns are checked by the server. */
  #mistake() {
    const fields = this.areas.filter((area) => area.kind === "field");
    for (const area of fields) {
      if (NAME.test(area.name) && fields.filter((other) => other.name === area.name).length === 1) continue;
      this.rows.get(area).querySelector("input").focus();
      return area.name ? `${oneLine(area.name, 40)} is no name of a field, or stands twice; use small letters, digits and _.` : "A field needs a name.";
    }
    return null;
  }

  async #save() {
    const mistake = this.#mistake();
    if (mistake) return this.#say(mistake, "bad");
    const camera = this.camera;
    this.saveButton.disabled = true;
    this.#say("Saving…");
    try {
      const body = JSON.stringify({ version: this.described.version, ...stored(this.areas) });
      const headers = { "Content-Type": "application/json" };
      const response = await fetch(`api/areas/${encodeURIComponent(camera)}`, { method: "PUT", headers, body });
      if (!response.ok) throw new Error(await response.text());
      const answer = await response.json();
      this.described.version = answer.version;
      this.described.cameras[camera] = { ...stored(this.areas), problem: null };
      Object.assign(this, { awaited: answer.file_version, saved: Date.now() });
      this.#setDirty(false);
      this.#say(`Saved in ${this.described.file}. The run takes it over…`);
    } catch (error) {
      this.saveButton.disabled = false;
      this.#say(error.message, "bad");
    }
  }

  /** Update the picture, and show when the run uses what was saved. */
  async #poll() {
    clearTimeout(this.timer);
    if (!this.root.open || !this.camera) return;
    const camera = this.camera;
    try {
      const image = new Image();
      image.src = `api/preview/picture?${new URLSearchParams({ stream: camera, width: 1280, n: Date.now() })}`;
      await image.decode();
      if (camera === this.camera) {
        image.alt = "";
        this.image.replaceWith(image);
        this.image = image;
        this.canvas.setSize(image.naturalWidth, image.naturalHeight);
      }
      if (this.saved) this.#showUse((await (await fetch("api/preview/live")).json()).settings);
    } catch {
      // no picture yet, or the run has stopped; the connection shows that
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#poll(), POLL_MS);
  }

  #showUse({ version, mistake }) {
    const isRead = version === this.awaited;
    if (!isRead && Date.now() - this.saved < PATIENCE_MS) return;
    this.saved = 0;
    if (this.dirty) return;
    if (!isRead) this.#say("Saved, but the run has not taken it over; its log says why.", "bad");
    else if (mistake) this.#say(mistake, "bad");
    else this.#say(`Saved, and used by the run since ${formatTimeOfDay(Date.now() / 1000)}.`, "good");
  }

  /** Escape ends drawing first, and never discards changes. */
  #onEscape(event) {
    if (!this.canvas.tool && !this.dirty) return;
    event.preventDefault();
    if (this.canvas.tool) this.#use(null);
    else this.#say("There are changes: press Save, or Cancel to discard them.");
  }

  #setDirty(dirty) {
    this.dirty = dirty;
    this.saveButton.disabled = !dirty;
    this.select.disabled = dirty; // first save or cancel
    this.cancelButton.textContent = dirty ? "Cancel" : "Close";
    if (dirty) this.#say("");
  }

  #say(sentence, state = "") {
    this.status.textContent = sentence.trim();
    this.status.dataset.state = state;
  }
}

/** Return the areas of a camera as one list. */
function listed({ regions, masks, fields }) {
  const copy = (points) => points.map((point) => [...point]);
  return [
    ...regions.map((points) => ({ kind: "region", points: copy(points), name: "", pattern: "" })),
    ...masks.map((points) => ({ kind: "mask", points: copy(points), name: "", pattern: "" })),
    ...Object.entries(fields).map(([name, { region, pattern }]) => ({ kind: "field", points: copy(region), name, pattern: pattern ?? "" })),
  ];
}

/** Return a list of areas as the settings have them. */
function stored(areas) {
  const points = (kind) => areas.filter((area) => area.kind === kind).map((area) => area.points);
  const fields = areas.filter((area) => area.kind === "field").map((area) => [area.name, { region: area.points, ...(area.pattern && { pattern: area.pattern }) }]);
  return { regions: points("region"), masks: points("mask"), fields: Object.fromEntries(fields) };
}
