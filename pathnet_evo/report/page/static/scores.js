/* Test scores, a row an arm: names stand whole beside them. */

/* A name on lines of a few characters each, broken where a reader would break it. */
function wrapped(text, most) {
  const lines = [""];
  for (const piece of String(text).split(/(?<=[\s/_-])/).flatMap((word) => cutUp(word, most))) {
    if ((lines.at(-1) + piece).trimEnd().length > most && lines.at(-1)) lines.push("");
    lines[lines.length - 1] += piece;
  }
  return lines.map((line) => plain(line.trim()));
}

function cutUp(word, most) {
  return Array.from({ length: Math.ceil(word.length / most) }, (_, i) =>
    word.slice(i * most, (i + 1) * most));
}

const NARROW = 480; // pixels of a chart whose names get fewer characters

/* A row an arm: seeds small, the mean with its interval, and its number at the right. */
function drawScores(data) {
  data.stages.forEach((stage, i) => {
    const node = find(`score-${i}`);
    if (!node) return;
    const share = (stage.score || "").includes("accuracy");
    const scale = share ? 100 : 1;
    const found = Object.entries(data.scores[i]).map(([arm, score], row) => scoreRow(data, arm, score, row, scale));
    const names = found.map(({ arm }) => wrapped(arm, node.clientWidth < NARROW ? 16 : 28));
    const height = Math.max(30, 12 + 15 * Math.max(1, ...names.map((lines) => lines.length)));
    const range = scoreReach(found, share);
    draw(node, found.flatMap(({ traces }) => traces),
      layout((stage.score || "").replaceAll("_", " ") + (share ? ", %" : ""), "", {
        height: 70 + height * found.length,
        margin: { l: 12, r: 64, t: 8, b: 40 },
        annotations: found.map(({ mean }, row) => ({
          xref: "paper", x: 1, y: row, text: share ? mean.toFixed(1) : number(mean), showarrow: false, xanchor: "left",
          xshift: 8, font: { size: 12 },
        })),
        xaxis: { range, showgrid: true },
        yaxis: {
          tickvals: found.map((_, row) => row), ticktext: names.map((lines) => lines.join("<br>")),
          range: [found.length - 0.4, -0.6], ticks: "", showgrid: false,
        },
      }));
  });
}

/* Seeds and means rule the axis; intervals widen it, but not beyond recognition. */
function scoreReach(found, share) {
  const [low, high] = reach([{ mean: [], seeds: found.map(({ values }) => values) }]);
  const room = 0.6 * (high - low);
  const ends = found.flatMap(({ around }) => around ?? []);
  const widest = [Math.min(low, ...ends) - room / 20, Math.max(high, ...ends) + room / 20];
  const range = [Math.max(low - room, widest[0]), Math.min(high + room, widest[1])];
  return share ? [Math.max(range[0], -1), Math.min(range[1], 101)] : range;
}

function scoreRow(data, arm, score, row, scale) {
  const k = data.arms.indexOf(arm);
  const seeds = Object.values(score.seeds).filter((v) => v !== null).map((v) => v * scale);
  const mean = score.mean * scale;
  const around = score.interval ? score.interval.map((v) => v * scale) : null;
  const traces = [
    {
      x: seeds, y: seeds.map((_, n) => row + 0.2 + 0.07 * (n % 3)), mode: "markers",
      marker: { color: shaded(armColour(k), 0.55), size: 5 },
      hovertemplate: `${plain(arm)}, a seed: %{x:.4~g}<extra></extra>`,
    },
    {
      x: [mean], y: [row], mode: "markers",
      marker: { color: armColour(k), size: 10, symbol: markerOf(k) },
      error_x: around && {
        type: "data", symmetric: false, array: [around[1] - mean],
        arrayminus: [mean - around[0]], color: armColour(k), thickness: 2, width: 6,
      },
      hovertemplate: `${plain(arm)}, mean: %{x:.4~g}<extra></extra>`,
    },
  ];
  return { arm, mean, values: [...seeds, mean], around, traces };
}
