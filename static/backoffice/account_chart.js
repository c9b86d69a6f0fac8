// Equity and drawdown of one generation: the figures in the page, drawn as the dashboard draws them.

import { draw } from "../dashboard/draw.js";

const { figures, points } = JSON.parse(document.getElementById("chart-data").textContent);
const theme = document.documentElement;

function show() {
  for (const place of document.querySelectorAll("[data-chart]")) {
    const name = place.dataset.chart;
    draw(place, document.querySelector(`[data-readout=${name}]`), figures[name]);
    place.dataset.points = points;
  }
}

show();
new MutationObserver(show).observe(theme, { attributes: true, attributeFilter: ["data-theme"] });
