/* The winner's ancestors over all evaluations of the stage. */

function mutation(changes) {
  return changes
    .map(([layer, , before, after]) => `layer ${layer + 1}: ${before} → ${after}`)
    .join(", ");
}

function drawGenealogy(data, trial) {
  const node = find("genealogy");
  const list = find("genealogy-table");
  list.replaceChildren();
  if (!trial || !trial.line.length) {
    draw(node, null);
    return;
  }
  const stage = data.stages[trial.stage];
  const ink = armInk(data.arms.indexOf(trial.arm));
  const { stride, fitness } = trial.dots;
  const all = fitness.map((_, i) => i * stride + 1);
  const xs = trial.line.map(([n]) => n + 1);
  const ys = trial.line.map(([, , value]) => value);
  draw(node, {
    x: { title: "evaluations", range: [0, Math.max(all.at(-1), xs.at(-1)) * 1.02] },
    y: { title: stage.fitness, range: reach([...fitness, ...ys]) },
    marks: [
      dots(all, fitness, { stroke: "var(--ink)", "stroke-opacity": 0.22, "stroke-width": 4 }),
      line(xs, ys, { stroke: ink, "stroke-width": 1.8 }),
      dots(xs, ys, { stroke: ink, "stroke-width": 7 }),
      symbol(xs.at(-1), ys.at(-1), "star", 8, { fill: ink }),
    ],
    spots: [{
      xs, ys,
      say: (i) => [`evaluation ${number(xs[i], 6)}: ${number(ys[i], 4)}`,
        mutation(trial.line[i][3]) || (i ? "as its parent" : "drawn at random")],
    }],
  });
  const rows = trial.line.map(([evaluation, generation, value, changes], i) => [
    evaluation + 1, generation + 1, number(value, 4),
    mutation(changes) || (i ? "none" : "drawn at random"),
  ]);
  list.append(table(`${trial.line.length} in the line, the eldest first`,
    ["evaluation", "generation", "fitness", "mutation"], rows));
}
