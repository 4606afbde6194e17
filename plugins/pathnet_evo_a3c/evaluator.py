"""K lanes on one pool: a rollout of all of them, an update, and who is done."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pathnet_evo import (
    Candidate,
    EnvironmentTask,
    Episode,
    Evaluation,
    Evaluator,
    LearningContext,
    Path,
    Stack,
    lane_totals,
    split_widened,
)
from pathnet_evo_a3c import rmsprop
from pathnet_evo_a3c.episodes import EnvironmentFailed
from pathnet_evo_a3c.group import Group
from pathnet_evo_a3c.lane import Lane
from pathnet_evo_a3c.objective import normalised
from pathnet_evo_a3c.policy import policy_of
from pathnet_evo_a3c.rollout import Rollout
from pathnet_evo_a3c.settings import A3CSettings, Update
from pathnet_evo_a3c.threads import Threads, best, shares


class A3CEvaluator(Evaluator):
    """Plays a candidate on every lane and trains the pool in place.

    Args:
        learner: the settings.
        context: the pool, the task, and where to draw from.
        elsewhere: frames that other workers have used in this stage.
        update: takes each rollout's gradients of a stack, ``(n,)`` modules and by name
            ``(n, *parameter_shape)``; by default, they update the pool.

    Attributes:
        lanes: what each lane is busy with.
        groups: those that are played together.
    """

    def __init__(
        self,
        learner: A3CSettings,
        context: LearningContext[EnvironmentTask],
        elsewhere: Callable[[], int] = lambda: 0,
        update: Update | None = None,
    ) -> None:
        self.learner, self.context, self.elsewhere = learner, context, elsewhere
        task: EnvironmentTask = context.task
        self.task, self.policy = task, policy_of(task)
        self._paths: list[Path | None] = []
        self._update = self._step if update is None else update
        self.lanes = [Lane() for _ in range(learner.num_envs)]
        self.exploration = context.streams.torch("exploration", context.worker)
        self.frames = 0
        self.failures = 0
        self._last_failure = "the environment raised"
        self._ended: list[Episode] = []
        n_groups = min(learner.threads or best(task, context.device), learner.num_envs)
        self.groups = [Group(learner, context, p) for p in shares(learner.num_envs, n_groups)]
        self._threads = Threads(len(self.groups))

    @property
    def free(self) -> int:
        """Lanes without a candidate."""
        return sum(not lane.busy for lane in self.lanes)

    @property
    def used(self) -> int:
        """Frames that candidates have played."""
        return self.frames

    def submit(self, candidate: Candidate) -> None:
        """Put a candidate on an idle lane; its first episode starts with the next rollout."""
        idle = next(i for i, lane in enumerate(self.lanes) if not lane.busy)
        self.lanes[idle] = Lane(candidate)

    def advance(self) -> list[Evaluation]:
        """Play a rollout of all lanes and update the pool."""
        if self.free == len(self.lanes):
            return []
        if self.failures > self.learner.max_restarts:
            self._fail_all(f"{self._last_failure} (the {self.failures}th time: given up)")
            return self._hand_back()
        rollouts = [self._new_rollout(len(self.lanes[group.part])) for group in self.groups]
        try:
            self._roll_out(rollouts)
        except EnvironmentFailed as error:
            self._count(rollouts)
            self._environment_failed(error)
        else:
            self._count(rollouts)
            self._learn(rollouts)
        return self._hand_back()

    def take_episodes(self) -> list[Episode]:
        """The episodes that ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def cancel(self) -> None:
        """Leave all lanes idle; what they trained stays."""
        self.lanes = [Lane() for _ in self.lanes]

    def close(self) -> None:
        """End the environments and threads."""
        self._end_episodes()
        self._threads.close()

    def _end_episodes(self) -> None:
        for group in self.groups:
            group.close()

    def state(self) -> dict[str, Any]:
        """Each lane's candidate and how to bring its episode back; the exploration's generator."""
        return {
            "exploration": self.exploration.get_state(),
            "frames": self.frames,
            "failures": self.failures,
            "lanes": [kept for group in self.groups for kept in group.states(self._of(group))],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from ``state``: lanes play their actions again in a new environment.

        A lane that does not come to the observation that it had has failed.
        """
        if not state:
            return
        self._end_episodes()
        self.exploration.set_state(state["exploration"])
        self.frames, self.failures = state["frames"], state["failures"]
        self.lanes = [Lane.restored(kept) for kept in state["lanes"]]
        seen = [None if kept is None else kept["observation"] for kept in state["lanes"]]
        try:
            self._threads.map(
                lambda group: group.bring_back(self._of(group), seen[group.part]), self.groups
            )
        except EnvironmentFailed as error:
            self._environment_failed(error)

    def _of(self, group: Group) -> list[Lane]:
        return self.lanes[group.part]

    # A rollout -----------------------------------------------------------------------------

    def _new_rollout(self, n_lanes: int) -> Rollout:
        steps, device = self.learner.rollout_length, self.context.device
        return Rollout(n_lanes, steps, self.policy, device)

    def _roll_out(self, rollouts: Sequence[Rollout]) -> None:
        """T steps of every lane on the weights as they are."""
        self._paths = [
            None if lane.candidate is None else self.context.path(lane.candidate.genotype)
            for lane in self.lanes
        ]
        shape = self.learner.rollout_length, len(self.lanes)
        drawn = self.policy.draw(*shape, generator=self.exploration)
        self._threads.map(
            lambda group, rollout: group.roll_out(rollout, self._of(group), self._paths, drawn),
            self.groups,
            rollouts,
        )
        if self.learner.normalise_advantages:
            advantages = torch.cat([rollout.advantages for rollout in rollouts])
            live = torch.cat([rollout.live for rollout in rollouts])
            sizes = [len(rollout.live) for rollout in rollouts]
            own = torch.split(normalised(advantages, live), sizes)
            for rollout, part in zip(rollouts, own, strict=True):
                rollout.advantages = part

    def _count(self, rollouts: Sequence[Rollout]) -> None:
        """Count frames, step by step and in each step lane by lane, and tell of episodes."""
        live = torch.cat([rollout.live for rollout in rollouts]).T.cpu()
        frames = self.task.frame_skip * live.flatten().cumsum(0).view(live.shape)
        ended = {
            (t, group.part.start + i): episode
            for group, rollout in zip(self.groups, rollouts, strict=True)
            for (t, i), episode in rollout.episodes.items()
        }
        for (t, lane), episode in sorted(ended.items()):
            self._ended.append(replace(episode, at=self.frames + int(frames[t, lane])))
        self.frames += int(frames[-1, -1])

    def _hand_back(self) -> list[Evaluation]:
        """The evaluations that are over; their lanes are idle."""
        handed = []
        for i, lane in enumerate(self.lanes):
            if lane.candidate is not None and lane.over:
                failed = lane.cause is not None
                fitness = None if failed else sum(lane.scores) / len(lane.scores)
                seconds = time.perf_counter() - lane.since
                handed.append(Evaluation(lane.candidate, fitness, lane.cause, lane.frames, seconds))
                self.lanes[i] = Lane()
        return handed

    def _environment_failed(self, error: EnvironmentFailed) -> None:
        """Fail all lanes, since the culprit is unknown; the next rollout starts fresh."""
        self._end_episodes()
        self.failures += 1
        self._last_failure = str(error)
        self._fail_all(self._last_failure)

    def _fail_all(self, cause: str) -> None:
        for lane in self.lanes:
            if lane.live:
                lane.fail(cause)

    # The update ----------------------------------------------------------------------------

    def _learn(self, rollouts: Sequence[Rollout]) -> None:
        """Learn from what was played."""
        self._threads.map(lambda group, rollout: group.learn(rollout), self.groups, rollouts)
        self._train(rollouts)

    def _train(self, rollouts: Sequence[Rollout]) -> None:
        """Update what the lanes used, each with its own gradient cut to length."""
        learner = self.learner
        loss = torch.cat([rollout.loss for rollout in rollouts])
        norms = torch.cat([rollout.norms for rollout in rollouts])
        played = torch.cat([rollout.played for rollout in rollouts])
        failed = torch.tensor([lane.cause is not None for lane in self.lanes])
        finite = torch.isfinite(loss + norms)
        self._fail_others(finite, loss)
        good = finite & played & ~failed.to(norms.device)
        weights = torch.where(good, (learner.max_grad_norm / (norms + 1e-6)).clamp(max=1), 0)
        for parts in zip(*(rollout.networks.layers for rollout in rollouts), strict=True):
            modules, counts, gradients = lane_totals(parts, weights)
            if not len(modules):
                continue
            for gradient in gradients.values():
                users = counts.view(-1, *[1] * (gradient.dim() - 1))
                gradient /= users if learner.divide == "users" else len(self.lanes)
            for stack, own in split_widened(parts[0].stack, gradients):
                self._update(stack, modules, own)

    def _step(self, stack: Stack, modules: Tensor, gradients: Mapping[str, Tensor]) -> None:
        learner = self.learner
        rmsprop.step(
            stack,
            modules,
            gradients,
            learning_rate=self._learning_rate(),
            decay=learner.decay,
            epsilon=learner.epsilon,
            initial=learner.initial_square,
        )

    def _fail_others(self, finite: Tensor, loss: Tensor) -> None:
        """Evaluations whose loss or gradient is not finite have failed."""
        for lane, fine, value in zip(self.lanes, finite.tolist(), loss.tolist(), strict=True):
            if not fine and lane.busy and lane.cause is None:
                lane.fail(f"the {'gradient' if math.isfinite(value) else 'loss'} is not finite")

    def _learning_rate(self) -> float:
        budget = self.context.budget
        used = self.frames + self.elsewhere() if budget.frames else budget.used
        return self.learner.rate(budget.share(used))
