"""Some of the lanes: a rollout of them and its gradients, all of it in one thread."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pathnet_evo import EnvironmentTask, Episode, Lanes, LearningContext, Path
from pathnet_evo_a3c.episodes import Episodes, Mask, Step
from pathnet_evo_a3c.lane import Lane, digest
from pathnet_evo_a3c.objective import clipped_losses, losses, returns
from pathnet_evo_a3c.playing import episode_seed
from pathnet_evo_a3c.policy import policy_of
from pathnet_evo_a3c.rollout import Rollout
from pathnet_evo_a3c.settings import A3CSettings


class Group:
    """Neighbouring lanes, which are stepped together.

    Lanes have nothing to do with one another until the update, so that groups can work side by
    side, and how many there are does not change a number.

    Args:
        learner: the settings.
        context: the pool, the task, and where seeds come from.
        part: which of all lanes these are.

    Attributes:
        episodes: what they play; None until they do.
        networks: what they played last.
    """

    def __init__(
        self, learner: A3CSettings, context: LearningContext[EnvironmentTask], part: slice
    ) -> None:
        self.learner, self.context, self.task, self.part = learner, context, context.task, part
        self.episodes: Episodes | None = None
        self.networks: Lanes | None = None
        self.policy = policy_of(self.task)
        self._again: Lanes | None = None
        self._shift, self._scale = (
            None if value is None else value.to(context.device)
            for value in (self.task.shift, self.task.scale)
        )

    def roll_out(
        self, rollout: Rollout, lanes: Sequence[Lane], paths: Sequence[Path | None], drawn: Tensor
    ) -> None:
        """Play T steps on the weights as they are.

        Args:
            rollout: to be filled.
            lanes: those of this group.
            paths: the active modules of all K lanes.
            drawn: for ``(T, K)`` what the policy drew, by which actions are chosen.

        Raises:
            EnvironmentFailed: the rollout has the steps before.
        """
        self.networks = rollout.networks = Lanes(
            self.context.pool,
            self.context.head,
            paths,
            self.learner.rollout_length,
            self._shift,
            self._scale,
            self.part,
            instead_of=self.networks,
        )
        self._play(rollout, lanes, drawn[:, self.part])
        self._assess(rollout)

    def _play(self, rollout: Rollout, lanes: Sequence[Lane], drawn: Tensor) -> None:
        if self.episodes is None:
            self.episodes = Episodes(self.task, len(lanes))
        self._begin(lanes, np.array([lane.live and not lane.started for lane in lanes]))
        for t in range(self.learner.rollout_length):
            observed = self._observed()
            heard = rollout.networks.hear(observed)
            if self.learner.keeps_observations:
                rollout.see(t, observed, heard)
            outputs = rollout.networks.forward(observed, t, heard)
            actions = self.policy.choose(outputs[:, :-1], drawn[t])
            opening = self.episodes.opening
            live = np.array([lane.live for lane in lanes]) & ~opening
            step = self.episodes.step(actions.numpy())
            after = self._value_after(rollout.networks, step, live)
            rollout.keep(t, outputs, actions, step, live, after)
            self._count(rollout, t, lanes, actions, step, opening)
            self._begin(lanes, step.ended)
        rollout.last = rollout.networks.forward(self._observed())[:, -1]

    def _begin(self, lanes: Sequence[Lane], which: Mask) -> None:
        """Reset some lanes: those with a candidate to their next episode."""
        assert self.episodes is not None
        for lane in (lanes[i] for i in np.flatnonzero(which).tolist()):
            if lane.candidate is not None and not lane.over:
                key = lane.candidate.id, len(lane.scores)
                lane.begin_episode(episode_seed(self.context.streams, "environment", *key))
        self.episodes.reset(which, [lane.seed or 0 for lane in lanes])

    def _observed(self) -> Tensor:
        """Observations as the network takes them; bytes go to the device as bytes."""
        assert self.episodes is not None
        return torch.from_numpy(self.episodes.observations).to(self.context.device)

    def _value_after(self, networks: Lanes, step: Step, live: Mask) -> Tensor | None:
        """The values of the last observations, where a live lane's episode was cut off."""
        if not (step.truncated & live).any():
            return None
        return networks.forward(self._observed())[:, -1]

    def _count(
        self,
        rollout: Rollout,
        t: int,
        lanes: Sequence[Lane],
        actions: Tensor,
        step: Step,
        opening: Mask,
    ) -> None:
        """Keep each lane's record; what came to its T-th end is over."""
        told = (actions, step.rewards, step.ended, opening)
        for i, (lane, action, reward, ended, ignored) in enumerate(
            zip(lanes, *(part.tolist() for part in told), strict=True)
        ):
            if not lane.live:
                continue
            if ignored:
                lane.opened(action)
            else:
                lane.stepped(action, reward, self.task.frame_skip)
            if not math.isfinite(reward):
                lane.fail(f"the environment gave a reward of {reward}")
            elif ended and not ignored:
                rollout.episodes[t, i] = self._episode(lane)
                lane.scores.append(lane.score)
                lane.over = self.learner.enough(len(lane.scores), lane.frames)

    def _episode(self, lane: Lane) -> Episode:
        """The episode that ended; when is told later, as that hangs on the other groups."""
        assert lane.candidate is not None
        length = lane.length * self.task.frame_skip
        return Episode(lane.candidate.id, lane.candidate.slot, lane.score, length, 0)

    def _assess(self, rollout: Rollout) -> None:
        """What the steps were worth."""
        learner, values = self.learner, rollout.outputs[..., -1]
        rewards = rollout.rewards.clamp(-1, 1) if learner.clip_rewards else rollout.rewards
        follows = rollout.ended, rollout.after, rollout.last
        rollout.returns = returns(rewards, *follows, learner.discount, values, learner.gae_lambda)
        rollout.advantages = rollout.returns - values
        rollout.played = rollout.live.any(1)

    def learn(self, rollout: Rollout) -> None:
        """Find each lane's gradient of A3C's objective."""
        outputs = rollout.outputs.requires_grad_()
        loss = losses(
            self.policy,
            outputs,
            rollout.actions,
            rollout.returns,
            rollout.live,
            self.learner.entropy_coef,
            self.learner.value_coef,
            rollout.advantages,
        )
        self._differentiate(rollout, loss, outputs)

    def learn_again(
        self, rollout: Rollout, paths: Sequence[Path | None], steps: Tensor, clip_range: float
    ) -> None:
        """Find each lane's gradient of PPO's objective, by the weights as they are.

        Args:
            rollout: what was played.
            paths: the active modules of all K lanes.
            steps: ``(n,)`` the steps of the rollout to learn from.
            clip_range: see ``clipped_losses``.
        """
        rollout.networks = self._again = Lanes(
            self.context.pool,
            self.context.head,
            paths,
            len(steps),
            self._shift,
            self._scale,
            self.part,
            instead_of=self._again,
        )
        kept = steps.to(rollout.outputs.device)
        observations, heard = rollout.seen(kept)
        outputs = self._again.forward_steps(observations, heard).requires_grad_()
        played, actions = rollout.outputs[:, kept, :-1], rollout.actions[:, kept]
        loss = clipped_losses(
            self.policy,
            outputs,
            actions,
            rollout.returns[:, kept],
            rollout.live[:, kept],
            self.learner.entropy_coef,
            self.learner.value_coef,
            rollout.advantages[:, kept],
            self.policy.measure(played, actions)[0],
            clip_range,
        )
        rollout.played = rollout.live[:, kept].any(1)
        self._differentiate(rollout, loss, outputs)

    def _differentiate(self, rollout: Rollout, loss: Tensor, outputs: Tensor) -> None:
        (gradient,) = torch.autograd.grad(loss.sum(), outputs)
        rollout.loss = loss.detach()
        rollout.networks.backward(gradient)
        rollout.norms = rollout.networks.norms()

    def bring_back(self, lanes: Sequence[Lane], seen: Sequence[str | None]) -> None:
        """Play the lanes' actions again in a new environment.

        Args:
            lanes: those of this group; one that does not come to what it had before has failed.
            seen: digests of the observations that they had.

        Raises:
            EnvironmentFailed: the environment raised.
        """
        if not any(lane.started for lane in lanes):
            return
        self.episodes = Episodes(self.task, len(lanes))
        self.episodes.replay([lane.seed or 0 for lane in lanes], [lane.actions for lane in lanes])
        for lane, expected, x in zip(lanes, seen, self.episodes.observations, strict=True):
            if lane.started and digest(x) != expected:
                lane.fail(
                    "its episode could not be brought back: the same seed and actions led to "
                    "another observation"
                )

    def states(self, lanes: Sequence[Lane]) -> list[dict[str, object] | None]:
        """What to bring each lane back from."""
        seen = [None] * len(lanes) if self.episodes is None else self.episodes.observations
        return [lane.state(x) for lane, x in zip(lanes, seen, strict=True)]

    def close(self) -> None:
        """End the environment."""
        if self.episodes is not None:
            self.episodes.close()
            self.episodes = None
