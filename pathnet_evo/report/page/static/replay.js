/* A population replayed from its differences; any generation in a few steps. */

const KEEP_EVERY = 64;

class Replay {
  constructor(trial) {
    this.trial = trial;
    this.genes = trial.counts.length * trial.width;
    this.steps = trial.steps || [];
    this.kept = [];
    this.keep(-1, Int16Array.from(trial.initial), new Float64Array(trial.places).fill(NaN));
    this.restart(0);
  }

  get length() {
    return this.steps.length;
  }

  keep(generation, population, fitness) {
    this.kept.push({ generation, population, fitness });
  }

  restart(index) {
    const from = this.kept[index];
    this.generation = from.generation;
    this.population = from.population.slice();
    this.fitness = from.fitness.slice();
    this.replaced = [];
  }

  /* The population after a generation; -1 is before the first. */
  seek(generation) {
    const target = Math.max(-1, Math.min(generation, this.length - 1));
    const nearest = Math.min(this.kept.length - 1, Math.floor((target + 1) / KEEP_EVERY));
    if (target < this.generation || this.kept[nearest].generation > this.generation) {
      this.restart(nearest);
    }
    while (this.generation < target) this.advance();
    return this;
  }

  advance() {
    this.generation += 1;
    const [told, changes] = this.steps[this.generation];
    for (let i = 0; i < told.length; i += 2) {
      this.fitness[told[i]] = told[i + 1] === null ? NaN : told[i + 1];
    }
    this.told = told;
    this.replaced = [];
    for (let i = 0; i < changes.length; ) i = this.replace(changes, i);
    if ((this.generation + 1) % KEEP_EVERY === 0
        && this.kept.length === (this.generation + 1) / KEEP_EVERY) {
      this.keep(this.generation, this.population.slice(), this.fitness.slice());
    }
  }

  replace(changes, start) {
    const [winner, loser, n] = changes.slice(start, start + 3);
    const [size, to] = [this.genes, loser * this.genes];
    const old = this.population.slice(to, to + size);
    let i = start + 3;
    const mutated = [];
    if (winner === -1) {
      this.population.set(changes.slice(i, i + size), to);
      i += size;
    } else if (winner >= 0) {
      this.population.copyWithin(to, winner * size, (winner + 1) * size);
      for (let k = 0; k < n; k += 1, i += 2) {
        const [gene, after] = [changes[i], changes[i + 1]];
        mutated.push([Math.floor(gene / this.trial.width), this.population[to + gene], after]);
        this.population[to + gene] = after;
      }
    }
    this.replaced.push({ winner, loser, mutated, old });
    return i;
  }

  genotype(place) {
    return this.population.subarray(place * this.genes, (place + 1) * this.genes);
  }
}

/* For each layer the distinct modules of a genotype: what the network sees. */
function distinct(genes, layers, width) {
  return Array.from({ length: layers }, (_, layer) =>
    [...new Set(genes.subarray(layer * width, (layer + 1) * width))]);
}
