"""Learning curves against frames and the areas under them, held against plain computations."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathnet_evo.analysis.curves import (
    POINTS,
    area_speed_up,
    evaluations_within,
    learning_curve,
    mean_over_budget,
    smoothed,
)
from pathnet_evo.analysis.summary import summarise
from pathnet_evo.interfaces.evaluations import Candidate, Episode, Evaluation
from pathnet_evo.interfaces.records import (
    EpisodesFinished,
    Evaluated,
    StageFinished,
    StageStarted,
    TrialFinished,
    TrialStarted,
)
from pathnet_evo.report.words import sentences
from pathnet_evo.store.lineage import Lineage

EPISODES = st.lists(
    st.tuples(st.integers(1, 5000), st.floats(-100, 100, allow_nan=False)), max_size=40
).map(sorted)


def plain_curve(episodes, chance, frames, points):
    """The same by looking at every part on its own."""
    curve = []
    for k in range(points):
        inside = [s for at, s in episodes if k * frames < at * points <= (k + 1) * frames]
        last = curve[-1] if curve else chance
        curve.append(np.mean(inside) if inside else last)
    return curve


def test_a_curve_by_hand():
    """A reader could not say what a point of the curve is."""
    episodes = [(10, 1.0), (11, 2.0), (20, 4.0), (35, 8.0), (41, 99.0)]
    assert learning_curve(episodes, -5.0, 40, points=4) == [1.0, 3.0, 3.0, 8.0]
    assert learning_curve([(25, 1.0)], -5.0, 40, points=4) == [-5.0, -5.0, 1.0, 1.0]
    assert learning_curve([], -5.0, 40, points=4) == [-5.0] * 4


def test_a_curve_of_a_stage_that_ended_early():
    """A last unlucky episode would count for all that was left of the budget."""
    episodes = [(10, 1.0), (20, 9.0), (22, 2.0)]
    assert learning_curve(episodes, 0.0, 50, 5, early_end=(22, 8.0)) == [1.0, 9.0, 2.0, 8.0, 8.0]
    assert learning_curve(episodes, 0.0, 50, 5, early_end=(30, 8.0)) == [1.0, 9.0, 2.0, 8.0, 8.0]
    assert learning_curve(episodes, 0.0, 20, 2, early_end=(22, 8.0)) == [1.0, 9.0]


@given(EPISODES, st.floats(-50, 50), st.integers(1, 6000), st.integers(1, 30))
def test_curves(episodes, chance, frames, points):
    """Episodes would be counted in a part where they did not end."""
    found = learning_curve(episodes, chance, frames, points)
    assert found == pytest.approx(plain_curve(episodes, chance, frames, points), abs=1e-9)


@given(EPISODES, EPISODES, st.floats(-50, 50))
def test_the_ratio_of_areas(arm, control, chance):
    """A speed-up would be another number than the paper's, or one where there is none."""
    found = area_speed_up(
        *(learning_curve(episodes, chance, 5000) for episodes in (arm, control)), chance
    )
    width = 5000 / POINTS
    ours, theirs = (
        sum((v - chance) * width for v in plain_curve(e, chance, 5000, POINTS))
        for e in (arm, control)
    )
    assert found["difference"] * 5000 == pytest.approx(ours - theirs, abs=1e-5)
    if theirs > 1e-3:
        assert found["value"] == pytest.approx(ours / theirs, rel=1e-6)
    if theirs < -1e-3:
        assert found["value"] is None


TOML = """
arms = ["pathnet", "independent"]
seeds = 2
pool = { modules = 2, width = 1, layers = [{ kind = "linear" }] }
[[stages]]
name = "game"
task = "none"
frames = 1000
"""


def told(folder, scores, random_baseline=0.0, by_frames=True):
    """The summary of a run whose arms played one episode of 100 frames after another."""
    (folder / "run.toml").write_text(TOML)
    lineage = Lineage(folder / "lineage.sqlite")
    rows = ((0,),)
    for trial, (arm, seed) in enumerate(scores):
        lineage.write(TrialStarted(trial, arm, seed))
        lineage.write(
            StageStarted(
                trial=trial,
                stage=0,
                task="game",
                budget=1000 if by_frames else 5,
                by_frames=by_frames,
                random_baseline=random_baseline,
                population=(rows,),
                frozen=((),),
                counts=(2,),
                fitness_name="return",
                unit="frames",
            )
        )
        played = [
            Episode(i, 0, score, 100, 100 * (i + 1)) for i, score in enumerate(scores[arm, seed])
        ]
        lineage.write(EpisodesFinished(trial, 0, 0, played[-1].at, tuple(played)))
        done = Evaluation(Candidate(0, 0, rows, None, 0), 1.0, examples=300)
        lineage.write(Evaluated(trial, 0, 0, 0, done, ()))
        lineage.write(
            StageFinished(
                trial=trial,
                stage=0,
                evaluations=1,
                examples=100 * len(played),
                seconds=1.0,
                genotype=rows,
                path=rows,
                fitness=1.0,
                reused=((),),
                frozen=rows,
                scores={0: {"mean_return": 1.0}},
                checkpoint=None,
            )
        )
        lineage.write(TrialFinished(trial, "finished"))
    lineage.close()
    found = summarise(folder)
    json.dumps(found, allow_nan=False)
    return found


