/* The page: what is chosen, and everything drawn again when that, the data or the width changes. */

class Report {
  constructor() {
    this.hidden = new Set();
    this.player = new Player(document.getElementById("player"));
    this.choices = ["arm", "seed", "stage"].map((name) => document.getElementById(`choose-${name}`));
    for (const select of this.choices) {
      select.addEventListener("change", () => {
        this.byHand = true;
        this.choose();
      });
    }
    let width = window.innerWidth;
    window.addEventListener("resize", () => {
      if (window.innerWidth !== width) {
        width = window.innerWidth;
        this.redraw();
      }
    });
    startTheme(() => this.redraw());
    this.read();
  }

  /* Take in the data that the page holds now. */
  read() {
    this.data = JSON.parse(document.getElementById("data").textContent);
    this.offer();
    legend(this.data, this.hidden);
    drawKey(document.getElementById("roles"));
    this.choose(true);
    drawCurves(this.data, this.hidden);
    drawScores(this.data);
  }

  /* Fill the lists of arms, seeds and stages, and keep what was chosen. */
  offer() {
    const { data } = this;
    const [arm, seed, stage] = this.choices;
    options(arm, data.arms.map((name) => [name, name]));
    options(seed, data.seeds.map((n) => [n, n]));
    options(stage, data.stages.map((s, i) => [i, `${i + 1}. ${s.name}`]));
    const told = this.byHand ? null : this.latest();
    if (told) [arm.value, seed.value, stage.value] = [told.arm, told.seed, told.stage];
  }

  /* Where a running run is; of one that is over, the last stage of the first seed. */
  latest() {
    const { trials, shown, running } = this.data;
    const mine = trials.filter((t) => t.arm === shown);
    if (running || !mine.length) return (mine.length ? mine : trials).at(-1);
    return mine.filter((t) => t.seed === mine[0].seed).at(-1);
  }

  get chosen() {
    const [arm, seed, stage] = this.choices;
    return { arm: arm.value, seed: Number(seed.value), stage: Number(stage.value) };
  }

  choose(same = false) {
    const { arm, seed, stage } = this.chosen;
    this.trial = this.data.trials.find((t) => t.arm === arm && t.seed === seed && t.stage === stage);
    this.why();
    this.player.load(this.trial, same);
    this.drawChosen();
  }

  /* Why there is no animation, where there is none. */
  why() {
    const note = document.getElementById("player-none");
    let text = "";
    if (!this.trial) text = "This stage has not started.";
    else if (this.trial.steps === null) text = "Omitted to keep this page small; select an earlier seed.";
    else if (!this.trial.steps.length) text = this.unchanging();
    note.textContent = text;
    note.hidden = !text;
  }

  unchanging() {
    const { initial, places } = this.trial;
    const size = initial.length / places;
    return initial.every((gene, i) => gene === initial[i % size])
      ? "This arm trains the same path throughout."
      : "Nothing was replaced in this stage.";
  }

  drawChosen() {
    drawArchitecture(this.data, this.trial);
    drawUsage(this.data, this.chosen, this.trial);
    drawReuse(this.data, this.chosen);
    drawGenealogy(this.data, this.trial);
  }

  redraw() {
    this.player.resize();
    legend(this.data, this.hidden);
    this.drawChosen();
    drawCurves(this.data, this.hidden);
    drawScores(this.data);
  }
}

function options(select, entries) {
  const before = select.value;
  select.replaceChildren(...entries.map(([value, text]) => element("option", { value }, text)));
  if (entries.some(([value]) => String(value) === before)) select.value = before;
}

let report = document.getElementById("data") ? new Report() : null;
window.addEventListener("pathnet-content", () => {
  if (report) report.read();
  else report = new Report();
});
