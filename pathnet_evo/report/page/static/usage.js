/* How often each module was in an evaluated path: a bar a module, a row a layer. */

function drawUsage(data, chosen, trial) {
  const node = find("usage");
  const words = find("usage-table");
  node.replaceChildren();
  words.replaceChildren();
  const found = data.usage.find((u) => u.arm === chosen.arm && u.stage === chosen.stage);
  if (!found) return;
  const width = node.clientWidth || 600;
  const [tall, gap, left] = [46, 14, 52];
  const layers = found.shares.length;
  const height = layers * (tall + gap) + 18;
  const picture = shape("svg", {
    viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true", class: "usage",
  }, patterns());
  const most = Math.max(...found.shares.map((s) => s.length));
  const step = (width - left - 4) / most;
  found.shares.forEach((shares, layer) => {
    const base = (layer + 1) * (tall + gap) - gap + 6;
    picture.append(shape("text", { x: 0, y: base - 4, class: "layer" }, `layer ${layer + 1}`),
      shape("line", { x1: left, x2: left + step * shares.length, y1: base, y2: base, class: "base" }));
    shares.forEach((share, module) => {
      const frozen = trial && trial.frozen[layer].includes(module);
      picture.append(shape("rect", {
        x: left + step * (module + 0.14), width: step * 0.72,
        y: base - tall * share, height: tall * share, class: frozen ? "bar frozen" : "bar",
      }, shape("title", {}, `layer ${layer + 1}, module ${module}: ${percent(share)}`)));
    });
  });
  const every = step < 14 ? 5 : 1;
  for (let module = 0; module < most; module += every) {
    picture.append(shape("text",
      { x: left + step * (module + 0.5), y: height - 2, class: "tick" }, module));
  }
  node.append(picture);
  words.append(table("Share of evaluations whose path contains the module",
    ["layer", ...Array.from({ length: most }, (_, m) => m)],
    found.shares.map((shares, layer) =>
      [layer + 1, ...shares.map(percent), ...Array(most - shares.length).fill("")])));
}
