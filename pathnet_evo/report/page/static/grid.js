/* Where modules stand: a column a layer, inputs at the left, the readout at the right. */

function grid(counts, width) {
  const rows = Math.max(...counts);
  const pitch = Math.max(9, Math.min(30, Math.floor(420 / rows)));
  const margin = width < 500 ? 30 : 56;
  const top = 26;
  const height = top + rows * pitch + 8;
  const middle = top + (rows * pitch) / 2;
  const step = (width - 2 * margin) / counts.length;
  return {
    counts, width, height, middle, pitch, top,
    size: Math.max(7, Math.min(22, pitch - 6, step / 3)),
    left: margin - 8,
    right: width - margin + 8,
    column: (layer) => margin + step * (layer + 0.5),
    between: (layer) => margin + step * layer,
    row: (layer, module) => middle + pitch * (module - (counts[layer] - 1) / 2),
  };
}

function roleOf(trial, layer, module) {
  const frozen = trial.frozen[layer].includes(module);
  if (trial.path && trial.path[layer].includes(module)) return frozen ? "reused" : "new";
  return frozen ? "frozen" : "unused";
}
