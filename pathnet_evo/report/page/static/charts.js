/* Curves and scores, drawn by plotly in the page's colours. */

const DASHES = ["solid", "dash", "dashdot", "dot", "longdash"];
const MARKERS = [
  "circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "star", "pentagon",
  "triangle-left",
];
const BANDED = 2; // arms whose intervals are bands: more of them would merge into grey
const BARRED = 5; // arms whose intervals are bars: more of them would hide the curves
const MARKED = 7; // places of a curve that carry its arm's marker

/* Ten arms differ in colour and marker, most of them in their line; further ones in the line. */
function lineOf(arm) {
  return (arm + Math.floor(arm / ARMS)) % DASHES.length;
}

function markerOf(arm) {
  return MARKERS[arm % MARKERS.length];
}

/* Plotly reads a little markup in texts: names must not be read as that. */
function plain(text) {
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

function shaded(hex, alpha) {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  return `rgba(${r},${g},${b},${alpha})`;
}

function layout(x, y, more = {}) {
  const ink = colour("ink");
  const axis = {
    gridcolor: colour("line"), linecolor: colour("line"), zeroline: false, fixedrange: true,
    automargin: true, ticks: "outside", tickcolor: colour("line"), ticklen: 4,
    ticklabelstandoff: 2,
  };
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: ink },
    margin: { l: 48, r: 12, t: 8, b: 40 }, height: 300, showlegend: false, dragmode: false,
    hovermode: "closest",
    hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: ink } },
    ...more,
    xaxis: { ...axis, title: { text: plain(x), standoff: 6 }, showgrid: false, ...more.xaxis },
    yaxis: { ...axis, title: { text: plain(y), standoff: 6 }, ...more.yaxis },
  };
}

/* Where a curve carries markers: evenly, and not where the curves of other arms do. */
function marked(curve, row, rows) {
  const known = curve.x.map((_, i) => i).filter((i) => curve.mean[i] !== null);
  const at = (k) => known[Math.floor(((k + (row + 0.5) / rows) / MARKED) * known.length)];
  return [...new Set(Array.from({ length: MARKED }, (_, k) => at(k)))].filter((i) => i !== undefined);
}

function band(curve, shade) {
  const kept = curve.x.map((_, i) => i).filter((i) => curve.low[i] !== null);
  return {
    x: [...kept, ...kept.toReversed()].map((i) => curve.x[i]),
    y: [...kept.map((i) => curve.high[i]), ...kept.toReversed().map((i) => curve.low[i])],
    fill: "toself", fillcolor: shaded(shade, 0.15), line: { width: 0 }, mode: "lines",
    hoverinfo: "skip",
  };
}

/* The arm's marker at some places, with the interval as bars unless it is a band. */
function markers(curve, arm, places, bars) {
  const shade = armColour(arm);
  const ends = (sign, end) => places.map((i) => (end[i] === null ? 0 : sign * (end[i] - curve.mean[i])));
  return {
    x: places.map((i) => curve.x[i]), y: places.map((i) => curve.mean[i]), mode: "markers",
    marker: { color: shade, size: 9, symbol: markerOf(arm), line: { color: colour("paper"), width: 1 } },
    hoverinfo: "skip",
    error_y: {
      type: "data", visible: bars, symmetric: false, array: ends(1, curve.high),
      arrayminus: ends(-1, curve.low), color: shaded(shade, 0.75), thickness: 1.2, width: 4,
    },
  };
}

/* Seeds thin, their mean thick, and its interval: a band of one or two arms, bars of a few more.

   Args: the curve; the arm's index and name; its place among the curves that are drawn, and how
   many these are. */
function curveTraces(curve, arm, name, row = 0, rows = 1) {
  const shade = armColour(arm);
  const seeds = Object.entries(curve.seeds);
  const known = curve.low.some((v) => v !== null);
  const traces = known && rows <= BANDED ? [band(curve, shade)] : [];
  if (seeds.length > 1) {
    for (const [seed, y] of seeds) {
      traces.push({
        x: curve.x, y, mode: "lines", line: { color: shaded(shade, rows > BARRED ? 0.12 : rows > BANDED ? 0.25 : 0.4), width: 0.8 },
        hovertemplate: `${plain(name)}, seed ${seed}<br>%{x:,}: %{y:.4~g}<extra></extra>`,
      });
    }
  }
  traces.push({
    x: curve.x, y: curve.mean, mode: "lines",
    line: { color: shade, width: 2.4, dash: DASHES[lineOf(arm)] },
    hovertemplate: `${plain(name)}, mean<br>%{x:,}: %{y:.4~g}<extra></extra>`,
  });
  traces.push(markers(curve, arm, marked(curve, row, rows), known && rows > BANDED && rows <= BARRED));
  return traces;
}

/* What lines and levels need: an interval of few seeds is wider than the picture, and is cut. */
function reach(curves, levels = [], share = 0.08) {
  const values = [...curves.flatMap((c) => [c.mean, ...Object.values(c.seeds)]).flat(), ...levels]
    .filter((v) => v !== null && v !== undefined);
  if (!values.length) return [0, 1];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = share * (high - low || Math.abs(high) || 1);
  return [low - room, high + room];
}

/* A horizontal line with its name above or below it, at the right end. */
function level(value, text, dash, below = false) {
  return {
    shape: {
      type: "line", xref: "paper", x0: 0, x1: 1, y0: value, y1: value,
      line: { color: colour("soft"), width: 1, dash },
    },
    annotation: {
      xref: "paper", x: 1, y: value, text, showarrow: false, xanchor: "right",
      yanchor: below ? "top" : "bottom", font: { size: 11, color: colour("soft") },
      bgcolor: shaded(colour("paper"), 0.75), borderpad: 1,
    },
  };
}

/* The higher of two levels has its name above its line, the lower one below. */
function levelsOf(stage) {
  const { threshold, chance } = stage;
  const found = [];
  if (threshold !== null) found.push(level(threshold, "threshold", "dot", chance > threshold && chance !== null));
  if (chance !== null) found.push(level(chance, "random actions", "dash", threshold !== null && chance <= threshold));
  return found;
}

function drawCurves(data, hidden) {
  data.stages.forEach((stage, i) => {
    const node = find(`curve-${i}`);
    const arms = data.arms.filter((arm) => data.curves[i][arm] && !hidden.has(arm));
    const traces = arms.flatMap((arm, row) =>
      curveTraces(data.curves[i][arm], data.arms.indexOf(arm), arm, row, arms.length));
    const levels = levelsOf(stage);
    draw(node, traces, layout(stage.counted, `${stage.fitness}, smoothed`, {
      shapes: levels.map((l) => l.shape), annotations: levels.map((l) => l.annotation),
      xaxis: { rangemode: "tozero" },
      yaxis: { range: reach(arms.map((arm) => data.curves[i][arm]), [stage.threshold, stage.chance]) },
    }));
  });
}

/* How much of the population's paths is frozen, compared with chance. */
function drawReuse(data, chosen) {
  const node = find("overlap");
  const found = data.reuse[chosen.stage][chosen.arm];
  const note = find("overlap-none");
  note.hidden = Boolean(found);
  if (!found) {
    draw(node, [], {});
    return;
  }
  const chance = level(found.chance, "chance", "dash");
  draw(node, curveTraces(found, data.arms.indexOf(chosen.arm), chosen.arm),
    layout("evaluations", "share of a path that is frozen", {
      shapes: [chance.shape], annotations: [chance.annotation],
      xaxis: { rangemode: "tozero" },
      yaxis: { range: [0, reach([found], [found.chance])[1]], tickformat: ".0%" },
    }));
}
