"""What a rival's network answers, trained or not."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


@torch.no_grad()
def answer(model: nn.Module, stage: int, n_classes: int, inputs: Tensor) -> Tensor:
    """Logits of a task's own head, ``(n, n_classes)``, in evaluation mode.

    Args:
        model: takes inputs and task labels.
        stage: the task's label.
        n_classes: of the task; heads can be wider.
        inputs: ``(n, *input_shape)`` float32.
    """
    training = model.training
    labels = torch.full((len(inputs),), stage, dtype=torch.int64, device=inputs.device)
    logits: Tensor = model.eval()(inputs, labels)
    model.train(training)
    return logits[:, :n_classes]


@torch.no_grad()
def untrained(model: nn.Module) -> nn.Module:
    """A copy of a model with weights from torch's global generator.

    Layers are initialised as the model began; parameters outside of layers, which are the scales
    of a progressive network's adapters, are standard normal, as Avalanche begins with.
    """
    device = next(model.parameters()).device
    fresh = copy.deepcopy(model).cpu()
    for module in fresh.modules():
        reset = getattr(module, "reset_parameters", None)
        if reset is not None:
            reset()
            continue
        for values in module.parameters(recurse=False):
            nn.init.normal_(values)
    return fresh.to(device)
