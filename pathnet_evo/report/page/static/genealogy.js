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
    draw(node, [], {});
    return;
  }
  const stage = data.stages[trial.stage];
  const { stride, fitness } = trial.dots;
  const accent = armColour(data.arms.indexOf(trial.arm));
  draw(node, [
    {
      x: fitness.map((_, i) => i * stride + 1), y: fitness, mode: "markers",
      marker: { color: shaded(colour("ink"), 0.22), size: 4 }, hoverinfo: "skip",
    },
    {
      x: trial.line.map(([n]) => n + 1), y: trial.line.map(([, , f]) => f),
      mode: "lines+markers", line: { color: accent, width: 1.8 },
      marker: {
        color: accent, size: trial.line.map((a, i) => (i === trial.line.length - 1 ? 13 : 7)),
        symbol: trial.line.map((a, i) => (i === trial.line.length - 1 ? "star" : "circle")),
      },
      text: trial.line.map(([, , , changes], i) =>
        plain(mutation(changes) || (i ? "same as its parent" : "random"))),
      hovertemplate: "evaluation %{x:,}: %{y:.4~g}<br>%{text}<extra></extra>",
    },
  ], layout("evaluations", stage.fitness));
  const rows = trial.line.map(([evaluation, generation, value, changes], i) => [
    evaluation + 1, generation + 1, number(value, 4),
    mutation(changes) || (i ? "none" : "random"),
  ]);
  list.append(table(`${trial.line.length} ancestors, oldest first`,
    ["evaluation", "generation", "fitness", "mutation"], rows));
}
