/* The page of a comparison: its charts, drawn again when colours change. */

const compared = JSON.parse(document.getElementById("data").textContent);
const hidden = new Set();

function drawAll() {
  legend(compared, hidden);
  drawCurves(compared, hidden);
  drawScores(compared);
  drawForests(compared);
}

startTheme(drawAll);
drawAll();
