// Equity and drawdown of one generation, from the numbers in the page. Points stand side by side: nights and weekends, in
// which nothing is traded, take no room.

const data = JSON.parse(document.getElementById("chart-data").textContent);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function draw(id, name, values, line, more) {
  const quiet = { gridcolor: colour("--hairline-color"), linecolor: colour("--hairline-color"), fixedrange: true };
  const layout = {
    margin: { l: 80, r: 70, t: 8, b: 28 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { size: 11, color: colour("--body-quiet-color") },
    hovermode: "x",
    xaxis: { ...quiet, type: "category", nticks: 6, tickangle: 0, showgrid: false, automargin: true },
    yaxis: { ...quiet, tickformat: ",", nticks: 5, ...more },
  };
  const trace = { type: "scatter", mode: data.at.length > 1 ? "lines" : "markers", name, x: data.at, y: values, line: { width: 1.6, color: line }, ...(more && { fill: "tozeroy" }) };
  window.Plotly.newPlot(id, [trace], layout, { displayModeBar: false, responsive: true });
}

draw("equity-chart", "equity", data.equity, "#2a7fb8");
draw("drawdown-chart", "drawdown", data.drawdown, "#c0392b", { ticksuffix: "%" });
document.getElementById("equity-chart").dataset.points = data.at.length;
