"""What a comparison of runs says, held against scipy.stats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from pathnet_evo.analysis.comparison import compare_runs
from pathnet_evo.interfaces.learners import Candidate, Evaluation
from pathnet_evo.interfaces.records import (
    Evaluated,
    Record,
    StageFinished,
    StageStarted,
    TrialFinished,
    TrialStarted,
)
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
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        seeds = sorted(stages[0])
        text = f"arms = ['pathnet']\nseed = {seeds[0]}\nseeds = {len(seeds)}\n"
        text += f"strategy = {{name = 'aging', population = {population}}}\n"
        text += "".join(f"[[stages]]\ntask = '{task}'\n" for task in tasks[: len(stages)])
        (folder / "run.toml").write_text(text)
        lineage = Lineage(folder / "lineage.sqlite")
        for trial, seed in enumerate(seeds):
            for record in records(trial, seed, [s[seed] for s in stages], unit, evaluations):
                lineage.write(record)
        lineage.close()
        return folder

    return write


def records(
    trial: int, seed: int, scores: Sequence[float], unit: str, evaluations: int
) -> list[Record]:
    """A trial's records."""
    found: list[Record] = [TrialStarted(trial, "pathnet", seed)]
    for i, score in enumerate(scores):
        found.append(
            StageStarted(
                trial, i, "it", evaluations, False, None, (ROWS,), ((),), (4,), "fitness", unit
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
    assert test["p"] == pytest.approx(expected.pvalue)
    assert test["interval"] == pytest.approx(list(expected.confidence_interval()))


def test_other_seeds_are_not_paired(write_run: WriteRun) -> None:
    """Seeds that have nothing to do with each other would be taken for pairs."""
    test = only_test(compare_runs([write_run("a", A), write_run("c", C)]))
    expected = stats.ttest_ind([*A.values()], [*C.values()], equal_var=False)
    assert (test["paired"], test["n"]) == (False, [4, 3])
    assert test["p"] == pytest.approx(expected.pvalue)
    assert test["interval"] == pytest.approx(list(expected.confidence_interval()))


def test_one_seed_claims_nothing(write_run: WriteRun) -> None:
    """A difference of one seed would be told as a result."""
    test = only_test(compare_runs([write_run("a", {0: 0.5}), write_run("b", {0: 0.6})]))
    assert test["mean"] == pytest.approx(-0.1)
    assert (test["paired"], test["interval"], test["p"]) == (False, None, None)


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
    assert other["not_compared"] == ["stage 1 is not compared: its task is none in a, other in b"]
    shorter = compare_runs([a, write_run("c", B)])
    assert shorter["not_compared"] == ["stage 1 is not compared: c has no such stage"]
    with pytest.raises(RunError, match="stage 0 is not compared: it counts examples in a"):
        compare_runs([a, write_run("d", B, unit="frames")])


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
