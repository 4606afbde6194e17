"""Evaluations side by side: an evaluator made of workers' evaluators, over one pool.

The trial's own process alone touches the pool. A worker that wants to lease a path asks for it and
gets its weights in shared memory; what it trained comes back in the same memory, together with the
evaluation, and is committed when the evaluation is handed on. So no worker can hold a lock, tear a
module or leave half an update behind, wherever it is killed.
"""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pathnet_evo.core.columns import Columns
from pathnet_evo.core.genotype import Path, PathError
from pathnet_evo.core.pool import Lease
from pathnet_evo.core.stack import LeasedStack
from pathnet_evo.engines.crew import Crew, Hand
from pathnet_evo.engines.messages import (
    Block,
    Cancel,
    Leased,
    LeaseWanted,
    Modules,
    Ready,
    Refused,
    Report,
    Slot,
    StageBegins,
    Submit,
    Unable,
    cut,
    share,
    size_of,
)
from pathnet_evo.interfaces.learners import (
    Candidate,
    Evaluation,
    Evaluator,
    Learner,
    LearningContext,
    StageFailed,
)

if TYPE_CHECKING:
    from pathnet_evo.engines.side_by_side import SideBySide

TICK = 0.1
"""Seconds after which ``advance`` returns although nothing happened, so that a run can stop."""


@dataclass(frozen=True)
class _Over:
    """An evaluation that waits to be handed on.

    Args:
        evaluation: the evaluation.
        trained: what is to be committed with it; no slot where it was kept in a checkpoint.
        hand: the worker that trained it; None where it is dead.
        room: what the worker then has room for: its free places, less those that it is sent.
    """

    evaluation: Evaluation
    trained: tuple[tuple[Lease, Slot | None], ...] = ()
    hand: Hand | None = None
    room: int | None = None


