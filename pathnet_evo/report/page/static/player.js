/* Controls of the population's animation: play, pause, step, speed, slider, keys. */

const LONGEST = 25;

class Player {
  constructor(root) {
    this.root = root;
    this.part = (name) => root.querySelector(`[data-player="${name}"]`);
    this.picture = new PopulationPicture(root.querySelector("canvas"));
    this.slider = this.part("slider");
    this.playing = false;
    this.part("play").addEventListener("click", () => this.toggle());
    this.part("first").addEventListener("click", () => this.show(-1, true));
    this.part("back").addEventListener("click", () => this.show(this.at - 1, true));
    this.part("next").addEventListener("click", () => this.show(this.at + 1, true));
    this.part("last").addEventListener("click", () => this.show(this.replay.length - 1, true));
    this.slider.addEventListener("input", () => this.show(Number(this.slider.value) - 1, true));
    root.addEventListener("keydown", (event) => this.key(event));
  }

  get at() {
    return this.replay.generation;
  }

  /* Another trial or stage; or the same, further on: then stay, or follow if at its end. */
  load(trial, same) {
    const before = this.replay;
    const followed = before && before.generation === before.length - 1;
    this.pause();
    const usable = Boolean(trial && trial.steps && trial.steps.length);
    this.root.hidden = !usable;
    if (!usable) {
      this.replay = null;
      return;
    }
    this.replay = new Replay(trial);
    this.slider.max = this.replay.length;
    this.part("speed").value = String(this.fittingSpeed());
    this.resize();
    const to = same && before && !followed ? before.generation : this.replay.length - 1;
    this.show(to, false);
  }

  fittingSpeed() {
    const speeds = [...this.part("speed").options].map((o) => Number(o.value));
    return speeds.find((s) => this.replay.length / s < LONGEST) || speeds.at(-1);
  }

  resize() {
    if (!this.replay) return;
    this.picture.fit(this.replay);
    this.picture.draw(this.replay);
  }

  show(generation, byHand) {
    if (!this.replay) return;
    if (byHand) this.pause();
    this.replay.seek(generation);
    this.picture.draw(this.replay);
    this.slider.value = this.at + 1;
    const said = this.describe();
    this.slider.setAttribute("aria-valuetext", said);
    this.part("words").textContent = said;
  }

  describe() {
    const { replay } = this;
    if (replay.generation < 0) return `Before the first of ${replay.length} generations: random paths.`;
    const where = `Generation ${replay.generation + 1} of ${replay.length}`;
    const told = replay.told.filter((v, i) => i % 2 && v !== null);
    const best = told.length ? `, best fitness ${number(Math.max(...told), 4)}` : "";
    const fights = replay.replaced;
    if (!fights.length) return `${where}${best}: nothing was replaced.`;
    if (fights.length > 1) {
      const fresh = fights.filter((f) => f.winner < 0).length;
      return `${where}${best}: ${fights.length} slots were overwritten, ${fresh} of them re-initialised at random.`;
    }
    const [{ winner, loser, mutated }] = fights;
    if (winner < 0) return `${where}${best}: slot ${loser} was re-initialised at random.`;
    const changed = mutated.map(([layer, from, to]) => `layer ${layer + 1}: ${from} → ${to}`);
    return `${where}${best}: slot ${winner} (W) overwrote slot ${loser} (L); `
      + (changed.length ? `mutated ${changed.join(", ")}.` : "nothing mutated.");
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    if (!this.replay) return;
    if (this.at >= this.replay.length - 1) this.show(-1, false);
    this.playing = true;
    this.label("Pause");
    this.part("words").setAttribute("aria-live", "off");
    let [last, due] = [performance.now(), 0];
    const frame = (now) => {
      if (!this.playing) return;
      due += ((now - last) / 1000) * Number(this.part("speed").value);
      last = now;
      if (due >= 1) {
        this.show(this.at + Math.floor(due), false);
        due -= Math.floor(due);
      }
      if (this.at >= this.replay.length - 1) this.pause();
      else requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  pause() {
    this.playing = false;
    this.label("Play");
    this.part("words").setAttribute("aria-live", "polite");
  }

  label(text) {
    this.part("play").textContent = text;
  }

  key(event) {
    const tag = event.target.tagName;
    if (event.ctrlKey || event.metaKey || event.altKey || tag === "SELECT") return;
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10 };
    if (event.key === " " && tag !== "BUTTON") this.toggle();
    else if (event.key in steps && tag !== "INPUT") this.show(this.at + steps[event.key], true);
    else if (event.key === "Home" && tag !== "INPUT") this.show(-1, true);
    else if (event.key === "End" && tag !== "INPUT") this.show(this.replay.length - 1, true);
    else return;
    event.preventDefault();
  }
}
