"""W workers of K lanes each, which train one pool without waiting for one another.

On one machine this is Hogwild, as in the paper: the pool's tensors lie in memory that all processes
share, and every worker reads and updates them as it likes. Elsewhere, and where staleness is
bounded, workers send each rollout's gradients to the trial's process and get the modules that
changed. That process plays nothing itself; it hands out candidates and hears of evaluations, and
notices workers that die, raise or hang.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
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
    StageFailed,
    Supervised,
    Supervisor,
    TaskError,
    Transport,
    UnsendableError,
    WorkerLost,
    WorkerUnable,
    share_memory,
)
from pathnet_evo_a3c import rmsprop
from pathnet_evo_a3c.messages import Begin, Orders, Played
from pathnet_evo_a3c.server import ParameterServer, Seen
from pathnet_evo_a3c.settings import A3CSettings
from pathnet_evo_a3c.worker import work

STARTING = 300
"""Seconds that a worker may take to start, where its limit is not longer."""


@dataclass(eq=False)
class Player(Supervised):
    """A worker as the trial sees it.

    Args:
        pending: its candidates, by id.
        outbox: those of them that it has yet to be sent.
        cancelling: whether it has yet to say that it dropped what it had.
        seen: what it knows of the pool; None where it shares it.
        waits: whether it plays no further before it is sent what changed.
        rollouts: those that it played; idle workers come up with the slowest busy one.
        needed: whether nobody else is there, so that its start is waited for.
    """

    pending: dict[int, Candidate] = field(default_factory=dict)
    outbox: list[Candidate] = field(default_factory=list)
    cancelling: bool = False
    seen: Seen | None = None
    waits: bool = False
    rollouts: int = 0
    needed: bool = False

    @property
    def awaited(self) -> bool:
        """Whether a rollout of it is to come; one that starts may take its time, if not needed."""
        if not self.ready and self.needed:
            return True
        return (bool(self.pending) and not self.waits) or self.cancelling


class Workers(Evaluator):
    """The evaluators of W workers as one.

    Raises:
        TaskError: the pool is not in the CPU's memory, or the task cannot be sent to a worker.
        StageFailed: no worker starts.
    """

    def __init__(self, learner: A3CSettings, context: LearningContext[EnvironmentTask]) -> None:
        if context.device.type != "cpu":
            raise TaskError(f"workers of the learner need device cpu, not {context.device}")
        self.learner, self.context = learner, context
        transport: Transport = Pipes() if context.transport is None else context.transport
        self.server: ParameterServer | None = None
        if not transport.shares_memory or learner.max_staleness is not None:
            self.server = ParameterServer(learner, context)
        else:
            for stack in context.pool.stacks(context.head):
                _share(stack)
            self.clock = share_memory(torch.zeros(learner.workers + 1, dtype=torch.int64))
        self.round = self.frames = 0
        self.waited = 0.0
        self.workers = Supervisor(transport, work, Player, "a3c")
        self.workers.timeout = learner.timeout
        self.workers.start_timeout = max(learner.timeout, STARTING)
        self.workers.restarts = learner.max_restarts
        self.lost = ""
        self._over: deque[Evaluation] = deque()
        self._resumed: deque[Candidate] = deque()  # until there are lanes for them
        self._ended: list[Episode] = []
        try:
            for number in range(learner.workers):
                self._begin(self.workers.start(number))
            if self.server is not None:
                self._await_first()
        except BaseException:
            self.close()
            raise

    @property
    def free(self) -> int:
        """Lanes without a candidate, of all workers."""
        if not self.workers.members:  # whatever is submitted has failed already
            return max(self.learner.num_envs - len(self._over), 0)
        idle = sum(self._free(player) for player in self.workers.members)
        return max(idle - len(self._resumed), 0)

    @property
    def used(self) -> int:
        """Frames that the candidates of all workers have played."""
        return self.frames

    def submit(self, candidate: Candidate) -> None:
        """Give a candidate to the worker with the most idle lanes."""
        if not self.workers.members:
            self._over.append(Evaluation(candidate, None, self._none_left))
            return
        player = max(self.workers.members, key=self._free)
        if not player.pending:
            player.beat()
            busy = [other.rollouts for other in self.workers.members if other.pending]
            player.rollouts = max(player.rollouts, min(busy, default=0))
        player.pending[candidate.id] = candidate
        player.outbox.append(candidate)

    def advance(self) -> list[Evaluation]:
        """Wait for a moment until a worker tells something."""
        members = self.workers.members
        while self._resumed and (not members or any(self._free(p) > 0 for p in members)):
            self.submit(self._resumed.popleft())
        for player in self.workers.members:
            if self._is_due(player):
                self._order(player)
        busy = any(player.pending for player in self.workers.members)
        if not self._over and (busy or not self.free):
            self._hear()
        over = list(self._over)
        self._over.clear()
        return over

    def take_episodes(self) -> list[Episode]:
        """The episodes that ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def usage(self) -> Mapping[str, float]:
        """Workers and restarts; bytes, waiting and mean staleness where gradients are sent."""
        restarts = self.learner.max_restarts - self.workers.restarts
        found = {"workers": len(self.workers.members), "restarts": restarts}
        if self.server is None:
            return found
        staleness = self.server.staleness / max(self.server.updates, 1)
        sent = {"bytes": self.server.bytes, "waiting": self.waited, "staleness": staleness}
        return {**found, **sent}

    def cancel(self) -> None:
        """Let all workers drop what they have, and wait until they have: the pool is at rest."""
        self._over.clear()
        self._ended.clear()
        self._resumed.clear()
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
        pending += self._resumed
        return {"frames": self.used, "candidates": [candidate.state() for candidate in pending]}

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from ``state``; its candidates restart."""
        if not state:
            return
        self.frames = state["frames"]
        if self.server is None:
            self.clock[-1] = self.frames  # no worker writes there, whenever it starts
        self._resumed.extend(map(Candidate.of, state["candidates"]))

    def close(self) -> None:
        """End all workers."""
        self.workers.close()

    # Workers ------------------------------------------------------------------------------

    def _free(self, player: Player) -> int:
        """Its idle lanes; one that may wait long for a place in a cluster has none before."""
        if self.server is not None and not player.ready:
            return 0
        return self.learner.num_envs - len(player.pending)

    def _begin(self, player: Player) -> None:
        """Tell a worker that was started what it is to do."""
        if self.server is None:
            begin = Begin(self.learner, self.context, self.clock)
        else:
            context, player.seen = self.server.copied()
            begin, player.waits = Begin(self.learner, context, None), True
        try:
            player.link.send(begin)
        except UnsendableError as error:
            raise TaskError(f"the task cannot be sent to a worker: {error}") from None

    def _await_first(self) -> None:
        """Wait until a worker is there; the others may join later."""
        while not any(player.ready for player in self.workers.members):
            if not self.workers.members:
                raise StageFailed(self._none_left)
            self._hear()

    def _is_due(self, player: Player) -> bool:
        """Whether a worker is to be sent candidates.

        Where it shares no memory, only while it waits, has something to play, and is not too far
        ahead: earlier, it would play candidates before it has the modules of their paths.
        """
        if self.server is None:
            return bool(player.outbox)
        if not (player.waits and player.ready and player.pending):
            return False
        busy = [other.rollouts for other in self.workers.members if other.pending]
        ahead = player.rollouts - min(busy)
        return self.learner.max_staleness is None or ahead <= self.learner.max_staleness

    def _order(self, player: Player) -> None:
        """Send a worker new candidates and, where it shares no memory, what changed of the pool."""
        changed = None
        if self.server is not None:
            assert player.seen is not None
            paths = [self.context.path(c.genotype) for c in player.pending.values()]
            changed, player.waits = self.server.changed(player.seen, paths), False
            player.beat()
        used = self.context.budget.used
        player.link.send(Orders(self.round, tuple(player.outbox), used, changed))
        player.outbox.clear()

    def _hear(self) -> None:
        """Wait for rollouts, and find workers that are dead or hang."""
        nobody = self.server is not None and not any(p.ready for p in self.workers.members)
        for player in self.workers.members:
            player.needed = nobody
        for player, message in self.workers.hear():
            match message:
                case Played(error=None):
                    player.ready = True
                    player.beat()
                    self._take(player, message)
                case Played(error=str(error)) | WorkerUnable(error=error):
                    self._lose(player, self.workers.lose(player), error)
                case WorkerLost(overdue=None):
                    self._lose(player, message, message.ended)
                case WorkerLost():
                    what = "for a rollout" if player.ready else "to start"
                    self._lose(player, message, f"took longer than {message.overdue:g} s {what}")

    def _take(self, player: Player, played: Played) -> None:
        """Count a rollout and, where it is wanted, learn from it."""
        before = self.frames
        self.frames += played.frames
        # A worker that had nothing to drop says so as it begins to play, and does not wait then.
        if played.gradients is not None or player.cancelling:
            player.waits = self.server is not None
        if played.round != self.round:
            return
        player.cancelling = False
        if self.server is not None and played.gradients is not None:
            assert player.seen is not None
            player.rollouts += 1
            self.waited += played.waited
            self.server.apply(played.gradients, player.seen, self._learning_rate())
        for evaluation in played.evaluations:
            del player.pending[evaluation.candidate.id]
            self._over.append(evaluation)
        self._ended += [replace(episode, at=before + episode.at) for episode in played.episodes]

    def _learning_rate(self) -> float:
        budget = self.context.budget
        return self.learner.rate(budget.share(self.frames if budget.frames else budget.used))

    def _lose(self, player: Player, lost: WorkerLost, what: str) -> None:
        """A worker is no more: its evaluations failed, and another takes its place."""
        self.lost = f"worker {player.number} ({lost.where}) {what}"
        pending = player.pending.values()
        self._over += [Evaluation(candidate, None, self.lost) for candidate in pending]
        if player.needed and lost.overdue is not None:  # there is no room for another one either
            return
        if started := self.workers.replace(player):
            self._begin(started)

    @property
    def _none_left(self) -> str:
        replaced = self.learner.max_restarts - self.workers.restarts
        return f"no worker is left after {replaced} were replaced: {self.lost}"


def _share(stack: Stack) -> None:
    """Move a stack to memory that other processes see, with room for RMSProp's statistics."""
    rmsprop.prepare(stack)
    for values in [*stack.parameters.values(), *stack.statistics.values()]:
        share_memory(values)
    for counts in (stack.frozen, stack.versions, stack.incarnations):
        share_memory(counts)
