"""What is kept of a rollout until the update."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pathnet_evo import Episode, Lanes
from pathnet_evo_a3c.episodes import Mask, Step
from pathnet_evo_a3c.policy import Policy


class Rollout:
    """T steps of K lanes.

    Args:
        n_lanes: K.
        steps: T.
        policy: what the outputs say; the value is one more.
        device: where it is kept.

    Attributes:
        networks: what was played; they hold their own activations and gradients.
        outputs: ``(K, T, n_outputs + 1)`` of the networks.
        observations: ``(K, T, *observation_shape)``, where the learner keeps them.
        heard: what columns say of them, for each layer ``(K, T, *shape)``.
        actions: ``(K, T)`` int64, or vectors.
        rewards: ``(K, T)`` float32, raw.
        live: ``(K, T)`` bool, whether the step was a candidate's.
        ended: ``(K, T)`` bool, whether an episode ended with the step.
        after: ``(K, T)`` value of what would have followed, where an episode was cut off; else 0.
        last: ``(K,)`` value of what follows the rollout.
        returns: ``(K, T)`` what each step was worth.
        advantages: ``(K, T)`` returns less values, perhaps normalised.
        played: ``(K,)`` whether any step of what was learned from last was a candidate's.
        loss: ``(K,)`` each lane's.
        norms: ``(K,)`` of each lane's whole gradient.
        episodes: those that ended, by step and lane.
    """

    networks: Lanes

    def __init__(self, n_lanes: int, steps: int, policy: Policy, device: torch.device) -> None:
        shape = (n_lanes, steps)
        self.outputs = torch.zeros(*shape, policy.n_outputs + 1, device=device)
        self.observations: Tensor | None = None
        self.heard: list[Tensor] = []
        self.actions = policy.room(*shape, device=device)
        self.rewards = torch.zeros(shape, device=device)
        self.live = torch.zeros(shape, dtype=torch.bool, device=device)
        self.ended = torch.zeros_like(self.live)
        self.after = torch.zeros_like(self.rewards)
        self.last = torch.zeros(n_lanes, device=device)
        self.returns = torch.zeros_like(self.rewards)
        self.advantages = torch.zeros_like(self.rewards)
        self.played = torch.zeros(n_lanes, dtype=torch.bool, device=device)
        self.loss = torch.zeros(n_lanes, device=device)
        self.norms = torch.zeros(n_lanes, device=device)
        self.episodes: dict[tuple[int, int], Episode] = {}

    def see(self, t: int, observed: Tensor, heard: Sequence[Tensor] | None) -> None:
        """Keep what the networks saw and heard.

        Args:
            t: the step, in ``[0, T)``.
            observed: ``(K, *observation_shape)``.
            heard: for each layer of columns ``(K, *shape)``.
        """
        n, steps = self.live.shape
        if self.observations is None:
            self.observations = observed.new_empty(n, steps, *observed.shape[1:])
            self.heard = [units.new_empty(n, steps, *units.shape[1:]) for units in heard or ()]
        self.observations[:, t] = observed
        for kept, units in zip(self.heard, heard or (), strict=True):
            kept[:, t] = units

    def seen(self, steps: Tensor) -> tuple[Tensor, list[Tensor] | None]:
        """What the networks saw and heard in some steps, ``(K, len(steps), ...)``."""
        assert self.observations is not None
        return self.observations[:, steps], [units[:, steps] for units in self.heard] or None

    def keep(
        self, t: int, outputs: Tensor, actions: Tensor, step: Step, live: Mask, after: Tensor | None
    ) -> None:
        """Keep one step.

        Args:
            t: which, in ``[0, T)``.
            outputs: ``(K, n_outputs + 1)``.
            actions: ``(K,)``, or vectors.
            step: what became of them.
            live: ``(K,)`` whose steps count.
            after: ``(K,)`` values of what the lanes would have come to; None where nothing was
                cut off.
        """
        self.outputs[:, t] = outputs
        self.actions[:, t] = actions
        self.rewards[:, t] = torch.from_numpy(step.rewards.astype(np.float32))
        self.live[:, t] = torch.from_numpy(live)
        self.ended[:, t] = torch.from_numpy(step.ended)
        if after is not None:
            cut = torch.from_numpy(step.truncated).to(after.device)
            self.after[:, t] = torch.where(cut, after, 0)
