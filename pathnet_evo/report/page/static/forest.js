/* Differences paired by seed: how hard a seed's tasks are cancels out, which an arm's own interval
   mostly shows. */

const PAIR_LINE = 15; // pixels of a label's line

/* Both names whole, one under the other, on lines of a few characters. */
function pairLabel(pair, most = Infinity) {
  const lines = (name) => (most === Infinity ? [plain(name)] : wrapped(name, most));
  return [...lines(pair.a), ...lines(`minus ${pair.b}`)].join("<br>");
}

function forestTraces(pair, row, scale, shade) {
  const seeds = Object.entries(pair.seeds).filter(([, value]) => value !== null);
  const [mean, size, p, holm, test] = pair.said.map(plain);
  const ends = (pair.interval || []).map((v) => v * scale);
  return [
    {
      x: seeds.map(([, value]) => value * scale),
      y: seeds.map((_, n) => row + 0.22 + 0.06 * (n % 3)),
      mode: "markers", marker: { color: shaded(shade, 0.55), size: 5 },
      customdata: seeds.map(([seed]) => seed),
      hovertemplate: `${pairLabel(pair)}<br>seed %{customdata}: %{x:+.4~g}<extra></extra>`,
    },
    {
      x: [pair.mean * scale], y: [row], mode: "markers",
      marker: { color: shade, size: 10, symbol: "square" },
      error_x: pair.interval && {
        type: "data", symmetric: false, array: [ends[1] - pair.mean * scale],
        arrayminus: [pair.mean * scale - ends[0]], color: shade, thickness: 2, width: 6,
      },
      hovertemplate: `${pairLabel(pair)}<br>${mean}<br>A ${size}<br>p ${p}, Holm ${holm}<br>${test}<extra></extra>`,
    },
  ];
}

/* Means and seeds decide the axis; an interval of few seeds may leave it. */
function forestReach(pairs, scale) {
  const values = pairs.flatMap((pair) => [pair.mean, ...Object.values(pair.seeds)])
    .filter((v) => v !== null).map((v) => v * scale);
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const room = 0.25 * (high - low || 1);
  return [low - room, high + room];
}

function drawForests(data) {
  data.stages.forEach((stage, i) => {
    const pairs = data.differences[i];
    const share = (stage.score || "").includes("accuracy");
    const scale = share ? 100 : 1;
    const traces = pairs.flatMap((pair, row) =>
      forestTraces(pair, row, scale, armColour(data.arms.indexOf(pair.a))));
    const node = find(`forest-${i}`);
    const labels = pairs.map((pair) => pairLabel(pair, node.clientWidth < NARROW ? 16 : 34));
    const lines = Math.max(2, ...labels.map((label) => label.split("<br>").length));
    draw(node, traces, layout(share ? "difference, points" : "difference", "", {
      height: 90 + (14 + PAIR_LINE * lines) * pairs.length,
      shapes: [{
        type: "line", yref: "paper", x0: 0, x1: 0, y0: 0, y1: 1,
        line: { color: colour("soft"), width: 1 },
      }],
      xaxis: { range: pairs.length ? forestReach(pairs, scale) : [-1, 1] },
      yaxis: {
        tickvals: pairs.map((_, row) => row), ticktext: labels, ticks: "",
        range: [pairs.length - 0.4, -0.6], showgrid: false,
      },
    }));
  });
}
