// Draws the figures that papertrade/reports/figures.py makes: puts in the theme's colours, the ticks that the width has room
// for, and a line of words for what the pointer is over, at rest the latest values. Needs window.Plotly.

const NARROW_PX = 430;
const MARK_PX = 7; // as far as a mark reaches to either side of its place
const MOST_MARKS_SAID = 3;
const TOKEN = /^token:([a-z-]+)(?:\/([\d.]+))?$/;

const money = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2, signDisplay: "negative" }); // no minus before 0.00

// The value that a colour token has at a place in the page, as rgb() or rgba().
function colour(place, token, share) {
  const probe = document.createElement("span");
  probe.style.color = `var(--${token})`;
  place.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return share ? value.replace("rgb(", "rgba(").replace(")", `, ${share})`) : value;
}

function coloured(node, place, known = new Map()) {
  if (typeof node === "string") {
    const match = TOKEN.exec(node);
    if (!match) return node;
    if (!known.has(node)) known.set(node, colour(place, match[1], match[2]));
    return known.get(node);
  }
  if (Array.isArray(node)) return typeof node[0] === "object" ? node.map((item) => coloured(item, place, known)) : node;
  if (node && typeof node === "object") return Object.fromEntries(Object.entries(node).map(([name, value]) => [name, coloured(value, place, known)]));
  return node;
}

// Draw a figure into an element; `readout` is the element that says its values.
export function draw(place, readout, figure) {
  const { data, layout } = coloured(figure, place.parentElement);
  const ticks = layout.meta.ticks[place.clientWidth < NARROW_PX ? "narrow" : "wide"];
  layout.xaxis = { ...layout.xaxis, tickvals: ticks.map(([at]) => at), ticktext: ticks.map(([, label]) => label) };
  layout.font = { ...layout.font, family: getComputedStyle(document.body).fontFamily };
  window.Plotly.react(place, data, layout, { displayModeBar: false, responsive: true });
  const rest = () => say(readout, data, layout, data.filter(isCurve).map((trace, curve) => ({ trace, curve, point: trace.x.length - 1 })));
  place.removeAllListeners?.("plotly_hover");
  place.removeAllListeners?.("plotly_unhover");
  place.on("plotly_hover", ({ points }) => say(readout, data, layout, hovered(points, data, layout, place)));
  place.on("plotly_unhover", rest);
  rest();
}

const isCurve = (trace) => !trace.text;

// The curves in their order at the pointer, and the marks that lie there: Plotly gives the nearest of each kind, however far.
function hovered(points, data, layout, place) {
  const curves = points.filter(({ curveNumber }) => isCurve(data[curveNumber])).sort((one, other) => one.curveNumber - other.curveNumber);
  const at = (curves[0] ?? points[0]).x;
  const [from, to] = layout.xaxis.range;
  const near = (MARK_PX * (to - from)) / place.clientWidth;
  const marks = data.filter((trace) => !isCurve(trace)).flatMap((trace) => trace.x.flatMap((x, point) => (Math.abs(x - at) <= near ? [{ trace, point }] : [])));
  return [...curves.map(({ curveNumber, pointNumber }) => ({ trace: data[curveNumber], point: pointNumber })), ...marks.slice(0, MOST_MARKS_SAID)];
}

function say(readout, data, layout, points) {
  if (!readout || !points.length) return;
  const curves = points.filter(({ trace }) => isCurve(trace));
  const marks = points.filter(({ trace }) => !isCurve(trace));
  const first = points.find(({ trace }) => trace.customdata);
  const parts = first ? [word("time", first.trace.customdata[first.point])] : [];
  for (const { trace, point } of curves) parts.push(keyed(trace.line.color, `${trace.name} ${value(trace.y[point], layout.meta.suffix)}`));
  const time = first?.trace.customdata[first.point];
  for (const { trace, point } of marks) {
    const when = trace.customdata[point];
    parts.push(keyed(trace.marker.color, when === time ? trace.text[point] : `${when}: ${trace.text[point]}`));
  }
  readout.replaceChildren(...parts);
}

const value = (number, suffix) => money.format(number).replace("-", "\u2212") + suffix;
const word = (name, text) => Object.assign(document.createElement("span"), { className: name, textContent: text });

function keyed(paint, text) {
  const item = word("key", text);
  item.style.setProperty("--key", paint);
  return item;
}
