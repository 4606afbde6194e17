"""At a worker: a learner's own evaluator over a pool that lies in another process."""

from __future__ import annotations

import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pathnet_evo.core.aggregate import AGGREGATES
from pathnet_evo.core.genotype import Path, PathError
from pathnet_evo.core.head import LeasedHead, TaskHead
from pathnet_evo.core.pool import Lease, ModulePool
from pathnet_evo.core.stack import LeasedStack, Stack
from pathnet_evo.core.streams import seed_globals
from pathnet_evo.engines.protocol import (
    Block,
    Cancel,
    Leased,
    LeaseWanted,
    Modules,
    Ready,
    Refused,
    StageBegins,
    Submit,
    Trained,
    cut,
)
from pathnet_evo.engines.slots import Arrived, Slots
from pathnet_evo.interfaces.evaluations import Candidate, Evaluation, Evaluator
from pathnet_evo.interfaces.learners import LearningContext
from pathnet_evo.system.plugin_calls import PluginFailed, calling
from pathnet_evo.workers.messages import WorkerUnable
from pathnet_evo.workers.transport import WorkerLine


def work(line: WorkerLine, number: int) -> None:
    """A worker's whole life."""
    Trainer(line, number).serve()


class _Cancelled(Exception):  # noqa: N818
    """What is being worked on is not wanted any more."""


class _Orders:
    """The line to the trial; what comes while a reply is awaited is kept for later.

    Args:
        line: the line.
        unpack: called with each lease, in the order in which they were sent.
    """

    def __init__(self, line: WorkerLine, unpack: Callable[[Leased], None]) -> None:
        self._unpack = unpack
        self._line = line
        self._kept: deque[Any] = deque()
        self._waited = 0.0
        self.send = line.send

    def next(self, block: bool) -> Any:
        """The next message; None where there is none and ``block`` is false."""
        if self._kept:
            return self._kept.popleft()
        if block or self._line.poll():
            return self._receive()
        return None

    def waited(self) -> float:
        """Seconds spent waiting for messages since the last call."""
        waited, self._waited = self._waited, 0.0
        return waited

    def _receive(self) -> Any:
        """Take a message, and what it brings at once: later ones may refer to it."""
        since = time.perf_counter()
        message = self._line.receive()
        self._waited += time.perf_counter() - since
        match message:
            case Submit():
                for _, leased in message.leases:
                    self._unpack(leased)
            case Leased():
                self._unpack(message)
        return message

    def ask(self, question: LeaseWanted) -> Leased | Refused:
        """Send a question and wait for its answer.

        Raises:
            _Cancelled: the parent gave up what the question is for; there is no answer.
        """
        self.send(question)
        while True:
            message = self._receive()
            if isinstance(message, Leased | Refused):
                return message
            self._kept.append(message)
            if not isinstance(message, Submit):
                raise _Cancelled


@dataclass(eq=False)
class SlotLease(Lease):
    """A lease whose weights came in memory of its own, and go back in it."""

    arrived: Arrived
    views: list[tuple[Block, Block]]


class DistantPool(ModulePool):
    """The pool as a worker sees it: shapes, and what is frozen; weights come and go by lease.

    Its own tensors are on torch's meta device and hold nothing, so a learner that reaches past
    ``lease`` and ``commit`` fails. What a commit wrote reaches the pool together with the
    evaluation, so that a worker that dies in between leaves no trace.
    """

    def __init__(self, stage: StageBegins, orders: _Orders, slots: Slots) -> None:
        aggregate = AGGREGATES[stage.aggregate]
        super().__init__(stage.kinds, 1, stage.input_shape, aggregate=aggregate, device="meta")
        self.layers = [
            Stack(layer.kind, layer.input_shape, count, "meta")
            for layer, count in zip(self.layers, stage.counts, strict=True)
        ]
        self.device = torch.device(stage.device)
        readout = Stack(stage.readout, self.feature_shape, 1, "meta")
        columns = None if stage.columns is None else stage.columns.to(self.device)
        self.of_task = TaskHead(self.layers, readout, columns)
        for stack, carried in zip(self.stacks(self.of_task), stage.carried, strict=True):
            stack.carry(carried)
        self.round = stage.round
        self._orders = orders
        self._slots = slots
        for layer, frozen in zip(self.layers, stage.frozen, strict=True):
            layer.frozen[list(frozen)] = True

    def lease(self, path: Path, head: TaskHead) -> Lease:
        """A path's weights, as it came with a candidate or as it is given now."""
        self._check(path)
        found = self._slots.provided(path)
        if found is None:
            answer = self._orders.ask(LeaseWanted(self.round, path))
            if isinstance(answer, Refused):
                raise PathError(answer.error)
            found = self._slots.open(answer)
        stacks = self.stacks(self.of_task)
        views = cut(found.memory, stacks, found.modules)
        leased = [
            self._leased(stack, of_stack, *blocks)
            for stack, of_stack, blocks in zip(stacks, found.modules, views, strict=True)
        ]
        layers, (readout, *maps) = leased[: len(self.layers)], leased[len(self.layers) :]
        laterals = [None if stack is None else maps.pop(0) for stack in self.of_task.laterals]
        for layer, lateral in zip([*layers, readout], laterals, strict=True):
            layer.lateral = lateral
        of_task = LeasedHead(head, readout, laterals)
        lease = SlotLease(layers, of_task, self.aggregate, found, views)
        weakref.finalize(lease, self._slots.drop, found)
        return lease

    def _leased(
        self, stack: Stack, modules: Modules, trainable: Block, frozen: Block
    ) -> LeasedStack:
        unknown = torch.zeros(len(modules.trainable), dtype=torch.int64)
        return LeasedStack(
            kind=stack.kind,
            trainable=modules.trainable,
            frozen=modules.frozen,
            leased={name: trainable[name].to(self.device) for name in stack.parameters},
            statistics={name: trainable[name].to(self.device, copy=True) for name in stack.carried},
            frozen_parameters={name: values.to(self.device) for name, values in frozen.items()},
            versions=unknown,
            incarnations=unknown,
        )

    @torch.no_grad()
    def commit(self, lease: Lease) -> Path:
        """Put what was trained where it came from; what the pool will refuse is not known here."""
        assert isinstance(lease, SlotLease)
        for leased, (trainable, _) in zip(lease.stacks, lease.views, strict=True):
            for name, trained in {**leased.parameters, **leased.statistics}.items():
                trainable[name].copy_(trained.detach())
        self._slots.commit(lease.arrived)
        return ((),) * len(self.layers)


