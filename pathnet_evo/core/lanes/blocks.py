"""Convolutions of many lanes, each with its own weights, as a few matrix products.

Cut an image into blocks of stride x stride pixels. A kernel then covers q x q whole blocks (its
size is filled up with zeros to a multiple of the stride), and moves by one block: the convolution
is a sum of q * q products of all blocks, shifted by whole blocks, with one part of the kernel each.
Blocks lie in rows as in the image, so a shift is an offset into them and nothing is copied. Where a
kernel would reach over the right edge the products are of no meaning; they are computed, and left.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from pathnet_evo.core.lanes.convolution import Convolution
from pathnet_evo.core.lanes.layer import LaneLayer, gathered

SMALLEST = 64
"""Numbers in a block, from which on blocks are faster than patches."""
WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Types of so many bytes."""


class BlockLanes(LaneLayer):
    """A layer of ``Conv2d`` modules, best where there are many numbers in a block."""

    def _prepare(self) -> None:
        kind = cast("Convolution", self.kind)
        self.stride, self.kernel, self.padding = kind.stride, kind.kernel, kind.padding
        self.channels, self.height, self.width = self.stack.output_shape
        self.reach = q = -(-kind.kernel // kind.stride)
        self.rows, self.columns = self.height + q - 1, self.width + q - 1
        self.offsets = [dy * self.columns + dx for dy in range(q) for dx in range(q)]
        self.slots = self.modules.shape[1]
        self.weight = self._parts(gathered(self, self.stack.parameters["weight"], "weight"))
        self.bias = gathered(self, self.stack.parameters["bias"], "bias").flatten(1).unsqueeze(1)
        n, (_, inputs, outputs) = len(self), self.weight.shape[1:]
        n_blocks, n_places = self.rows * self.columns, self.height * self.columns
        # Beyond the last place that means something there is nothing to multiply with.
        self.length = n_places - (q - 1)
        self.blocks = self.room("blocks", n, self.steps + 1, n_blocks, inputs)
        # The step first: torch multiplies batches fastest into memory without gaps.
        self.z = self.room("z", self.steps + 1, n, self.length, outputs)

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

    def normalised(
        self, x: Tensor, shift: Tensor | None, scale: Tensor | None, step: int | None
    ) -> Tensor:
        """Bytes are cut into blocks as bytes, and become numbers where they are kept."""
        word, s = WORDS.get(self.stride), self.stride
        fits = x.shape[-1] == self.columns * s and x.shape[-2] >= self.rows * s
        if x.dtype != torch.uint8 or word is None or not fits or self.padding:
            return super().normalised(x, shift, scale, step)
        words = x[..., : self.rows * s, :].contiguous().view(word)
        words = words.view(*x.shape[:2], self.rows, s, self.columns).permute(0, 2, 4, 1, 3)
        blocks = self.blocks[:, self.steps if step is None else step]
        blocks.copy_(words.contiguous().view(torch.uint8).view(blocks.shape))
        for values, change in ((shift, blocks.sub_), (scale, blocks.mul_)):
            if values is not None:
                spread = values.expand(1, *self.stack.input_shape)
                change(
                    values if values.dim() == 0 else self._cut(spread).reshape(1, *blocks[0].shape)
                )
        return blocks

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
        step = self.steps if step is None else step
        blocks, z = self.blocks[:, step], self.z[step]
        if x.dim() == 4:  # else ``normalised`` has put them there
            cut = self._cut(x)
            blocks.view(cut.shape).copy_(cut)
        self._multiply(blocks, z)
        z.relu_()
        return self._averaged(self._summed(z).permute(0, 3, 1, 2))

    def _summed(self, z: Tensor) -> Tensor:
        """The sum of the slots where a place means something, ``(K, height, width, channels)``."""
        shape = len(z), self.height, self.width, self.slots, self.channels
        lane, place, channel = z.stride()
        strides = lane, place * self.columns, place, self.channels * channel, channel
        slots = z.as_strided(shape, strides).unbind(3) if self.slots else ()
        total = z.new_zeros(len(z), self.height, self.width, self.channels)
        for slot in slots:
            total += slot
        return total

    def _multiply(self, blocks: Tensor, out: Tensor) -> None:
        out.copy_(self.bias.expand_as(out))
        for i, offset in enumerate(self.offsets):
            out.baddbmm_(blocks[:, offset : offset + self.length], self.weight[:, i])

    def backward(self, gradient: Tensor, below: bool) -> Tensor | None:
        """Weight gradients of each lane over all places and steps; input gradients."""
        gradient = self._averaged(gradient).permute(0, 1, 3, 4, 2)
        n_trained = self.n_trainable * self.channels
        parts, biases, inputs = [], [], []
        for lanes in self._in_turn(self.z[:, 0].numel()):
            d = self._before_relu(gradient[lanes], lanes)
            x = self.blocks[lanes, : self.steps].flatten(1, 2)
            trained = d[..., :n_trained]
            parts.append(self._products(trained, x))
            biases.append(trained.sum(1))
            if below:
                inputs.append(self._below(d, lanes))
        self.gradients = {
            "weight": self._whole(torch.cat(parts)),
            "bias": torch.cat(biases).view(len(self), self.n_trainable, self.channels),
        }
        return torch.cat(inputs) if below else None

    def _products(self, d: Tensor, x: Tensor) -> Tensor:
        """``d^T x`` for every shift; the last rows of d are zero, so all shifts can be as long."""
        length = x.shape[1] - self.offsets[-1]
        d = d[:, :length].transpose(1, 2)
        return torch.stack([d @ x[:, o : o + length] for o in self.offsets], 1)

    def _before_relu(self, gradient: Tensor, lanes: slice) -> Tensor:
        """``(lanes, steps * blocks, slots * channels)``, zero where nothing has a meaning."""
        n, shape = len(gradient), (self.rows, self.columns, self.slots, self.channels)
        d = self.room(f"d {n}", n, self.steps, *shape)
        inner = d[:, :, : self.height, : self.width]
        inner.copy_(gradient.unsqueeze(4).expand_as(inner))
        d = d.view(n, self.steps, self.rows * self.columns, -1)
        kept, z = d[:, :, : self.length], self.z[: self.steps, lanes].transpose(0, 1)
        torch.ops.aten.threshold_backward.grad_input(kept, z, 0, grad_input=kept)
        return d.flatten(1, 2)

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
