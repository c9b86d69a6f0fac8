// The chart of a symbol, drawn anew when the page has news.

import { get } from "./api.js";
import { draw } from "./draw.js";

const AGAIN_MS = 60_000;

const root = document.getElementById("priced");
const note = root.querySelector(".chart-note");

let figure = null;
let drawnAt = 0;

async function load() {
  drawnAt = performance.now();
  try {
    const { figures, notes } = await get(root.dataset.address);
    note.textContent = notes.join(" ");
    figure = figures.price ?? null;
    if (figure) show();
  } catch (problem) {
    note.textContent = `The chart could not be loaded: ${problem.message}`;
  }
}

function show() {
  draw(root.querySelector("[data-chart]"), root.querySelector("[data-readout]"), figure);
  root.dataset.points = figure.data[0].x.length;
}

export function start() {
  document.addEventListener("papertrade:theme", () => figure && show());
  document.addEventListener("papertrade:refreshed", () => performance.now() - drawnAt > AGAIN_MS && load());
  load();
}
