/* The population as lines through the grid of modules, on a canvas. */

class PopulationPicture {
  constructor(canvas) {
    this.canvas = canvas;
  }

  /* Fit the canvas to its box, and read the page's colours. */
  fit(replay) {
    const { trial } = replay;
    const width = this.canvas.parentElement.clientWidth;
    this.place = grid(trial.counts, width);
    this.across = Math.max(8, Math.min(trial.places, Math.floor((width - 8) / 18)));
    this.cell = Math.min(22, (width - 4) / this.across);
    const strip = Math.ceil(trial.places / this.across) * this.cell + 26;
    this.height = this.place.height + strip;
    const sharp = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * sharp);
    this.canvas.height = Math.round(this.height * sharp);
    this.canvas.style.height = `${this.height}px`;
    this.context = this.canvas.getContext("2d");
    this.context.setTransform(sharp, 0, 0, sharp, 0, 0);
    this.ink = {};
    for (const name of ["ink", "soft", "line", "paper", "many", "winner", "loser"]) {
      this.ink[name] = colour(name);
    }
    this.font = getComputedStyle(document.body).fontFamily;
  }

  draw(replay) {
    const { trial } = replay;
    const c = this.context;
    c.clearRect(0, 0, this.place.width, this.height);
    const layers = trial.counts.length;
    const paths = Array.from({ length: trial.places }, (_, p) =>
      distinct(replay.genotype(p), layers, trial.width));
    const uses = count(paths, trial.counts);
    this.crowd(uses, trial);
    for (const path of trial.earlier) this.lines(path, this.ink.ink, 1.4, [2, 4]);
    const fight = replay.replaced.at(-1);
    if (fight) {
      if (fight.winner >= 0) this.lines(paths[fight.winner], this.ink.winner, 1.8, []);
      this.lines(distinct(fight.old, layers, trial.width), this.ink.loser, 1.6, [6, 4]);
    }
    this.modules(uses.modules, trial);
    this.ends();
    this.places(replay);
  }

  /* All paths at once: an edge is as heavy as many paths have it. */
  crowd(uses, trial) {
    const byWeight = new Map();
    const add = (n, x0, y0, x1, y1) => {
      if (!n) return;
      if (!byWeight.has(n)) byWeight.set(n, new Path2D());
      const path = byWeight.get(n);
      path.moveTo(x0, y0);
      path.lineTo(x1, y1);
    };
    const { place } = this;
    const last = trial.counts.length - 1;
    uses.modules[0].forEach((n, m) => add(n, place.left, place.middle, place.column(0), place.row(0, m)));
    uses.pairs.forEach((table, layer) => table.forEach((n, k) => {
      const [a, b] = [Math.floor(k / trial.counts[layer + 1]), k % trial.counts[layer + 1]];
      add(n, place.column(layer), place.row(layer, a), place.column(layer + 1), place.row(layer + 1, b));
    }));
    uses.modules[last].forEach((n, m) =>
      add(n, place.column(last), place.row(last, m), place.right, place.middle));
    const c = this.context;
    c.setLineDash([]);
    c.strokeStyle = this.ink.many;
    for (const [n, path] of [...byWeight].sort((a, b) => a[0] - b[0])) {
      const share = n / trial.places;
      c.globalAlpha = 0.1 + 0.6 * share;
      c.lineWidth = 0.6 + 3.4 * share;
      c.stroke(path);
    }
    c.globalAlpha = 1;
  }

  /* One path, from the inputs to the readout. */
  lines(path, ink, thick, dash) {
    const { context: c, place } = this;
    c.strokeStyle = ink;
    c.lineWidth = thick;
    c.setLineDash(dash);
    c.beginPath();
    const join = (x0, y0, x1, y1) => {
      c.moveTo(x0, y0);
      c.lineTo(x1, y1);
    };
    path.forEach((modules, layer) => {
      for (const m of modules) {
        const [x, y] = [place.column(layer), place.row(layer, m)];
        if (layer === 0) join(place.left, place.middle, x, y);
        for (const next of path[layer + 1] || []) {
          join(x, y, place.column(layer + 1), place.row(layer + 1, next));
        }
        if (layer === path.length - 1) join(x, y, place.right, place.middle);
      }
    });
    c.stroke();
    c.setLineDash([]);
  }

  modules(used, trial) {
    const { context: c, place } = this;
    const s = place.size;
    used.forEach((layer, l) => {
      this.text(`layer ${l + 1}`, place.column(l), 14, this.ink.soft);
      layer.forEach((n, m) => {
        const [x, y] = [place.column(l) - s / 2, place.row(l, m) - s / 2];
        const frozen = trial.frozen[l].includes(m);
        c.fillStyle = this.ink.paper;
        c.fillRect(x, y, s, s);
        c.globalAlpha = n ? 0.15 + 0.85 * (n / trial.places) : 0;
        c.fillStyle = this.ink.many;
        c.fillRect(x, y, s, s);
        c.globalAlpha = 1;
        if (frozen) this.hatch(x, y, s);
        c.strokeStyle = frozen ? this.ink.ink : n ? this.ink.many : this.ink.line;
        c.lineWidth = frozen ? 2 : 1;
        c.strokeRect(x, y, s, s);
        if (place.pitch >= 14) this.text(m, x - 4, y + s / 2 + 4, this.ink.soft, "right", false, true);
      });
    });
  }

  hatch(x, y, s) {
    const c = this.context;
    c.save();
    c.beginPath();
    c.rect(x, y, s, s);
    c.clip();
    c.beginPath();
    for (let d = -s; d < s; d += 5) {
      c.moveTo(x + d, y + s);
      c.lineTo(x + d + s, y);
    }
    c.strokeStyle = this.ink.ink;
    c.lineWidth = 1;
    c.stroke();
    c.restore();
  }

  ends() {
    const { context: c, place } = this;
    for (const [x, name] of [[place.left - 10, "input"], [place.right + 10, "readout"]]) {
      c.save();
      c.translate(x, place.middle);
      c.rotate(-Math.PI / 2);
      this.text(name, 0, 4, this.ink.soft);
      c.restore();
    }
  }

  /* The slots of the population, the fitter the fuller; who won and who lost. */
  places(replay) {
    const c = this.context;
    const known = [...replay.fitness].filter((f) => !Number.isNaN(f));
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const top = this.place.height + 18;
    this.text("slots of the population; fuller is fitter", 2, top - 6, this.ink.soft, "left");
    const marks = new Map();
    for (const { winner, loser } of replay.replaced) {
      marks.set(loser, "L");
      if (winner >= 0) marks.set(winner, "W");
    }
    const size = this.cell - 3;
    replay.fitness.forEach((fitness, p) => {
      const x = 2 + (p % this.across) * this.cell;
      const y = top + Math.floor(p / this.across) * this.cell;
      if (!Number.isNaN(fitness)) {
        c.globalAlpha = 0.12 + (high > low ? 0.75 * ((fitness - low) / (high - low)) : 0.4);
        c.fillStyle = this.ink.many;
        c.fillRect(x, y, size, size);
        c.globalAlpha = 1;
      }
      const mark = marks.get(p);
      c.strokeStyle = mark ? this.ink[mark === "W" ? "winner" : "loser"] : this.ink.line;
      c.lineWidth = mark ? 2.4 : 1;
      c.strokeRect(x, y, size, size);
      if (mark) this.text(mark, x + size / 2, y + size / 2 + 4, this.ink.ink, "center", true);
    });
  }

  text(words, x, y, ink, align = "center", bold = false, clear = false) {
    const c = this.context;
    c.font = `${bold ? "bold " : ""}11px ${this.font}`;
    c.textAlign = align;
    if (clear) {
      c.lineWidth = 4;
      c.strokeStyle = this.ink.paper;
      c.strokeText(words, x, y);
    }
    c.fillStyle = ink;
    c.fillText(words, x, y);
  }
}

/* How many paths have each module, and each pair of modules of neighbouring layers. */
function count(paths, counts) {
  const modules = counts.map((n) => new Uint32Array(n));
  const pairs = counts.slice(1).map((n, layer) => new Uint32Array(n * counts[layer]));
  for (const path of paths) {
    path.forEach((active, layer) => {
      for (const m of active) {
        modules[layer][m] += 1;
        for (const next of path[layer + 1] || []) pairs[layer][m * counts[layer + 1] + next] += 1;
      }
    });
  }
  return { modules, pairs };
}
