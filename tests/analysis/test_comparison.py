"""What a comparison of runs says, held against scipy.stats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from pathnet_evo.analysis.compared import against_references
from pathnet_evo.analysis.comparison import compare_runs
from pathnet_evo.interfaces.evaluations import Candidate, Evaluation
from pathnet_evo.interfaces.records import (
    Evaluated,
    Record,
    StageFinished,
    StageStarted,
    TrialFinished,
    TrialStarted,
)
from pathnet_evo.running.loading import load_run
from pathnet_evo.store.lineage import Lineage
from pathnet_evo.store.reading import RunError

ROWS = ((0, 1),)
WriteRun = Callable[..., Path]


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """Writes a run of one arm, whose seeds scored as given, stage by stage."""

    def write(
        name: str,
        *stages: Mapping[int, float],
        tasks: Sequence[str] = ("none", "none"),
        unit: str = "examples",
        population: int = 8,
        evaluations: int = 2,
        called: Callable[[int, int], str] = lambda trial, stage: "it",
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        seeds = sorted(stages[0])
        text = f"arms = ['pathnet']\nseed = {seeds[0]}\nseeds = {len(seeds)}\n"
        text += f"strategy = {{name = 'aging', population = {population}}}\n"
        for task in tasks[: len(stages)]:
            text += f"[[stages]]\ntask = {task if task[0] == '{' else repr(task)}\n"
        (folder / "run.toml").write_text(text)
        lineage = Lineage(folder / "lineage.sqlite")
        for trial, seed in enumerate(seeds):
            names = [called(trial, stage) for stage in range(len(stages))]
            reached = [s[seed] for s in stages]
            for record in records(trial, seed, reached, unit, evaluations, names):
                lineage.write(record)
        lineage.close()
        return folder

    return write


def records(
    trial: int,
    seed: int,
    scores: Sequence[float],
    unit: str,
    evaluations: int,
    names: Sequence[str],
) -> list[Record]:
    """A trial's records."""
    found: list[Record] = [TrialStarted(trial, "pathnet", seed)]
    for i, score in enumerate(scores):
        found.append(
            StageStarted(
                trial, i, names[i], evaluations, False, None, (ROWS,), ((),), (4,), "fitness", unit
            )
        )
        for n in range(evaluations):
            told = Evaluation(Candidate(n, 0, ROWS, None, n), 0.5, examples=8)
            found.append(Evaluated(trial, i, n, n, told, ()))
        kept = {j: {"score": s} for j, s in enumerate(scores[: i + 1])}
        found.append(
            StageFinished(
                trial=trial,
                stage=i,
                evaluations=evaluations,
                examples=8 * evaluations,
                seconds=2.0 + trial,
                genotype=ROWS,
                path=ROWS,
                fitness=score,
                reused=((),),
                frozen=ROWS,
                scores=kept,
                checkpoint=None,
            )
        )
    return [*found, TrialFinished(trial, "finished")]


A = {0: 0.7, 1: 0.8, 2: 0.75, 3: 0.9}
B = {1: 0.7, 2: 0.72, 3: 0.81, 4: 0.6}
C = {10: 0.5, 11: 0.55, 12: 0.65}


def only_test(found: dict[str, Any]) -> dict[str, Any]:
    """The single test of a comparison."""
    ((test,),) = (stage["tests"] for stage in found["stages"])
    assert isinstance(test, dict)
    return test


def test_shared_seeds_are_paired(write_run: WriteRun) -> None:
    """Strategies that differ a little, but under every seed, would seem alike."""
    found = compare_runs([write_run("a", A), write_run("b", B)])
    test = only_test(found)
    shared = [1, 2, 3]
    expected = stats.ttest_rel([A[s] for s in shared], [B[s] for s in shared])
    assert (test["a"], test["b"]) == ("a: pathnet", "b: pathnet")
    assert (test["paired"], test["n"]) == (True, 3)
    assert (test["t_test"], test["t_p"]) == ("paired t", pytest.approx(expected.pvalue))
    assert test["interval"] == pytest.approx(list(expected.confidence_interval()))
    assert test["seeds"] == {str(s): pytest.approx(A[s] - B[s]) for s in shared}
    assert (test["test"], test["p"]) == ("Wilcoxon signed-rank", 0.25)


