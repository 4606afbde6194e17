/* Elements made from data: text is always set as text, never as markup. */

const SVG = "http://www.w3.org/2000/svg";

function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function shape(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(name, String(value));
  }
  node.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return node;
}

function table(caption, head, rows) {
  const cell = (text) => element("td", {}, text);
  return element("table", {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...head.map((h) => element("th", { scope: "col" }, h)))),
    element("tbody", {}, ...rows.map(([first, ...rest]) =>
      element("tr", {}, element("th", { scope: "row" }, first), ...rest.map(cell)))));
}

function find(name, root = document) {
  return root.querySelector(`[data-figure="${name}"]`);
}

function number(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  return Math.abs(value) >= 10000
    ? Math.round(value).toLocaleString("en")
    : String(Number(value.toPrecision(digits)));
}

function percent(share) {
  return `${Math.round(100 * share)} %`;
}
