"""W worker processes of K lanes each, which train one pool without waiting for one another.

Hogwild, as in the paper: the pool's tensors lie in memory that all processes share, and every
worker reads and updates them as it likes. The trial's own process trains nothing; it hands out
candidates and hears of evaluations, and notices workers that die, raise or hang.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from pathnet_evo import children
from pathnet_evo.core.stack import Stack
from pathnet_evo.interfaces.learners import (
    Candidate,
    Episode,
    Evaluation,
    Evaluator,
    LearningContext,
)
from pathnet_evo.interfaces.tasks import TaskError
from pathnet_evo_a3c import rmsprop
from pathnet_evo_a3c.evaluator import A3CEvaluator
from pathnet_evo_a3c.settings import A3CSettings

TICK = 0.1
"""Seconds after which ``advance`` returns although nothing happened, so that a run can stop."""

STARTING = 300
"""Seconds that a worker may take to start, where its limit is not longer."""


@dataclass(frozen=True)
class Orders:
    """What a worker is told: drop what it has if ``round`` is new, then take candidates on."""

    round: int
    candidates: tuple[Candidate, ...] = ()
    used: int = 0


@dataclass(frozen=True)
class Report:
    """What a worker tells when it is ready, after each rollout, and when it has dropped all."""

    round: int
    evaluations: tuple[Evaluation, ...] = ()
    episodes: tuple[Episode, ...] = ()
    error: str | None = None


def work(connection: Connection) -> None:
    """A worker's whole life: what it is to do comes first, then orders."""
    learner, context, clock = connection.recv()
    own, number = context.worker, 0
    before = int(clock[own])  # by those that this one replaces
    evaluator = A3CEvaluator(learner, context, lambda: before + int(clock.sum() - clock[own]))
    connection.send(Report(number))
    try:
        while True:
            while connection.poll() or evaluator.free == learner.num_envs:
                orders: Orders = connection.recv()
                if orders.round != number:
                    number = orders.round
                    evaluator.cancel()
                    connection.send(Report(number))
                context.budget.used = orders.used
                for candidate in orders.candidates:
                    evaluator.submit(candidate)
            evaluations = evaluator.advance()
            clock[own] = before + evaluator.frames
            connection.send(Report(number, tuple(evaluations), tuple(evaluator.take_episodes())))
    except (EOFError, ConnectionError):
        raise
    except (Exception, SystemExit) as error:  # whatever a learner's parts raise is told, by name
        connection.send(Report(number, error=f"raised {type(error).__name__}: {error}"))
    finally:
        evaluator.close()


@dataclass(eq=False)
class Worker:
    """A worker process as the trial sees it.

    Args:
        number: which of them it is.
        process: the process.
        connection: to it.
        flying: its candidates, by id.
        new: those of them that it has yet to be told of.
        heard: when it last told of anything, or was given something to do.
        ready: whether it has told that it has started.
    """

    number: int
    process: BaseProcess
    connection: Connection
    flying: dict[int, Candidate] = field(default_factory=dict)
    new: list[Candidate] = field(default_factory=list)
    heard: float = field(default_factory=time.monotonic)
    ready: bool = False