def test_other_seeds_are_not_paired(write_run: WriteRun) -> None:
    """Seeds that have nothing to do with each other would be taken for pairs."""
    test = only_test(compare_runs([write_run("a", A), write_run("c", C)]))
    expected = stats.ttest_ind([*A.values()], [*C.values()], equal_var=False)
    assert (test["paired"], test["n"]) == (False, [4, 3])
    assert (test["t_test"], test["t_p"]) == ("Welch's t", pytest.approx(expected.pvalue))
    assert test["interval"] == pytest.approx(list(expected.confidence_interval()))
    assert (test["test"], test["p"]) == ("Mann-Whitney U", pytest.approx(2 / 35))


def test_one_seed_claims_nothing(write_run: WriteRun) -> None:
    """A difference of one seed would be told as a result."""
    test = only_test(compare_runs([write_run("a", {0: 0.5}), write_run("b", {0: 0.6})]))
    assert test["mean"] == pytest.approx(-0.1)
    assert (test["paired"], test["interval"], test["p"]) == (False, None, None)
    assert (test["t_p"], test["p_holm"], test["least_p"]) == (None, None, None)


def test_results_and_differences(write_run: WriteRun) -> None:
    """What a run scored and cost, and in what it differs from another, could not be seen."""
    a = write_run("a", A, population=8, evaluations=2)
    found = compare_runs([a, write_run("b", B, population=20, evaluations=3)])
    (stage,) = found["stages"]
    result = stage["results"]["a: pathnet"]
    assert result["scores"]["score"]["mean"] == pytest.approx(sum(A.values()) / 4)
    assert [result[w]["mean"] for w in ("evaluations", "examples", "seconds")] == [2, 16, 3.5]
    assert stage["same_budget"] is False
    told = {d["key"]: d["values"] for d in found["differences"]}
    assert told == {"seed": [0, 1], "strategy.population": [8, 20]}


def test_stages_that_differ_are_told(write_run: WriteRun) -> None:
    """Accuracies on different tasks would be subtracted from each other."""
    a = write_run("a", A, A)
    other = compare_runs([a, write_run("b", B, B, tasks=("none", "other"))])
    assert [s["stage"] for s in other["stages"]] == [0]
    assert other["not_compared"] == ["stage 2 is not compared: its task is none in a, other in b"]
    shorter = compare_runs([a, write_run("c", B)])
    assert shorter["not_compared"] == ["stage 2 is not compared: c has no such stage"]
    with pytest.raises(RunError, match="stage 1 is not compared: it counts examples in a"):
        compare_runs([a, write_run("d", B, unit="frames")])


def test_tasks_that_differ_in_what_they_hold_are_told(write_run: WriteRun) -> None:
    """Two games of one plugin would be compared, or two folders of pictures."""
    tasks = [("none", f"{{name = 'none', game = '{game}'}}") for game in "xy"]
    names = [lambda trial, stage, game=game: ("it", game)[stage] for game in "xy"]
    a = write_run("a", A, A, tasks=tasks[0], called=names[0])
    other = compare_runs([a, write_run("b", B, B, tasks=tasks[1], called=names[1])])
    assert [s["stage"] for s in other["stages"]] == [0]
    assert other["not_compared"] == ["stage 2 is not compared: its task is x in a, y in b"]
    for name, task, called in (
        ("renamed", tasks[0], names[1]),  # the same task under another name
        ("moved", tasks[1], names[0]),  # such as the same data in another folder
    ):
        same = compare_runs([a, write_run(name, B, B, tasks=task, called=called)])
        assert [s["stage"] for s in same["stages"]] == [0, 1]
        assert same["not_compared"] == []


