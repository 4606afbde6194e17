"""What a rollout is worth, and the objectives of A3C and PPO."""

from __future__ import annotations

import torch
from torch import Tensor

from pathnet_evo_a3c.policy import Policy


def returns(
    rewards: Tensor,
    ended: Tensor,
    after: Tensor,
    last: Tensor,
    discount: float,
    values: Tensor | None = None,
    gae_lambda: float = 1.0,
) -> Tensor:
    """What each step returned, discounted, over the rest of the rollout and what follows it.

    Mnih et al. 2016, algorithm S3. With ``gae_lambda`` below 1 these are lambda-returns: less the
    values, they are the generalised advantages of Schulman et al. 2016.

    Args:
        rewards: ``(K, T)``.
        ended: ``(K, T)`` bool, whether the episode ended with the step.
        after: ``(K, T)`` value of what would have followed an episode's end: 0, or that of the
            last observation where the episode was cut off.
        last: ``(K,)`` value of what follows the rollout.
        discount: by which a step's worth falls.
        values: ``(K, T)`` of the observations; only read with ``gae_lambda`` below 1.
        gae_lambda: weight of what was played on, over the value of the next observation.

    Returns:
        ``(K, T)``.
    """
    found = torch.empty_like(rewards)
    following = last
    for t in reversed(range(rewards.shape[1])):
        following = rewards[:, t] + discount * torch.where(ended[:, t], after[:, t], following)
        found[:, t] = following
        if gae_lambda < 1:
            assert values is not None
            following = gae_lambda * following + (1 - gae_lambda) * values[:, t]
    return found


def normalised(advantages: Tensor, live: Tensor) -> Tensor:
    """Advantages with mean 0 and deviation 1 over all live steps.

    Args:
        advantages: ``(K, T)`` of all lanes.
        live: ``(K, T)`` bool.
    """
    counted = advantages[live & torch.isfinite(advantages)]
    if len(counted) < 2:
        return advantages
    return (advantages - counted.mean()) / (counted.std() + 1e-8)


def losses(
    policy: Policy,
    outputs: Tensor,
    actions: Tensor,
    returns: Tensor,
    live: Tensor,
    entropy_coef: float,
    value_coef: float,
    advantages: Tensor | None = None,
) -> Tensor:
    """Each lane's loss of A3C, averaged over the steps of the rollout (Mnih et al. 2016).

    Args:
        policy: what the outputs say.
        outputs: ``(K, T, n_outputs + 1)`` the policy's, and the value.
        actions: ``(K, T)``, or vectors.
        returns: ``(K, T)``.
        live: ``(K, T)`` bool; other steps contribute nothing.
        entropy_coef: what entropy is worth.
        value_coef: what a squared error of the value costs.
        advantages: ``(K, T)``; by default returns less values.

    Returns:
        ``(K,)``.
    """
    chosen, entropy = policy.measure(outputs[..., :-1], actions)
    error = returns - outputs[..., -1]
    gain = error.detach() if advantages is None else advantages
    loss = -chosen * gain - entropy_coef * entropy + value_coef * error.square()
    return torch.where(live, loss, 0).mean(1)


def clipped_losses(
    policy: Policy,
    outputs: Tensor,
    actions: Tensor,
    returns: Tensor,
    live: Tensor,
    entropy_coef: float,
    value_coef: float,
    advantages: Tensor,
    before: Tensor,
    clip_range: float,
) -> Tensor:
    """Each lane's loss of PPO, averaged over steps (Schulman et al. 2017, equations 7 and 9).

    Args:
        policy: what the outputs say.
        outputs: ``(K, T, n_outputs + 1)`` of the present network.
        actions: ``(K, T)``, or vectors.
        returns: ``(K, T)``.
        live: ``(K, T)`` bool; other steps contribute nothing.
        entropy_coef: what entropy is worth.
        value_coef: what a squared error of the value costs.
        advantages: ``(K, T)``, by the network that played.
        before: ``(K, T)`` log-probabilities of the actions, by the network that played.
        clip_range: how far the ratio of probabilities may be from 1 before gains stop counting.

    Returns:
        ``(K,)``.
    """
    chosen, entropy = policy.measure(outputs[..., :-1], actions)
    ratio = (chosen - before).exp()
    near = ratio.clamp(1 - clip_range, 1 + clip_range)
    gain = torch.minimum(ratio * advantages, near * advantages)
    error = returns - outputs[..., -1]
    loss = -gain - entropy_coef * entropy + value_coef * error.square()
    return torch.where(live, loss, 0).mean(1)