class Workers(Evaluator):
    """The evaluators of W processes as one.

    Raises:
        TaskError: the pool is not in the CPU's memory, or the task cannot be sent to a process.
    """

    def __init__(self, learner: A3CSettings, context: LearningContext) -> None:
        if context.device.type != "cpu":
            raise TaskError(f"learner.workers > 1 needs device cpu, not {context.device}")
        self.learner, self.context = learner, context
        for stack in context.pool.stacks(context.head):
            _share(stack)
        self.clock = torch.zeros(learner.workers, dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]
        self.round = 0
        self.restarts = learner.max_restarts
        self.workers: list[Worker] = []
        self.lost = ""
        self._over: deque[Evaluation] = deque()
        self._ended: list[Episode] = []
        self._awaited: set[Worker] = set()
        try:
            for number in range(learner.workers):
                self._start(number)
        except BaseException:
            self.close()
            raise

    @property
    def free(self) -> int:
        """Lanes without a candidate, of all workers."""
        if not self.workers:  # whatever is submitted has failed already
            return max(self.learner.num_envs - len(self._over), 0)
        return sum(self._free(worker) for worker in self.workers)

    @property
    def used(self) -> int:
        """Frames that the candidates of all workers have played."""
        return int(self.clock.sum())

    def submit(self, candidate: Candidate) -> None:
        """Give a candidate to the worker with the most idle lanes."""
        if not self.workers:
            cause = (
                f"no worker is left after {self.learner.max_restarts} were replaced: {self.lost}"
            )
            self._over.append(Evaluation(candidate, None, cause))
            return
        worker = max(self.workers, key=self._free)
        if not worker.flying:
            worker.heard = time.monotonic()
        worker.flying[candidate.id] = candidate
        worker.new.append(candidate)

    def advance(self) -> list[Evaluation]:
        """Wait for a moment until a worker tells something."""
        for worker in self.workers:
            if worker.new:
                self._send(worker, Orders(self.round, tuple(worker.new), self.context.budget.used))
                worker.new.clear()
        if not self._over and any(worker.flying for worker in self.workers):
            self._hear()
        over = list(self._over)
        self._over.clear()
        return over

    def take_episodes(self) -> list[Episode]:
        """The episodes that ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def cancel(self) -> None:
        """Let all workers drop what they have, and wait until they have: the pool is at rest."""
        self._over.clear()
        self._ended.clear()
        self.round += 1
        self._awaited = {worker for worker in self.workers if worker.flying}
        for worker in self._awaited:
            worker.flying.clear()
            worker.new.clear()
            worker.heard = time.monotonic()
            self._send(worker, Orders(self.round))
        while self._awaited:
            self._hear()
        self._over.clear()

    def state(self) -> dict[str, Any]:
        """The frames used; what was in flight is evaluated anew."""
        flying = [c for worker in self.workers for c in worker.flying.values()]
        return {
            "frames": self.used,
            "candidates": [
                [c.id, c.slot, [list(row) for row in c.genotype], c.parent, c.batches]
                for c in flying
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``state``: its candidates start anew."""
        if not state:
            return
        self.clock[0] = state["frames"]
        for number, slot, rows, parent, batches in state["candidates"]:
            genotype = tuple(tuple(int(gene) for gene in row) for row in rows)
            self.submit(Candidate(number, slot, genotype, parent, batches))

    def close(self) -> None:
        """End all workers."""
        for worker in self.workers:
            worker.process.kill()
        for worker in self.workers:
            children.end(worker.process)
            worker.connection.close()
        self.workers.clear()

    # Workers ------------------------------------------------------------------------------

    def _free(self, worker: Worker) -> int:
        return self.learner.num_envs - len(worker.flying)

    def _limit(self, worker: Worker) -> float:
        return self.learner.timeout if worker.ready else max(self.learner.timeout, STARTING)

    def _waits_for(self, worker: Worker) -> bool:
        return bool(worker.flying) or worker in self._awaited

    def _start(self, number: int) -> None:
        process, connection = children.start(work, f"a3c-{number}")
        worker = Worker(number, process, connection)
        self.workers.append(worker)
        context = replace(self.context, worker=number)
        try:
            self._send(worker, (self.learner, context, self.clock))
        except (TypeError, AttributeError, ValueError) as error:  # what cannot be pickled
            raise TaskError(f"the task cannot be sent to a worker: {error}") from None

    def _send(self, worker: Worker, message: Any) -> None:
        try:
            worker.connection.send(message)
        except ConnectionError:
            return  # that it is dead is found out elsewhere

    def _hear(self) -> None:
        """Wait for reports, and find workers that are dead or hang."""
        heard = set(wait([worker.connection for worker in self.workers], TICK))
        for worker in list(self.workers):
            if worker.connection in heard:
                self._listen(worker)
            elif not worker.process.is_alive():
                self._lose(worker, "")
            elif self._waits_for(worker) and time.monotonic() - worker.heard > self._limit(worker):
                self._lose(worker, f"took longer than {self._limit(worker):g} s for a rollout")

    def _listen(self, worker: Worker) -> None:
        try:
            while worker.connection.poll():
                report: Report = worker.connection.recv()
                worker.heard, worker.ready = time.monotonic(), True
                if report.error is not None:
                    self._lose(worker, report.error)
                    return
                if report.round == self.round:
                    self._awaited.discard(worker)
                    self._take(worker, report.evaluations, report.episodes)
        except (EOFError, OSError):
            self._lose(worker, "")

    def _take(
        self, worker: Worker, evaluations: Iterable[Evaluation], episodes: Iterable[Episode]
    ) -> None:
        for evaluation in evaluations:
            del worker.flying[evaluation.candidate.id]
            self._over.append(evaluation)
        self._ended += [replace(episode, at=self.used) for episode in episodes]

    def _lose(self, worker: Worker, what: str) -> None:
        """A worker is dead, or is to be: its evaluations failed, and another takes its place."""
        self.workers.remove(worker)
        self._awaited.discard(worker)
        ended = children.end(worker.process)
        worker.connection.close()
        self.lost = f"worker {worker.number} (process {worker.process.pid}) {what or ended}"
        self._over += [
            Evaluation(candidate, None, self.lost) for candidate in worker.flying.values()
        ]
        if self.restarts:
            self.restarts -= 1
            self._start(worker.number)


def _share(stack: Stack) -> None:
    """Move a stack to memory that other processes see, with room for RMSProp's statistics."""
    rmsprop.prepare(stack)
    for values in [*stack.parameters.values(), *stack.statistics.values()]:
        values.share_memory_()  # type: ignore[no-untyped-call]
    for counts in (stack.frozen, stack.versions, stack.incarnations):
        counts.share_memory_()  # type: ignore[no-untyped-call]