class SideBySideEvaluator(Evaluator):
    """An evaluator made of the evaluators of a crew.

    Raises:
        StageFailed: the learner cannot make its evaluator, or no worker is left.
    """

    def __init__(
        self, engine: SideBySide, crew: Crew, learner: Learner, context: LearningContext
    ) -> None:
        self.engine, self.context = engine, context
        self.crew: Crew | None = crew
        self.hands = crew.hands
        self.restarts = engine.restarts
        crew.round += 1
        self.round = crew.round
        self._over: deque[_Over] = deque()
        self._begins = _stage(self.round, learner, context)
        try:
            for hand in list(self.hands):
                hand.places = None
                self._begin(hand)
            while any(hand.places is None for hand in self.hands):
                self._hear()
            self._need_workers()
        except BaseException:
            crew.close()
            self.crew = None
            raise

    @property
    def free(self) -> int:
        """Places that hold no candidate; those of a worker that is starting do not count."""
        return sum(_free(hand) for hand in self.hands)

    def submit(self, candidate: Candidate) -> None:
        """Give a candidate to the first worker that has a place.

        One worker is filled before the next, and what is submitted between two calls of
        ``advance`` arrives together: contestants that a learner with two places leases before
        either trains, it still does.
        """
        hand = next(hand for hand in self.hands if _free(hand))
        hand.sent += 1
        hand.free -= 1
        hand.outbox.append(candidate)
        if not hand.flying:
            hand.waited = 0.0
        hand.flying[candidate.id] = candidate

    def advance(self) -> list[Evaluation]:
        """Wait for something to happen, for a moment; return an evaluation that is over, or none.

        One at a time, so that a stage ends exactly where it should.
        """
        for hand in self.hands:
            if hand.outbox:
                hand.send(self._submission(hand))
                hand.outbox.clear()
        free, end = self.free, time.monotonic() + TICK
        while self._waits() and self.free <= free and time.monotonic() < end:
            self._hear()
        if not self._over:
            self._need_workers()
            return []
        over = self._over.popleft()
        self._commit(over.trained, over.hand)
        if over.hand is not None and over.room is not None:
            over.hand.free = over.room - over.hand.sent
        return [over.evaluation]

    def state(self) -> dict[str, Any]:
        """What was submitted and not handed on, after waiting until it is over.

        A worker's places count as free when its evaluations are handed on, not when they are over,
        so it makes no difference to what follows whether this was called.
        """
        while any(hand.places is None or hand.flying for hand in self.hands):
            self._hear()
        return {
            "workers": {str(hand.number): hand.free for hand in self.hands},
            "over": [self._state_of(over) for over in self._over],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Hand on first what was over then; nothing of it is trained again."""
        of_number = {hand.number: hand for hand in self.hands}
        for number, free in state.get("workers", {}).items():
            if int(number) in of_number:
                of_number[int(number)].free = free
        for over in state.get("over", []):
            told, room = over["evaluation"], over["room"]
            candidate = Candidate.of(told["candidate"])
            trained = tuple((self._lease_of(held), None) for held in over["trained"])
            hand = of_number.get(over["worker"])
            evaluation = Evaluation(**{**told, "candidate": candidate})
            self._over.append(_Over(evaluation, trained, hand, room))

    def _state_of(self, over: _Over) -> dict[str, Any]:
        trained = []
        for lease, slot in over.trained:
            if slot is not None:
                self._fill(lease, slot)
            held = [{**stack.parameters, **stack.statistics} for stack in lease.stacks]
            trained.append({**lease.state(), "trained": held})
        return {
            "evaluation": {**vars(over.evaluation), "candidate": over.evaluation.candidate.state()},
            "trained": trained,
            "worker": None if over.hand is None else over.hand.number,
            "room": None if over.room is None or over.hand is None else over.room - over.hand.sent,
        }

    def _lease_of(self, held: dict[str, Any]) -> Lease:
        path = tuple(map(tuple, held["path"]))
        lease = self.context.pool.lease(path, self.context.head)
        lease.restore(held)
        for stack, values in zip(lease.stacks, held["trained"], strict=True):
            self._hold(stack, values)
        return lease

    def cancel(self) -> None:
        """Give up everything; what workers are still training will be refused."""
        if self.crew is None:
            return
        for over in self._over:
            self._release((slot for _, slot in over.trained), over.hand)
        self._over.clear()
        self.crew.round += 1
        self.round = self.crew.round
        for hand in self.hands:
            hand.flying.clear()
            hand.outbox.clear()
            hand.sent, hand.free = 0, hand.places or 0
            hand.send(Cancel(self.round))

    def close(self) -> None:
        """Give the workers back to the engine."""
        if self.crew is not None:
            self.cancel()
            self.engine.keep(self.crew)
            self.crew = None

    # Hearing ------------------------------------------------------------------------------

    def _waits(self) -> bool:
        """Whether nothing can be handed on, and something is yet to come."""
        return not self._over and any(h.places is None or h.flying for h in self.hands)

    def _hear(self) -> None:
        """Wait until a worker says something or dies, and find those that hang."""
        sources: dict[Any, Hand] = {hand.connection: hand for hand in self.hands}
        sources |= {hand.process.sentinel: hand for hand in self.hands}
        start = time.monotonic()
        heard = wait(list(sources), TICK)
        waited = min(time.monotonic() - start, 2 * TICK)  # not while this process was stopped
        for hand in dict.fromkeys(sources[source] for source in heard):
            self._listen(hand)
        for hand in list(self.hands):
            starts = hand.places is None
            if hand.flying or starts:
                hand.waited += waited
            limit = self.engine.start_limit if starts else self.engine.limit
            if hand.waited > limit:
                what = "a worker's start" if starts else "an evaluation"
                self._lose(hand, f"{what} took longer than {limit:g} s")

    def _listen(self, hand: Hand) -> None:
        dead = not hand.process.is_alive()
        try:
            while hand.connection.poll():
                self._take(hand, hand.connection.recv())
        except (EOFError, OSError):
            dead = True
        if dead:
            self._lose(hand)

    def _take(self, hand: Hand, message: Any) -> None:
        match message:
            case LeaseWanted():
                if message.round == self.round:
                    hand.send(self._answer(hand, message.path))
            case Report():
                self._report(hand, message)
            case Ready():
                if message.round == self._begins.round:
                    hand.places, hand.waited = message.places, 0.0
                    hand.free = message.places
            case Unable():
                raise StageFailed(message.error)

    def _report(self, hand: Hand, report: Report) -> None:
        self._release((hand.slots[number] for number in report.dropped), hand)
        trained = tuple((hand.leases[n], hand.slots[n]) for n in report.committed)
        if report.round != self.round:
            self._release((slot for _, slot in trained), hand)
            return
        hand.waited = 0.0
        room = report.free + report.taken
        if not report.evaluations:
            self._commit(trained, hand)
            hand.free = room - hand.sent
        for evaluation in report.evaluations:
            del hand.flying[evaluation.candidate.id]
            self._over.append(_Over(evaluation, trained, hand, room))
            trained = ()

    def _lose(self, hand: Hand, hung: str = "") -> None:
        """A worker is dead, or is to be: its evaluations failed, and another takes its place."""
        assert self.crew is not None
        ended = self.crew.lose(hand)
        cause = f"{hung}; its process was killed" if hung else f"its process {ended}"
        for candidate in hand.flying.values():
            self._over.append(_Over(Evaluation(candidate, None, cause, seconds=hand.waited)))
        self._last = cause
        if self.restarts:
            self.restarts -= 1
            self._begin(self.crew.start(hand.number))

    _last = "no worker was started"

    def _need_workers(self) -> None:
        if not self.hands:
            raise StageFailed(
                f"no worker is left after {self.engine.restarts} were replaced; of the last, "
                f"{self._last}"
            )

    def _begin(self, hand: Hand) -> None:
        hand.flying.clear()
        hand.outbox.clear()
        hand.free = hand.sent = 0
        hand.waited = 0.0
        try:
            hand.send(self._begins)
        except (TypeError, AttributeError, ValueError) as error:  # what cannot be pickled
            raise StageFailed(f"the task or learner cannot be sent to a worker: {error}") from None
        if self.round != self._begins.round:
            hand.send(Cancel(self.round))

    # The pool -----------------------------------------------------------------------------

    def _submission(self, hand: Hand) -> Submit:
        paths = [self.context.path(candidate.genotype) for candidate in hand.outbox]
        leases = [self._lease(hand, path) for path in paths]
        together = tuple(zip(paths, leases, strict=True))
        return Submit(tuple(hand.outbox), together, self.context.budget.used)

    def _answer(self, hand: Hand, path: Path) -> Leased | Refused:
        try:
            return self._lease(hand, path)
        except PathError as error:
            return Refused(str(error))

    def _lease(self, hand: Hand, path: Path) -> Leased:
        lease = self.context.pool.lease(path, self.context.head)
        stacks = self.context.pool.stacks(self.context.head)
        modules = tuple(Modules(stack.trainable, stack.frozen) for stack in lease.stacks)
        slot = hand.slot(size_of(stacks, modules))
        for stack, blocks in zip(lease.stacks, cut(slot.buffer, stacks, modules), strict=True):
            held = {**stack.leased, **stack.statistics}, stack.frozen_parameters
            for kept, block in zip(held, blocks, strict=True):
                for name, values in block.items():
                    values.copy_(kept[name])
        hand.leases[slot.number] = lease
        buffer, slot.known = None if slot.known else slot.buffer, True
        return Leased(slot.number, buffer, modules)

    def _commit(self, trained: Iterable[tuple[Lease, Slot | None]], hand: Hand | None) -> None:
        """Write what was trained to the pool, and let the worker have its slots again."""
        for lease, slot in trained:
            if slot is not None:
                self._fill(lease, slot)
            self.context.pool.commit(lease)
            self._release([slot], hand)

    def _fill(self, lease: Lease, slot: Slot) -> None:
        """Let a lease hold what was trained, which came in a slot."""
        stacks = self.context.pool.stacks(self.context.head)
        modules = [Modules(stack.trainable, stack.frozen) for stack in lease.stacks]
        for stack, (block, _) in zip(lease.stacks, cut(slot.buffer, stacks, modules), strict=True):
            self._hold(stack, block)

    def _hold(self, stack: LeasedStack, values: Block) -> None:
        """Let a leased stack hold what was trained."""
        stack.parameters = {name: self._moved(values[name]) for name in stack.leased}
        stack.statistics = {name: self._moved(values[name]) for name in stack.statistics}

    def _moved(self, values: Tensor) -> Tensor:
        return values.to(self.context.pool.device)

    def _release(self, slots: Iterable[Slot | None], hand: Hand | None) -> None:
        for slot in slots:
            if hand is not None and slot is not None:
                hand.leases.pop(slot.number, None)
                hand.idle.append(slot.number)


def _free(hand: Hand) -> int:
    if hand.places is None:
        return 0
    return max(hand.free, 0)


def _stage(number: int, learner: Learner, context: LearningContext) -> StageBegins:
    """What a worker needs to know, its tensors in shared memory."""
    pool = context.pool
    for stack in pool.stacks(context.head):
        stack.carry(learner.carries(stack))
    carried = tuple(
        {name: tuple(stack.statistics[name].shape[1:]) for name in stack.carried}
        for stack in pool.stacks(context.head)
    )
    return StageBegins(
        round=number,
        learner=learner,
        task=_shared(context.task),
        kinds=tuple(layer.kind for layer in pool.layers),
        input_shape=pool.input_shape,
        aggregate=pool.aggregate.name,
        counts=tuple(len(layer) for layer in pool.layers),
        frozen=pool.frozen_path(),
        readout=context.head.readout.kind,
        columns=_shared_columns(context.head.columns),
        carried=carried,
        device=str(context.device),
        streams=context.streams,
        always_active=context.always_active,
        budget=context.budget,
    )


def _shared_columns(columns: Columns | None) -> Columns | None:
    """Columns with their weights on the CPU in memory that all workers see."""
    return None if columns is None else copy.deepcopy(columns).cpu().share_memory()


def _shared(task: Any) -> Any:
    """The task with its tensors on the CPU in memory that all workers see; nothing is copied."""
    if hasattr(task, "to"):
        task = task.to("cpu")
    for value in vars(task).values() if hasattr(task, "__dict__") else ():
        if isinstance(value, torch.Tensor):
            share(value)
    return task
