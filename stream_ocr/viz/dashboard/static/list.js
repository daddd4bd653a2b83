// A virtual list: only visible rows are in the document.

export class List {
  /** make() creates a row element; show(row, item) fills it; onSelect(item) is called on a click. */
  constructor(box, { height, make, show, onSelect, newestFirst }) {
    this.box = box;
    this.body = box.firstElementChild;
    this.height = height;
    this.make = make;
    this.show = show;
    this.newestFirst = newestFirst;
    this.items = [];
    this.rows = new Map();
    this.spare = [];
    this.due = false;
    this.box.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(box);
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("li");
      if (row) onSelect(row.item);
    });
  }

  /** Replace the items; rows in view keep their position when new ones are inserted above. */
  set(items) {
    const added = items.length - this.items.length;
    const keep = this.newestFirst && this.box.scrollTop > this.height && added > 0 && this.items[0] === items[0];
    const end = !this.newestFirst && this.box.scrollTop + this.box.clientHeight > this.body.offsetHeight - this.height;
    this.items = items;
    this.body.style.height = `${items.length * this.height}px`;
    if (keep) this.box.scrollTop += added * this.height;
    else if (end && this.stick) this.box.scrollTop = this.body.offsetHeight;
    this.draw();
  }

  /** Scroll an item into view. */
  reveal(item) {
    const index = this.items.indexOf(item);
    if (index < 0) return;
    const top = this.#position(index) * this.height;
    const room = this.box.clientHeight - this.height;
    if (top < this.box.scrollTop || top > this.box.scrollTop + room) this.box.scrollTop = Math.max(top - room / 2, 0);
    this.draw();
  }

  draw() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.#draw();
    });
  }

  #position(index) {
    return this.newestFirst ? this.items.length - 1 - index : index;
  }

  #draw() {
    const first = Math.max(Math.floor(this.box.scrollTop / this.height) - 4, 0);
    const last = Math.min(Math.ceil((this.box.scrollTop + this.box.clientHeight) / this.height) + 4, this.items.length);
    const wanted = new Set();
    for (let position = first; position < last; position++) wanted.add(this.items[this.#position(position)]);
    for (const [item, row] of this.rows) {
      if (wanted.has(item)) continue;
      this.rows.delete(item);
      row.hidden = true;
      this.spare.push(row);
    }
    for (let position = first; position < last; position++) {
      const item = this.items[this.#position(position)];
      let row = this.rows.get(item);
      if (!row) {
        row = this.spare.pop() ?? this.body.appendChild(this.make());
        row.hidden = false;
        row.item = item;
        this.rows.set(item, row);
      }
      row.style.transform = `translateY(${position * this.height}px)`;
      row.ariaPosInSet = String(position + 1);
      row.ariaSetSize = String(this.items.length);
      this.show(row, item);
    }
  }
}
