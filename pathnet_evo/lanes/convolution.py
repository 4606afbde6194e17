"""Convolutions of many lanes, each with its own weights, as a few matrix products.

Cut an image into blocks of stride x stride pixels. A kernel then covers q x q whole blocks (its
size is filled up with zeros to a multiple of the stride), and moves by one block: the convolution
is a sum of q * q products of all blocks, shifted by whole blocks, with one part of the kernel each.
Blocks lie in rows as in the image, so a shift is an offset into them and nothing is copied. Where a
kernel would reach over the right edge the products are of no meaning; they are computed, and left.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from pathnet_evo.lanes.layer import LaneLayer, gathered
from pathnet_evo.modules import Conv2d

WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Types of so many bytes."""


class ConvolutionLanes(LaneLayer):
    """A layer of ``Conv2d`` modules."""

    def _prepare(self) -> None:
        kind = self.kind
        assert isinstance(kind, Conv2d)
        self.stride, self.kernel, self.padding = kind.stride, kind.kernel, kind.padding
        self.channels, self.height, self.width = self.stack.output_shape
        self.reach = q = -(-kind.kernel // kind.stride)
        self.rows, self.columns = self.height + q - 1, self.width + q - 1
        self.offsets = [dy * self.columns + dx for dy in range(q) for dx in range(q)]
        self.slots = self.modules.shape[1]
        self.weight = self._parts(gathered(self, "weight"))
        self.bias = gathered(self, "bias").flatten(1).unsqueeze(1)
        n, (_, inputs, outputs) = len(self), self.weight.shape[1:]
        n_blocks, n_places = self.rows * self.columns, self.height * self.columns
        self.blocks = self.weight.new_zeros(n, self.steps + 1, n_blocks, inputs)
        self.z = self.weight.new_zeros(n, n_places, outputs)
        self.open = torch.zeros(
            n, self.steps, n_places, outputs, dtype=torch.bool, device=self.stack.device
        )

    def _parts(self, weight: Tensor) -> Tensor:
        """Kernels cut into blocks: ``(K, q * q, inputs of a block, slots * channels)``."""
        fill = self.reach * self.stride - self.kernel
        cut = F.pad(weight, (0, fill, 0, fill)).view(
            *weight.shape[:4], self.reach, self.stride, self.reach, self.stride
        )
        return cut.permute(0, 4, 6, 3, 5, 7, 1, 2).flatten(6).flatten(3, 5).flatten(1, 2)

    def _whole(self, parts: Tensor) -> Tensor:
        """What ``_parts`` cut, ``(K, q * q, slots * channels, inputs of a block)``, as kernels."""
        q, s = self.reach, self.stride
        cut = parts.view(len(parts), q, q, -1, self.channels, self.stack.input_shape[0], s, s)
        whole = cut.permute(0, 3, 4, 5, 1, 6, 2, 7).flatten(6).flatten(4, 5)
        return whole[..., : self.kernel, : self.kernel]

    def normalised(self, x: Tensor, shift: Tensor | None, scale: Tensor | None) -> Tensor:
        """Bytes are cut into blocks as bytes, which is many times faster."""
        word, s = WORDS.get(self.stride), self.stride
        fits = x.shape[-1] == self.columns * s and x.shape[-2] >= self.rows * s
        if x.dtype != torch.uint8 or word is None or not fits or self.padding:
            return super().normalised(x, shift, scale)
        words = x[..., : self.rows * s, :].contiguous().view(word)
        words = words.view(*x.shape[:2], self.rows, s, self.columns).permute(0, 2, 4, 1, 3)
        blocks = words.contiguous().view(torch.uint8).float()
        for values, change in ((shift, blocks.sub_), (scale, blocks.mul_)):
            if values is not None:
                spread = values.expand(1, *self.stack.input_shape)
                change(values if values.dim() == 0 else self._cut(spread).flatten(4))
        return blocks.view(len(x), self.rows * self.columns, -1)

    def _cut(self, x: Tensor) -> Tensor:
        """An image's blocks, ``(K, rows, columns, channels, stride, stride)``."""
        s, p = self.stride, self.padding
        height, width = x.shape[-2:]
        right, below = self.columns * s - width - p, self.rows * s - height - p
        x = F.pad(x, (p, right, p, below)) if p or right or below else x
        cut = x.reshape(*x.shape[:2], self.rows, s, self.columns, s)
        return cut.permute(0, 2, 4, 1, 3, 5)

    def forward(self, x: Tensor, step: int | None = None) -> Tensor:
        """``(K, channels, height, width)``."""
        blocks = self.blocks[:, self.steps if step is None else step]
        if x.dim() == 3:
            blocks.copy_(x)
        else:
            cut = self._cut(x)
            blocks.view(cut.shape).copy_(cut)
        # Beyond the last place that means something there is nothing to multiply with.
        length = self.z.shape[1] - (self.reach - 1)
        z = self.z[:, :length]
        z.copy_(self.bias.expand_as(z))
        for i, offset in enumerate(self.offsets):
            z.baddbmm_(blocks[:, offset : offset + length], self.weight[:, i])
        z.relu_()
        if step is not None:
            torch.gt(self.z, 0, out=self.open[:, step])
        places = self.z.view(len(x), self.height, self.columns, self.slots, self.channels)
        out = places[:, :, : self.width].sum(3)
        return self._averaged(out.permute(0, 3, 1, 2))

    def backward(self, gradient: Tensor, below: bool) -> Tensor | None:
        """Weight gradients of each lane over all places and steps; input gradients."""
        gradient = self._averaged(gradient).permute(0, 1, 3, 4, 2)
        n_trained = self.n_trainable * self.channels
        parts, biases, inputs = [], [], []
        for lanes in self._in_turn():
            d = self._before_relu(gradient[lanes], lanes)
            x = self.blocks[lanes, : self.steps].flatten(1, 2)
            size = x.shape[1]
            trained = d[..., :n_trained]
            parts.append(
                torch.stack(
                    [trained[:, : size - o].transpose(1, 2) @ x[:, o:] for o in self.offsets], 1
                )
            )
            biases.append(trained.sum(1))
            if below:
                inputs.append(self._below(d, lanes))
        self.gradients = {
            "weight": self._whole(torch.cat(parts)),
            "bias": torch.cat(biases).view(len(self), self.n_trainable, self.channels),
        }
        return torch.cat(inputs) if below else None

    def _in_turn(self) -> list[slice]:
        """On a CPU one lane after another, whose data stay in the cache; else all at once."""
        if self.stack.device.type != "cpu":
            return [slice(0, len(self))]
        return [slice(i, i + 1) for i in range(len(self))]

    def _before_relu(self, gradient: Tensor, lanes: slice) -> Tensor:
        """``(lanes, steps * blocks, slots * channels)``, zero where nothing has a meaning."""
        n, height, columns = len(gradient), self.height, self.columns
        d = gradient.new_zeros(n, self.steps, self.rows, columns, self.slots, self.channels)
        is_open = self.open[lanes].view(n, self.steps, height, columns, self.slots, self.channels)
        inner = (slice(None), slice(None), slice(None, height), slice(None, self.width))
        torch.mul(gradient.unsqueeze(4), is_open[:, :, :, : self.width], out=d[inner])
        return d.view(n, self.steps * self.rows * columns, self.slots * self.channels)

    def _below(self, d: Tensor, lanes: slice) -> Tensor:
        """The input's gradient, ``(lanes, steps, *input_shape)``."""
        weight = self.weight[lanes]
        size = d.shape[1]
        found = d.new_zeros(len(d), size, weight.shape[2])
        for i, offset in enumerate(self.offsets):
            found[:, offset:].baddbmm_(d[:, : size - offset], weight[:, i].transpose(1, 2))
        s, p, (channels, height, width) = self.stride, self.padding, self.stack.input_shape
        cut = found.view(len(d), self.steps, self.rows, self.columns, channels, s, s)
        image = cut.permute(0, 1, 4, 2, 5, 3, 6).flatten(5).flatten(3, 4)
        right, below = p + width - self.columns * s, p + height - self.rows * s
        return F.pad(image, (-p, right, -p, below))
