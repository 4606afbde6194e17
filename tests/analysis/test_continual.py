"""The accuracy matrix and its metrics, held against the papers' sums written out."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest

from pathnet_evo.analysis.comparison import compare_runs
from pathnet_evo.analysis.continual import acc, bwt, forgetting, fwt
from pathnet_evo.analysis.summary import summarise
from pathnet_evo.cli.tables import results
from pathnet_evo.interfaces.evaluations import Candidate, Evaluation
from pathnet_evo.interfaces.records import (
    BeforeTraining,
    Evaluated,
    NetworkMeasured,
    StageFinished,
    StageStarted,
    TrialFinished,
    TrialStarted,
)
from pathnet_evo.interfaces.run_info import RunInfo, Trial
from pathnet_evo.observers.tensorboard import TensorBoard
from pathnet_evo.report.across_runs import comparison_page
from pathnet_evo.report.words import sentences
from pathnet_evo.report.write import write_report
from pathnet_evo.running.loading import RunError, load_run
from pathnet_evo.store.lineage import Lineage
from pathnet_evo.values.readable import NOTHING

ROWS = ((0, 1), (2, 3))
NONE = math.nan
KEPT = [[0.90, 0.50, NONE], [0.90, 0.80, 0.25], [0.90, 0.80, 0.70]]
LOST = [[0.90, 0.55, NONE], [0.40, 0.85, 0.30], [0.60, 0.45, 0.75]]
RANDOM = [NONE, 0.40, 0.35]
TOML = """
name = "stream"
arms = ["pathnet", "independent", "fine-tuning"]
seeds = 2
pool = { modules = 4, width = 2, layers = [{ kind = "linear", units = 3, repeat = 2 }] }
stages = [
  { name = "a", task = "none" },
  { name = "b", task = "none" },
  { name = "c", task = "none" },
]
"""


def records(trial, arm, seed, matrix, stages=3, kept=True, name="test_accuracy"):
    """A trial with these accuracies; without ``kept``, of each stage right after it alone."""
    yield TrialStarted(trial, arm, seed)
    for i in range(stages):
        place = ("abc"[i], 2, False, None, (ROWS,), ((), ()), (4, 4), "accuracy", "examples")
        yield StageStarted(trial, i, *place)
        if i:
            before, untrained = {name: matrix[i - 1][i]}, {name: RANDOM[i]}
            yield BeforeTraining(trial, i, before, untrained)
        for n in range(2):
            told = Evaluation(Candidate(n, 0, ROWS, None, n), 0.25 + 0.5 * n, examples=8)
            yield Evaluated(trial, i, n, n, told, ())
        yield NetworkMeasured(trial, i, 2, 100 + i, 90 + i, 100 * (i + 1) ** 2)
        scored = range(i + 1) if kept else [i]
        scores = {j: {name: matrix[i][j]} for j in scored}
        frozen = ((), ())
        yield StageFinished(trial, i, 2, 16, 1.0, ROWS, ROWS, 0.5, frozen, frozen, scores, None)
    if stages == 3:
        yield TrialFinished(trial, "finished")


def write(folder, *trials, toml=TOML):
    """A run of these trials."""
    folder.mkdir(exist_ok=True)
    (folder / "run.toml").write_text(toml)
    lineage = Lineage(folder / "lineage.sqlite")
    for trial in trials:
        for record in trial:
            lineage.write(record)
    lineage.close()
    return folder


@pytest.fixture
def run(tmp_path):
    """A run of three arms and two seeds; everything is two points better with seed 1."""
    trials = []
    for seed in (0, 1):
        for k, (arm, matrix) in enumerate(
            [("pathnet", KEPT), ("independent", KEPT), ("fine-tuning", LOST)]
        ):
            better = (np.array(matrix) + 0.02 * seed).tolist()
            trials.append(records(3 * seed + k, arm, seed, better, kept=arm != "independent"))
    return write(tmp_path / "run", *trials)


def test_metrics_are_the_sums_of_the_papers():
    """Figures could not be compared with published ones."""
    rng = np.random.default_rng(0)
    for tasks in (2, 3, 7):
        r, b = rng.random((tasks, tasks)), rng.random(tasks)
        last = tasks - 1
        assert acc(r) == pytest.approx(sum(r[last][i] for i in range(tasks)) / tasks)
        lost = [r[last][i] - r[i][i] for i in range(last)]
        assert bwt(r) == pytest.approx(sum(lost) / last)
        ahead = [r[i - 1][i] - b[i] for i in range(1, tasks)]
        assert fwt(r, b.tolist()) == pytest.approx(sum(ahead) / last)
        most = [max(r[i][j] for i in range(j, last)) - r[last][j] for j in range(last)]
        assert forgetting(r) == pytest.approx(sum(most) / last)


def test_summary_has_the_matrix_and_the_metrics_of_each_seed(run):
    """Scores of later stages would be missing, mixed up, or averaged into the wrong cell."""
    arms = summarise(run)["arms"]
    found = arms["fine-tuning"]["continual"]
    assert found["score"] == "test_accuracy"
    np.testing.assert_allclose(
        np.array(found["matrices"]["0"], dtype=float), np.array(LOST), equal_nan=True
    )
    np.testing.assert_allclose(np.array(found["matrix"], dtype=float), np.array(LOST) + 0.01)
    assert found["acc"]["seeds"] == pytest.approx({"0": 0.6, "1": 0.62})
    assert found["bwt"]["seeds"]["0"] == pytest.approx((0.60 - 0.90 + 0.45 - 0.85) / 2)
    assert found["fwt"]["seeds"]["0"] == pytest.approx((0.55 - 0.40 + 0.30 - 0.35) / 2)
    assert found["forgetting"]["seeds"]["0"] == pytest.approx((0.30 + 0.40) / 2)
    assert found["learning_area"]["mean"] == 0.5
    kept = arms["pathnet"]["continual"]
    assert kept["acc"]["seeds"]["0"] == pytest.approx(0.8)
    assert list(kept["bwt"]["seeds"].values()) == [0.0, 0.0]


def test_a_network_of_its_own_keeps_its_score(run):
    """``independent`` would have no ACC, though nothing ever changes its networks."""
    found = summarise(run)["arms"]["independent"]["continual"]
    assert found["matrices"]["0"][2][:2] == [0.90, 0.80]
    assert found["acc"]["seeds"]["0"] == pytest.approx(0.8)
    assert found["bwt"]["mean"] == 0


def test_sizes_and_growth(run):
    """A method that grows without bound would look as cheap as one that does not."""
    stages = summarise(run)["arms"]["pathnet"]["stages"]
    assert [stage["parameters"]["mean"] for stage in stages] == [100, 101, 102]
    assert [stage["multiply_adds"]["mean"] for stage in stages] == [90, 91, 92]
    assert [stage["growth"]["mean"] for stage in stages] == [100, 300, 500]


def test_an_unfinished_run_has_a_matrix_and_no_metrics(tmp_path):
    """Means over the tasks so far would be shown as those of the whole sequence."""
    run = write(tmp_path / "run", records(0, "pathnet", 0, KEPT, stages=2))
    found = summarise(run)["arms"]["pathnet"]["continual"]
    assert found["matrices"]["0"] == [[0.9, 0.5, None], [0.9, 0.8, None], [None, None, None]]
    assert (found["acc"]["n"], found["acc"]["mean"]) == (0, None)


def test_returns_of_games_are_not_averaged(tmp_path):
    """Points of different games would be added up as if they were accuracies."""
    run = write(tmp_path / "run", records(0, "pathnet", 0, KEPT, name="mean_return"))
    assert summarise(run)["arms"]["pathnet"]["continual"] is None


def test_the_matrix_in_python(run):
    """A user would have to take it out of JSON."""
    found = load_run(run)
    np.testing.assert_allclose(found.accuracy_matrix("fine-tuning", 0), LOST)
    np.testing.assert_allclose(found.accuracy_matrix(), np.array(KEPT) + 0.01)
    with pytest.raises(RunError, match=r"no arm 'pathnt'\. Did you mean \"pathnet\"\?"):
        found.accuracy_matrix("pathnt")
    with pytest.raises(RunError, match=r"no seed 7 \(have: 0, 1\)"):
        found.accuracy_matrix(seed=7)


def test_runs_are_compared_over_all_stages(run):
    """Arms could be compared stage by stage only."""
    found = compare_runs([run])
    assert found["continual"]["fine-tuning"]["acc"]["mean"] == pytest.approx(0.61)
    tests = {(t["a"], t["b"]): t for t in found["continual_tests"]}
    assert tests["pathnet", "fine-tuning"]["mean"] == pytest.approx(0.2)
    assert tests["pathnet", "fine-tuning"]["n"] == 2
    json.dumps(found, allow_nan=False)


def test_the_headline_says_how_the_arms_stand_at_the_end(run):
    """A reader would see what later tasks gained, and not what was lost of the earlier ones."""
    summary = summarise(run)
    said = sentences(summary, "pathnet")
    (standing,) = [s for s in said if s.startswith("At the end of the run")]
    assert standing.startswith("At the end of the run, pathnet averages 81.0 % over all 3 tasks: ")
    assert "about as well as the same network from scratch (0 points" in standing
    assert "better than fine-tuning (+20.0 points, 95 % interval" in standing
    assert standing.endswith("which lost 35.0 points on earlier tasks.")
    assert not any("averages" in s for s in sentences(summary, "fine-tuning"))


def test_one_seed_claims_nothing(tmp_path):
    """One lucky seed would be told as a finding."""
    trials = [records(0, "pathnet", 0, KEPT), records(1, "fine-tuning", 0, LOST)]
    said = sentences(summarise(write(tmp_path / "run", *trials)), "pathnet")
    (standing,) = [s for s in said if s.startswith("At the end of the run")]
    assert (
        "better than fine-tuning (+20.0 points; a single seed, so this may be chance)" in standing
    )


def test_the_terminal_shows_all_tasks(run, capsys):
    """The last table would speak of single stages only."""
    results(summarise(run))
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("fine")]
    (line,) = [" ".join(line.split()) for line in lines if "35.0" in line]
    assert line.startswith("fine-tuning 61.0 %")
    assert line.endswith("-35.0 points +6.0 points 101 91 400")


def test_the_page_shows_the_matrix(run):
    """The report would have no figure of forgetting, task by task."""
    page = write_report(run).read_text(encoding="utf-8")
    (table,) = re.findall(r"<caption>Accuracy of fine-tuning after.*?</table>", page, re.S)
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", table)
    assert [cell.removesuffix(" %") for cell in cells] == [
        *("91.0", "56.0", NOTHING),
        *("41.0", "86.0", "31.0"),
        *("61.0", "46.0", "76.0"),
    ]
    assert 'style="--share: 91%"' in table
    assert "<td>101</td><td>91</td><td>400</td>" in page


def test_the_page_of_a_comparison_shows_all_tasks(run):
    """Runs side by side would have no figure over all tasks."""
    page = comparison_page(compare_runs([run]), [run])
    (table,) = re.findall(r"<caption>ACC, BWT and FWT.*?</table>", page, re.S)
    assert "61.0 %" in table
    assert "-35.0 points" in table
    (tests,) = re.findall(r'aria-label="Differences over all tasks".*?</table>', page, re.S)
    (row,) = [row for row in tests.split("<tr>") if re.search("pathnet . fine-tuning", row)]
    assert "average accuracy" in row
    assert "+20.0 points" in row
    assert "Wilcoxon signed-rank, 2 pairs of seeds" in row
    assert page.count("no rank test has a p value below") == 4, "three stages, and all of them"


def test_a_notebook_shows_the_tests_over_all_tasks(run):
    """A notebook would leave out what the terminal and the page show."""
    shown = compare_runs([run])._repr_html_()
    *_, table = shown.split("<table")
    assert "all stages" in table
    assert "fine-tuning minus pathnet" in table
    assert "-20.0 points" in table


def test_tensorboard_has_the_metrics_of_a_trial(run, tmp_path):
    """Runs could not be compared by their ACC where users compare everything else."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    observer = TensorBoard()
    about = RunInfo(tmp_path, "stream", {2: Trial(2, "fine-tuning", 0)})
    *_, finished, _ = records(2, "fine-tuning", 0, LOST)
    observer.stage_finished(about, finished)
    observer.run_finished(about, summarise(run))
    events = EventAccumulator(str(tmp_path / "tensorboard" / "fine-tuning-0"))
    events.Reload()
    values = {tag: events.Scalars(f"continual/{tag}")[0] for tag in ("ACC", "BWT", "FWT")}
    assert {tag: round(event.value, 4) for tag, event in values.items()} == {
        "ACC": 0.6,
        "BWT": -0.35,
        "FWT": 0.05,
    }
    assert values["ACC"].step == 3
