// Shows the health of a run: cameras, rates, restarts.

import { element } from "./format.js";

/** Show figures in `root`: [name, value, is bad, explanation]. Hide it if there are none. */
export function showItems(root, items) {
  root.hidden = !items.length;
  root.replaceChildren(
    ...items.map(([name, value, bad, title = ""]) =>
      element("div", { title, className: bad ? "bad" : "" }, element("dt", { textContent: name }), element("dd", { textContent: value })),
    ),
  );
}

/** Show the status of a run (see /api/preview/live) in `root`; hide it if `status` is null. */
export function showHealth(root, status) {
  if (!status) return showItems(root, []);
  const cameras = Object.values(status.cameras);
  const stages = Object.values(status.stages);
  const sum = (key) => cameras.reduce((total, camera) => total + camera[key], 0);
  const share = (part, whole) => (sum(whole) ? `${((100 * sum(part)) / sum(whole)).toFixed(1)} %` : "–");
  const up = cameras.filter((camera) => camera.state === "up").length;
  const batch = status.stages.detect?.batch;
  const restarts = stages.reduce((total, stage) => total + stage.restarts, 0);
  const items = [
    ["cameras", `${up} of ${cameras.length} up`, up < cameras.length],
    ["frames", `${sum("fps").toFixed(0)} /s`],
    ["dropped", sum("dropped").toLocaleString("en"), sum("dropped") > 0],
    ["detected", share("detector_frames", "frames"), false, "Share of frames that the detector ran on"],
    ["read", share("crops_read", "boxes"), false, "Share of detected text boxes that were read"],
    ["batch", batch ? batch.toFixed(1) : "–", false, "Mean number of frames in a batch of the detector"],
    ["restarts", `${restarts}`, restarts > 0 || stages.some((stage) => !stage.up)],
  ];
  showItems(root, items);
}
