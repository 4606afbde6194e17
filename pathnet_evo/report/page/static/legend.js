/* A button an arm, which hides its curves. */

function legend(data, hidden) {
  const list = document.getElementById("legend");
  const had = document.activeElement && document.activeElement.dataset.arm;
  list.replaceChildren(...data.arms.map((arm, k) => {
    const button = armButton(arm, k, hidden.has(arm));
    button.addEventListener("click", () => {
      if (!hidden.delete(arm)) hidden.add(arm);
      legend(data, hidden);
      drawCurves(data, hidden);
    });
    return element("li", {}, button);
  }));
  if (had) [...list.querySelectorAll("button")].find((b) => b.dataset.arm === had)?.focus();
}

/* Corners of an arm's marker around 0, 0, in the order of MARKERS; a circle has none. */
const CORNERS = [
  "", "-4,-4 4,-4 4,4 -4,4", "0,-5 5,4 -5,4", "0,-5 5,0 0,5 -5,0", "0,5 5,-4 -5,-4",
  "-1.6,-5 1.6,-5 1.6,-1.6 5,-1.6 5,1.6 1.6,1.6 1.6,5 -1.6,5 -1.6,1.6 -5,1.6 -5,-1.6 -1.6,-1.6",
  "-4.6,-2.4 -2.4,-4.6 0,-2.2 2.4,-4.6 4.6,-2.4 2.2,0 4.6,2.4 2.4,4.6 0,2.2 -2.4,4.6 -4.6,2.4 -2.2,0",
  "0,-5.6 1.5,-1.8 5.4,-1.7 2.4,.8 3.4,4.6 0,2.4 -3.4,4.6 -2.4,.8 -5.4,-1.7 -1.5,-1.8",
  "0,-5 4.8,-1.5 3,4 -3,4 -4.8,-1.5", "-5,0 4,-5 4,5",
];

function armButton(arm, k, isHidden) {
  const dashes = ["", "7 4", "7 3 2 3", "2 3", "12 4"];
  const ink = `var(--arm-${k % ARMS})`;
  const corners = CORNERS[k % CORNERS.length];
  const mark = corners
    ? shape("polygon", { points: corners, transform: "translate(20 7)", fill: ink })
    : shape("circle", { cx: 20, cy: 7, r: 4.5, fill: ink });
  const sample = shape("svg", { viewBox: "0 0 40 14", width: 40, height: 14, "aria-hidden": "true" },
    shape("line", {
      x1: 0, y1: 7, x2: 40, y2: 7, stroke: ink, "stroke-width": 2.4,
      "stroke-dasharray": dashes[lineOf(k)],
    }), mark);
  return element("button", {
    type: "button", class: "arm", "aria-pressed": !isHidden, "data-arm": arm,
  }, sample, arm);
}
