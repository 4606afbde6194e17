"""W worker processes of K lanes each, which train one pool without waiting for one another.

Hogwild, as in the paper: the pool's tensors lie in memory that all processes share, and every
worker reads and updates them as it likes. The trial's own process trains nothing; it hands out
candidates and hears of evaluations, and notices workers that die, raise or hang.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from pathnet_evo import (
    Candidate,
    EnvironmentTask,
    Episode,
    Evaluation,
    Evaluator,
    LearningContext,
    Pipes,
    Stack,
    Supervised,
    Supervisor,
    TaskError,
    UnsendableError,
    WorkerLine,
    WorkerLost,
    WorkerUnable,
    share_memory,
)
from pathnet_evo_a3c import rmsprop
from pathnet_evo_a3c.evaluator import A3CEvaluator
from pathnet_evo_a3c.settings import A3CSettings

STARTING = 300
"""Seconds that a worker may take to start, where its limit is not longer."""


@dataclass(frozen=True)
class Orders:
    """What a worker is told: drop what it has if ``round`` is new, then take candidates on."""

    round: int
    candidates: tuple[Candidate, ...] = ()
    used: int = 0


@dataclass(frozen=True)
class Played:
    """What a worker tells when it is ready, after each rollout, and when it has dropped all."""

    round: int
    evaluations: tuple[Evaluation, ...] = ()
    episodes: tuple[Episode, ...] = ()
    error: str | None = None


def work(line: WorkerLine, number: int) -> None:
    """A worker's whole life: what it is to do comes first, then orders."""
    learner, context, clock = line.receive()
    context = replace(context, worker=number)
    own, round_ = number, 0
    before = int(clock[own])  # by those that this one replaces
    evaluator = A3CEvaluator(learner, context, lambda: before + int(clock.sum() - clock[own]))
    line.send(Played(round_))
    try:
        while True:
            while line.poll() or evaluator.free == learner.num_envs:
                orders: Orders = line.receive()
                if orders.round != round_:
                    round_ = orders.round
                    evaluator.cancel()
                    line.send(Played(round_))
                context.budget.used = orders.used
                for candidate in orders.candidates:
                    evaluator.submit(candidate)
            evaluations = evaluator.advance()
            clock[own] = before + evaluator.frames
            line.send(Played(round_, tuple(evaluations), tuple(evaluator.take_episodes())))
    except (EOFError, ConnectionError):
        raise
    except (Exception, SystemExit) as error:  # whatever a learner's parts raise is told, by name
        line.send(Played(round_, error=f"raised {type(error).__name__}: {error}"))
    finally:
        evaluator.close()


@dataclass(eq=False)
class Player(Supervised):
    """A worker as the trial sees it.

    Args:
        pending: its candidates, by id.
        outbox: those of them that it has yet to be sent.
        cancelling: whether it has yet to say that it dropped what it had.
    """

    pending: dict[int, Candidate] = field(default_factory=dict)
    outbox: list[Candidate] = field(default_factory=list)
    cancelling: bool = False

    @property
    def awaited(self) -> bool:
        """Whether a rollout of it is to come; one that starts is not waited for."""
        return bool(self.pending) or self.cancelling


