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

function armButton(arm, k, isHidden) {
  const dashes = ["", "7 4", "7 3 2 3", "2 3", "12 4", "12 4 2 4"];
  const sample = shape("svg", { viewBox: "0 0 36 8", width: 36, height: 8, "aria-hidden": "true" },
    shape("line", {
      x1: 0, y1: 4, x2: 36, y2: 4, stroke: `var(--arm-${k % ARMS})`, "stroke-width": 3,
      "stroke-dasharray": dashes[lineOf(k)],
    }));
  return element("button", {
    type: "button", class: "arm", "aria-pressed": !isHidden, "data-arm": arm,
  }, sample, arm);
}
