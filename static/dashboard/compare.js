// The comparison: one chart of all curves, asked for as the page names the runs.

import { get } from "./api.js";
import { draw } from "./draw.js";

const root = document.getElementById("compared");
const note = root.querySelector(".chart-note");

let figure = null;

async function load() {
  if (!root.dataset.runs) return;
  const query = new URLSearchParams({ runs: root.dataset.runs, ...(root.dataset.benchmark && { benchmark: root.dataset.benchmark }) });
  try {
    figure = (await get(`${root.dataset.address}?${query}`)).figures.compared;
    show();
  } catch (problem) {
    note.textContent = `The chart could not be loaded: ${problem.message}`;
  }
}

function show() {
  draw(root.querySelector("[data-chart]"), root.querySelector("[data-readout]"), figure);
  root.dataset.curves = figure.data.length;
}

export function start() {
  document.addEventListener("papertrade:theme", () => figure && show());
  load();
}
