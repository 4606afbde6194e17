"""What a summary says, held against numbers worked out by hand and with scipy.stats."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from pathnet_evo.analysis.summary import summarise
from pathnet_evo.interfaces.evaluations import Candidate, Evaluation
from pathnet_evo.interfaces.records import (
    Evaluated,
    GenerationFinished,
    StageFinished,
    StageStarted,
    TrialFinished,
    TrialStarted,
)
from pathnet_evo.report.data import read_report_data
from pathnet_evo.report.words import sentences
from pathnet_evo.store.lineage import Lineage
from pathnet_evo.store.lock import Lock
from pathnet_evo.store.reading import RunError

TOML = """
name = "by-hand"
arms = ["pathnet", "independent"]
seeds = {seeds}
strategy = "{strategy}"
[pool]
modules = 4
width = 2
layers = [{{kind = "linear", units = 3, repeat = 2}}]
[[stages]]
name = "a"
task = "none"
{threshold}
[[stages]]
name = "b"
task = "none"
{threshold}
"""

ROWS = ((0, 1), (2, 3))


class ByHand:
    """Writes a run's folder record by record."""

    def __init__(
        self,
        folder: Path,
        seeds: int,
        threshold: float | None = None,
        strategy: str = "binary-tournament",
    ) -> None:
        line = "" if threshold is None else f"threshold = {threshold}"
        text = TOML.format(seeds=seeds, threshold=line, strategy=strategy)
        (folder / "run.toml").write_text(text)
        self.folder = folder
        self.lineage = Lineage(folder / "lineage.sqlite")

    def start(self, trial: int, arm: str, seed: int) -> None:
        """Begin a trial."""
        self.lineage.write(TrialStarted(trial, arm, seed))

    def evaluate(
        self,
        trial: int,
        stage: int,
        fitnesses: Sequence[float | None],
        budget: int = 10,
        size: int = 8,
        by_frames: bool = False,
    ) -> None:
        """Begin a stage and tell these fitnesses, each after ``size`` examples."""
        name, self.examples = "ab"[stage], size * len(fitnesses)
        self.lineage.write(
            StageStarted(
                trial=trial,
                stage=stage,
                task=name,
                budget=budget,
                by_frames=by_frames,
                random_baseline=None,
                population=(ROWS,),
                frozen=((), ()),
                counts=(4, 4),
                fitness_name="accuracy",
                unit="examples",
            )
        )
        for number, fitness in enumerate(fitnesses):
            evaluation = Evaluation(
                Candidate(number, 0, ROWS, None, number),
                fitness,
                None if fitness is not None else "not finite",
                examples=size,
                seconds=0.5,
            )
            self.lineage.write(Evaluated(trial, stage, number, number // 2, evaluation, ()))
            if number % 2:
                self.lineage.write(
                    GenerationFinished(trial, stage, number // 2, number + 1, fitness, fitness)
                )

    def finish(self, trial: int, stage: int, fitness: float, scores: dict[int, float]) -> None:
        """End a stage."""
        self.lineage.write(
            StageFinished(
                trial=trial,
                stage=stage,
                evaluations=0,
                examples=self.examples,
                seconds=2.5,
                genotype=ROWS,
                path=ROWS,
                fitness=fitness,
                reused=((0,), ()) if stage else ((), ()),
                frozen=ROWS,
                scores={i: {"test_accuracy": score} for i, score in scores.items()},
                checkpoint=None,
            )
        )

    def end(self, trial: int, state: str = "finished", error: str | None = None) -> None:
        """End a trial."""
        self.lineage.write(TrialFinished(trial, state, error))

    def summary(self) -> dict[str, Any]:
        """Close the lineage and summarise it, as strict JSON."""
        self.lineage.close()
        found = summarise(self.folder)
        json.dumps(found, allow_nan=False)
        return found


@pytest.fixture
def by_hand(tmp_path: Path) -> Callable[..., ByHand]:
    """A run to be written record by record."""
    return lambda **options: ByHand(tmp_path, **options)


def whole(run: ByHand, seeds: int) -> None:
    """Both arms through both stages; pathnet scores 0.1 * seed better than independent on b."""
    for seed in range(seeds):
        for k, arm in enumerate(("pathnet", "independent")):
            trial = 2 * seed + k
            run.start(trial, arm, seed)
            run.evaluate(trial, 0, [0.1, 0.5, None, 0.9])
            run.finish(trial, 0, 0.9, {0: 0.8})
            run.evaluate(trial, 1, [0.2, 0.9] if k == 0 else [0.1, 0.2, 0.3, 0.9])
            on_b = 0.5 + (0.1 * seed if k == 0 else 0)
            run.finish(trial, 1, 0.9, {0: 0.8, 1: on_b} if k == 0 else {1: on_b})
            run.end(trial)


def test_a_run_with_a_budget_in_examples_has_a_speed_up(by_hand: Callable[..., ByHand]) -> None:
    """A run would say nothing of speed, or the report draw another curve than the target's."""
    run = by_hand(seeds=1)
    curves = {"pathnet": [0.002 * n for n in range(250)], "independent": [0.001] * 250}
    for trial, (arm, fitnesses) in enumerate(curves.items()):
        run.start(trial, arm, 0)
        run.evaluate(trial, 0, fitnesses, budget=250 * 16, size=16, by_frames=True)
        run.finish(trial, 0, 0.9, {0: 0.8})
        run.end(trial)
    summary = run.summary()
    (speed,) = summary["speed_up"]["pathnet"][:1]
    (pair,) = speed["seeds"].values()
    assert pair["arm"] == pair["control"] == 25 * 16, "the first full window of both"
    assert speed["by_generations"] is None, "generations of unknown sizes"
    data = read_report_data(run.folder)
    (view,) = data.of("independent", 0)
    xs, means = view.line()
    assert (xs[-1], means[-1]) == (250 * 16, pytest.approx(pair["target"]))


@pytest.mark.parametrize(
    ("strategy", "twice"),
    [
        ("binary-tournament", True),
        ("elitist-tournament", True),
        ("aging", False),
        ("asynchronous-tournament", False),
        ("mu-plus-lambda", False),
        ("nsga2", False),
        ("racing", False),
        ("random-search", False),
        ("fixed-path", False),
    ],
)
def test_generations_are_counted_for_tournaments_of_two(
    by_hand: Callable[..., ByHand], strategy: str, twice: bool
) -> None:
    """A strategy that no public implementation has would be given a speed-up counted in theirs."""
    run = by_hand(seeds=2, threshold=0.9, strategy=strategy)
    whole(run, 2)
    summary = run.summary()
    speed = summary["speed_up"]["pathnet"][1]
    assert speed["mean"] == pytest.approx(2.0)
    found = speed["by_generations"]
    assert found is None if not twice else found["mean"] == pytest.approx(4.0)
    said = [s for s in sentences(summary, "pathnet") if "Counted in generations" in s]
    assert bool(said) == twice


def test_the_learning_area_is_over_the_whole_budget(by_hand: Callable[..., ByHand]) -> None:
    """An arm that got there early would seem to have learned worse than one that took its time.

    Ten evaluations a stage. The first stage: 0.1, 0.5, a failure at the level 0.3 so far, 0.9,
    and six at the level 0.5 after it, 4.8 together. The second: 0.2, 0.9 and eight at 0.55.
    """
    run = by_hand(seeds=1, threshold=0.9)
    whole(run, 1)
    found = run.summary()["arms"]["pathnet"]["continual"]["learning_area"]["mean"]
    assert found == pytest.approx((0.48 + 0.55) / 2)


def test_whole_run(by_hand: Callable[..., ByHand]) -> None:
    """A finished run's numbers would be wrong: all of these are counted by hand."""
    run = by_hand(seeds=3, threshold=0.9)
    whole(run, 3)
    found = run.summary()
    assert (found["name"], found["state"], found["seeds"]) == ("by-hand", "finished", [0, 1, 2])
    assert [s["name"] for s in found["stages"]] == ["a", "b"]
    assert found["stages"][0]["score"] == "test_accuracy"
    first, second = found["arms"]["pathnet"]["stages"]
    assert first["evaluations"]["mean"] == 4
    assert first["failed"]["mean"] == 1
    assert first["generations"]["mean"] == 2
    assert first["examples"]["mean"] == 32
    assert second["reused"]["seeds"] == {"0": 1, "1": 1, "2": 1}
    assert first["forgetting"]["test_accuracy"]["seeds"] == {"0": 0.0, "1": 0.0, "2": 0.0}
    assert first["rescores"]["1"]["test_accuracy"]["mean"] == pytest.approx(0.8)
    assert found["arms"]["independent"]["stages"][0]["forgetting"] == {}
    assert found["times"]["pathnet"][1]["seconds"]["mean"] == 2.5
    speed = found["speed_up"]["pathnet"][1]
    assert (speed["mean"], speed["n"], speed["censored"]) == (pytest.approx(2.0), 3, 0)
    assert "independent" not in found["speed_up"]
    (on_b,) = [c for c in found["comparisons"] if c["stage"] == 1]
    assert (on_b["arm"], on_b["control"]) == ("pathnet", "independent")
    assert on_b["mean"] == pytest.approx(0.1)
    wanted = stats.ttest_rel([0.5, 0.6, 0.7], [0.5] * 3)
    assert on_b["p"] == pytest.approx(wanted.pvalue)
    assert on_b["interval"] == pytest.approx(list(wanted.confidence_interval(0.95)))


def test_speed_ups_are_averaged_on_logarithms(by_hand: Callable[..., ByHand]) -> None:
    """2x and 1/2x would average to 1.25x, and a censored pair would count as a value."""
    run = by_hand(seeds=3, threshold=0.9)
    reached = {0: (2, 4), 1: (4, 2), 2: (None, 2)}
    for seed, counts in reached.items():
        for k, (arm, n) in enumerate(zip(("pathnet", "independent"), counts, strict=True)):
            trial = 2 * seed + k
            run.start(trial, arm, seed)
            run.evaluate(trial, 0, [0.1] * (n - 1) + [0.9] if n else [0.1] * 10)
            run.finish(trial, 0, 0.9, {0: 0.8})
            run.end(trial)
    speeds = run.summary()["speed_up"]["pathnet"]
    speed = speeds[0]
    assert speed["mean"] == pytest.approx(1.0)
    assert (speed["n"], speed["censored"]) == (2, 1)
    logs = [math.log(2), -math.log(2)]
    wanted = stats.t.interval(0.95, 1, loc=0, scale=stats.sem(logs))
    assert speed["interval"] == pytest.approx([math.exp(end) for end in wanted])
    assert speed["p"] == speed["p_holm"] == pytest.approx(stats.ttest_1samp(logs, 0).pvalue)


def test_one_seed_has_no_interval(by_hand: Callable[..., ByHand]) -> None:
    """One seed would claim a certainty that it cannot have."""
    run = by_hand(seeds=1)
    whole(run, 1)
    found = run.summary()
    assert found["arms"]["pathnet"]["stages"][0]["scores"]["test_accuracy"]["interval"] is None
    assert found["comparisons"][0]["p"] is None


def test_failed_run(by_hand: Callable[..., ByHand]) -> None:
    """A run that broke could not be looked at."""
    run = by_hand(seeds=1)
    run.start(0, "pathnet", 0)
    run.evaluate(0, 0, [None, None])
    run.end(0, "failed", "2 evaluations failed in a row")
    run.start(1, "independent", 0)
    run.evaluate(1, 0, [0.5])
    run.end(1, "interrupted")
    found = run.summary()
    assert found["state"] == "failed"
    assert found["arms"]["pathnet"]["trials"][0]["error"] == "2 evaluations failed in a row"
    first = found["arms"]["pathnet"]["stages"][0]
    assert first["unfinished"] == {"0": {"evaluations": 2, "failed": 2}}
    assert first["fitness"] == {"seeds": {}, "n": 0, "mean": None, "interval": None}
    assert found["comparisons"] == []


def test_run_in_the_middle(by_hand: Callable[..., ByHand]) -> None:
    """A run could not be watched while it runs, nor after it was killed."""
    run = by_hand(seeds=2)
    run.start(0, "pathnet", 0)
    run.evaluate(0, 0, [0.5])
    run.lineage.commit()
    held = Lock(run.folder)
    found = summarise(run.folder)
    assert found["state"] == "running"
    held.release()
    assert summarise(run.folder)["state"] == "killed"
    assert found["stages"][1]["name"] == "b"
    run.lineage.close()


def test_trials_that_never_began_mean_interrupted(by_hand: Callable[..., ByHand]) -> None:
    """Half a run would pass for a whole one."""
    run = by_hand(seeds=2)
    whole(run, 1)
    assert run.summary()["state"] == "interrupted"


def test_scores_that_are_not_finite_become_null(by_hand: Callable[..., ByHand]) -> None:
    """``summary.json`` would not be JSON."""
    run = by_hand(seeds=1)
    run.start(0, "pathnet", 0)
    run.evaluate(0, 0, [0.5])
    run.finish(0, 0, 0.5, {0: math.nan})
    found = run.summary()["arms"]["pathnet"]["stages"][0]["scores"]["test_accuracy"]
    assert found == {"seeds": {"0": None}, "n": 0, "mean": None, "interval": None}


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    """A mistyped name would end in a traceback."""
    with pytest.raises(RunError, match="not a run's folder"):
        summarise(tmp_path)
