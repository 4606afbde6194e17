"""Scoring that fails costs a score, and not what was learned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pathnet_evo.plugin_calls import PluginFailed, calling
from pathnet_evo.records import NotScored
from pathnet_evo.tasks import TaskError


@contextmanager
def scoring(
    trial: int,
    stage: int,
    note: Callable[[NotScored], None],
    evaluations: int = -1,
    scored: int | None = None,
) -> Iterator[None]:
    """Let a learner score; what keeps it from that is noted, not raised.

    Args:
        trial: the trial's id.
        stage: the stage at work.
        note: hears of a score that could not be had.
        evaluations: how many the stage has had; -1 as it begins.
        scored: index of the stage whose network is scored; None for the random baseline.
    """
    try:
        with calling("chance" if scored is None else "score", TaskError):
            yield
    except (PluginFailed, TaskError) as error:
        note(NotScored(trial, stage, evaluations, scored, str(error)))
