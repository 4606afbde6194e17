/* Charts as SVG: axes, marks in the page's colours, and what the pointer is at. */

const TALL = 300;
const LETTER = 6.4; // pixels, about
const NEAR = 30;

/* Draw a chart into its figure; without one the figure is hidden.

   A chart has axes x and y, each { title, range, names or share where it is not of plain numbers },
   marks, which are functions from scales to shapes, and spots, { xs, ys, say }, to point at. */
function draw(node, chart) {
  node.closest("figure").hidden = !chart;
  node.classList.add("chart");
  node.replaceChildren();
  if (chart) node.append(plot(chart, Math.max(node.clientWidth, 200)));
}

function plot(chart, width) {
  const rows = ticks(chart.y, 6);
  const left = 32 + LETTER * longest(rows);
  const columns = ticks(chart.x, Math.max(2, Math.floor((width - left) / 90)));
  const each = (width - left) / columns.length;
  const tilted = Boolean(chart.x.names) && LETTER * longest(columns) > each - 8;
  const under = (tilted ? 22 + 0.75 * LETTER * longest(columns) : 24) + (chart.x.title ? 18 : 0);
  const box = { left, right: width - 14, top: 12, bottom: TALL - under };
  const at = {
    x: scale(chart.x.range, box.left, box.right),
    y: scale(chart.y.range, box.bottom, box.top),
    box,
    range: chart.y.range,
  };
  const picture = shape("svg",
    { viewBox: `0 0 ${width} ${TALL}`, width, height: TALL, "aria-hidden": "true", class: "plot" },
    ...rows.flatMap(([value, text]) => row(at.y(value), text, box)),
    ...columns.flatMap(([value, text]) => column(at.x(value), text, box, tilted)),
    shape("text", { x: (box.left + box.right) / 2, y: TALL - 5, class: "title" }, chart.x.title),
    shape("text", {
      transform: `translate(13 ${(box.top + box.bottom) / 2}) rotate(-90)`, class: "title",
    }, chart.y.title),
    ...chart.marks.flatMap((mark) => mark(at)));
  pointing(picture, chart.spots, at, width);
  return picture;
}

function row(y, text, box) {
  return [
    shape("line", { x1: box.left, x2: box.right, y1: y, y2: y, class: "grid" }),
    shape("text", { x: box.left - 7, y: y + 4, class: "end" }, text),
  ];
}

function column(x, text, box, tilted) {
  const place = tilted
    ? { transform: `translate(${x + 4} ${box.bottom + 16}) rotate(-40)`, class: "end" }
    : { x, y: box.bottom + 19 };
  return [
    shape("line", { x1: x, x2: x, y1: box.bottom, y2: box.bottom + 5, class: "grid" }),
    shape("text", place, text),
  ];
}

function longest(marked) {
  return Math.max(...marked.map(([, text]) => text.length));
}

function scale([low, high], from, to) {
  return (value) => Number((from + ((value - low) / (high - low)) * (to - from)).toFixed(1));
}

/* About n round values within an axis's range, with their texts. */
function ticks(axis, n) {
  if (axis.names) return axis.names.map((name, i) => [i, name]);
  const [low, high] = axis.range;
  const power = 10 ** Math.floor(Math.log10((high - low) / n));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s * n >= (high - low) * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, i) => (first + i) * step)
    .map((value) => [value, written(value, step, high, axis.share)]);
}

function written(value, step, high, share) {
  const [shown, finest] = share ? [100 * value, 100 * step] : [value, step];
  const digits = Math.max(0, -Math.floor(Math.log10(finest) + 1e-9));
  const text = !share && high >= 10000
    ? shown.toLocaleString("en", { notation: "compact", maximumFractionDigits: 2 })
    : shown.toFixed(Math.min(digits, 20));
  return (share ? `${text} %` : text).replace("-", "\u2212");
}

/* What values need, with some room; a range of 1 where there is none. */
function reach(values) {
  const known = values.filter((v) => v !== null && v !== undefined);
  if (!known.length) return [0, 1];
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const room = 0.08 * (high - low || Math.abs(high) || 1);
  return [low - room, high + room];
}

/* Marks. A line is broken where a value is missing. */

function line(xs, ys, look) {
  return (at) => {
    let down = false;
    const steps = ys.map((y, i) => {
      const known = y !== null && y !== undefined;
      const step = known ? `${down ? "L" : "M"}${at.x(xs[i])} ${at.y(y)}` : "";
      down = known;
      return step;
    });
    return [shape("path", { d: steps.join(""), class: "curve", ...look })];
  };
}

