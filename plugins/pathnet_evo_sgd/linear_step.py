"""Plain SGD on a path of linear modules, with the backward pass written by hand.

A path is gathered once into one ``(N * units, inputs + 1)`` matrix a layer, the bias as the last
column against a column of ones, frozen modules last, so that an update touches one block of rows.
A minibatch then needs two or three matrix products a layer and no graph. Tested against autograd.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from pathnet_evo.modules import Linear
from pathnet_evo.pool import Lease
from pathnet_evo.stack import LeasedStack


def applies(lease: Lease) -> bool:
    """Whether every layer of a lease is of linear modules."""
    return all(type(layer.kind) is Linear for layer in lease.layers)


class Layer:
    """A layer's leased modules as one matrix, and the buffers and views of a minibatch.

    Args:
        leased: the modules.
        batch: examples in a minibatch.
        mean: whether the outputs of the modules are averaged instead of summed.

    Attributes:
        weight: ``(n * units, inputs + 1)``, trainable rows first.
        x: ``(batch, inputs + 1)`` its input, the last column ones.
        z: ``(batch, n * units)`` its modules' outputs after the ReLU.
        d: ``(batch, n * units)`` the gradient of the loss's sum before the ReLU.
    """

    def __init__(self, leased: LeasedStack, batch: int, mean: bool) -> None:
        parts = (leased.leased, leased.frozen_parameters)
        weights = [p["weight"].flatten(2).flatten(0, 1) for p in parts]
        self.n_trainable, units = leased.leased["bias"].shape
        self.n = self.n_trainable + len(leased.frozen)
        rows, inputs = self.n * units, weights[0].shape[1]
        self.mean = mean
        self.weight = weights[0].new_empty(rows, inputs + 1)
        torch.cat(weights, out=self.weight[:, :-1])
        torch.cat([p["bias"].flatten() for p in parts], out=self.weight[:, -1])
        self.x = self.weight.new_ones(batch, inputs + 1)
        self.z = self.weight.new_empty(batch, rows)
        self.d = torch.empty_like(self.z)
        # Views are made once: a minibatch of small layers takes less time than making them.
        self.inputs = self.x[:, :-1]
        self._transposed = self.weight.t()
        self._without_bias = self.weight[:, :-1]
        self._outputs = self.z.view(batch, self.n, units)
        self._d_outputs = self.d.view(batch, self.n, units)
        self._trained = self.weight[: self.n_trainable * units]
        self._d_trained = self.d[:, : self.n_trainable * units].t()

    def affine(self, out: Tensor) -> Tensor:
        """The modules' outputs before the ReLU, ``(batch, n * units)``."""
        return torch.mm(self.x, self._transposed, out=out)

    def forward(self, out: Tensor) -> None:
        """Write the sum or mean of the modules' outputs, ``(batch, units)``."""
        self.affine(self.z).relu_()
        if self.mean:
            torch.mean(self._outputs, 1, out=out)
        else:
            torch.sum(self._outputs, 1, out=out)

    def backward(self, gradient: Tensor) -> None:
        """Take the gradient of what ``forward`` wrote back to before the ReLU."""
        spread = gradient.unsqueeze(1).expand_as(self._outputs)
        torch.ops.aten.threshold_backward.grad_input(
            spread, self._outputs, 0, grad_input=self._d_outputs
        )
        if self.mean:
            self.d.div_(self.n)

    def below(self) -> Tensor:
        """The gradient of the layer's input, ``(batch, inputs)``."""
        return self.d @ self._without_bias

    def step(self, alpha: float) -> None:
        """Add alpha times the gradient to the modules that may change."""
        self._trained.addmm_(self._d_trained, self.x, alpha=alpha)

    def write_back(self, leased: LeasedStack) -> None:
        """Hand the trained rows to the lease, as views."""
        trained = self._trained.view(*leased.leased["bias"].shape, self.weight.shape[1])
        leased.parameters = {"weight": trained[..., :-1], "bias": trained[..., -1]}


@torch.inference_mode()
def train(
    lease: Lease, inputs: Tensor, labels: Tensor, shift: Tensor, scale: Tensor, rate: float
) -> Tensor:
    """Train a leased path, one plain SGD step on the mean cross-entropy of each minibatch.

    Args:
        lease: a path of linear modules; its parameters are set to the trained values.
        inputs: ``(T, batch, inputs)`` uint8 or float32, flattened examples.
        labels: ``(T, batch)`` int64.
        shift: ``(inputs,)`` float32, subtracted from the inputs.
        scale: ``(inputs,)`` float32, multiplied with the shifted inputs.
        rate: learning rate.

    Returns:
        ``(T, batch, classes)`` logits, each before its minibatch's update.
    """
    batch = labels.shape[1]
    layers = [Layer(leased, batch, lease.mean) for leased in lease.layers]
    readout = Layer(lease.readout, batch, lease.mean)
    targets = F.one_hot(labels, readout.z.shape[1]).to(torch.float32)
    logits = torch.empty_like(targets)
    outs = [layer.inputs for layer in [*layers[1:], readout]]
    lowest = next((i for i, layer in enumerate(layers) if layer.n_trainable), len(layers))
    alpha = -rate / batch
    for x, target, out in zip(inputs, targets, logits, strict=True):
        torch.sub(x, shift, out=layers[0].inputs).mul_(scale)
        for layer, after in zip(layers, outs, strict=True):
            layer.forward(after)
        readout.d.copy_(torch.softmax(readout.affine(out), 1).sub_(target))
        above = readout
        for layer in reversed(layers[lowest:]):
            layer.backward(above.below())
            above.step(alpha)
            above = layer
        above.step(alpha)
    for layer, leased in zip([*layers, readout], [*lease.layers, lease.readout], strict=True):
        layer.write_back(leased)
    return logits


def flat(values: Tensor | None, shape: tuple[int, ...], default: float, like: Tensor) -> Tensor:
    """A task's shift or scale as ``(inputs,)``."""
    if values is None:
        return torch.full((math.prod(shape),), default, device=like.device)
    return values.to(like.device).expand(shape).reshape(-1).contiguous()
