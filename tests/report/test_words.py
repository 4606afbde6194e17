"""What a report says of a sequence of many tasks."""

import pytest

from pathnet_evo.report.headline import headline
from pathnet_evo.report.speeds import speed_sentence
from pathnet_evo.report.words import sentences
from pathnet_evo.values.readable import TIMES

N = 6


def summary(gain, lost, apart=0.001):
    """Six stages, two seeds ``apart``: pathnet ahead by ``gain``, fine-tuning losing ``lost``."""

    def stage(value):
        score = {"seeds": {"0": 0.5, "1": 0.5}, "n": 2, "mean": 0.5, "interval": [0.5, 0.5]}
        seeds = {"0": value, "1": value}
        forgotten = {"seeds": seeds, "n": 2, "mean": value, "interval": [value, value]}
        return {"scores": {"test_accuracy": score}, "forgetting": {"test_accuracy": forgotten}}

    arms = {"pathnet": 0.0, "independent": 0.0, "fine-tuning": lost}
    none = {"scores": {}, "forgetting": {}}
    compared = [
        {
            "stage": i,
            "score": "test_accuracy",
            "arm": "pathnet",
            "control": control,
            "seeds": {"0": gain(i) - apart, "1": gain(i) + apart},
            "n": 2,
            "mean": gain(i),
            "interval": [gain(i), gain(i)],
            "p": None,
            "p_holm": None,
        }
        for i in range(N)
        for control in ("independent", "fine-tuning")
    ]
    return {
        "state": "finished",
        "stages": [{"stage": i, "name": f"t{i}", "score": "test_accuracy"} for i in range(N)],
        "arms": {
            arm: {"stages": [*(stage(value) for _ in range(N - 1)), {**stage(0),
                "forgetting": none["forgetting"]}]}
            for arm, value in arms.items()
        },
        "comparisons": compared,
        "speed_up": {},
    }  # fmt: skip


def test_many_tasks_are_summed_up():
    """Broken: a page would begin with pages of sentences, and speak of the last task alone."""
    said = sentences(summary(lambda i: 0.02 * i, lost=0.2), "pathnet", brief=True)
    assert len(said) == 4, "the headline, and one for each arm that can be scored again"
    assert said[0].startswith("pathnet learned the 5 stages after the first better than the same")
    assert "+6.0 points" in said[0], "the mean of 2, 4, 6, 8 and 10 points"
    assert said[0].endswith("and forgot nothing.")
    assert "exactly the same on all 5 earlier stages" in said[1]
    assert said[3] == (
        "After the last stage, fine-tuning has lost 20.0 points of test accuracy on average over "
        "5 earlier stages."
    )


def test_every_task_is_spoken_of_at_length():
    """Broken: who wants to know of one task would have to read the JSON."""
    said = sentences(summary(lambda i: -0.02, lost=0.2), "pathnet")
    assert "possibly worse than the same network from scratch" in said[0]
    assert sum("t3" in sentence for sentence in said) == 3, "two controls, and what was forgotten"


def test_two_controls_make_a_headline_less_certain():
    """Two tries at 5 % would be told as one.

    With two seeds, t is the mean over half their distance, and p = 2 atan(1 / t) / pi: 0.030 for
    t = 21.2, twice that for two controls.
    """
    said = sentences(
        summary(lambda i: 0.02 * i, lost=0.2, apart=0.06 / 21.2), "pathnet", brief=True
    )
    assert said[0].count("possibly better than") == 2
    assert said[0].count("; p = 0.06 with Holm's correction") == 2


def test_without_variance_there_is_no_certainty():
    """Two seeds with the same difference by chance would be told as a proof."""
    said = sentences(summary(lambda i: 0.02 * i, lost=0.2, apart=0.0), "pathnet", brief=True)
    assert "possibly better than fine-tuning (+6.0 points" in said[0]


@pytest.mark.parametrize(
    ("interval", "p_holm", "verdict"),
    [
        ([1.2, 2.0], 0.01, ": faster."),
        ([1.2, 2.0], 0.2, ": possibly faster."),
        ([0.5, 0.8], 0.01, ": slower."),
        ([0.5, 0.8], 0.2, ": possibly slower."),
        ([0.8, 1.2], 1.0, ": these seeds do not tell the two apart."),
    ],
)
@pytest.mark.parametrize("measure", ["smoothed", "area"])
def test_verdicts_on_speed(measure, interval, p_holm, verdict):
    """The best of many speed-ups would be called faster, since one in twenty is by chance."""
    speed = {"measure": measure, "seeds": {}, "n": 5, "censored": 0, "mean": sum(interval) / 2}
    said = speed_sentence({**speed, "interval": interval, "p_holm": p_holm}, "pathnet")
    assert said.endswith(verdict)
    assert f"p = {p_holm:.2g} with Holm's correction" in said


@pytest.mark.parametrize(
    ("interval", "p_holm", "censored", "pace"),
    [
        ([1.5, 2.5], 0.01, 0, f", 2.00{TIMES} as fast (95 % interval 1.50{TIMES} to 2.50{TIMES})"),
        (
            [1.5, 2.5],
            0.2,
            0,
            f", possibly 2.00{TIMES} as fast (95 % interval 1.50{TIMES} to 2.50{TIMES})",
        ),
        ([0.9, 4.4], 0.01, 0, ""),
        ([1.5, 2.5], 0.01, 1, ""),
        (None, None, 0, ""),
    ],
)
def test_the_headline_says_how_fast(interval, p_holm, censored, pace):
    """Who comes to the same score in half the time would seem to have gained nothing."""
    of_two = summary(lambda i: 0.0, lost=0.2)
    of_two["stages"] = of_two["stages"][:2]
    for arm in of_two["arms"].values():
        arm["stages"] = arm["stages"][:2]
    speed = {"stage": 1, "mean": 2.0, "interval": interval, "p_holm": p_holm, "censored": censored}
    other = {"stage": 0, "mean": 9.0, "interval": [8.0, 10.0], "p_holm": 0.01, "censored": 0}
    of_two["speed_up"] = {"pathnet": [other, speed]}
    said, *_ = headline(of_two, "pathnet")
    about = "t1 about as well as the same network from scratch (0 points, 95 % interval"
    start, _, rest = said.partition(") and about as well as fine-tuning")
    assert said.startswith(f"pathnet learned {about}")
    assert rest
    assert f"{start})".endswith(pace or "points)")
