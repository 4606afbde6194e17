"""Speed-ups, worked out by hand."""

from __future__ import annotations

import pytest

from pathnet_evo.analysis.speed_up import speed_up


def test_speed_up_to_a_threshold() -> None:
    """The paper's chief number would be wrong: 4 evaluations over 2 is 2."""
    found = speed_up([0.2, 0.9, 0.9], [0.1, 0.2, None, 0.95], budget=4, threshold=0.9)
    assert found == {"value": 2.0, "censored": None, "target": 0.9, "arm": 2, "control": 4}


@pytest.mark.parametrize(
    ("arm", "control", "censored", "value"),
    [
        ([0.1] * 8, [0.1, 0.9], "arm", 2 / 8),
        ([0.1, 0.9], [0.1] * 8, "control", 8 / 2),
        ([0.1] * 8, [0.1] * 8, "both", None),
    ],
)
def test_a_threshold_never_reached_is_censored(
    arm: list[float | None], control: list[float | None], censored: str, value: float | None
) -> None:
    """A run out of budget would pass for one that got there."""
    found = speed_up(arm, control, budget=8, threshold=0.9)
    assert found is not None
    assert (found["censored"], found["value"]) == (censored, value)


def test_speed_up_without_a_threshold() -> None:
    """Curves would be compared before they are smooth, or with the wrong target.

    Windows of 20. The control rises by 0.01 an evaluation: its smoothed curve ends, after 100, with
    the mean of 0.80 ... 0.99 = 0.895. The arm rises twice as fast: the mean of the 20 values up to
    0.02 n reaches 0.895 where 0.02 (n - 9.5) does, at index 55, the 56th evaluation
    (54.25 rounded up, plus one as indices begin at 0).
    """
    control = [0.01 * i for i in range(100)]
    arm = [min(0.02 * i, 1.98) for i in range(100)]
    found = speed_up(arm, control, budget=100, threshold=None)
    assert found is not None
    assert found["target"] == pytest.approx(0.895)
    assert (found["control"], found["arm"]) == (100, 56)
    assert found["value"] == pytest.approx(100 / 56)
    assert speed_up(arm[:19], control, budget=100, threshold=None) is None


def test_speed_up_on_a_budget_in_examples() -> None:
    """A budget in examples would be taken for evaluations: a window longer than any curve.

    Both arms have the same curve by evaluation, but the arm's evaluations take half as many
    examples. Its smoothed curve rises to its end, so the target is reached there.
    """
    rising = [0.001 * n for n in range(400)]
    sizes = ([400] * 400, [800] * 400)
    found = speed_up(rising, rising, 400 * 800, None, sizes=(sizes[1], sizes[1]))
    assert found is not None
    assert (found["value"], found["arm"], found["control"]) == (1.0, 320_000, 320_000)
    assert found["target"] == pytest.approx(sum(rising[-40:]) / 40)
    faster = speed_up(rising, rising, 400 * 800, 0.2, sizes=sizes)
    assert faster is not None
    assert (faster["value"], faster["arm"], faster["control"]) == (2.0, 201 * 400, 201 * 800)
    never = speed_up([0.0] * 400, rising, 400 * 800, 0.2, sizes=sizes)
    assert never is not None
    assert (never["censored"], never["value"]) == ("arm", 201 * 800 / 160_000)
