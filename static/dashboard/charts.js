// The charts of an account, drawn by Plotly from portfolio/history/ and fills/. Points stand side by side: nights and
// weekends, in which nothing is traded, take no room.

import { getAll } from "./api.js";
import { colour } from "./theme.js";

const PAGE_LIMIT = 1000;
const HISTORY_PAGES = 3;
const FILL_PAGES = 1;
const TICKS_WIDE = 7;
const TICKS_NARROW = 4;
const NARROW_PX = 520;
const EDGE_SHARE = 0.02; // of the points: room for the marks at both ends
const MINUTE_MS = 60_000;
const SPAN_OF_DAYS_MS = 30 * 3_600_000;

const root = document.getElementById("charts");
const note = root.querySelector(".chart-note");
const stamp = new Intl.DateTimeFormat("en-US", { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const dayStamp = new Intl.DateTimeFormat("en-US", { month: "short", day: "numeric" });
const timeStamp = new Intl.DateTimeFormat("en-US", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

let loading = null;
let drawnVersion = "";
let drawnAt = 0;
let data = null;

const numbers = (points, name) => points.map((point) => Number(point[name]));
const version = () => document.getElementById("account").dataset.version;

function address(base, extra) {
  return `${base}?${new URLSearchParams({ generation: root.dataset.generation, limit: PAGE_LIMIT, ...extra })}`;
}

async function load() {
  loading?.abort();
  loading = new AbortController();
  const { signal } = loading;
  const period = root.querySelector("[name=period]:checked").value;
  const timeframe = root.querySelector("[name=timeframe]").value;
  const wanted = version();
  try {
    const points = await getAll(address(root.dataset.history, { period, ...(timeframe && { timeframe }) }), { pages: HISTORY_PAGES, signal });
    const after = points.length ? { after: new Date(Date.parse(points[0].timestamp) - MINUTE_MS).toISOString() } : {};
    const fills = await getAll(address(root.dataset.fills, after), { pages: FILL_PAGES, signal });
    data = { points, fills };
    drawnVersion = wanted;
    drawnAt = performance.now();
    draw();
  } catch (problem) {
    if (problem.name !== "AbortError") note.textContent = `The charts could not be loaded: ${problem.message}`;
  }
}

function draw() {
  const { points, fills } = data;
  note.textContent = points.length < 2 ? "The charts fill as the account trades." : "";
  const times = points.map((point) => Date.parse(point.timestamp));
  const axis = timeAxis(times);
  const x = times.map((_, number) => number);
  const label = times.map((at) => stamp.format(at));
  const line = (name, values, token, more) => ({ type: "scatter", mode: "lines", name, x, y: values, text: label, hovertemplate: "%{y:,.2f}", line: { color: colour(token), width: 1.8 }, ...more });
  const filled = (token) => ({ fill: "tozeroy", fillcolor: faint(token) });
  plot("equity", [line("equity", numbers(points, "equity"), "accent"), ...fillMarks(fills, times, numbers(points, "equity"))], axis);
  plot("parts", [line("cash", numbers(points, "cash"), "accent"), line("market value", numbers(points, "market_value"), "violet")], axis);
  plot("pl", [line("realized", numbers(points, "realized_pl"), "accent"), line("unrealized", numbers(points, "unrealized_pl"), "violet")], axis);
  plot("drawdown", [line("drawdown", numbers(points, "drawdown").map((share) => -100 * share), "down", { ...filled("down"), hovertemplate: "%{y:.2f}%" })], axis, { ticksuffix: "%" });
  root.dataset.points = points.length;
  root.dataset.fillCount = fills.length;
  root.dataset.last = points.at(-1)?.equity ?? "";
}

const faint = (token) => colour(token).replace("rgb(", "rgba(").replace(")", ", 0.15)");

// A mark for each fill, on the point of its time.
function fillMarks(fills, times, equity) {
  const marks = (side, symbol, token) => {
    const rows = fills.filter((fill) => fill.side === side).map((fill) => ({ fill, at: placeOf(Date.parse(fill.created_at), times) }));
    return {
      type: "scatter", mode: "markers", name: side, x: rows.map(({ at }) => at), y: rows.map(({ at }) => equity[at]),
      text: rows.map(({ fill }) => `${side} ${Number(fill.qty)} ${fill.symbol} at ${Number(fill.price)}`), hovertemplate: "%{text}",
      marker: { symbol, size: 9, color: colour(token), line: { width: 1, color: colour("surface") } },
    };
  };
  return times.length ? [marks("buy", "triangle-up", "up"), marks("sell", "triangle-down", "down")] : [];
}

// The first point that is not earlier.
function placeOf(at, times) {
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

function timeAxis(times) {
  const overDays = times.length > 1 && times.at(-1) - times[0] > SPAN_OF_DAYS_MS;
  const format = overDays ? dayStamp : timeStamp;
  // Over several days a tick stands where a day begins, so that none is named twice.
  const begins = (number) => !overDays || !number || dayStamp.format(times[number]) !== dayStamp.format(times[number - 1]);
  const places = evenly([...times.keys()].filter(begins), root.clientWidth < NARROW_PX ? TICKS_NARROW : TICKS_WIDE);
  const edge = Math.max(0.5, EDGE_SHARE * times.length);
  return { range: [-edge, times.length - 1 + edge], tickvals: places, ticktext: places.map((place) => format.format(times[place])) };
}

// At most so many of the values, the first and the last among them.
function evenly(values, most) {
  const count = Math.min(values.length, most);
  return Array.from({ length: count }, (_, number) => values[Math.round((number * (values.length - 1)) / Math.max(1, count - 1))]);
}

function plot(name, traces, axis, more = {}) {
  const grid = colour("grid");
  const common = { gridcolor: grid, zerolinecolor: colour("line-strong"), linecolor: grid, fixedrange: true, automargin: false };
  const layout = {
    margin: { l: 62, r: 12, t: 8, b: 26 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    showlegend: false,
    hovermode: "x unified",
    font: { family: getComputedStyle(document.body).fontFamily, size: 11.5, color: colour("quiet") },
    hoverlabel: { bgcolor: colour("raised"), bordercolor: colour("line-strong"), font: { color: colour("text") } },
    xaxis: { ...common, ...axis, showgrid: false, zeroline: false, unifiedhovertitle: { text: "%{text}" } },
    yaxis: { ...common, tickformat: ",", nticks: 6, ...more },
  };
  window.Plotly.react(root.querySelector(`[data-chart=${name}]`), traces, layout, { displayModeBar: false, responsive: true });
}

export function start() {
  root.addEventListener("change", load);
  document.addEventListener("papertrade:theme", () => data && draw());
  document.addEventListener("papertrade:refreshed", () => {
    const fillsMoved = version().split(".")[0] !== drawnVersion.split(".")[0];
    if (fillsMoved || (version() !== drawnVersion && performance.now() - drawnAt > MINUTE_MS)) load();
  });
  load();
}
