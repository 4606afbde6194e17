"""The objective of a rollout (Mnih et al. 2016, section 4 and algorithm S3)."""

from __future__ import annotations

import torch
from torch import Tensor


def returns(rewards: Tensor, ended: Tensor, after: Tensor, last: Tensor, discount: float) -> Tensor:
    """What each step returned, discounted, over the rest of the rollout and what follows it.

    Args:
        rewards: ``(K, T)``.
        ended: ``(K, T)`` bool, whether the episode ended with the step.
        after: ``(K, T)`` value of what would have followed an episode's end: 0, or that of the
            last observation where the episode was cut off.
        last: ``(K,)`` value of what follows the rollout.
        discount: by which a step's worth falls.

    Returns:
        ``(K, T)``.
    """
    found = torch.empty_like(rewards)
    following = last
    for t in reversed(range(rewards.shape[1])):
        following = rewards[:, t] + discount * torch.where(ended[:, t], after[:, t], following)
        found[:, t] = following
    return found


def losses(
    outputs: Tensor,
    actions: Tensor,
    returns: Tensor,
    live: Tensor,
    entropy_coef: float,
    value_coef: float,
) -> Tensor:
    """Each lane's loss, averaged over the steps of the rollout.

    Args:
        outputs: ``(K, T, A + 1)`` logits of the policy, and the value.
        actions: ``(K, T)`` int64.
        returns: ``(K, T)``.
        live: ``(K, T)`` bool; other steps contribute nothing.
        entropy_coef: what entropy is worth.
        value_coef: what a squared error of the value costs.

    Returns:
        ``(K,)``.
    """
    policy, value = outputs[..., :-1].log_softmax(-1), outputs[..., -1]
    advantage = returns - value
    chosen = policy.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
    entropy = -(policy.exp() * policy).sum(-1)
    loss = -chosen * advantage.detach() - entropy_coef * entropy + value_coef * advantage.square()
    return torch.where(live, loss, 0).mean(1)
