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
        n, rows, inputs = self.weight.shape
        self.inputs = self._room("inputs", n, self.steps, inputs)
        self.z = self._room("z", n, self.steps, rows)

    def forward(self, x: Tensor, step: int | None = None) -> Tensor:
        """``(K, units)``."""
        x = x.flatten(1)
        z = torch.baddbmm(self.bias, x.unsqueeze(1), self.weight.transpose(1, 2))
        z = z.relu_() if self.rectified else z
        if step is not None:
            self.inputs[:, step] = x
            self.z[:, step] = z[:, 0]
        return self._averaged(z.view(len(x), self.slots, self.units).sum(1))

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
        self.gradients = {
            "weight": (trained.transpose(1, 2) @ self.inputs).view(*shape, self.inputs.shape[2]),
            "bias": trained.sum(1).view(shape),
        }
        if not below:
            return None
        return (d @ self.weight).view(len(d), self.steps, *self.stack.input_shape)
