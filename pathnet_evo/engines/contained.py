"""A learner's evaluator whose failures cost the evaluations in flight and no more."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from pathnet_evo.interfaces.evaluations import (
    Candidate,
    Episode,
    Evaluation,
    Evaluator,
    StageFailed,
)
from pathnet_evo.system.plugin_calls import PluginFailed, calling


class Contained(Evaluator):
    """Passes everything on to an evaluator, and fails evaluations where that raises.

    The evaluator is then told to cancel, and goes on with the next candidates.

    Args:
        evaluator: a learner's own.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self._flying: dict[int, tuple[Candidate, float]] = {}
        self._failed: list[Evaluation] = []

    @property
    def free(self) -> int:
        """What the evaluator says."""
        return self.evaluator.free

    def submit(self, candidate: Candidate) -> None:
        """Take a candidate on; one that the evaluator refuses comes back as failed."""
        began = time.perf_counter()
        try:
            with calling("submit", StageFailed):
                self.evaluator.submit(candidate)
        except PluginFailed as error:
            self._failed.append(Evaluation(candidate, None, str(error)))
        else:
            self._flying[candidate.id] = candidate, began

    def advance(self) -> list[Evaluation]:
        """Let the evaluator work for a while; where it raises, all that is in flight has failed."""
        if self._failed:
            failed, self._failed = self._failed, []
            return failed
        try:
            with calling("advance", StageFailed):
                over = self.evaluator.advance()
        except PluginFailed as error:
            return self._fail(str(error))
        for evaluation in over:
            self._flying.pop(evaluation.candidate.id, None)
        return over

    def _fail(self, cause: str) -> list[Evaluation]:
        now = time.perf_counter()
        failed = [
            Evaluation(candidate, None, cause, seconds=now - began)
            for candidate, began in self._flying.values()
        ]
        self.cancel()
        if not failed:
            raise StageFailed(cause)
        return failed

    def cancel(self) -> None:
        """Give up all that is in flight."""
        self._flying.clear()
        self._failed.clear()
        with calling("cancel"):
            self.evaluator.cancel()

    @property
    def used(self) -> int | None:
        """What the evaluator says."""
        return self.evaluator.used

    def take_episodes(self) -> list[Episode]:
        """What the evaluator says."""
        return self.evaluator.take_episodes()

    def usage(self) -> Mapping[str, float]:
        """What the evaluator says."""
        return self.evaluator.usage()

    def state(self) -> dict[str, Any]:
        """The evaluator's state, and which candidates are in flight."""
        state = self.evaluator.state()
        if not state or not self._flying:
            return state
        return {**state, "flying": [candidate.state() for candidate, _ in self._flying.values()]}

    def restore(self, state: dict[str, Any]) -> None:
        """Let the evaluator go on from its state."""
        now = time.perf_counter()
        flying = [Candidate.of(kept) for kept in state.get("flying", [])]
        self._flying = {candidate.id: (candidate, now) for candidate in flying}
        self.evaluator.restore({key: kept for key, kept in state.items() if key != "flying"})

    def close(self) -> None:
        """Close the evaluator."""
        self.evaluator.close()