def test_speed_up_of_games(tmp_path):
    """A run on games would report no speed-up, or one of evaluations."""
    scores = {
        ("pathnet", 0): [4.0] * 10,
        ("independent", 0): [2.0] * 10,
        ("pathnet", 1): [3.0] * 10,
        ("independent", 1): [6.0] * 5 + [0.0] * 5,
    }
    summary = told(tmp_path, scores)
    (speed,) = summary["speed_up"]["pathnet"]
    assert speed["measure"] == "area"
    # the first tenth of each curve is at chance, but for its last point, where an episode ends
    assert speed["seeds"]["0"]["arm"] == pytest.approx(4.0 * 91 / 100)
    assert speed["seeds"]["0"]["value"] == pytest.approx(2.0)
    assert speed["seeds"]["1"]["value"] == pytest.approx(3 * 91 / (6 * 50))
    assert speed["mean"] == pytest.approx((2.0 * 3 * 91 / 300) ** 0.5)
    assert speed["difference"]["mean"] == pytest.approx((2 * 0.91 + 2.73 - 3.0) / 2)
    stage = summary["stages"][0]
    assert stage["by_frames"] is True
    assert stage["chance"]["mean"] == 0
    curve = summary["arms"]["pathnet"]["stages"][0]["curves"]["0"]
    assert curve["frames"] == 1000
    assert curve["scores"] == [0.0] * 9 + [4.0] * 91
    assert summary["arms"]["pathnet"]["stages"][0]["examples"]["mean"] == 1000, (
        "what was in flight at the end was used as well"
    )
    (said,) = [s for s in sentences(summary, "pathnet") if "area" in s]
    assert "area between the learning curve of pathnet and the score of random" in said


def test_a_stage_that_ended_early_keeps_what_it_froze(tmp_path):
    """The luck of the last episode would be half of the area."""
    scores = {("pathnet", 0): [4.0] * 4 + [0.0], ("independent", 0): [2.0] * 10}
    (speed,) = told(tmp_path, scores)["speed_up"]["pathnet"]
    # four tenths at 4 from the first end on, a point of 0, then the fitness of the frozen path, 1
    assert speed["seeds"]["0"]["arm"] == pytest.approx((4.0 * 40 + 0.0 + 1.0 * 50) / 100)


def test_no_ratio_where_the_control_learned_nothing(tmp_path):
    """A ratio to nothing, or to less, would say whatever one likes."""
    scores = {
        ("pathnet", 0): [2.0] * 10,
        ("independent", 0): [-1.0] * 10,
        ("pathnet", 1): [2.0] * 10,
        ("independent", 1): [1.0] * 10,
    }
    summary = told(tmp_path, scores)
    (speed,) = summary["speed_up"]["pathnet"]
    assert speed["seeds"]["0"]["value"] is None
    assert speed["seeds"]["1"]["value"] == pytest.approx(2.0)
    assert (speed["mean"], speed["n"]) == (None, 0)
    assert speed["difference"]["mean"] == pytest.approx((3 + 1) * 0.91 / 2)
    (said,) = [s for s in sentences(summary, "pathnet") if "area" in s]
    assert "no ratio" in said


def test_budgets_in_evaluations_compare_the_frames_that_both_played(tmp_path):
    """The arm whose episodes are longer would have more time to learn."""
    scores = {("pathnet", 0): [4.0] * 10, ("independent", 0): [2.0] * 5}
    (speed,) = told(tmp_path, scores, by_frames=False)["speed_up"]["pathnet"]
    # both over 500 frames: an episode ends at 100, which is the twentieth of a hundred points
    assert speed["seeds"]["0"]["arm"] == pytest.approx(4.0 * 81 / 100)
    assert speed["seeds"]["0"]["value"] == pytest.approx(2.0)


@given(
    st.lists(st.tuples(st.none() | st.floats(0, 1), st.integers(1, 9)), max_size=30),
    st.integers(1, 200),
    st.integers(1, 8),
    st.none() | st.just(0.1),
)
def test_the_mean_over_a_budget_counts_every_example(told, budget, window, baseline):
    """A stage that ended early, failed evaluations or small ones would count too much or nothing.

    The reference writes down the level after each single example of the budget.
    """
    levels, known = [], []
    for fitness, size in told:
        known += [fitness] if fitness is not None else []
        level = np.mean(known[-window:]) if known else baseline
        levels += [level if fitness is None else fitness] * size
    levels += [np.mean(known[-window:]) if known else baseline] * budget
    wanted = [level for level in levels[:budget] if level is not None]
    fitnesses, used = [f for f, _ in told], [n for _, n in told]
    found = mean_over_budget(fitnesses, used, budget, window, baseline)
    assert found == pytest.approx(np.mean(wanted) if wanted else np.nan, nan_ok=True)


def test_evaluations_within_a_budget():
    """Curves on budgets in examples would be smoothed over a tenth of the examples."""
    assert evaluations_within(300, by_frames=False, sizes=[8] * 5) == 300
    assert evaluations_within(320_000, by_frames=True, sizes=[800] * 400) == 400
    assert evaluations_within(320_000, by_frames=True, sizes=[800] * 3) == 400, "at its beginning"
    assert evaluations_within(1000, by_frames=True, sizes=[]) == 0


def test_failed_evaluations_are_left_out_of_the_smoothed_curve() -> None:
    """One failed evaluation would pull a curve down, or end the summary with an error."""
    assert smoothed([1.0, None, 3.0, None, None], 2) == [1.0, 3.0, 3.0, None]
