"""PPO as people write it in one file of plain torch, on Pong, for ``game_speed.py``.

As in CleanRL's ``ppo_atari.py`` (Huang et al. 2022): 8 games, rollouts of 128 steps, 4 epochs of 4
minibatches, Adam, clipped values, advantages normalised in each minibatch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

STEPS, EPOCHS, MINIBATCHES = 128, 4, 4
DISCOUNT, GAE_LAMBDA, CLIP = 0.99, 0.95, 0.1
ENTROPY, VALUE, MAX_GRAD_NORM, RATE = 0.01, 0.5, 0.5, 2.5e-4
FEATURES = 50


def features() -> nn.Sequential:
    """``(n, 4, 84, 84)`` to ``(n, 50)``, as many multiply-adds as a path of ``a3c_speed.py``."""
    return nn.Sequential(
        *(nn.Conv2d(4, 32, 8, 4), nn.ReLU()),
        *(nn.Conv2d(32, 8, 4, 2), nn.ReLU()),
        *(nn.Conv2d(8, 32, 3, 1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(1568, FEATURES), nn.ReLU()),
    )


class PlainPPO:
    """One network for all games.

    Args:
        games: Gymnasium's vector environment, which resets in the step that ends an episode.
    """

    def __init__(self, games: Any) -> None:
        self.games, self.n = games, int(games.num_envs)
        self.actions = int(games.single_action_space.n)
        self.network = nn.Sequential(features(), nn.Linear(FEATURES, self.actions + 1))
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=RATE, eps=1e-5)
        self.seen = torch.from_numpy(games.reset(seed=0)[0])
        self.ended = torch.zeros(self.n)

    def round(self) -> int:
        """A rollout and what is learned from it; its agent steps."""
        self._learn(*self._roll_out())
        return STEPS * self.n

    def _outputs(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """``(n, actions)`` log-probabilities and ``(n,)`` values."""
        outputs = self.network(seen.float() / 255)
        return outputs[:, :-1].log_softmax(1), outputs[:, -1]

    @torch.no_grad()
    def _roll_out(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Observations, actions, their log-probabilities, values and advantages, flat."""
        seen = torch.zeros((STEPS, *self.seen.shape), dtype=torch.uint8)
        actions = torch.zeros((STEPS, self.n), dtype=torch.int64)
        chances, values, rewards, ended = torch.zeros((4, STEPS, self.n))
        for t in range(STEPS):
            seen[t], ended[t] = self.seen, self.ended
            policy, values[t] = self._outputs(self.seen)
            actions[t] = torch.multinomial(policy.exp(), 1)[:, 0]
            chances[t] = _of(actions[t], policy)
            after, reward, terminated, truncated, _ = self.games.step(actions[t].numpy())
            self.seen = torch.from_numpy(after)
            self.ended = torch.from_numpy(terminated | truncated).float()
            rewards[t] = torch.from_numpy(np.sign(reward))
        advantages = self._advantages(rewards, values, ended)
        parts = (seen, actions, chances, values, advantages)
        flat = [part.flatten(0, 1) for part in parts]
        return flat[0], flat[1], flat[2], flat[3], flat[4]

    def _advantages(self, rewards: Tensor, values: Tensor, ended: Tensor) -> Tensor:
        """``(STEPS, n)`` generalised advantages; an episode's end has the value 0."""
        found, last = torch.zeros_like(rewards), torch.zeros(self.n)
        following, over = self._outputs(self.seen)[1], self.ended
        for t in reversed(range(STEPS)):
            error = rewards[t] + DISCOUNT * following * (1 - over) - values[t]
            last = error + DISCOUNT * GAE_LAMBDA * (1 - over) * last
            found[t], following, over = last, values[t], ended[t]
        return found

    def _learn(
        self, seen: Tensor, actions: Tensor, chances: Tensor, values: Tensor, advantages: Tensor
    ) -> None:
        returns = advantages + values
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(actions)).chunk(MINIBATCHES):
                policy, value = self._outputs(seen[rows])
                gain = advantages[rows]
                gain = (gain - gain.mean()) / (gain.std() + 1e-8)
                ratio = (_of(actions[rows], policy) - chances[rows]).exp()
                near = ratio.clamp(1 - CLIP, 1 + CLIP)
                kept = values[rows] + (value - values[rows]).clamp(-CLIP, CLIP)
                errors = [(v - returns[rows]).square() for v in (value, kept)]
                loss = (
                    -torch.minimum(ratio * gain, near * gain).mean()
                    + VALUE * torch.maximum(*errors).mean() / 2
                    + ENTROPY * (policy.exp() * policy).sum(1).mean()
                )
                self.optimizer.zero_grad()
                torch.autograd.backward(loss)
                nn.utils.clip_grad_norm_(self.network.parameters(), MAX_GRAD_NORM)
                self.optimizer.step()


def _of(actions: Tensor, policy: Tensor) -> Tensor:
    """``(n,)`` log-probabilities of the actions."""
    return policy.gather(1, actions[:, None])[:, 0]
