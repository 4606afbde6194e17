"""What a report says of a sequence of many tasks."""

from pathnet_evo.report.words import sentences

N = 6


def summary(gain, lost):
    """Six stages, two seeds: pathnet ahead by ``gain``, fine-tuning forgetting ``lost``."""

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
            "seeds": {"0": gain(i), "1": gain(i)},
            "n": 2,
            "mean": gain(i),
            "interval": [gain(i), gain(i)],
            "p": None,
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
    assert said[0].startswith("pathnet learned the 5 stages after the first better than")
    assert "+6.0 points" in said[0], "the mean of 2, 4, 6, 8 and 10 points"
    assert said[0].endswith("and forgot nothing.")
    assert "exactly the same on all 5 earlier stages" in said[1]
    assert said[3] == (
        "After the last stage, fine-tuning has lost 20.0 points of test accuracy on average over "
        "5 earlier stages."
    )


def test_every_task_is_spoken_of_at_length():
    """Broken: who wants to know of one task would have to read the JSON."""
    said = sentences(summary(lambda i: -0.01, lost=0.2), "pathnet")
    assert "worse than the same network from scratch" in said[0]
    assert sum("t3" in sentence for sentence in said) == 3, "two controls, and what was forgotten"
