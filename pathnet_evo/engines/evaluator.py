"""Evaluations side by side: an evaluator made of workers' evaluators, over one pool.

The trial's own process alone touches the pool. A worker that wants to lease a path asks for it and
gets its weights, in shared memory where there is some; what it trained comes back in the same way,
together with the evaluation, and is committed when the evaluation is handed on. So no worker can
hold a lock, tear a module or leave half an update behind, wherever it is killed.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pathnet_evo.core.genotype import Path, PathError
from pathnet_evo.core.pool import Lease
from pathnet_evo.core.stack import Stack
from pathnet_evo.engines.carriers import Returned, hold
from pathnet_evo.engines.protocol import (
    Cancel,
    Leased,
    LeaseWanted,
    Ready,
    Refused,
    Submit,
    Trained,
)
from pathnet_evo.engines.sharing import stage_for_workers
from pathnet_evo.engines.usage import StageUsage
from pathnet_evo.engines.worker_pool import Worker, WorkerPool
from pathnet_evo.interfaces.evaluations import Candidate, Evaluation, Evaluator, StageFailed
from pathnet_evo.interfaces.learners import Learner, LearningContext
from pathnet_evo.workers.messages import WorkerLost, WorkerUnable
from pathnet_evo.workers.supervisor import TICK
from pathnet_evo.workers.transport import UnsendableError


@dataclass(frozen=True)
class _Over:
    """An evaluation that waits to be handed on.

    Args:
        evaluation: the evaluation.
        trained: what is to be committed with it.
        worker: the one that trained it; None where it is dead.
        room: what the worker then has room for: its free slots, less those that it is sent.
    """

    evaluation: Evaluation
    trained: tuple[Returned, ...] = ()
    worker: Worker | None = None
    room: int | None = None


class SideBySideEvaluator(Evaluator):
    """An evaluator made of the evaluators of workers.

    Args:
        pool: the workers.
        learner: whose evaluators they make.
        context: what is learned, and the modules.
        keep: takes the workers back as this is closed.

    Raises:
        StageFailed: the learner cannot make its evaluator, or no worker is left.
    """

    def __init__(
        self,
        pool: WorkerPool,
        learner: Learner,
        context: LearningContext,
        keep: Callable[[WorkerPool], None],
    ) -> None:
        self.context, self._keep = context, keep
        self.workers, self.restarts = pool, pool.restarts
        self.closed = False
        pool.round += 1
        self.round = pool.round
        self._over: deque[_Over] = deque()
        self._usage = StageUsage(pool.bytes)
        self._begins = stage_for_workers(self.round, learner, context, pool.transport.shares_memory)
        try:
            for worker in list(self.workers.members):
                worker.ready = False
                self._begin(worker)
            while any(not worker.ready for worker in self.workers.members):
                self._hear()
            self._need_workers()
        except BaseException:
            pool.close()
            self.closed = True
            raise

    @property
    def free(self) -> int:
        """Places that hold no candidate; those of a worker that is starting do not count."""
        return sum(worker.room for worker in self.workers.members)

    def submit(self, candidate: Candidate) -> None:
        """Give a candidate to the first worker that has a slot.

        One worker is filled before the next, and what is submitted between two calls of
        ``advance`` arrives together: contestants that a learner with two slots leases before
        either trains, it still does.
        """
        worker = next(worker for worker in self.workers.members if worker.room)
        worker.sent += 1
        worker.free -= 1
        worker.outbox.append(candidate)
        if not worker.pending:
            worker.beat()
        worker.pending[candidate.id] = candidate

    def advance(self) -> list[Evaluation]:
        """Wait for something to happen, for a moment; return an evaluation that is over, or none.

        One at a time, so that a stage ends exactly where it should. Where nothing happened,
        ``waiting`` is true: how often that is depends on time alone.
        """
        for worker in self.workers.members:
            if worker.outbox:
                worker.link.send(self._submission(worker))
                worker.outbox.clear()
        free, end = self.free, time.monotonic() + TICK
        while self._waits() and self.free <= free and time.monotonic() < end:
            self._hear()
        self.waiting = self._waits() and self.free <= free
        if not self._over:
            self._need_workers()
            return []
        over = self._over.popleft()
        self._commit(over.trained)
        if over.worker is not None and over.room is not None:
            over.worker.free = over.room - over.worker.sent
        return [over.evaluation]

    def usage(self) -> dict[str, float]:
        """The number in flight, the overlap of commits, bytes of weights, waiting, restarts."""
        return {
            "workers": len(self.workers.members),
            **self._usage.figures(self.workers.bytes),
            "restarts": self.restarts - self.workers.restarts,
        }

    def state(self) -> dict[str, Any]:
        """What was submitted and not handed on, after waiting until it is over.

        A worker's slots count as free when its evaluations are handed on, not when they are over,
        so it makes no difference to what follows whether this was called.
        """
        while any(worker.awaited for worker in self.workers.members):
            self._hear()
        return {
            "workers": {str(worker.number): worker.free for worker in self.workers.members},
            "over": [self._state_of(over) for over in self._over],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Hand on first what was over then; nothing of it is trained again."""
        of_number = {worker.number: worker for worker in self.workers.members}
        for number, free in state.get("workers", {}).items():
            if int(number) in of_number:
                of_number[int(number)].free = free
        for over in state.get("over", []):
            told, room = over["evaluation"], over["room"]
            candidate = Candidate.of(told["candidate"])
            trained = tuple(Returned(self._lease_of(held)) for held in over["trained"])
            worker = of_number.get(over["worker"])
            evaluation = Evaluation(**{**told, "candidate": candidate})
            self._over.append(_Over(evaluation, trained, worker, room))

    def _state_of(self, over: _Over) -> dict[str, Any]:
        trained = []
        for returned in over.trained:
            lease = returned.fill(self._stacks)
            held = [{**stack.parameters, **stack.statistics} for stack in lease.stacks]
            trained.append({**lease.state(), "trained": held})
        worker, room = over.worker, over.room
        return {
            "evaluation": {**vars(over.evaluation), "candidate": over.evaluation.candidate.state()},
            "trained": trained,
            "worker": None if worker is None else worker.number,
            "room": None if worker is None or room is None else room - worker.sent,
        }

    def _lease_of(self, held: dict[str, Any]) -> Lease:
        path = tuple(map(tuple, held["path"]))
        lease = self.context.pool.lease(path, self.context.head)
        lease.restore(held)
        for stack, values in zip(lease.stacks, held["trained"], strict=True):
            hold(stack, values)
        return lease

    def cancel(self) -> None:
        """Give up everything; what workers are still training will be refused."""
        if self.closed:
            return
        for over in self._over:
            _release(over.trained)
        self._over.clear()
        self.workers.round += 1
        self.round = self.workers.round
        for worker in self.workers.members:
            worker.clear(free=worker.capacity)
            worker.link.send(Cancel(self.round))

    def close(self) -> None:
        """Give the workers back to the engine."""
        if not self.closed:
            self.cancel()
            self._keep(self.workers)
            self.closed = True

    # Hearing ------------------------------------------------------------------------------

    def _waits(self) -> bool:
        """Whether nothing can be handed on, and something is yet to come."""
        return not self._over and any(worker.awaited for worker in self.workers.members)

    def _hear(self) -> None:
        """Wait until a worker says something, dies or hangs, or for a moment."""
        for worker, message in self.workers.hear():
            match message:
                case LeaseWanted():
                    if message.round == self.round:
                        worker.link.send(self._answer(worker, message.path))
                case Trained():
                    self._take(worker, message)
                case Ready():
                    if message.round == self._begins.round:
                        worker.ready = True
                        worker.beat()
                        worker.capacity = worker.free = message.capacity
                case WorkerUnable():
                    raise StageFailed(message.error)
                case WorkerLost():
                    self._lose(worker, message)

    def _take(self, worker: Worker, report: Trained) -> None:
        trained = tuple(worker.carrier.returned(n, weights) for n, weights in report.committed)
        for number in report.dropped:
            worker.carrier.release(number)
        if report.round != self.round:
            _release(trained)
            return
        worker.beat()
        self._usage.waited += report.waited
        room = report.free + report.taken
        if not report.evaluations:
            self._commit(trained)
            worker.free = room - worker.sent
        for evaluation in report.evaluations:
            self._usage.ended(sum(len(member.pending) for member in self.workers.members))
            del worker.pending[evaluation.candidate.id]
            self._over.append(_Over(evaluation, trained, worker, room))
            trained = ()

    def _lose(self, worker: Worker, lost: WorkerLost) -> None:
        """A worker is no more: its evaluations failed, and another takes its place."""
        cause = f"its process {lost.ended}"
        if lost.overdue is not None:
            what = "an evaluation" if worker.ready else "a worker's start"
            cause = f"{what} took longer than {lost.overdue:g} s; its process was killed"
        for candidate in worker.pending.values():
            self._over.append(_Over(Evaluation(candidate, None, cause, seconds=worker.waited)))
        self._last = cause
        if started := self.workers.replace(worker):
            self._begin(started)

    _last = "no worker was started"

    def _need_workers(self) -> None:
        if not self.workers.members:
            raise StageFailed(
                f"no worker is left after {self.restarts} were replaced; of the last, {self._last}"
            )

    def _begin(self, worker: Worker) -> None:
        worker.clear()
        worker.carrier.begin()
        worker.beat()
        try:
            worker.link.send(self._begins)
        except UnsendableError as error:
            raise StageFailed(f"the task or learner cannot be sent to a worker: {error}") from None
        if self.round != self._begins.round:
            worker.link.send(Cancel(self.round))

    # The pool -----------------------------------------------------------------------------

    def _submission(self, worker: Worker) -> Submit:
        paths = [self.context.path(candidate.genotype) for candidate in worker.outbox]
        leases = [self._lease(worker, path) for path in paths]
        together = tuple(zip(paths, leases, strict=True))
        return Submit(tuple(worker.outbox), together, self.context.budget.used)

    def _answer(self, worker: Worker, path: Path) -> Leased | Refused:
        try:
            return self._lease(worker, path)
        except PathError as error:
            return Refused(str(error))

    def _lease(self, worker: Worker, path: Path) -> Leased:
        lease = self.context.pool.lease(path, self.context.head)
        return worker.carrier.lend(lease, self._stacks)

    def _commit(self, trained: Iterable[Returned]) -> None:
        for returned in trained:
            self._usage.committed(returned.commit(self.context.pool, self._stacks))

    @property
    def _stacks(self) -> list[Stack]:
        return self.context.pool.stacks(self.context.head)


def _release(trained: Iterable[Returned]) -> None:
    for returned in trained:
        returned.release()
