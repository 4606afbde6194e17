"""PackNet with a head per task, whose frozen weights keep their bits under any optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from avalanche.models.packnet import PackNetModel, PackNetPlugin, WeightAndBiasPackNetModule
from torch import Tensor, nn

from pathnet_evo_avalanche.heads import Heads

MakeOptimizer = Callable[[list[Tensor]], torch.optim.Optimizer]


class Packed(PackNetModel):  # type: ignore[misc]
    """A packed trunk and a linear head per task, as in the paper; Avalanche packs a single head.

    Args:
        trunk: the layers.
        features: number of their outputs.
    """

    def __init__(self, trunk: nn.Module, features: int) -> None:
        super().__init__(trunk)
        self.heads = Heads(features)

    def forward(self, x: Tensor, task_labels: Tensor) -> Tensor:
        """Logits of each example's own head, with the weights of its task."""
        logits: Tensor = self.heads(super().forward(x, task_labels), task_labels)
        return logits


class Pruning(PackNetPlugin):  # type: ignore[misc]
    """Trains the same share of every stage after pruning, and never a weight that is not free.

    Avalanche zeroes the gradients of weights that are frozen or pruned. Weight decay and momentum
    would still change them, so they are put back after each step.

    Args:
        share: of a stage's epochs that follow pruning.
        pruned: share of the free weights that is pruned after each task.
        make_optimizer: makes the optimizer of a stage; Avalanche's way fails for some kinds.
    """

    def __init__(self, share: float, pruned: list[float], make_optimizer: MakeOptimizer) -> None:
        super().__init__(1, pruned)
        self.share = share
        self.make_optimizer = make_optimizer
        self.before_step: list[Tensor] = []

    def before_training(self, strategy: Any, *args: Any, **kwargs: Any) -> None:
        """Take the share of this stage's epochs."""
        epochs = strategy.train_epochs
        self.post_prune_epochs = max(1, min(round(self.share * epochs), epochs - 1))
        super().before_training(strategy, *args, **kwargs)

    def before_training_exp(self, strategy: Any, *args: Any, **kwargs: Any) -> None:
        """Begin a stage without momentum."""
        strategy.optimizer = self.make_optimizer([*strategy.model.parameters()])

    def before_update(self, strategy: Any, *args: Any, **kwargs: Any) -> None:
        """Keep all weights."""
        self.before_step = [
            layer.wrappee.weight.detach().clone() for layer in _packed(strategy.model)
        ]

    @torch.no_grad()
    def after_update(self, strategy: Any, *args: Any, **kwargs: Any) -> None:
        """Put back the weights that are not free."""
        for layer, before in zip(_packed(strategy.model), self.before_step, strict=True):
            weight = layer.wrappee.weight
            weight.copy_(torch.where(layer.unfrozen_mask, weight, before))


def _packed(model: nn.Module) -> list[Any]:
    """The layers with masks."""
    return [module for module in model.modules() if isinstance(module, WeightAndBiasPackNetModule)]
