"""SGD on a path of linear modules, with the backward pass written by hand.

A path is gathered once into one ``(N * units, inputs + heard + 1)`` matrix a layer: the lateral
maps behind the weights against what the columns say, the bias as the last column against a column
of ones, frozen modules last, so that an update touches one block of rows. A minibatch then needs
two or three matrix products a layer and no graph. Tested against autograd.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from pathnet_evo import SUM, Aggregate, Lease, LeasedStack

EPSILON = 1e-6
"""Added to a norm before it divides, as ``torch.nn.utils.clip_grad_norm_`` does."""


def applies(lease: Lease) -> bool:
    """Whether every layer of a lease is of modules that are matrix products."""
    return all(layer.kind.dense for layer in lease.layers)


class Layer:
    """A layer's leased modules as one matrix, and the buffers and views of a minibatch.

    Args:
        leased: the modules.
        batch: examples in a minibatch.
        aggregate: how the outputs of the modules become one.
        momentum: share of the last step that the next one keeps; 0 for none.

    Attributes:
        weight: ``(n * units, inputs + heard + 1)``, trainable rows first.
        x: ``(batch, inputs + heard + 1)`` its input, the last column ones.
        inputs: of ``x`` what comes from the layer below.
        heard: of ``x`` what columns say.
        z: ``(batch, n * units)`` its modules' outputs after the ReLU.
        d: ``(batch, n * units)`` the gradient of the loss's sum before the ReLU.
    """

    def __init__(
        self, leased: LeasedStack, batch: int, aggregate: Aggregate, momentum: float
    ) -> None:
        parts = (leased.leased, leased.frozen_parameters)
        weights = [p["weight"].flatten(2).flatten(0, 1) for p in parts]
        self.n_trainable, units = leased.leased["bias"].shape
        self.n = self.n_trainable + len(leased.frozen)
        rows, inputs = self.n * units, weights[0].shape[1]
        self.share = aggregate.share(self.n)
        n_heard = 0 if leased.lateral is None else leased.lateral.leased["weight"].shape[2]
        self.weight = weights[0].new_zeros(rows, inputs + n_heard + 1)
        torch.cat(weights, out=self.weight[:, :inputs])
        torch.cat([p["bias"].flatten() for p in parts], out=self.weight[:, -1])
        self.x = self.weight.new_ones(batch, self.weight.shape[1])
        self.z = self.weight.new_empty(batch, rows)
        self.d = torch.empty_like(self.z)
        # Views are made once: a minibatch of small layers takes less time than making them.
        self.inputs, self.heard = self.x[:, :inputs], self.x[:, inputs:-1]
        self._transposed = self.weight.t()
        self._of_inputs = self.weight[:, :inputs]
        self._outputs = self.z.view(batch, self.n, units)
        self._d_outputs = self.d.view(batch, self.n, units)
        self._trained = self.weight[: self.n_trainable * units]
        self._d_trained = self.d[:, : self.n_trainable * units].t()
        trained = self._trained.view(self.n_trainable, units, self.weight.shape[1])
        self._weights, self._laterals, self._biases = _columns(trained, inputs)
        if leased.lateral is not None:
            self._laterals.copy_(leased.lateral.leased["weight"])
        self.momentum = momentum
        self.velocity = torch.zeros_like(self._trained) if momentum else None
        self._velocities = self._weights, self._laterals, self._biases
        if self.velocity is not None:
            self._velocities = _columns(self.velocity.view_as(trained), inputs)
            for part, (stack, name) in zip(self._velocities, _places(leased), strict=True):
                if stack is not None and name in stack.statistics:
                    part.copy_(stack.statistics[name].view_as(part))

    def affine(self, out: Tensor) -> Tensor:
        """The modules' outputs before the ReLU, ``(batch, n * units)``."""
        return torch.mm(self.x, self._transposed, out=out)

    def forward(self, out: Tensor) -> None:
        """Write the modules' outputs, aggregated, ``(batch, units)``."""
        self.affine(self.z).relu_()
        torch.sum(self._outputs, 1, out=out)
        if self.share != 1:
            out.mul_(self.share)

    def backward(self, gradient: Tensor) -> None:
        """Take the gradient of what ``forward`` wrote back to before the ReLU."""
        spread = gradient.unsqueeze(1).expand_as(self._outputs)
        torch.ops.aten.threshold_backward.grad_input(
            spread, self._outputs, 0, grad_input=self._d_outputs
        )
        if self.share != 1:
            self.d.mul_(self.share)

    def below(self) -> Tensor:
        """The gradient of the layer's input, ``(batch, inputs)``."""
        return self.d @ self._of_inputs

    def squared_norm(self) -> Tensor:
        """The squared norm of the gradient of the loss's sum, in the modules that may change.

        The gradient is ``d.T @ x``, so this is the sum over ``(d @ d.T) * (x @ x.T)``, which are
        no larger than the minibatch squared.
        """
        return torch.sum((self._d_trained.t() @ self._d_trained) * (self.x @ self.x.t()))

    def step(self, rate: float) -> None:
        """Take a step against the mean gradient, in the modules that may change."""
        batch = len(self.x)
        if self.velocity is None:
            self._trained.addmm_(self._d_trained, self.x, alpha=-rate / batch)
            return
        self.velocity.addmm_(self._d_trained, self.x, beta=self.momentum, alpha=1 / batch)
        self._trained.add_(self.velocity, alpha=-rate)

    def write_back(self, leased: LeasedStack) -> None:
        """Hand what was trained to the lease, as views."""
        shape = leased.leased["weight"].shape
        leased.parameters = {"weight": self._weights.view(shape), "bias": self._biases}
        if leased.lateral is not None:
            leased.lateral.parameters = {"weight": self._laterals}
        if self.velocity is not None:
            for part, (stack, name) in zip(self._velocities, _places(leased), strict=True):
                if stack is not None and name in stack.statistics:
                    stack.statistics[name] = part.reshape(stack.statistics[name].shape)


