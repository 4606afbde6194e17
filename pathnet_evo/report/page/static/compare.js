/* The page of a comparison: its charts, drawn again when the width changes. */

const compared = JSON.parse(document.getElementById("data").textContent);
const hidden = new Set();

function drawAll() {
  legend(compared, hidden);
  drawCurves(compared, hidden);
  drawScores(compared);
}

startTheme(() => {});
onWidth(drawAll);
drawAll();
