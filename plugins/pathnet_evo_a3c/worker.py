"""At a worker: K lanes that train a pool which it shares, or which lies elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from pathnet_evo import Evaluation, LearningContext, Stack, WorkerLine
from pathnet_evo_a3c.messages import Begin, ModuleValues, Orders, Played, Some


def work(line: WorkerLine, number: int) -> None:
    """A worker's whole life: what it is to do comes first, then orders."""
    worker = LaneWorker(line, line.receive(), number)
    try:
        worker.serve()
    except (EOFError, ConnectionError):
        raise
    except (Exception, SystemExit) as error:  # whatever a learner's parts raise is told, by name
        line.send(Played(worker.round, error=f"raised {type(error).__name__}: {error}"))
    finally:
        worker.evaluator.close()


class LaneWorker:
    """Takes orders, plays rollouts, reports each.

    Args:
        line: to the trial.
        begin: what it is to do.
        number: which of the workers this is.
    """

    def __init__(self, line: WorkerLine, begin: Begin, number: int) -> None:
        self.line, self.learner, self.clock = line, begin.learner, begin.clock
        self.context = replace(begin.context, worker=number)
        self.number, self.round = number, 0
        self.distant = PoolCopy(self.context) if begin.clock is None else None
        self.before = 0 if begin.clock is None else int(begin.clock[number])
        update = None if self.distant is None else self.distant.keep
        self.evaluator = self.learner.in_process(self.context, self._elsewhere, update)
        self.waits, self.since, self.waited = False, time.perf_counter(), 0.0

    def _elsewhere(self) -> int:
        """Frames of all others, of those that this worker replaces, and of earlier sessions."""
        if self.clock is None:
            return 0
        return self.before + int(self.clock.sum() - self.clock[self.number])

    def serve(self) -> None:
        """Work until the line closes; the first report says that it is ready."""
        self.line.send(Played(self.round))
        while True:
            while self.waits or self.line.poll() or not self._busy:
                self._obey(self.line.receive())
            self._play()

    @property
    def _busy(self) -> bool:
        return self.evaluator.free < self.learner.num_envs

    @property
    def _frames(self) -> int:
        """Frames that candidates have played here."""
        used = self.evaluator.used
        assert used is not None
        return used

    def _obey(self, orders: Orders) -> None:
        if orders.round != self.round:
            self.round = orders.round
            self.evaluator.cancel()
            self.line.send(Played(self.round))
        self.context.budget.used = orders.used
        if self.distant is not None and orders.changed is not None:
            self.distant.load(orders.changed)
            self.waited = time.perf_counter() - self.since
            self.waits = False
        for candidate in orders.candidates:
            self.evaluator.submit(candidate)

    def _play(self) -> None:
        before = self._frames
        evaluations = self.evaluator.advance()
        if self.clock is not None:
            self.clock[self.number] = self.before + self._frames
        self._report(evaluations, before)

    def _report(self, evaluations: Sequence[Evaluation], before: int) -> None:
        episodes = self.evaluator.take_episodes()
        gradients = None if self.distant is None else self.distant.take()
        self.line.send(
            Played(
                self.round,
                tuple(evaluations),
                tuple(replace(episode, at=episode.at - before) for episode in episodes),
                self._frames - before,
                gradients,
                self.waited,
            )
        )
        self.waits, self.since, self.waited = self.distant is not None, time.perf_counter(), 0.0


class PoolCopy:
    """The worker's copy of a pool: it computes with it, and whoever has the pool updates it.

    Args:
        context: with the copy.
    """

    def __init__(self, context: LearningContext) -> None:
        self.stacks = context.pool.stacks(context.head)
        self._number = {id(stack): i for i, stack in enumerate(self.stacks)}
        self._kept: list[ModuleValues] = []

    def keep(self, stack: Stack, modules: Tensor, gradients: Mapping[str, Tensor]) -> None:
        """Keep the gradients of a stack for the next report."""
        # Copies: a view would take all that it is a view of along.
        own = {name: values.clone() for name, values in gradients.items()}
        self._kept.append(ModuleValues(self._number[id(stack)], modules.clone(), own))

    def take(self) -> Some:
        """What was kept since the last call."""
        kept, self._kept = tuple(self._kept), []
        return kept

    @torch.no_grad()
    def load(self, changed: Some) -> None:
        """Take weights that changed."""
        for part in changed:
            parameters = self.stacks[part.stack].parameters
            for name, values in part.values.items():
                parameters[name].index_copy_(0, part.modules, values)
