// How the cameras of a run do, and their latest pictures. Nothing is asked for while nobody looks.

const EVERY_MS = 1000;
const LATER_MS = 5000; // where no run answers

export class Live {
  /** onState(state): as of /api/shown/live, or null where no run answers; onPicture(name): another one is shown. */
  constructor({ onState, onPicture }) {
    Object.assign(this, { onState, onPicture });
    this.tiles = new Map();
    this.inSight = new Set();
    this.sight = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) this.inSight[isIntersecting ? "add" : "delete"](target);
    });
    document.addEventListener("visibilitychange", () => document.hidden || this.#ask());
    this.#ask();
  }

  /** Keeps the picture of a tile up to date while it is in sight. */
  watch(name, tile) {
    this.tiles.set(name, tile);
    this.sight.observe(tile.frame);
  }

  leave(name, tile) {
    this.tiles.delete(name);
    this.inSight.delete(tile.frame);
    this.sight.unobserve(tile.frame);
  }

  forget() {
    this.sight.disconnect();
    this.tiles.clear();
    this.inSight.clear();
  }

  async #ask() {
    clearTimeout(this.timer);
    if (document.hidden) return;
    let state = null;
    try {
      const answer = await fetch("api/shown/live");
      if (answer.ok) state = await answer.json();
    } catch {
      // the server is gone; the connection says so
    }
    this.onState(state);
    for (const [name, tile] of state ? this.tiles : []) this.#show(name, tile, state.cameras[name]);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#ask(), state ? untilNext() : LATER_MS);
  }

  async #show(name, tile, camera) {
    if (!camera) return;
    if (tile.told?.places_s !== camera.places_s) {
      tile.motion = motion(tile.told, camera);
      tile.told = camera;
    }
    const places = new Map(camera.places.map(([track, flat]) => [track, ahead(flat, tile.motion.get(track), camera.ahead_s)]));
    if (camera.picture && camera.picture !== tile.number && this.inSight.has(tile.frame) && !tile.loading) {
      tile.loading = true;
      const width = Math.ceil(tile.frame.clientWidth * devicePixelRatio);
      const picture = new Image();
      picture.alt = "";
      picture.src = `api/shown/picture?${new URLSearchParams({ stream: name, width, n: camera.picture })}`;
      try {
        await picture.decode();
        tile.picture.replaceWith(picture);
        tile.picture = picture;
        tile.number = camera.picture;
      } catch {
        // there is none yet, or the run is gone
      }
      tile.loading = false;
    }
    tile.places = places;
    this.onPicture(name);
  }
}

/** Milliseconds to the next second of the clock: who asks when all ask gets the picture that is made for all. */
function untilNext() {
  const left = EVERY_MS - (Date.now() % EVERY_MS);
  return left < EVERY_MS / 5 ? left + EVERY_MS : left;
}

/** How fast texts move, [x, y] in pixels a second by track, since they were told of before. */
function motion(before, now) {
  const known = new Map(before?.places);
  const seconds = now.places_s - (before?.places_s ?? 0);
  const speed = (old, flat, axis) => [0, 2, 4, 6].reduce((sum, n) => sum + flat[n + axis] - old[n + axis], 0) / 4 / seconds;
  const moving = now.places.filter(([track]) => known.has(track) && seconds > 0);
  return new Map(moving.map(([track, flat]) => [track, [0, 1].map((axis) => speed(known.get(track), flat, axis))]));
}

/** The corners of a text in a picture that is so much newer than its place. */
function ahead(flat, [x, y] = [0, 0], seconds = 0) {
  return [0, 2, 4, 6].map((n) => [flat[n] + x * seconds, flat[n + 1] + y * seconds]);
}
