"""K lanes on one pool: a rollout of all of them, an update, and who is done."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pathnet_evo.lanes import Lanes
from pathnet_evo.learners import Candidate, Episode, Evaluation, Evaluator, LearningContext
from pathnet_evo.tasks import EnvironmentTask
from pathnet_evo_a3c import rmsprop
from pathnet_evo_a3c.episodes import EnvironmentFailed, Episodes, Step
from pathnet_evo_a3c.lane import Lane, digest
from pathnet_evo_a3c.learner import A3C
from pathnet_evo_a3c.objective import losses, returns
from pathnet_evo_a3c.playing import episode_seed, sample
from pathnet_evo_a3c.rollout import Rollout


class A3CEvaluator(Evaluator):
    """Plays a candidate on every lane and trains the pool in place.

    Args:
        learner: the settings.
        context: the pool, the task, and where to draw from.
        elsewhere: frames that other workers have used in this stage.

    Attributes:
        lanes: what each lane is busy with.
    """

    def __init__(
        self,
        learner: A3C,
        context: LearningContext,
        elsewhere: Callable[[], int] = lambda: 0,
    ) -> None:
        self.learner, self.context, self.elsewhere = learner, context, elsewhere
        task: EnvironmentTask = context.task
        self.task = task
        self.lanes = [Lane() for _ in range(learner.lanes)]
        self.exploration = context.streams.torch("exploration", context.worker)
        self.frames = 0
        self.failures = 0
        self._before: Lanes | None = None
        self._last_failure = "the environment raised"
        self.episodes: Episodes | None = None
        self._ended: list[Episode] = []
        self._shift, self._scale = (
            None if value is None else value.to(context.device)
            for value in (task.shift, task.scale)
        )

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
        if self.failures > self.learner.restarts:
            self._fail_all(f"{self._last_failure} (the {self.failures}th time: given up)")
            return self._hand_back()
        try:
            self._start_candidates()
            rollout = self._play()
        except EnvironmentFailed as error:
            self._environment_failed(error)
        else:
            self._learn(rollout)
        return self._hand_back()

    def take_episodes(self) -> list[Episode]:
        """The episodes that ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def cancel(self) -> None:
        """Leave all lanes idle; what they trained stays."""
        self.lanes = [Lane() for _ in self.lanes]

    def close(self) -> None:
        """End the environment."""
        if self.episodes is not None:
            self.episodes.close()
            self.episodes = None

    def state(self) -> dict[str, Any]:
        """Each lane's candidate and how to bring its episode back; the exploration's generator."""
        seen = [None] * len(self.lanes) if self.episodes is None else self.episodes.observations
        return {
            "exploration": self.exploration.get_state(),
            "frames": self.frames,
            "failures": self.failures,
            "lanes": [lane.state(x) for lane, x in zip(self.lanes, seen, strict=True)],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``state``: lanes play their actions again in a new environment.

        A lane that does not come to the observation that it had has failed.
        """
        if not state:
            return
        self.close()
        self.exploration.set_state(state["exploration"])
        self.frames, self.failures = state["frames"], state["failures"]
        self.lanes = [Lane.restored(kept) for kept in state["lanes"]]
        if not any(lane.started for lane in self.lanes):
            return
        try:
            self.episodes = Episodes(self.task, len(self.lanes))
            seeds = [lane.seed or 0 for lane in self.lanes]
            self.episodes.replay(seeds, [lane.actions for lane in self.lanes])
        except EnvironmentFailed as error:
            self._environment_failed(error)
            return
        for lane, kept, x in zip(
            self.lanes, state["lanes"], self.episodes.observations, strict=True
        ):
            if lane.started and digest(x) != kept["observation"]:
                lane.fail(
                    "its episode could not be brought back: the same seed and actions led to "
                    "another observation"
                )

    # A rollout -----------------------------------------------------------------------------

    def _start_candidates(self) -> None:
        if self.episodes is None:
            self.episodes = Episodes(self.task, len(self.lanes))
        new = np.array([lane.live and not lane.started for lane in self.lanes])
        self._begin_episodes(self.episodes, new)

    def _begin_episodes(self, episodes: Episodes, lanes: np.ndarray[Any, Any]) -> None:
        """Reset some lanes: those with a candidate to their next episode."""
        for lane in (self.lanes[i] for i in np.flatnonzero(lanes)):
            if lane.candidate is not None and not lane.over:
                key = lane.candidate.id, len(lane.scores)
                lane.begin_episode(episode_seed(self.context.streams, "environment", *key))
        episodes.reset(lanes, [lane.seed or 0 for lane in self.lanes])

    def _play(self) -> Rollout:
        """T steps of every lane on the weights as they are."""
        assert self.episodes is not None
        lanes = self._networks()
        rollout = Rollout(len(self.lanes), self.learner.steps, lanes)
        for t in range(self.learner.steps):
            outputs = lanes.forward(self._observed(self.episodes), t)
            actions = sample(outputs[:, :-1], self.exploration)
            live = np.array([lane.live for lane in self.lanes])
            step = self.episodes.step(actions.numpy())
            after = self._value_after(lanes, step, live)
            rollout.keep(t, outputs, actions, step, live, after)
            self._count(actions, step)
            self._begin_episodes(self.episodes, step.ended)
        rollout.last = lanes.forward(self._observed(self.episodes))[:, -1]
        return rollout

    def _networks(self) -> Lanes:
        pool, always = self.context.pool, self.context.always_active
        paths = [
            None if lane.candidate is None else pool.active(lane.candidate.genotype, always)
            for lane in self.lanes
        ]
        self._before = Lanes(
            pool,
            self.context.readout,
            paths,
            self.learner.steps,
            self._shift,
            self._scale,
            instead_of=self._before,
        )
        return self._before

    def _observed(self, episodes: Episodes) -> Tensor:
        """Observations as the network takes them; bytes go to the device as bytes."""
        return torch.from_numpy(episodes.observations).to(self.context.device)

    def _value_after(self, lanes: Lanes, step: Step, live: np.ndarray[Any, Any]) -> Tensor | None:
        """The values of the last observations, where a live lane's episode was cut off."""
        if not (step.truncated & live).any():
            return None
        assert self.episodes is not None
        return lanes.forward(self._observed(self.episodes))[:, -1]

    def _count(self, actions: Tensor, step: Step) -> None:
        """Keep each lane's record; what came to its T-th end is over."""
        for lane, action, reward, ended in zip(
            self.lanes, actions.tolist(), step.rewards.tolist(), step.ended.tolist(), strict=True
        ):
            if not lane.live:
                continue
            lane.stepped(action, reward, self.task.frames)
            self.frames += self.task.frames
            if not math.isfinite(reward):
                lane.fail(f"the environment gave a reward of {reward}")
            elif ended:
                self._ended.append(self._episode(lane))
                lane.scores.append(lane.score)
                lane.over = len(lane.scores) >= self.learner.episodes

    def _episode(self, lane: Lane) -> Episode:
        candidate = lane.candidate
        assert candidate is not None
        length = len(lane.actions) * self.task.frames
        return Episode(candidate.id, candidate.place, lane.score, length, self.frames)

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
        """All lanes fail, as which of them raised is not known; the next rollout begins anew."""
        self.close()
        self.failures += 1
        self._last_failure = str(error)
        self._fail_all(self._last_failure)

    def _fail_all(self, cause: str) -> None:
        for lane in self.lanes:
            if lane.live:
                lane.fail(cause)

    # The update ----------------------------------------------------------------------------

    def _learn(self, rollout: Rollout) -> None:
        """Update what the lanes used, each with its own gradient cut to length."""
        learner = self.learner
        rewards = rollout.rewards.clamp(-1, 1) if learner.clip_rewards else rollout.rewards
        worth = returns(rewards, rollout.ended, rollout.after, rollout.last, learner.discount)
        outputs = rollout.outputs.requires_grad_()
        loss = losses(
            outputs,
            rollout.actions,
            worth,
            rollout.live,
            learner.entropy_cost,
            learner.value_cost,
        )
        (gradient,) = torch.autograd.grad(loss.sum(), outputs)
        rollout.lanes.backward(gradient)
        norms = rollout.lanes.norms()
        failed = torch.tensor([lane.cause is not None for lane in self.lanes])
        good = (
            torch.isfinite(loss.detach() + norms) & rollout.live.any(1) & ~failed.to(norms.device)
        )
        self._fail_others(good, loss.detach())
        weights = torch.where(good, (learner.max_gradient_norm / (norms + 1e-6)).clamp(max=1), 0)
        for layer in rollout.lanes.layers:
            modules, counts, totals = layer.total(weights)
            if not len(modules):
                continue
            for name, total in totals.items():
                shares = (
                    counts
                    if learner.divide == "users"
                    else torch.full_like(counts, len(self.lanes))
                )
                totals[name] = total / shares.view(-1, *[1] * (total.dim() - 1))
            rmsprop.step(
                layer.stack,
                modules,
                totals,
                learning_rate=self._learning_rate(),
                decay=learner.decay,
                epsilon=learner.epsilon,
            )

    def _fail_others(self, good: Tensor, loss: Tensor) -> None:
        """Evaluations whose loss or gradient is not finite have failed."""
        for lane, fine, value in zip(self.lanes, good.tolist(), loss.tolist(), strict=True):
            if not fine and lane.busy and lane.cause is None:
                lane.fail(f"the {'gradient' if math.isfinite(value) else 'loss'} is not finite")

    def _learning_rate(self) -> float:
        budget = self.context.budget_frames
        if budget is None or not self.learner.annealing:
            return self.learner.learning_rate
        return self.learner.learning_rate * max(1 - (self.frames + self.elsewhere()) / budget, 0)