def _columns(rows: Tensor, inputs: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of ``(n, units, inputs + heard + 1)`` what belongs to weights, lateral maps and biases."""
    return rows[..., :inputs], rows[..., inputs:-1], rows[..., -1]


def _places(leased: LeasedStack) -> tuple[tuple[LeasedStack | None, str], ...]:
    """Where the velocities of ``_columns`` are kept."""
    name = "{}:momentum_buffer"
    weight, bias = name.format("weight"), name.format("bias")
    return (leased, weight), (leased.lateral, weight), (leased, bias)


@torch.inference_mode()
def train(
    lease: Lease,
    inputs: Tensor,
    labels: Tensor,
    shift: Tensor,
    scale: Tensor,
    rates: Sequence[float],
    momentum: float = 0.0,
    heard: Sequence[Tensor] | None = None,
    max_grad_norm: float = math.inf,
) -> Tensor:
    """Train a leased path, one SGD step on the mean cross-entropy of each minibatch.

    Args:
        lease: a path of linear modules; its parameters are set to the trained values.
        inputs: ``(T, batch, inputs)`` uint8 or float32, flattened examples.
        labels: ``(T, batch)`` int64.
        shift: ``(inputs,)`` float32, subtracted from the inputs.
        scale: ``(inputs,)`` float32, multiplied with the shifted inputs.
        rates: learning rate of each minibatch.
        momentum: share of the last step that the next one keeps.
        heard: for each layer ``(T, batch, units)``, what the head's columns say.
        max_grad_norm: norm to which the gradient of all that is trained is clipped.

    Returns:
        ``(T, batch, classes)`` logits, each before its minibatch's update.
    """
    batch = labels.shape[1]
    layers = [Layer(leased, batch, lease.aggregate, momentum) for leased in lease.layers]
    readout = Layer(lease.head.readout, batch, SUM, momentum)
    ears = [layer.heard for layer in [*layers[1:], readout]]
    targets = F.one_hot(labels, readout.z.shape[1]).to(torch.float32)
    logits = torch.empty_like(targets)
    outs = [layer.inputs for layer in [*layers[1:], readout]]
    lowest = next((i for i, layer in enumerate(layers) if layer.n_trainable), len(layers))
    trained = [*layers[lowest:], readout]
    said = [()] * len(rates) if heard is None else zip(*heard, strict=True)
    for x, target, out, rate, units in zip(inputs, targets, logits, rates, said, strict=True):
        torch.sub(x, shift, out=layers[0].inputs).mul_(scale)
        for ear, unit in zip(ears, units, strict=False):
            ear.copy_(unit)
        for layer, after in zip(layers, outs, strict=True):
            layer.forward(after)
        readout.d.copy_(torch.softmax(readout.affine(out), 1).sub_(target))
        for above, layer in pairwise(trained[::-1]):
            layer.backward(above.below())
        if max_grad_norm != math.inf:
            clip(trained, max_grad_norm)
        for layer in trained:
            layer.step(rate)
    for layer, leased in zip([*layers, readout], [*lease.layers, lease.head.readout], strict=True):
        layer.write_back(leased)
    return logits


def clip(layers: Sequence[Layer], max_norm: float) -> None:
    """Scale the gradients of the mean loss down to a norm over all layers (Pascanu et al. 2013)."""
    squares = torch.stack([layer.squared_norm() for layer in layers]).sum()
    norm = squares.clamp(min=0).sqrt() / len(layers[0].x)
    share = (max_norm / (norm + EPSILON)).clamp(max=1)
    for layer in layers:
        layer.d.mul_(share)


def flat(values: Tensor | None, shape: tuple[int, ...], default: float, like: Tensor) -> Tensor:
    """A task's shift or scale as ``(inputs,)``."""
    if values is None:
        return torch.full((math.prod(shape),), default, device=like.device)
    return values.to(like.device).expand(shape).reshape(-1).contiguous()
