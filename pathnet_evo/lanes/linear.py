"""Linear layers and readouts of many lanes: each lane's weights as one matrix."""

from __future__ import annotations

import torch
from torch import Tensor

from pathnet_evo.lanes.layer import LaneLayer, gathered
from pathnet_evo.modules import Affine


class LinearLanes(LaneLayer):
    """A layer of ``Linear`` or ``Affine`` modules, as batched matrix products."""

    def _prepare(self) -> None:
        weight = gathered(self, "weight")
        self.bias = gathered(self, "bias").flatten(1).unsqueeze(1)
        self.slots, self.units = weight.shape[1:3]
        self.weight = weight.flatten(1, 2)
        self.rectified = not isinstance(self.kind, Affine)
        n, _, inputs = self.weight.shape
        self.inputs = self.weight.new_zeros(n, self.steps, inputs)
        filled = self.filled.repeat_interleave(self.units, 1).unsqueeze(1)
        self.open = filled.repeat(1, self.steps, 1)

    def forward(self, x: Tensor, step: int | None = None) -> Tensor:
        """``(K, units)``."""
        x = x.flatten(1)
        z = torch.baddbmm(self.bias, x.unsqueeze(1), self.weight.transpose(1, 2))
        z = z.relu_() if self.rectified else z
        if step is not None:
            self.inputs[:, step] = x
            if self.rectified:
                torch.gt(z[:, 0], 0, out=self.open[:, step])
        return self._averaged(z.view(len(x), self.slots, self.units).sum(1))

    def backward(self, gradient: Tensor, below: bool) -> Tensor | None:
        """Weight gradients ``d^T x`` of each lane over its steps; input gradients ``d W``."""
        d = self._averaged(gradient).unsqueeze(2)
        d = d.expand(-1, -1, self.slots, -1).flatten(2) * self.open
        trained = d[..., : self.n_trainable * self.units]
        shape = (len(self), self.n_trainable, self.units)
        self.gradients = {
            "weight": (trained.transpose(1, 2) @ self.inputs).view(*shape, self.inputs.shape[2]),
            "bias": trained.sum(1).view(shape),
        }
        if not below:
            return None
        return (d @ self.weight).view(len(d), self.steps, *self.stack.input_shape)
