// Polls the status and latest images of the cameras of a run, only while the page is visible.

const POLL_MS = 1000;
const RETRY_MS = 5000; // while no run answers
const IMAGE_MS = 5000; // a host that is gone may not even refuse a connection

export class Preview {
  /** onState(state) gets the response of /api/preview/live, or null if no run answers; onImage(name) follows a new image. */
  constructor({ onState, onImage }) {
    Object.assign(this, { onState, onImage });
    this.tiles = new Map();
    this.visible = new Set();
    this.observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) this.visible[isIntersecting ? "add" : "delete"](target);
    });
    document.addEventListener("visibilitychange", () => document.hidden || this.#poll());
    this.#poll();
  }

  /** Keep the image of a tile up to date while the tile is visible. */
  watch(name, tile) {
    this.tiles.set(name, tile);
    this.observer.observe(tile.frame);
  }

  unwatch(name, tile) {
    this.tiles.delete(name);
    this.visible.delete(tile.frame);
    this.observer.unobserve(tile.frame);
  }

  clear() {
    this.observer.disconnect();
    this.tiles.clear();
    this.visible.clear();
  }

  async #poll() {
    clearTimeout(this.timer);
    if (document.hidden) return;
    let state = null;
    try {
      const response = await fetch("api/preview/live");
      if (response.ok) state = await response.json();
    } catch {
      // the server is down; the connection shows that
    }
    this.onState(state);
    for (const [name, tile] of state ? this.tiles : []) this.#update(name, tile, state.cameras[name]);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#poll(), state ? untilNext() : RETRY_MS);
  }

  async #update(name, tile, camera) {
    if (!camera) return;
    if (tile.lastStatus?.positions_s !== camera.positions_s) {
      tile.velocities = velocities(tile.lastStatus, camera);
      tile.lastStatus = camera;
    }
    const polygons = new Map(camera.positions.map(([track, flat]) => [track, extrapolate(flat, tile.velocities.get(track), camera.lead_s)]));
    if (camera.frame_number && camera.frame_number !== tile.number && this.visible.has(tile.frame) && !tile.loading) {
      tile.loading = true;
      const width = Math.ceil(tile.frame.clientWidth * devicePixelRatio);
      const image = new Image();
      image.alt = "";
      image.src = `api/preview/picture?${new URLSearchParams({ stream: name, width, n: camera.frame_number })}`;
      const timer = setTimeout(() => image.removeAttribute("src"), IMAGE_MS);
      try {
        await image.decode();
        tile.image.replaceWith(image);
        tile.image = image;
        tile.number = camera.frame_number;
      } catch {
        // no image yet, or the run has stopped
      }
      clearTimeout(timer);
      tile.loading = false;
    }
    tile.polygons = polygons;
    this.onImage(name);
  }
}

/** Milliseconds to the next full second: viewers that poll at the same time share one encoded image. */
function untilNext() {
  const left = POLL_MS - (Date.now() % POLL_MS);
  return left < POLL_MS / 5 ? left + POLL_MS : left;
}

/** Return the velocity of texts by track, [x, y] in pixels per second, between two status messages. */
function velocities(before, now) {
  const known = new Map(before?.positions);
  const seconds = now.positions_s - (before?.positions_s ?? 0);
  const mean = (old, flat, axis) => [0, 2, 4, 6].reduce((sum, n) => sum + flat[n + axis] - old[n + axis], 0) / 4 / seconds;
  const tracked = now.positions.filter(([track]) => known.has(track) && seconds > 0);
  return new Map(tracked.map(([track, flat]) => [track, [0, 1].map((axis) => mean(known.get(track), flat, axis))]));
}

/** Return the corners of a text, moved to an image that is `seconds` newer than its position. */
function extrapolate(flat, [x, y] = [0, 0], seconds = 0) {
  return [0, 2, 4, 6].map((n) => [flat[n] + x * seconds, flat[n + 1] + y * seconds]);
}
