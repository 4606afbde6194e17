"""Convolutions of many lanes on small pictures: what a kernel covers is laid out, place by place.

A row for each place then holds the patch that the kernel lies on there, and a lane's convolutions
are one matrix product. Large pictures would take too much room for that; `blocks` is for them.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from pathnet_evo.core.lanes.convolution import Convolution
from pathnet_evo.core.lanes.layer import LaneLayer, gathered


class PatchLanes(LaneLayer):
    """A layer of ``Conv2d`` modules whose inputs have few channels, or whose stride is small."""

    def _prepare(self) -> None:
        kind = cast("Convolution", self.kind)
        self.stride, self.kernel, self.padding = kind.stride, kind.kernel, kind.padding
        self.channels, self.height, self.width = self.stack.output_shape
        self.slots = self.modules.shape[1]
        weight = gathered(self, self.stack.parameters["weight"], "weight")
        self.weight = weight.permute(0, 1, 2, 4, 5, 3).flatten(3).flatten(1, 2)
        self.bias = gathered(self, self.stack.parameters["bias"], "bias").flatten(1).unsqueeze(1)
        n, outputs, size = self.weight.shape
        n_places = self.height * self.width
        self.patches = self.room("patches", n, self.steps + 1, n_places, size)
        # The step first: torch multiplies batches fastest into memory without gaps.
        self.z = self.room("z", self.steps + 1, n, n_places, outputs)

    def forward(self, x: Tensor, step: int | None = None) -> Tensor:
        """``(K, channels, height, width)``."""
        step = self.steps if step is None else step
        patches, z = self.patches[:, step], self.z[step]
        p, k, s = self.padding, self.kernel, self.stride
        x = F.pad(x, (p, p, p, p)) if p else x
        windows = x.unfold(2, k, s).unfold(3, k, s).permute(0, 2, 3, 4, 5, 1)
        patches.view(windows.shape).copy_(windows)
        torch.baddbmm(self.bias, patches, self.weight.transpose(1, 2), out=z)
        z.relu_()
        places = z.view(len(x), self.height, self.width, self.slots, self.channels)
        return self._averaged(places.sum(3).permute(0, 3, 1, 2))

    def forward_steps(
        self, x: Tensor, shift: Tensor | None = None, scale: Tensor | None = None
    ) -> Tensor:
        """``(K, steps, channels, height, width)``, a lane's places of all steps as one product."""
        x = self.normalised(x, shift, scale, None)
        n, steps = x.shape[:2]
        p, k, s = self.padding, self.kernel, self.stride
        x = F.pad(x, (p, p, p, p)) if p else x
        windows = x.unfold(3, k, s).unfold(4, k, s).permute(0, 1, 3, 4, 5, 6, 2)
        patches = self.patches[:, :steps]
        patches.view(windows.shape).copy_(windows)
        z = self.room("all z", n, steps * self.height * self.width, self.bias.shape[2])
        torch.baddbmm(self.bias, patches.flatten(1, 2), self.weight.transpose(1, 2), out=z)
        z.relu_()
        self.z = z.view(n, steps, -1, z.shape[2]).transpose(0, 1)
        places = z.view(n, steps, self.height, self.width, self.slots, self.channels)
        return self._averaged(places.sum(4).permute(0, 1, 4, 2, 3))

    def backward(self, gradient: Tensor, below: bool) -> Tensor | None:
        """Weight gradients of each lane over all places and steps; input gradients."""
        gradient = self._averaged(gradient).permute(0, 1, 3, 4, 2).unsqueeze(4)
        n_trained = self.n_trainable * self.channels
        weights, biases, inputs = [], [], []
        for lanes in self._in_turn(self.patches[0].numel()):
            z = self.z[: self.steps, lanes].transpose(0, 1)
            d = self.room(f"d {len(z)}", *z.shape)
            spread = d.view(len(z), self.steps, self.height, self.width, self.slots, -1)
            spread.copy_(gradient[lanes].expand_as(spread))
            torch.ops.aten.threshold_backward.grad_input(d, z, 0, grad_input=d)
            d = d.flatten(1, 2)
            trained = d[..., :n_trained].transpose(1, 2)
            weights.append(trained @ self.patches[lanes, : self.steps].flatten(1, 2))
            biases.append(trained.sum(2))
            if below:
                inputs.append(self._below(d, lanes))
        shape = (len(self), self.n_trainable, self.channels)
        kernels = (self.kernel, self.kernel, self.stack.input_shape[0])
        self.gradients = {
            "weight": torch.cat(weights).view(*shape, *kernels).permute(0, 1, 2, 5, 3, 4),
            "bias": torch.cat(biases).view(shape),
        }
        return torch.cat(inputs) if below else None

    def _below(self, d: Tensor, lanes: slice) -> Tensor:
        """The input's gradient, ``(lanes, steps, *input_shape)``; where patches overlap, a sum."""
        n, k, s, p = len(d), self.kernel, self.stride, self.padding
        channels, height, width = self.stack.input_shape
        patches = self.room(f"below {n}", n, d.shape[1], self.weight.shape[2])
        torch.bmm(d, self.weight[lanes], out=patches)
        cut = patches.view(n, self.steps, self.height, self.width, k, k, channels)
        # Columns are taken in blocks as wide as the stride, so that neighbours do not overlap.
        reach = -(-k // s)
        rows = max(s * (self.height - 1) + k, p + height)
        blocks = max(self.width - 1 + reach, -(-(p + width) // s))
        image = d.new_zeros(n, self.steps, rows, blocks, s, channels)
        for i in range(k):
            seen = image[:, :, i : i + s * (self.height - 1) + 1 : s]
            for b in range(reach):
                part = cut[..., i, s * b : s * (b + 1), :]
                seen[:, :, :, b : b + self.width, : part.shape[4]] += part
        whole = image.flatten(3, 4)[:, :, p : p + height, p : p + width]
        return whole.permute(0, 1, 4, 2, 3)
