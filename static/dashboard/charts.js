// The charts of an account: asks the server for the figures of what is chosen, draws them, and asks again when there is news.

import { get } from "./api.js";
import { draw } from "./draw.js";

const MARKS_MOVE_MS = 60_000; // so often the curves follow marks; a fill shows at once

const root = document.getElementById("charts");
const form = root.querySelector("form");
const note = root.querySelector(".chart-note");

let loading = null;
let drawnVersion = "";
let drawnAt = 0;
let charts = null;

const version = () => document.getElementById("account").dataset.version;

// What is chosen, as the page's address says it: defaults are left out.
function chosen() {
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value && value !== "all"));
  query.delete("generation");
  return query;
}

async function load() {
  root.hidden = Boolean(document.querySelector("#first-steps > *"));
  if (root.hidden) return;
  loading?.abort();
  loading = new AbortController();
  const wanted = version();
  const query = chosen();
  query.set("generation", root.dataset.generation);
  try {
    charts = await get(`${root.dataset.address}?${query}`, { signal: loading.signal });
    drawnVersion = wanted;
    drawnAt = performance.now();
    show();
  } catch (problem) {
    if (problem.name !== "AbortError") note.textContent = `The charts could not be loaded: ${problem.message}`;
  }
}

function show() {
  for (const [name, figure] of Object.entries(charts.figures)) {
    draw(root.querySelector(`[data-chart=${name}]`), root.querySelector(`[data-readout=${name}]`), figure);
  }
  note.textContent = charts.notes.join(" ");
  root.dataset.points = charts.points;
  root.dataset.fillCount = charts.marks;
  root.dataset.last = charts.last;
}

function choose() {
  const query = chosen();
  const generation = form.elements.generation?.value;
  if (generation) query.set("generation", generation);
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  load();
}

export function start() {
  form.addEventListener("change", choose);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    choose();
  });
  document.addEventListener("papertrade:theme", () => charts && show());
  document.addEventListener("papertrade:refreshed", () => {
    const eventsMoved = version().split(".")[0] !== drawnVersion.split(".")[0];
    if (eventsMoved || (version() !== drawnVersion && performance.now() - drawnAt > MARKS_MOVE_MS)) load();
  });
  load();
}
