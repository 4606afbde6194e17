"""What a network's outputs say of actions: one of several, or a vector of numbers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from pathnet_evo import EnvironmentTask

LOG_STD = (-5.0, 2.0)
"""Bounds of the logarithm of a Gaussian's standard deviation."""


class Policy(ABC):
    """A distribution over actions.

    Attributes:
        n_outputs: outputs of the network that it reads.
    """

    n_outputs: int

    @abstractmethod
    def draw(self, *shape: int, generator: torch.Generator) -> Tensor:
        """The random numbers that ``choose`` needs for so many actions, on the CPU."""

    @abstractmethod
    def choose(self, outputs: Tensor, drawn: Tensor) -> Tensor:
        """The actions that drawn numbers stand for, on the CPU.

        Args:
            outputs: ``(n, n_outputs)``, on any device.
            drawn: what ``draw`` gave for n actions.
        """

    @abstractmethod
    def best(self, outputs: Tensor) -> Tensor:
        """The most probable actions of ``(n, n_outputs)``, on the CPU."""

    @abstractmethod
    def measure(self, outputs: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """The log-probability of actions, and the entropy.

        Args:
            outputs: ``(*shape, n_outputs)``.
            actions: for ``shape``, as ``choose`` gives them.

        Returns:
            Both ``shape``.
        """

    @abstractmethod
    def uniform(self, n: int, generator: torch.Generator) -> Tensor:
        """Actions, each as probable as any other."""

    @abstractmethod
    def room(self, *shape: int, device: torch.device) -> Tensor:
        """Memory for actions."""


class Categorical(Policy):
    """One of A actions; outputs are logits, actions int64."""

    def __init__(self, n_actions: int) -> None:
        self.n_outputs = n_actions

    def draw(self, *shape: int, generator: torch.Generator) -> Tensor:
        """A number in [0, 1) each."""
        return torch.rand(*shape, generator=generator)

    def choose(self, outputs: Tensor, drawn: Tensor) -> Tensor:
        """Where the cumulative probability exceeds the number."""
        below = outputs.softmax(1).cumsum(1)[:, :-1].cpu() <= drawn.unsqueeze(1)
        return below.sum(1)

    def best(self, outputs: Tensor) -> Tensor:
        """The largest logit's."""
        return outputs.argmax(1).cpu()

    def measure(self, outputs: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """From the logarithms of the probabilities."""
        policy = outputs.log_softmax(-1)
        chosen = policy.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
        return chosen, -(policy.exp() * policy).sum(-1)

    def uniform(self, n: int, generator: torch.Generator) -> Tensor:
        """Integers."""
        return torch.randint(self.n_outputs, (n,), generator=generator)

    def room(self, *shape: int, device: torch.device) -> Tensor:
        """Integers."""
        return torch.zeros(shape, dtype=torch.int64, device=device)


class Gaussian(Policy):
    """A vector of D numbers, drawn independently; outputs are means and logs of deviations."""

    def __init__(self, size: int) -> None:
        self.size, self.n_outputs = size, 2 * size

    def _parts(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = torch.split(outputs, self.size, -1)
        return mean, log_std.clamp(*LOG_STD)

    def draw(self, *shape: int, generator: torch.Generator) -> Tensor:
        """D normal numbers each."""
        return torch.randn(*shape, self.size, generator=generator)

    def choose(self, outputs: Tensor, drawn: Tensor) -> Tensor:
        """The mean plus so many deviations, ``(n, D)`` float32."""
        mean, log_std = (part.cpu() for part in self._parts(outputs))
        return mean + log_std.exp() * drawn

    def best(self, outputs: Tensor) -> Tensor:
        """The means."""
        return self._parts(outputs)[0].cpu()

    def measure(self, outputs: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Sums over the D numbers."""
        mean, log_std = self._parts(outputs)
        deviation = (actions - mean) / log_std.exp()
        constant = 0.5 * math.log(2 * math.pi)
        chosen = (-0.5 * deviation.square() - log_std - constant).sum(-1)
        return chosen, (log_std + constant + 0.5).sum(-1)

    def uniform(self, n: int, generator: torch.Generator) -> Tensor:
        """Numbers in [-1, 1)."""
        return 2 * torch.rand(n, self.size, generator=generator) - 1

    def room(self, *shape: int, device: torch.device) -> Tensor:
        """Vectors."""
        return torch.zeros(*shape, self.size, device=device)


def policy_of(task: EnvironmentTask) -> Policy:
    """The policy for a task's actions."""
    return Gaussian(task.n_actions) if task.continuous else Categorical(task.n_actions)
