// Figures: from data and a choice to a Plotly drawing. Colours come from the style sheet, so dark mode is decided there.

const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "6px 2px 2px 2px", "2px 6px"];
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon"];
const SVG_SHAPES = {
  circle: "M0,-5a5,5 0 1,0 .01,0Z", square: "M-4.5,-4.5h9v9h-9Z", diamond: "M0,-6L6,0L0,6L-6,0Z",
  "triangle-up": "M0,-6L6,5H-6Z", cross: "M-2,-6h4v4h4v4h-4v4h-4v-4h-4v-4h4Z", x: "M-5,-3L-3,-5L0,-2L3,-5L5,-3L2,0L5,3L3,5L0,2L-3,5L-5,3L-2,0Z",
  star: "M0,-6L1.8,-1.8L6,-1.8L2.6,1L4,6L0,3L-4,6L-2.6,1L-6,-1.8L-1.8,-1.8Z", hexagon: "M-6,0L-3,-5H3L6,0L3,5H-3Z",
};
const CONFIG = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: "reset" };

function theme() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue("--" + name).trim();
  return {
    ink: read("ink"), muted: read("muted"), rule: read("rule"), paper: read("paper"), sans: read("sans"),
    colours: [1, 2, 3, 4, 5, 6, 7, 8].map((i) => read("c" + i)),
  };
}

function axis(look, title, more) {
  return {
    title: { text: title, font: { size: 13 }, standoff: 8 }, color: look.muted, gridcolor: look.rule, linecolor: look.muted,
    zeroline: false, showline: true, ticks: "outside", ticklen: 4, automargin: true, ...more,
  };
}

function layout(look, x, y, more) {
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: { l: 56, r: 26, t: 12, b: 48 },
    font: { family: look.sans, size: 12, color: look.ink }, xaxis: x, yaxis: y, hovermode: "closest",
    hoverlabel: { bgcolor: look.paper, bordercolor: look.muted, font: { color: look.ink, family: look.sans } },
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom", showlegend: false, ...more,
  };
}

function logTicks(least) {
  const values = [];
  for (let e = Math.ceil(Math.log10(least) - 1e-9); e <= 0; e++) values.push(Math.pow(10, e));
  return { tickvals: values, ticktext: values.map((v) => Number((100 * v).toPrecision(1)) + " %") };
}

// Ticks at 1, 2 and 5 of each decade.
function roundTicks(values) {
  const least = Math.min(...values) / 2, most = Math.max(...values) * 2, ticks = [];
  for (let e = Math.floor(Math.log10(least)); e <= Math.log10(most); e++) ticks.push(...[1, 2, 5].map((d) => d * Math.pow(10, e)));
  return { tickvals: ticks, ticktext: ticks.map((v) => v.toLocaleString("en-GB")) };
}

function faint(colour) {
  const n = parseInt(colour.slice(1), 16);
  return `rgba(${n >> 16},${(n >> 8) & 255},${n & 255},0.14)`;
}

function drawRoc(host, shown) {
  const look = theme();
  const floor = Math.min(...shown.map((s) => 0.5 / s.curve.members)), left = Math.min(...shown.map((s) => 1 / s.curve.nonmembers));
  const traces = [];
  shown.forEach(({ curve: c, title }, i) => {
    const colour = look.colours[i % 8];
    const x = c.allowed.map((k) => k / c.nonmembers), clip = (v) => Math.max(v, floor);
    const band = { x, mode: "lines", line: { width: 0, shape: "hv" }, hoverinfo: "skip", showlegend: false };
    traces.push({ ...band, y: c.low.map(clip) }, { ...band, y: c.high.map(clip), fill: "tonexty", fillcolor: faint(colour) });
    traces.push({
      x, y: c.tp.map((n) => (n ? n / c.members : null)), name: escapeText(title), mode: "lines", meta: "curve",
      line: { color: colour, width: 2, dash: DASHES[i % 8], shape: "hv" },
      hovertemplate: "FPR %{x:.2%}, TPR %{y:.2%}<extra>%{fullData.name}</extra>",
    });
  });
  traces.push({
    x: [left, 1], y: [left, 1], mode: "lines", line: { color: look.muted, width: 1, dash: "4px 4px" }, hoverinfo: "skip", showlegend: false,
  });
  const x = axis(look, "False positive rate", { type: "log", range: [Math.log10(left), 0.01], ...logTicks(left) });
  const y = axis(look, "True positive rate", { type: "log", range: [Math.log10(floor), 0.02], ...logTicks(floor) });
  const legend = { orientation: "h", y: -0.2, yanchor: "top", x: 0, itemclick: false, itemdoubleclick: false, itemwidth: 40, traceorder: "normal" };
  Plotly.react(host, traces, layout(look, x, y, { showlegend: true, legend }), CONFIG);
}

