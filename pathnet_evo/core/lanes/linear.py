"""Linear layers and readouts of many lanes.

Each lane's weights are a matrix of its own, which one example is multiplied with at a time: most of
the time goes into reading weights. Where many lanes share few modules it is faster on a CPU to
multiply with all of these, which stay in its cache, and to take from the products each lane's own.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from pathnet_evo.core.lanes.layer import LaneLayer, gathered
from pathnet_evo.core.lanes.widened import WidenedStack
from pathnet_evo.core.modules import Rectified

FEW = 4
"""Modules for each slot of a lane, up to which a layer has few."""
LARGE = 2**20
"""Weights of all lanes together, from which on they do not stay in a processor's cache."""
ROWS = 16
"""Lanes multiplied together: always so many, each in the same place whatever part it is in, since
both can change the last bit."""


class LinearLanes(LaneLayer):
    """A layer of ``Linear`` or ``Affine`` modules."""

    def _prepare(self) -> None:
        weight, bias = self.stack.parameters["weight"], self.stack.parameters["bias"]
        self.bias = gathered(self, bias, "bias").flatten(1).unsqueeze(1)
        self.slots, self.units = self.modules.shape[1], bias.shape[1]
        n, rows, inputs = len(self), self.slots * self.units, weight.shape[2]
        many = self.all_lanes >= ROWS and self.all_lanes * rows * inputs >= LARGE
        cached = self.stack.device.type == "cpu" and len(weight) <= FEW * self.slots
        self.together = many and cached
        # Either is a copy, as others may train the pool meanwhile.
        self.weight = weight.clone() if self.together else self._gathered(weight)
        self.rectified = isinstance(self.kind, Rectified)
        self.inputs = self.room("inputs", n, self.steps, inputs)
        self.z = self.room("z", n, self.steps, rows)

    def forward(self, x: Tensor, step: int | None = None) -> Tensor:
        """``(K, units)``."""
        x = x.flatten(1)
        if self.together:
            z = self.bias + self._chosen(x)
        else:
            weight = self.weight.flatten(1, 2).transpose(1, 2)
            z = torch.baddbmm(self.bias, x.unsqueeze(1), weight)
        z = z.relu_() if self.rectified else z
        if step is not None:
            self.inputs[:, step] = x
            self.z[:, step] = z[:, 0]
        return self._averaged(z.view(len(x), self.slots, self.units).sum(1))

    def forward_steps(
        self, x: Tensor, shift: Tensor | None = None, scale: Tensor | None = None
    ) -> Tensor:
        """``(K, steps, units)``, each lane's steps as one matrix product."""
        x = self.normalised(x, shift, scale, None).flatten(2)
        if self.together:
            self.weight, self.together = self._gathered(self.weight), False
        z = self.room("all z", *x.shape[:2], self.bias.shape[2])
        torch.baddbmm(self.bias, x, self.weight.flatten(1, 2).transpose(1, 2), out=z)
        self.inputs, self.z = x, z.relu_() if self.rectified else z
        return self._averaged(z.view(*x.shape[:2], self.slots, self.units).sum(2))

    def _gathered(self, weight: Tensor) -> Tensor:
        """Each slot's weights, ``(K, slots, units, inputs)``."""
        return gathered(self, weight, "weight")

    def _chosen(self, x: Tensor) -> Tensor:
        """Products with all modules, and of them those of each lane, ``(K, 1, slots * units)``."""
        before = self.first % ROWS
        after = -(before + len(x)) % ROWS
        blocks = F.pad(x, (0, 0, before, after)).view(-1, ROWS, x.shape[1])
        weight = self.weight.flatten(0, 1).t().expand(len(blocks), -1, -1)
        products = torch.bmm(blocks, weight).view(-1, len(self.weight), self.units)
        products = products[before : before + len(x)]
        lanes = torch.arange(len(x), device=x.device).unsqueeze(1)
        chosen = products[lanes, self.modules]
        if not self.full:
            chosen[~self.filled] = 0
        return chosen.view(len(x), 1, -1)

    def backward(self, gradient: Tensor, below: bool) -> Tensor | None:
        """Weight gradients ``d^T x`` of each lane over its steps; input gradients ``d W``."""
        d = self._averaged(gradient).unsqueeze(2)
        d = d.expand(-1, -1, self.slots, -1).flatten(2)
        if self.rectified:
            d = torch.ops.aten.threshold_backward(d, self.z, 0)
        else:  # of a readout, whose one slot is empty where a lane is idle
            d = d * self.filled.unsqueeze(1)
        trained = d[..., : self.n_trainable * self.units]
        shape = (len(self), self.n_trainable, self.units)
        weights = self.room("gradient", *shape, self.inputs.shape[2])
        torch.bmm(trained.transpose(1, 2), self.inputs, out=weights.flatten(1, 2))
        self.gradients = {"weight": weights, "bias": trained.sum(1).view(shape)}
        if not below:
            return None
        weight = self._gathered(self.weight) if self.together else self.weight
        weight = weight.flatten(1, 2)
        if isinstance(self.stack, WidenedStack):  # what columns say has no use for a gradient
            return d @ weight[..., : self.stack.n_own]
        return (d @ weight).view(len(d), self.steps, *self.stack.input_shape)
