"""How observers and record callbacks end a stage or a run early."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from pathnet_evo.interfaces.records import Record

OnRecord: TypeAlias = Callable[[Record], object]
"""A user's callback for records; it can return or raise ``StopStage`` or ``StopRun``."""


class StopStage(Exception):  # noqa: N818
    """Ends the stage of a record's trial; returned or raised by an observer or ``on_record``.

    The stage ends as if its budget were used up, once a path has a fitness: its best path is scored
    and, in arms that freeze, frozen. The trial continues with the next stage.

    Without effect in arms of a rival, whose stages end with their budget.
    """


class StopRun(Exception):  # noqa: N818
    """Ends the run; returned or raised by an observer or ``on_record``.

    Trials stop where they are, and those that have not begun never will. The run is finished.
    """


class EarlyEnds:
    """What is to end early, as observers and callbacks asked for.

    Attributes:
        run: whether the run is to end.
        stages: the latest stage to end, by trial.
    """

    def __init__(self) -> None:
        self.run = False
        self.stages: dict[int, int] = {}

    def take(self, answer: object, record: Record) -> None:
        """Take what was returned or raised about a record; anything else has no effect."""
        if _is(answer, StopRun):
            self.run = True
        elif _is(answer, StopStage):
            stage = getattr(record, "stage", None)
            if isinstance(stage, int):
                self.stages[record.trial] = stage


def _is(answer: object, kind: type[Exception]) -> bool:
    """Whether an answer is a class or one of its instances."""
    return isinstance(answer, kind) or (isinstance(answer, type) and issubclass(answer, kind))
