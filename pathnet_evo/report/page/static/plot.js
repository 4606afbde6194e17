/* When charts are drawn: plotly is started, and each chart made, as one comes near what is seen. */

const CONFIG = { displayModeBar: false, responsive: true, showTips: false };
const NEAR = "300px 0px";
const REST = 3000; // milliseconds after the page has loaded

const waiting = new Map();

/* Ask for a chart; without traces its figure is hidden.

   The node's data-drawn is "true" while it shows what was last asked for. */
function draw(node, traces, layout) {
  node.closest("figure").hidden = traces.length === 0;
  node.classList.add("chart");
  if (layout.height) node.style.minHeight = `${layout.height}px`;
  node.dataset.drawn = "false";
  near.unobserve(node);
  waiting.delete(node);
  if (!traces.length) return;
  waiting.set(node, [traces, layout]);
  near.observe(node); // which tells at once where it is
}

const near = new IntersectionObserver((entries) => {
  const found = entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target);
  if (found.length) start(() => found.forEach(plot));
}, { rootMargin: NEAR });

function plot(node) {
  if (!waiting.has(node)) return;
  Plotly.react(node, ...waiting.get(node), CONFIG);
  waiting.delete(node);
  near.unobserve(node);
  node.dataset.drawn = "true";
}

let starting = null;

/* Plotly takes its time to start: it is text, or a file of the server's, until it is needed. */
function start(then = () => {}) {
  if (window.Plotly) {
    then();
    return;
  }
  if (starting) {
    starting.addEventListener("load", then);
    return;
  }
  const source = document.getElementById("plotly");
  const script = element("script");
  if (source.dataset.src) {
    starting = script;
    script.src = source.dataset.src;
    script.addEventListener("load", then);
    script.addEventListener("error", () => { starting = null; });
    document.head.append(script);
  } else {
    script.textContent = source.textContent;
    document.head.append(script);
    then();
  }
}

/* Nobody should wait for it who reads the top first, and paper has no viewport. */
window.addEventListener("load", () => setTimeout(() => {
  if (waiting.size) (window.requestIdleCallback ?? setTimeout)(() => start());
}, REST));
window.addEventListener("beforeprint", () => start(() => [...waiting.keys()].forEach(plot)));
