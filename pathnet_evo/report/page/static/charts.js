/* Learning curves, scores and reuse as charts. */

const DASHES = ["", "7 4", "7 3 2 3", "2 3", "12 4", "12 4 2 4"];
const MARKERS = ["circle", "square", "up", "diamond", "down", "cross"];

/* After as many arms as there are colours, each colour has another line. */
function dashOf(arm) {
  return DASHES[(arm + Math.floor(arm / ARMS)) % DASHES.length];
}

/* Seeds thin, their mean thick, a band for its interval. */
function curveMarks(curve, arm) {
  const stroke = armInk(arm);
  const seeds = Object.values(curve.seeds);
  return [
    band(curve.x, curve.low, curve.high, { fill: stroke }),
    ...(seeds.length > 1 ? seeds : []).map((ys) =>
      line(curve.x, ys, { stroke, "stroke-width": 0.8, "stroke-opacity": 0.45 })),
    line(curve.x, curve.mean, { stroke, "stroke-width": 2.4, "stroke-dasharray": dashOf(arm) }),
  ];
}

function curveSpots(curve, name) {
  const spot = (ys, who) => ({
    xs: curve.x, ys,
    say: (i) => [`${name}, ${who}`, `${number(curve.x[i], 6)}: ${number(ys[i], 4)}`],
  });
  const seeds = Object.entries(curve.seeds);
  return [spot(curve.mean, "mean"),
    ...(seeds.length > 1 ? seeds : []).map(([seed, ys]) => spot(ys, `seed ${seed}`))];
}

function valuesOf(curve) {
  return [curve.mean, ...Object.values(curve.seeds)].flat();
}

function drawCurves(data, hidden) {
  data.stages.forEach((stage, i) => {
    const arms = data.arms.filter((arm) => data.curves[i][arm] && !hidden.has(arm));
    const curves = arms.map((arm) => data.curves[i][arm]);
    const levels = [[stage.threshold, "threshold", "2 3"], [stage.chance, "chance", "7 4"]]
      .filter(([value]) => value !== null);
    draw(find(`curve-${i}`), arms.length ? {
      x: { title: stage.counted, range: [0, Math.max(...curves.map((c) => c.x.at(-1)))] },
      y: {
        title: `${stage.fitness}, smoothed`,
        range: reach([...curves.flatMap(valuesOf), ...levels.map(([value]) => value)]),
      },
      marks: [
        ...levels.map((l) => level(...l)),
        ...curves.flatMap((curve, k) => curveMarks(curve, data.arms.indexOf(arms[k]))),
      ],
      spots: curves.flatMap((curve, k) => curveSpots(curve, arms[k])),
    } : null);
  });
}

function drawScores(data) {
  data.stages.forEach((stage, i) => {
    const node = find(`score-${i}`);
    if (!node) return;
    const found = Object.entries(data.scores[i]);
    const share = (stage.score || "").includes("accuracy");
    const scores = found.map(([arm, score]) => scoreOf(data, arm, score, share ? 100 : 1));
    const short = (name) => (name.length > 20 ? `${name.slice(0, 9)}…${name.slice(-10)}` : name);
    draw(node, found.length ? {
      x: { title: "", names: data.arms.map(short), range: [-0.5, data.arms.length - 0.4] },
      y: {
        title: (stage.score || "").replaceAll("_", " ") + (share ? ", %" : ""),
        range: reach(scores.flatMap((s) => s.values)),
      },
      marks: scores.flatMap((s) => s.marks),
      spots: scores.flatMap((s) => s.spots),
    } : null);
  });
}

/* Seeds as dots beside their mean with its interval. */
function scoreOf(data, arm, score, unit) {
  const k = data.arms.indexOf(arm);
  const ink = armInk(k);
  const seeds = Object.values(score.seeds).filter((v) => v !== null).map((v) => v * unit);
  const beside = seeds.map((_, n) => k - 0.26 + 0.05 * (n % 3));
  const mean = score.mean * unit;
  const around = score.interval ? score.interval.map((v) => v * unit) : [];
  return {
    values: [mean, ...seeds, ...around],
    marks: [
      dots(beside, seeds, { stroke: ink, "stroke-opacity": 0.55, "stroke-width": 5 }),
      ...(around.length ? [whisker(k, ...around, { stroke: ink })] : []),
      symbol(k, mean, MARKERS[k % MARKERS.length], 5, { fill: ink }),
      label(k, mean, number(mean)),
    ],
    spots: [
      { xs: [k], ys: [mean], say: () => [`${arm}, mean`, number(mean, 4)] },
      { xs: beside, ys: seeds, say: (n) => [`${arm}, a seed`, number(seeds[n], 4)] },
    ],
  };
}

/* How much of the population's paths is frozen, against what chance would give. */
function drawReuse(data, chosen) {
  const found = data.reuse[chosen.stage][chosen.arm];
  find("overlap-none").hidden = Boolean(found);
  draw(find("overlap"), found ? {
    x: { title: "evaluations", range: [0, found.x.at(-1)] },
    y: {
      title: "share of a path that is frozen", share: true,
      range: [0, reach([...valuesOf(found), found.chance])[1]],
    },
    marks: [
      level(found.chance, "chance", "7 4"),
      ...curveMarks(found, data.arms.indexOf(chosen.arm)),
    ],
    spots: curveSpots(found, chosen.arm),
  } : null);
}
