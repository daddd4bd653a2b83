// Shows the state of a fleet: its hosts, and the cameras that have none.

import { element, isolated, oneLine } from "./format.js";
import { showItems } from "./health.js";

const SILENT_S = 3; // a host reports once a second

/** Show the status of a fleet (see /api/preview/live): figures in `health`, hosts in the table of `details`. */
export function showFleet(health, details, { cameras, events, fleet }) {
  const all = Object.values(cameras);
  const count = (state) => all.filter((camera) => camera.state === state).length;
  const hosts = fleet?.hosts ?? [];
  const silent = hosts.filter((host) => host.age_s > SILENT_S).length;
  const sum = (key) => hosts.reduce((total, host) => total + host[key], 0).toFixed(0);
  const items = events.trouble ? [["events", "NATS is unavailable", true, oneLine(events.trouble)]] : [];
  if (fleet) {
    const rate = all.reduce((total, camera) => total + camera.fps, 0);
    items.push(
      ["hosts", silent ? `${hosts.length}, ${silent} silent` : `${hosts.length}`, silent > 0 || !hosts.length],
      ["cameras", `${count("up")} of ${all.length} up`, count("up") < all.length],
      ["waiting", `${count("waiting")}`, false, "Another host may still read them"],
      ["unassigned", `${count("unassigned")}`, count("unassigned") > 0, "No host has room and the tags for them"],
      ["frames", `${rate.toFixed(0)} /s`],
      ["capacity", `${sum("used_fps")} of ${sum("fps")} fps used`],
      ["moves", `${fleet.moves}`],
    );
    if (fleet.silent_s) items.push(["controller", `silent for ${fleet.silent_s.toFixed(0)} s`, true, oneLine(fleet.reason ?? "")]);
    else if (fleet.waiting) items.push(["controller", "has just started"]);
    if (fleet.mistake) items.push(["settings", "not used", true, oneLine(fleet.mistake)]);
  }
  showItems(health, items);
  details.hidden = !fleet;
  details.querySelector("tbody").replaceChildren(...hosts.map(row));
}

function row(host) {
  const cells = [`${host.cameras}`, host.used_fps.toFixed(0), host.fps.toFixed(0), host.tags.toSorted().join(" "), `${host.age_s.toFixed(1)} s ago`];
  return element(
    "tr",
    { className: host.age_s > SILENT_S ? "bad" : "" },
    isolated(oneLine(host.name, 60), "th"),
    ...cells.map((textContent) => element("td", { textContent })),
  );
}
