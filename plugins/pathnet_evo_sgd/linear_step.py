"""Plain SGD on a path of linear modules, with the backward pass written by hand.

A path is gathered once into one ``(N * units, inputs + 1)`` matrix a layer, the bias as the last
column against a column of ones, frozen modules last, so that an update touches one block of rows.
A minibatch then needs two or three matrix products a layer and no graph. Tested against autograd.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pathnet_evo.modules import Linear
from pathnet_evo.pool import Lease
from pathnet_evo.stack import LeasedStack


def applies(lease: Lease) -> bool:
    """Whether every layer of a lease is of linear modules."""
    return all(type(layer.kind) is Linear for layer in lease.layers)


@dataclass
class Layer:
    """A layer's leased modules as one matrix.

    Args:
        weight: ``(n * units, inputs + 1)``, trainable rows first.
        n: number of modules.
        n_trainable: how many of them may change.
        units: outputs of a module.
        x: ``(batch, inputs + 1)`` its input, the last column ones.
        z: ``(batch, n * units)`` its modules' outputs after the ReLU.
    """

    weight: Tensor
    n: int
    n_trainable: int
    units: int
    x: Tensor
    z: Tensor

    @classmethod
    def of(cls, leased: LeasedStack, batch: int) -> Layer:
        """Gather a lease's modules."""
        parts = (leased.leased, leased.frozen_parameters)
        weights = [p["weight"].flatten(2).flatten(0, 1) for p in parts]
        n_trainable, units = leased.leased["bias"].shape
        n = n_trainable + len(leased.frozen)
        inputs = weights[0].shape[1]
        weight = weights[0].new_empty(n * units, inputs + 1)
        torch.cat(weights, out=weight[:, :-1])
        torch.cat([p["bias"].flatten() for p in parts], out=weight[:, -1])
        return cls(
            weight,
            n,
            n_trainable,
            units,
            weight.new_ones(batch, inputs + 1),
            weight.new_empty(batch, n * units),
        )

    def write_back(self, leased: LeasedStack) -> None:
        """Hand the trained rows to the lease, as views."""
        trained = self.weight[: self.n_trainable * self.units].unflatten(
            0, (self.n_trainable, self.units)
        )
        leased.parameters = {"weight": trained[..., :-1], "bias": trained[..., -1]}


@torch.inference_mode()
def train(lease: Lease, inputs: Tensor, labels: Tensor, shift: Tensor, scale: Tensor, rate: float) -> Tensor:
    """Train a leased path, one plain SGD step on the mean cross-entropy of each minibatch.

    Args:
        lease: a path of linear modules; its parameters are set to the trained values.
        inputs: ``(T, batch, inputs)`` uint8 or float32, flattened examples.
        labels: ``(T, batch)`` int64.
        shift: ``(inputs,)`` float32, subtracted from the inputs.
        scale: ``(inputs,)`` float32, multiplied with the shifted inputs.
        rate: learning rate.

    Returns:
        ``(T, batch, classes)`` class probabilities, each before its minibatch's update.
    """
    steps, batch = labels.shape
    layers = [Layer.of(leased, batch) for leased in lease.layers]
    readout = Layer.of(lease.readout, batch)
    targets = torch.nn.functional.one_hot(labels, readout.units).to(torch.float32)
    probabilities = torch.empty_like(targets)
    following = [*layers[1:], readout]
    step = -rate / batch
    for t in range(steps):
        first = layers[0].x[:, :-1]
        first.copy_(inputs[t])
        first.sub_(shift).mul_(scale)
        for layer, after in zip(layers, following, strict=True):
            torch.mm(layer.x, layer.weight.t(), out=layer.z)
            outputs = layer.z.relu_().view(batch, layer.n, layer.units)
            after.x[:, :-1] = outputs.mean(1) if lease.mean else outputs.sum(1)
        torch.mm(readout.x, readout.weight.t(), out=readout.z)
        torch.softmax(readout.z, 1, out=probabilities[t])
        d = probabilities[t] - targets[t]
        gradient = d @ readout.weight[:, :-1]
        readout.weight.addmm_(d.t(), readout.x, alpha=step)
        for i in range(len(layers) - 1, -1, -1):
            gradient = _backward(layers[i], gradient, step, lease.mean, first=i == 0)
    for layer, leased in zip([*layers, readout], [*lease.layers, lease.readout], strict=True):
        layer.write_back(leased)
    return probabilities


def _backward(layer: Layer, gradient: Tensor, step: float, mean: bool, first: bool) -> Tensor:
    """Update a layer; return the gradient of its input, ``(batch, inputs)``."""
    batch = len(gradient)
    if mean:
        gradient = gradient / layer.n
    n = layer.n_trainable if first else layer.n
    spread = gradient.unsqueeze(1).expand(batch, n, layer.units)
    z = layer.z.view(batch, layer.n, layer.units)[:, :n]
    d = torch.ops.aten.threshold_backward(spread, z, 0).reshape(batch, n * layer.units)
    below = gradient if first else d @ layer.weight[:, :-1]
    if layer.n_trainable:
        rows = layer.n_trainable * layer.units
        layer.weight[:rows].addmm_(d[:, :rows].t(), layer.x, alpha=step)
    return below


def flat(values: Tensor | None, shape: tuple[int, ...], default: float, like: Tensor) -> Tensor:
    """A task's shift or scale as ``(inputs,)``."""
    if values is None:
        return torch.full((math.prod(shape),), default, device=like.device)
    return values.to(like.device).expand(shape).reshape(-1).contiguous()