def test_a_stage_is_not_called_by_the_classes_of_one_seed(write_run: WriteRun) -> None:
    """A mean over seeds would be told of the classes that the first one drew."""
    run = write_run("a", A, called=lambda trial, stage: f"digits {trial}-{trial + 3}")
    (stage,) = compare_runs([run])["stages"]
    assert stage["name"] == "digits"
    loaded = load_run(run)
    assert loaded.stages == ("digits",)
    assert [s["name"] for s in loaded.summary["stages"]] == ["digits"]
    nothing_shared = write_run("b", A, called=lambda trial, stage: f"{trial} digits")
    assert load_run(nothing_shared).stages == ("none",)


def test_runs_that_are_none(write_run: WriteRun, tmp_path: Path) -> None:
    """A mistyped name would end in a traceback."""
    a = write_run("a", A)
    with pytest.raises(RunError, match="nothing: no such run"):
        compare_runs([a, tmp_path / "nothing"])
    with pytest.raises(RunError, match="listed twice"):
        compare_runs([a, a])
    (a / "lineage.sqlite").write_bytes(b"?")
    with pytest.raises(RunError, match="not a readable lineage"):
        compare_runs([a])


def test_p_values_are_corrected_for_all_pairs_of_a_score(write_run: WriteRun) -> None:
    """With many arms some would be called better by chance alone."""
    low = {seed: 0.1 + 0.01 * seed for seed in range(8)}
    runs = [
        write_run("a", low),
        write_run("b", {s: v + 0.3 + 0.001 * s for s, v in low.items()}),
        write_run("c", {s: v + (-1) ** s * 0.01 * (s + 1) for s, v in low.items()}),
    ]
    tests = compare_runs(runs)["stages"][0]["tests"]
    raw = [test["p"] for test in tests]
    assert raw[0] == raw[2] == 2 / 2**8
    assert [test["p_holm"] for test in tests] == pytest.approx([3 * raw[0], raw[1], 3 * raw[0]])


def test_each_arm_has_its_reference(write_run: WriteRun) -> None:
    """A notebook would subtract an arm from itself, or the other way round."""
    found = compare_runs([write_run("a", A), write_run("b", B)])
    assert [entry["reference"] for entry in found["entries"]] == [None, "a: pathnet"]
    (stage,) = found["stages"]
    (test,) = against_references(found, stage["tests"])
    (turned,) = stage["tests"]
    assert (test["a"], test["b"]) == ("b: pathnet", "a: pathnet")
    assert test["mean"] == pytest.approx(sum(B[s] - A[s] for s in (1, 2, 3)) / 3)
    assert test["interval"] == pytest.approx([-end for end in turned["interval"][::-1]])
    assert test["effect"] == pytest.approx(1 - turned["effect"])


def test_a_notebook_shows_a_comparison(write_run: WriteRun) -> None:
    """Names of runs would be markup in a notebook, or the test would not be said."""
    found = compare_runs([write_run("a", A), write_run("<b>bold<script>".replace("/", ""), B)])
    assert repr(found) == "<Comparison of a, <b>bold<script>: 1 stages, 1 tests>"
    shown = found._repr_html_()
    assert "<b>" not in shown
    assert "<script" not in shown
    assert "&lt;b&gt;bold&lt;script&gt;: pathnet minus a: pathnet" in shown
    assert "Wilcoxon signed-rank, 3 pairs of seeds; interval: paired t" in shown


def test_costs_are_skewed(write_run: WriteRun) -> None:
    """The mean of a few slow seeds would have an interval as if seconds were symmetric."""
    result = compare_runs([write_run("a", dict.fromkeys(range(6), 0.5))])["stages"][0]
    seconds = result["results"]["pathnet"]["seconds"]
    assert (seconds["mean"], seconds["interval_from"]) == (4.5, "bootstrap")
    few = compare_runs([write_run("b", A)])["stages"][0]["results"]["pathnet"]["seconds"]
    assert few["interval_from"] == "t"
