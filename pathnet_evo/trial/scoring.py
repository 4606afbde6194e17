"""Contained scoring: a failure costs the score, not the learned path."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pathnet_evo.interfaces.records import NotScored
from pathnet_evo.interfaces.tasks import TaskError
from pathnet_evo.system.plugin_calls import PluginFailed, calling

Score = TypeVar("Score")


def scored(
    score: Callable[[], Score],
    note: Callable[[NotScored], None],
    trial: int,
    stage: int,
    evaluations: int = -1,
    of: int | None = None,
) -> Score | None:
    """A learner's score, or None if it fails, which is noted rather than raised.

    Args:
        score: calls the learner.
        note: called for a score that could not be computed.
        trial: the trial's id.
        stage: the stage at work.
        evaluations: how many the stage has had; -1 as it begins.
        of: index of the stage whose network is scored; None for the random baseline.
    """
    try:
        with calling("random_baseline" if of is None else "score", TaskError):
            return score()
    except (PluginFailed, TaskError) as error:
        note(NotScored(trial, stage, evaluations, of, str(error)))
        return None
