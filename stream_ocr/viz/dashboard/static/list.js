// A list of any length: only the rows in sight are in the document.

export class List {
  /** make(): a row as an element; show(row, item): fills it; choose(item): it was clicked. */
  constructor(box, { height, make, show, choose, newestFirst }) {
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
      if (row) choose(row.item);
    });
  }

  /** Shows these; where new ones come in above, what is read stays where it is. */
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

  /** Brings an item into sight. */
  reveal(item) {
    const index = this.items.indexOf(item);
    if (index < 0) return;
    const top = this.#place(index) * this.height;
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

  #place(index) {
    return this.newestFirst ? this.items.length - 1 - index : index;
  }

  #draw() {
    const first = Math.max(Math.floor(this.box.scrollTop / this.height) - 4, 0);
    const last = Math.min(Math.ceil((this.box.scrollTop + this.box.clientHeight) / this.height) + 4, this.items.length);
    const wanted = new Set();
    for (let place = first; place < last; place++) wanted.add(this.items[this.#place(place)]);
    for (const [item, row] of this.rows) {
      if (wanted.has(item)) continue;
      this.rows.delete(item);
      row.hidden = true;
      this.spare.push(row);
    }
    for (let place = first; place < last; place++) {
      const item = this.items[this.#place(place)];
      let row = this.rows.get(item);
      if (!row) {
        row = this.spare.pop() ?? this.body.appendChild(this.make());
        row.hidden = false;
        row.item = item;
        this.rows.set(item, row);
      }
      row.style.transform = `translateY(${place * this.height}px)`;
      row.ariaPosInSet = String(place + 1);
      row.ariaSetSize = String(this.items.length);
      this.show(row, item);
    }
  }
}
