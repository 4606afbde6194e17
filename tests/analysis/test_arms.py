"""Which arm a run shows first, and which arms it is compared with."""

import re
from itertools import combinations

import pytest

from pathnet_evo.analysis.arms import compared_order, shown_arm
from pathnet_evo.analysis.summary import summarise
from pathnet_evo.interfaces.records import TrialFinished, TrialStarted
from pathnet_evo.report.words import sentences
from pathnet_evo.report.write import write_report
from pathnet_evo.setup.config import RunConfig


@pytest.fixture
def run(tmp_path, made_up):
    """Writes a run whose arms differ by a point from one to the next, under three seeds."""

    def write(*arms):
        made_up.toml(tmp_path, 3, arms, stages=1)
        records = []
        for k, arm in enumerate(arms):
            for seed in range(3):
                trial = 3 * k + seed
                score = {0: 0.9 - 0.01 * k + 0.001 * seed * k}
                stage = made_up.stage(trial, 0, [0.1, 0.5], score)
                records += [
                    TrialStarted(trial, arm, seed),
                    *stage,
                    TrialFinished(trial, "finished"),
                ]
        made_up.lineage(tmp_path, records)
        return tmp_path

    return write


def test_an_arm_that_differs_in_transfer_alone_is_a_control(run):
    """``random-columns`` would be learned for hours and compared with nothing."""
    summary = summarise(run("pathnet", "random-columns"))
    (one,) = summary["comparisons"]
    assert (one["arm"], one["control"], one["n"]) == ("pathnet", "random-columns", 3)
    said = " ".join(sentences(summary, "pathnet", brief=True))
    assert "against random-columns's" in said
    assert "no control" not in said


def test_every_pair_is_compared_and_the_controls_of_the_headline_come_first(run):
    """A page would begin with a comparison that few ask for, or leave a pair out."""
    arms = ("random-columns", "pathnet", "independent", "fine-tuning")
    folder = run(*arms)
    summary = summarise(folder)
    pairs = [(one["arm"], one["control"]) for one in summary["comparisons"]]
    assert {frozenset(pair) for pair in pairs} == {*map(frozenset, combinations(arms, 2))}
    assert [arm for arm, _ in pairs if arm == "independent"] == []
    said = [s for s in sentences(summary, "pathnet") if "against" in s]
    order = [next(arm for arm in arms if f"against {arm}'s" in s) for s in said]
    assert order == ["independent", "fine-tuning", "random-columns"]
    (brief,) = [s for s in sentences(summary, "pathnet", brief=True) if "against" in s]
    assert "against independent's" in brief
    page = write_report(folder).read_text(encoding="utf-8")
    assert re.search("<td>pathnet . random-columns</td>", page)


@pytest.mark.parametrize(
    ("arms", "shown", "order"),
    [
        (["independent", "fine-tuning"], "independent", ["fine-tuning", "independent"]),
        (["fine-tuning", "random"], "random", ["random", "fine-tuning"]),
        (
            ["pathnet", "independent", "fine-tuning", "random"],
            "pathnet",
            ["pathnet", "fine-tuning", "random", "independent"],
        ),
    ],
)
def test_the_independent_arm_is_the_last_control(arms, shown, order):
    """Differences would change their sign with the arm that a run happens to show."""
    config = RunConfig(arms=arms, stages=[{"task": "none"}])
    assert shown_arm(config) == shown
    assert compared_order(config) == order
