/* Curves and scores, drawn by plotly in the page's colours. */

const DASHES = ["solid", "dash", "dashdot", "dot", "longdash", "longdashdot"];
const MARKERS = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross"];

/* After as many arms as there are colours, each colour has another line. */
function lineOf(arm) {
  return (arm + Math.floor(arm / ARMS)) % DASHES.length;
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

/* Seeds thin, their mean thick, a band for its interval. */
function curveTraces(curve, arm, name) {
  const shade = armColour(arm);
  const seeds = Object.entries(curve.seeds);
  const traces = [];
  if (curve.low.some((v) => v !== null)) {
    const kept = curve.x.map((_, i) => i).filter((i) => curve.low[i] !== null);
    traces.push({
      x: [...kept, ...kept.toReversed()].map((i) => curve.x[i]),
      y: [...kept.map((i) => curve.high[i]), ...kept.toReversed().map((i) => curve.low[i])],
      fill: "toself", fillcolor: shaded(shade, 0.12), line: { width: 0 }, mode: "lines",
      hoverinfo: "skip",
    });
  }
  if (seeds.length > 1) {
    for (const [seed, y] of seeds) {
      traces.push({
        x: curve.x, y, mode: "lines", line: { color: shaded(shade, 0.4), width: 0.8 },
        hovertemplate: `${plain(name)}, seed ${seed}<br>%{x:,}: %{y:.4~g}<extra></extra>`,
      });
    }
  }
  traces.push({
    x: curve.x, y: curve.mean, mode: "lines",
    line: { color: shade, width: 2.4, dash: DASHES[lineOf(arm)] },
    hovertemplate: `${plain(name)}, mean<br>%{x:,}: %{y:.4~g}<extra></extra>`,
  });
  return traces;
}

/* What lines and levels need: bands of few seeds are wider than the picture, and are cut. */
function reach(curves, levels = []) {
  const values = [...curves.flatMap((c) => [c.mean, ...Object.values(c.seeds)]).flat(), ...levels]
    .filter((v) => v !== null && v !== undefined);
  if (!values.length) return [0, 1];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = 0.08 * (high - low || Math.abs(high) || 1);
  return [low - room, high + room];
}

function level(value, text, dash) {
  return {
    shape: {
      type: "line", xref: "paper", x0: 0, x1: 1, y0: value, y1: value,
      line: { color: colour("soft"), width: 1, dash },
    },
    annotation: {
      xref: "paper", x: 1, y: value, text, showarrow: false, xanchor: "right",
      yanchor: "bottom", font: { size: 11, color: colour("soft") },
    },
  };
}

function drawCurves(data, hidden) {
  data.stages.forEach((stage, i) => {
    const node = find(`curve-${i}`);
    const arms = data.arms.filter((arm) => data.curves[i][arm] && !hidden.has(arm));
    const traces = arms.flatMap((arm) => curveTraces(data.curves[i][arm], data.arms.indexOf(arm), arm));
    const levels = [];
    if (stage.threshold !== null) levels.push(level(stage.threshold, "threshold", "dot"));
    if (stage.chance !== null) levels.push(level(stage.chance, "random actions", "dash"));
    draw(node, traces, layout(stage.counted, `${stage.fitness}, smoothed`, {
      shapes: levels.map((l) => l.shape), annotations: levels.map((l) => l.annotation),
      xaxis: { rangemode: "tozero" },
      yaxis: { range: reach(arms.map((arm) => data.curves[i][arm]), [stage.threshold, stage.chance]) },
    }));
  });
}

function drawScores(data) {
  data.stages.forEach((stage, i) => {
    const node = find(`score-${i}`);
    if (!node) return;
    const share = (stage.score || "").includes("accuracy");
    const scale = share ? 100 : 1;
    const found = Object.entries(data.scores[i]);
    const traces = found.flatMap(([arm, score]) => {
      const k = data.arms.indexOf(arm);
      const seeds = Object.values(score.seeds).filter((v) => v !== null).map((v) => v * scale);
      const mean = score.mean * scale;
      const around = score.interval ? score.interval.map((v) => v * scale) : null;
      return [
        {
          x: seeds.map((_, n) => k - 0.26 + 0.05 * (n % 3)), y: seeds, mode: "markers",
          marker: { color: shaded(armColour(k), 0.55), size: 5 },
          hovertemplate: `${plain(arm)}, a seed: %{y:.4~g}<extra></extra>`,
        },
        {
          x: [k], y: [mean], mode: "markers",
          marker: { color: armColour(k), size: 10, symbol: MARKERS[k % MARKERS.length] },
          error_y: around && {
            type: "data", symmetric: false, array: [around[1] - mean],
            arrayminus: [mean - around[0]], color: armColour(k), thickness: 2, width: 6,
          },
          hovertemplate: `${plain(arm)}, mean: %{y:.4~g}<extra></extra>`,
        },
      ];
    });
    const short = (name) => (name.length > 20 ? `${name.slice(0, 9)}…${name.slice(-10)}` : name);
    draw(node, traces, layout("", (stage.score || "").replaceAll("_", " ") + (share ? ", %" : ""), {
      annotations: found.map(([arm, score]) => ({
        x: data.arms.indexOf(arm), y: score.mean * scale, text: number(score.mean * scale),
        showarrow: false, xanchor: "left", xshift: 9, font: { size: 12 },
      })),
      xaxis: {
        tickvals: data.arms.map((_, k) => k), ticktext: data.arms.map((a) => plain(short(a))),
        range: [-0.5, data.arms.length - 0.4], ticks: "", autotickangles: [0, -40],
      },
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