/* Cut where the picture ends: bands of few seeds are wider than that. */
function band(xs, low, high, look) {
  return (at) => {
    const within = (y) => at.y(Math.min(Math.max(y, at.range[0]), at.range[1]));
    const kept = xs.map((_, i) => i).filter((i) => low[i] !== null);
    const points = [
      ...kept.map((i) => `${at.x(xs[i])},${within(high[i])}`),
      ...kept.toReversed().map((i) => `${at.x(xs[i])},${within(low[i])}`),
    ];
    return points.length ? [shape("polygon", { points: points.join(" "), class: "band", ...look })] : [];
  };
}

function dots(xs, ys, look) {
  return (at) => {
    const steps = ys.map((y, i) => (y === null ? "" : `M${at.x(xs[i])} ${at.y(y)}h0`));
    return [shape("path", { d: steps.join(""), class: "dots", ...look })];
  };
}

const SYMBOLS = {
  circle: "M-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0z",
  square: "M-.9-.9h1.8v1.8h-1.8z",
  up: "M0-1.2L1.1.8h-2.2z",
  diamond: "M0-1.3L1.3 0 0 1.3-1.3 0z",
  down: "M0 1.2L1.1-.8h-2.2z",
  cross: "M-.4-1.1h.8v.7h.7v.8h-.7v.7h-.8v-.7h-.7v-.8h.7z",
  star: "M0-1.3L.37-.4 1.3-.35.57.2.8 1.1 0 .6-.8 1.1-.57.2-1.3-.35-.37-.4z",
};

function symbol(x, y, name, size, look) {
  return (at) => [shape("path",
    { d: SYMBOLS[name], transform: `translate(${at.x(x)} ${at.y(y)}) scale(${size})`, ...look })];
}

function whisker(x, low, high, look) {
  return (at) => {
    const [middle, top, bottom] = [at.x(x), at.y(high), at.y(low)];
    const ends = `M${middle - 6} ${top}h12m-6 0V${bottom}m-6 0h12`;
    return [shape("path", { d: ends, class: "curve", "stroke-width": 2, ...look })];
  };
}

function label(x, y, text) {
  return (at) => [shape("text", { x: at.x(x) + 11, y: at.y(y) + 4, class: "value" }, text)];
}

/* A value that holds throughout, such as a threshold. */
function level(value, text, dash) {
  return (at) => {
    const { left, right } = at.box;
    const y = at.y(value);
    return [
      shape("line", { x1: left, x2: right, y1: y, y2: y, class: "level", "stroke-dasharray": dash }),
      shape("text", { x: right, y: y - 5, class: "end" }, text),
    ];
  };
}

/* Say what is nearest to the pointer. */
function pointing(picture, spots, at, width) {
  const tip = shape("g", { class: "tip" });
  picture.append(tip);
  picture.addEventListener("pointerleave", () => tip.replaceChildren());
  picture.addEventListener("pointermove", (event) => {
    const frame = picture.getBoundingClientRect();
    const [x, y] = [event.clientX - frame.left, event.clientY - frame.top].map(
      (v) => (v * width) / frame.width);
    const found = nearest(spots, at, x, y);
    tip.replaceChildren();
    if (found) say(tip, found, width);
  });
}

function nearest(spots, at, x, y) {
  let [found, least] = [null, NEAR ** 2];
  for (const { xs, ys, say: text } of spots) {
    ys.forEach((value, i) => {
      if (value === null || value === undefined) return;
      const [px, py] = [at.x(xs[i]), at.y(value)];
      const far = (px - x) ** 2 + (py - y) ** 2;
      if (far < least) [found, least] = [{ px, py, lines: text(i) }, far];
    });
  }
  return found;
}

function say(tip, { px, py, lines }, width) {
  const texts = lines.map((text, i) => shape("text", { x: 8, y: 16 + 16 * i, class: "start" }, text));
  tip.append(shape("circle", { cx: px, cy: py, r: 4 }));
  const card = shape("g", {}, ...texts);
  tip.append(card);
  const wide = Math.max(...texts.map((t) => t.getComputedTextLength())) + 16;
  const high = 16 * lines.length + 8;
  const left = Math.max(0, Math.min(px + (px > width / 2 ? -wide - 9 : 9), width - wide));
  const top = py > high + 12 ? py - high - 8 : py + 10;
  card.prepend(shape("rect", { width: wide, height: high, rx: 4 }));
  card.setAttribute("transform", `translate(${left} ${top})`);
}
