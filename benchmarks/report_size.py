"""The report of a run of 100,000 evaluations: its size, and the time to write and open it."""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path

from pathnet_evo.core.genotype import PathShape, distinct
from pathnet_evo.interfaces.evaluations import Evaluation
from pathnet_evo.interfaces.records import (
    Evaluated,
    GenerationFinished,
    StageFinished,
    StageStarted,
    TrialFinished,
    TrialStarted,
)
from pathnet_evo.report import write_report
from pathnet_evo.store.lineage import Lineage
from pathnet_evo.strategies.binary_tournament import BinaryTournament

SHAPE = PathShape(layers=4, modules=20, width=5)
ARMS = ("pathnet", "other")
SEEDS, STAGES = 5, 2
NOTHING = ((),) * SHAPE.layers

OPENINGS = 7

FRAME = "requestAnimationFrame(() => setTimeout(() => done(performance.now())))"

OPENED = f"""() => new Promise((done) => {{
    const seen = (node) => node.getBoundingClientRect().top < innerHeight;
    const drawn = () => document.readyState === "complete"
        && !document.getElementById("player").hidden
        && [...document.querySelectorAll("figure:not([hidden]) .drawing")].filter(seen)
            .every((node) => node.querySelector("svg"));
    const look = () => drawn() ? {FRAME} : setTimeout(look, 5);
    look();
}})"""
"""Milliseconds from asking for the page until it is loaded, the population and every figure of the
first screen are drawn, and a frame has been painted since."""

CHARTED = f"""(name) => new Promise((done) => {{
    const chart = document.querySelector(`[data-figure="${{name}}"]`);
    const began = performance.now();
    const look = () => chart.dataset.drawn === "true"
        ? {FRAME.replace("performance.now()", "performance.now() - began")} : setTimeout(look, 5);
    chart.scrollIntoView();
    look();
}})"""
"""Milliseconds from going to a chart until it is drawn and a frame has been painted since."""


def main() -> None:
    """Make up a lineage, write its report, and open it if there is a browser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluations", type=int, default=100_000)
    parser.add_argument("--keep", type=Path, help="Write the run into this new folder.")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary) / "large"
        folder.mkdir(parents=True)
        make_up(folder, options.evaluations)
        began = time.perf_counter()
        page = write_report(folder)
        print(f"{options.evaluations:,} evaluations")
        print(f"written in {time.perf_counter() - began:.2f} s")
        print(f"report.html {page.stat().st_size / 1e6:.2f} MB")
        if Path(options.chromium).exists():
            look(page, options.chromium)


def make_up(folder: Path, evaluations: int) -> None:
    """A run whose tournaments are real and whose fitnesses are not."""
    stages = "".join(f'[[stages]]\nname = "task {i}"\ntask = "none"\n' for i in range(STAGES))
    (folder / "run.toml").write_text(
        'name = "large"\narms = [{name = "pathnet"}, {name = "other"}]\n'
        f"seeds = {SEEDS}\n[pool]\nmodules = 20\nwidth = 5\n"
        f'[[pool.layers]]\nkind = "linear"\nrepeat = 4\n{stages}'
    )
    lineage = Lineage(folder / "lineage.sqlite")
    each = evaluations // (len(ARMS) * SEEDS * STAGES)
    for trial in range(len(ARMS) * SEEDS):
        lineage.write(TrialStarted(trial, ARMS[trial % 2], trial // 2))
        frozen = NOTHING
        for stage in range(STAGES):
            frozen = make_up_stage(lineage, trial, stage, frozen, each)
        lineage.write(TrialFinished(trial, "finished"))
    lineage.close()


def make_up_stage(lineage, trial, stage, frozen, evaluations):  # type: ignore[no-untyped-def]
    """One stage; what is frozen after it."""
    settings = BinaryTournament.Settings(population=64)
    rng = random.Random(10 * trial + stage)
    strategy = BinaryTournament(SHAPE, rng, settings, frozen=frozen)
    first = tuple(tuple(map(tuple, genotype)) for genotype in strategy.population)
    counts = SHAPE.counts
    lineage.write(
        StageStarted(
            trial, stage, f"task {stage}", evaluations, False, None, first, frozen, counts,
            "accuracy", "examples",
        )
    )  # fmt: skip
    target = strategy.population[0]
    number = 0
    while number < evaluations:
        for candidate in strategy.ask(2):
            alike = sum(
                a == b
                for row, wanted in zip(candidate.genotype, target, strict=True)
                for a, b in zip(row, wanted, strict=True)
            )
            fitness = 0.5 + 0.02 * alike + rng.gauss(0, 0.02)
            done = Evaluation(candidate, fitness, examples=800, metrics={"loss": 1 - fitness})
            strategy.tell(done)
            replaced = tuple(strategy.take_replacements())
            lineage.write(Evaluated(trial, stage, number, number // 2, done, replaced))
            number += 1
        found = {"frozen_overlap": 0.2, "frozen_overlap_chance": 0.25} if number % 32 == 0 else {}
        record = GenerationFinished(trial, stage, number // 2 - 1, number, fitness, fitness, found)
        lineage.write(record)
    best = strategy.best()
    assert best is not None
    path = distinct(best)
    after = tuple(tuple(sorted({*a, *b})) for a, b in zip(frozen, path, strict=True))
    scores = {stage: {"test_accuracy": 0.8}}
    genotype = tuple(map(tuple, best))
    lineage.write(
        StageFinished(
            trial, stage, number, 800 * number, 1.0, genotype, path, best.fitness.values[0],
            NOTHING, after, scores, None,
        )
    )  # fmt: skip
    return after


def look(page: Path, chromium: str) -> None:
    """Open the page some times, go to its charts, and play the animation at full speed."""
    from playwright.sync_api import sync_playwright

    opened, first, others = [], [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(OPENINGS):
            view = browser.new_page(viewport={"width": 1400, "height": 900})
            view.goto(page.as_uri())
            opened.append(view.evaluate(OPENED))
            first.append(view.evaluate(CHARTED, "genealogy"))
            others.append(view.evaluate(CHARTED, "curve-0"))
            view.close()
        say("open in", opened)
        say("first chart, which starts plotly, there after", first)
        say("the next there after", others)
        view = browser.new_page(viewport={"width": 1400, "height": 900})
        view.goto(page.as_uri())
        print(f"{frames(view):.0f} frames a second while it plays")
        browser.close()


def say(what: str, milliseconds: list[float]) -> None:
    """Print the median and the longest."""
    middle, longest = statistics.median(milliseconds) / 1000, max(milliseconds) / 1000
    print(f"{what} {middle:.2f} s in the median of {OPENINGS}, {longest:.2f} s at most")


def frames(view) -> float:  # type: ignore[no-untyped-def]
    """Frames a second that the animation draws."""
    view.select_option("[data-player=speed]", "120")
    view.click("[data-player=play]")
    n = view.evaluate(
        """() => new Promise((done) => {
            let n = 0;
            const end = performance.now() + 2000;
            const frame = (now) => { n += 1; now < end ? requestAnimationFrame(frame) : done(n); };
            requestAnimationFrame(frame);
        })"""
    )
    return float(n) / 2


if __name__ == "__main__":
    main()