// points: [{x, y, low, high, name, colour, symbol, front}]
function drawTradeoff(host, points, title, more) {
  const look = theme();
  const marks = points.map((p) => ({
    x: [p.x], y: [p.y], mode: "markers", name: escapeText(p.name),
    error_y: { type: "data", symmetric: false, array: [p.high - p.y], arrayminus: [p.y - p.low], color: look.colours[p.colour % 8], thickness: 1, width: 0 },
    marker: { size: 11, symbol: SYMBOLS[p.symbol % 8] + (p.front ? "" : "-open"), color: look.colours[p.colour % 8], line: { width: 1.6, color: look.colours[p.colour % 8] } },
    hovertemplate: "%{fullData.name}<br>AUC %{y:.3f}, " + title.toLowerCase() + " %{x}<extra></extra>",
  }));
  const front = points.filter((p) => p.front).sort((a, b) => a.x - b.x);
  const line = {
    x: front.map((p) => p.x), y: front.map((p) => p.y), mode: "lines", hoverinfo: "skip", meta: "front",
    line: { color: look.muted, width: 1, dash: "dot" },
  };
  const y = axis(look, "AUC", { tickformat: ".2f" });
  Plotly.react(host, [line, ...marks], layout(look, axis(look, title, more), y), CONFIG);
}

// found: [{name, accuracy: [value, low, high], auc: [value, low, high]}]
function drawModels(host, found) {
  const look = theme(), colour = look.colours[0];
  const bars = (values) => ({
    type: "data", symmetric: false, array: values.map(([v, , high]) => high - v), arrayminus: values.map(([v, low]) => v - low),
    color: faint(colour).replace("0.14", "0.45"), thickness: 1, width: 0,
  });
  const [x, y] = ["accuracy", "auc"].map((name) => found.map((m) => m[name]));
  const marks = {
    x: x.map(([v]) => v), y: y.map(([v]) => v), error_x: bars(x), error_y: bars(y), mode: "markers+text",
    text: found.map((m) => escapeText(m.name)), textposition: "top right", textfont: { size: 11, color: look.ink },
    marker: { color: colour, size: 9 }, hovertemplate: "%{text}<br>AUC %{y:.3f}, accuracy %{x:.3f}<extra></extra>",
  };
  const chance = { type: "line", xref: "paper", x0: 0, x1: 1, y0: 0.5, y1: 0.5, line: { color: look.muted, width: 1, dash: "dash" } };
  const axes = [axis(look, "Accuracy", { tickformat: ".2f" }), axis(look, "AUC", { tickformat: ".2f" })];
  Plotly.react(host, [marks], layout(look, ...axes, { shapes: [chance] }), CONFIG);
}

function drawClasses(host, found) {
  const look = theme();
  const known = found.classes.filter((c) => c.auc !== null), x = known.map((c) => String(c.class));
  const across = (value, dash) => ({ type: "line", xref: "paper", x0: 0, x1: 1, y0: value, y1: value, line: { color: look.muted, width: 1, dash } });
  const dots = {
    x, y: known.map((c) => c.auc), mode: "markers", marker: { color: look.colours[0], size: 9 },
    error_y: { type: "data", symmetric: false, array: known.map((c) => c.high - c.auc), arrayminus: known.map((c) => c.auc - c.low), color: look.colours[0], thickness: 1.4, width: 0 },
    hovertemplate: "class %{x}: AUC %{y:.3f}<extra></extra>",
  };
  const shapes = [across(found.auc, "dash"), across(0.5, "solid")];
  const axes = [axis(look, "Class", { type: "category" }), axis(look, "AUC", { tickformat: ".2f" })];
  Plotly.react(host, [dots], layout(look, ...axes, { shapes }), CONFIG);
}

// A legend entry that is a shape in a colour, as the marks are.
function legendEntry(text, colour, symbol) {
  const item = document.createElement("li");
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "-14 -8 28 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SVG_SHAPES[SYMBOLS[symbol % 8]]);
  path.setAttribute("fill", `var(--c${(colour % 8) + 1})`);
  svg.append(path);
  item.append(svg, text);
  return item;
}