class Workers(Evaluator):
    """The evaluators of W processes as one.

    Raises:
        TaskError: the pool is not in the CPU's memory, or the task cannot be sent to a process.
    """

    def __init__(self, learner: A3CSettings, context: LearningContext[EnvironmentTask]) -> None:
        if context.device.type != "cpu":
            raise TaskError(f"learner.workers > 1 needs device cpu, not {context.device}")
        self.learner, self.context = learner, context
        for stack in context.pool.stacks(context.head):
            _share(stack)
        self.clock = share_memory(torch.zeros(learner.workers, dtype=torch.int64))
        self.round = 0
        self.workers = Supervisor(Pipes(), work, Player, "a3c")
        self.workers.timeout = learner.timeout
        self.workers.start_timeout = max(learner.timeout, STARTING)
        self.workers.restarts = learner.max_restarts
        self.lost = ""
        self._over: deque[Evaluation] = deque()
        self._ended: list[Episode] = []
        try:
            for number in range(learner.workers):
                self._order(self.workers.start(number))
        except BaseException:
            self.close()
            raise

    @property
    def free(self) -> int:
        """Lanes without a candidate, of all workers."""
        if not self.workers.members:  # whatever is submitted has failed already
            return max(self.learner.num_envs - len(self._over), 0)
        return sum(self._free(player) for player in self.workers.members)

    @property
    def used(self) -> int:
        """Frames that the candidates of all workers have played."""
        return int(self.clock.sum())

    def submit(self, candidate: Candidate) -> None:
        """Give a candidate to the worker with the most idle lanes."""
        if not self.workers.members:
            cause = (
                f"no worker is left after {self.learner.max_restarts} were replaced: {self.lost}"
            )
            self._over.append(Evaluation(candidate, None, cause))
            return
        player = max(self.workers.members, key=self._free)
        if not player.pending:
            player.beat()
        player.pending[candidate.id] = candidate
        player.outbox.append(candidate)

    def advance(self) -> list[Evaluation]:
        """Wait for a moment until a worker tells something."""
        for player in self.workers.members:
            if player.outbox:
                used = self.context.budget.used
                player.link.send(Orders(self.round, tuple(player.outbox), used))
                player.outbox.clear()
        if not self._over and any(player.pending for player in self.workers.members):
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
        for player in self.workers.members:
            if player.pending:
                player.pending.clear()
                player.outbox.clear()
                player.cancelling = True
                player.beat()
                player.link.send(Orders(self.round))
        while any(player.cancelling for player in self.workers.members):
            self._hear()
        self._over.clear()

    def state(self) -> dict[str, Any]:
        """The frames used; candidates in flight are evaluated again."""
        pending = [c for player in self.workers.members for c in player.pending.values()]
        return {"frames": self.used, "candidates": [candidate.state() for candidate in pending]}

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from ``state``; its candidates restart."""
        if not state:
            return
        self.clock[0] = state["frames"]
        for kept in state["candidates"]:
            self.submit(Candidate.of(kept))

    def close(self) -> None:
        """End all workers."""
        self.workers.close()

    # Workers ------------------------------------------------------------------------------

    def _free(self, player: Player) -> int:
        return self.learner.num_envs - len(player.pending)

    def _order(self, player: Player) -> None:
        """Tell a worker that was started what it is to do."""
        try:
            player.link.send((self.learner, self.context, self.clock))
        except UnsendableError as error:
            raise TaskError(f"the task cannot be sent to a worker: {error}") from None

    def _hear(self) -> None:
        """Wait for rollouts, and find workers that are dead or hang."""
        for player, message in self.workers.hear():
            match message:
                case Played(error=None):
                    player.ready = True
                    player.beat()
                    if message.round == self.round:
                        player.cancelling = False
                        self._take(player, message.evaluations, message.episodes)
                case Played(error=str(error)) | WorkerUnable(error=error):
                    self._lose(player, self.workers.lose(player), error)
                case WorkerLost(overdue=None):
                    self._lose(player, message, message.ended)
                case WorkerLost():
                    late = f"took longer than {message.overdue:g} s for a rollout"
                    self._lose(player, message, late)

    def _take(
        self, player: Player, evaluations: Iterable[Evaluation], episodes: Iterable[Episode]
    ) -> None:
        for evaluation in evaluations:
            del player.pending[evaluation.candidate.id]
            self._over.append(evaluation)
        self._ended += [replace(episode, at=self.used) for episode in episodes]

    def _lose(self, player: Player, lost: WorkerLost, what: str) -> None:
        """A worker is no more: its evaluations failed, and another takes its place."""
        self.lost = f"worker {player.number} ({lost.where}) {what}"
        pending = player.pending.values()
        self._over += [Evaluation(candidate, None, self.lost) for candidate in pending]
        if started := self.workers.replace(player):
            self._order(started)


def _share(stack: Stack) -> None:
    """Move a stack to memory that other processes see, with room for RMSProp's statistics."""
    rmsprop.prepare(stack)
    for values in [*stack.parameters.values(), *stack.statistics.values()]:
        share_memory(values)
    for counts in (stack.frozen, stack.versions, stack.incarnations):
        share_memory(counts)