class Trainer:
    """Takes orders, trains, reports.

    Args:
        line: to the trial.
        number: which of the workers this is.
    """

    def __init__(self, line: WorkerLine, number: int) -> None:
        self.slots = Slots()
        self.orders = _Orders(line, self.slots.unpack)
        self.number = number
        self.stage: StageBegins | None = None
        self.pending: dict[int, Candidate] = {}
        self.taken = 0
        self.since = 0.0
        self.advanced = (-1, 0)

    def serve(self) -> None:
        """Work until the connection closes."""
        while True:
            try:
                message = self.orders.next(block=not self.pending)
            except (EOFError, OSError):
                raise
            except Exception as error:
                self.orders.send(
                    WorkerUnable(f"a worker process cannot use what it was sent: {error}")
                )
                continue
            try:
                with calling("", _Cancelled, EOFError, ConnectionError):
                    self._do(message)
            except _Cancelled:
                self._drop()
            except PluginFailed as error:
                self._fail(str(error))

    def _do(self, message: Any) -> None:
        match message:
            case None:
                self._advance()
            case StageBegins():
                self._begin(message)
            case Submit():
                self._submit(message)
            case Cancel() if self.stage is not None:
                self._drop()
                self.pool.round, self.taken = message.round, 0
                self._report([])

    def _begin(self, stage: StageBegins) -> None:
        self._drop()
        self.stage, self.taken = None, 0
        try:
            with calling(""):
                self.pool = DistantPool(stage, self.orders, self.slots)
                self.slots.begin(self.pool.stacks(self.pool.of_task))
                self.evaluator = self._evaluator(stage)
        except PluginFailed as error:
            self.orders.send(WorkerUnable(str(error)))
            return
        self.stage = stage
        self.orders.send(Ready(stage.round, self.evaluator.free))
        self.orders.waited()

    def _evaluator(self, stage: StageBegins) -> Evaluator:
        device = torch.device(stage.device)
        task = stage.task
        seed_globals(stage.streams, "evaluator")
        if device.type != "cpu" and hasattr(task, "to"):
            task = task.to(device)
        return stage.learner.evaluator(
            LearningContext(
                self.pool,
                self.pool.of_task,
                task,
                device,
                stage.streams,
                stage.always_active,
                self.number,
                stage.budget,
            )
        )

    def _submit(self, message: Submit) -> None:
        candidates = message.candidates
        self.slots.provide(message.leases)
        assert self.stage is not None
        self.stage.budget.used = message.used
        if not self.pending:
            self.since = time.perf_counter()
        self.taken += len(candidates)
        self.pending |= {candidate.id: candidate for candidate in candidates}
        for candidate in candidates:
            self.evaluator.submit(candidate)

    def _advance(self) -> None:
        self._seed()
        free = self.evaluator.free
        over = self.evaluator.advance()
        for evaluation in over:
            self.pending.pop(evaluation.candidate.id, None)
        if over or self.slots.waiting or self.evaluator.free != free:
            self._report(over)

    def _seed(self) -> None:
        """Set the global generators by what is worked on, so that one worker alone repeats."""
        assert self.stage is not None
        oldest = next(iter(self.pending))
        times = self.advanced[1] + 1 if self.advanced[0] == oldest else 0
        self.advanced = (oldest, times)
        seed_globals(self.stage.streams, "evaluation", oldest, times)

    def _report(self, over: Sequence[Evaluation]) -> None:
        committed, dropped = self.slots.settled()
        free, waited = self.evaluator.free, self.orders.waited()
        self.orders.send(
            Trained(self.pool.round, tuple(over), committed, dropped, free, self.taken, waited)
        )

    def _drop(self) -> None:
        """Give up what is in flight; nothing that it trained is told."""
        self.pending.clear()
        if self.stage is not None:
            self.evaluator.cancel()
            self.slots.revoke()

    def _fail(self, cause: str) -> None:
        """Report all that is in flight as failed; a new evaluator takes over."""
        seconds = time.perf_counter() - self.since
        over = [Evaluation(c, None, cause, seconds=seconds) for c in self.pending.values()]
        assert self.stage is not None
        try:
            with calling(""):
                self._drop()
                self.evaluator = self._evaluator(self.stage)
        except PluginFailed as error:
            self.orders.send(WorkerUnable(str(error)))
            return
        self._report(over)
