/* The network with its active path: inputs, layers of modules, sums, readout (the paper's figure). */

const MEANINGS = {
  new: "in the path, new",
  reused: "in the path, reused from an earlier stage",
  frozen: "frozen by an earlier stage, not in the path",
  unused: "not in the path",
};

function patterns() {
  const line = (d) => shape("path", { d, class: "hatching" });
  const pattern = (id, ...lines) => shape("pattern",
    { id, width: 6, height: 6, patternUnits: "userSpaceOnUse" }, ...lines);
  return shape("defs", {},
    pattern("hatch", line("M-1,1 l2,-2 M0,6 l6,-6 M5,7 l2,-2")),
    pattern("cross", line("M-1,1 l2,-2 M0,6 l6,-6 M5,7 l2,-2"), line("M-1,5 l2,2 M0,0 l6,6 M5,-1 l2,2")));
}

function drawArchitecture(data, trial) {
  const node = find("architecture");
  const words = find("architecture-table");
  node.replaceChildren();
  words.replaceChildren();
  if (!trial) return;
  const place = grid(trial.counts, node.clientWidth || 600);
  const picture = shape("svg", {
    viewBox: `0 0 ${place.width} ${place.height}`, width: place.width, height: place.height,
    "aria-hidden": "true", class: "architecture",
  }, patterns());
  const path = trial.path || trial.counts.map(() => []);
  const last = trial.counts.length;
  const end = (layer) => (layer === 0 ? place.left : layer === last ? place.right : place.between(layer));
  path.forEach((modules, layer) => {
    for (const module of modules) {
      const [x, y] = [place.column(layer), place.row(layer, module)];
      picture.append(bent(end(layer), place.middle, x, y), bent(x, y, end(layer + 1), place.middle));
    }
  });
  trial.counts.forEach((count, layer) => {
    picture.append(layerName(data, place, layer));
    for (let module = 0; module < count; module += 1) {
      picture.append(...moduleShape(place, layer, module, roleOf(trial, layer, module)));
    }
  });
  for (let layer = 1; layer < last; layer += 1) {
    const sign = data.aggregate === "mean" ? "x̄" : "Σ";
    picture.append(shape("circle", { cx: end(layer), cy: place.middle, r: 9, class: "sum" }),
      shape("text", { x: end(layer), y: place.middle + 4, class: "sign" }, sign));
  }
  picture.append(upright(place.left - 10, place.middle, "input"),
    upright(place.right + 10, place.middle, "readout"));
  node.append(picture);
  words.append(table("The path, layer by layer", ["layer", "modules", "reused"],
    path.map((modules, layer) => [
      layer + 1, modules.join(", ") || "–",
      modules.filter((m) => trial.frozen[layer].includes(m)).join(", ") || "none",
    ])));
}

function bent(x0, y0, x1, y1) {
  const half = (x0 + x1) / 2;
  return shape("path", { d: `M${x0},${y0} C${half},${y0} ${half},${y1} ${x1},${y1}`, class: "edge" });
}

function moduleShape(place, layer, module, role) {
  const [x, y, s] = [place.column(layer), place.row(layer, module), place.size];
  const box = shape("rect", {
    x: x - s / 2, y: y - s / 2, width: s, height: s, rx: 3, class: `module ${role}`,
  }, shape("title", {}, `layer ${layer + 1}, module ${module}: ${MEANINGS[role]}`));
  if (s < 13) return [box];
  return [box, shape("text", { x, y: y + 3.5, class: `index ${role}` }, module)];
}

function layerName(data, place, layer) {
  const name = place.width < 500 ? layer + 1 : `${layer + 1}. ${data.kinds[layer] || "layer"}`;
  return shape("text", { x: place.column(layer), y: 14, class: "layer" }, name);
}

function upright(x, y, text) {
  return shape("text", { x, y, class: "end", transform: `rotate(-90 ${x} ${y})` }, text);
}

function drawKey(node) {
  node.replaceChildren(...Object.entries(MEANINGS).map(([role, meaning]) => element("li", {},
    shape("svg", { width: 18, height: 18, "aria-hidden": "true" }, patterns(),
      shape("rect", { x: 2, y: 2, width: 14, height: 14, rx: 3, class: `module ${role}` })),
    meaning)));
}
