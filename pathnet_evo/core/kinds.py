"""The built-in module kinds."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from pydantic import Field, field_validator
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from pathnet_evo.core.modules import ModuleKind, Rectified, Shape, ShapeError, draw_uniform


class _OfVectors(ModuleKind):
    """Kinds that flatten their input; frozen units become extra inputs."""

    def join(self, x: Tensor, units: Tensor) -> Tensor:
        """Input and units, flattened and concatenated."""
        return torch.cat([x.flatten(1), units.flatten(1)], 1)


class Linear(Rectified, _OfVectors):
    """A linear layer with a ReLU; inputs of any shape are flattened."""

    dense: ClassVar[bool] = True

    units: int = Field(20, ge=1)
    """Outputs per module."""

    def output_shape(self, input_shape: Shape) -> Shape:
        """``(units,)``."""
        return (self.units,)

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """Weight ``(units, inputs)`` and bias ``(units,)``."""
        return {"weight": (self.units, math.prod(input_shape)), "bias": (self.units,)}

    def forward(self, x: Tensor, parameters: dict[str, Tensor]) -> Tensor:
        """All n modules as one matrix product; ``(batch, n, units)``."""
        weight, bias = parameters["weight"], parameters["bias"]
        n, units = bias.shape
        out = F.linear(x.flatten(1), weight.reshape(n * units, -1), bias.reshape(-1))
        return F.relu(out).view(-1, n, units)

    def lateral_shape(self, source: Shape, input_shape: Shape) -> Shape:
        """A linear map, ``(units, units of source)``."""
        return (self.units, math.prod(source))

    def lane_layer(self, input_shape: Shape) -> type[Any] | None:
        """A matrix for each path."""
        from pathnet_evo.core.lanes.linear import LinearLanes

        return LinearLanes


class Conv2d(Rectified):
    """A 2D convolution with a ReLU, as in the paper's Atari network."""

    shares_weights: ClassVar[bool] = True

    channels: int = Field(8, ge=1)
    """Output channels per module."""
    kernel: int = Field(3, ge=1)
    """Kernel height and width, in pixels."""
    stride: int = Field(1, ge=1)
    """Stride, in pixels."""
    padding: int = Field(0, ge=0)
    """Zero padding on each side, in pixels."""

    def output_shape(self, input_shape: Shape) -> Shape:
        """``(channels, height, width)`` after the convolution."""
        if len(input_shape) != 3:
            raise ShapeError(f"conv2d takes (channels, height, width), got {input_shape}")
        sides = [
            (side + 2 * self.padding - self.kernel) // self.stride + 1 for side in input_shape[1:]
        ]
        if min(sides) < 1:
            raise ShapeError(f"a kernel of {self.kernel} does not fit into {input_shape}")
        return (self.channels, *sides)

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """Weight ``(channels, input channels, kernel, kernel)`` and bias ``(channels,)``."""
        weight = (self.channels, input_shape[0], self.kernel, self.kernel)
        return {"weight": weight, "bias": (self.channels,)}

    def forward(self, x: Tensor, parameters: dict[str, Tensor]) -> Tensor:
        """All n modules as one convolution; ``(batch, n, channels, height, width)``."""
        weight, bias = parameters["weight"], parameters["bias"]
        n, channels = bias.shape
        out = F.conv2d(x, weight.flatten(0, 1), bias.reshape(-1), self.stride, self.padding)
        return torch.unflatten(F.relu(out), 1, (n, channels))

    def lateral_shape(self, source: Shape, input_shape: Shape) -> Shape | None:
        """A convolution with the same kernel and stride, over images of the input's size."""
        if len(source) != 3 or source[1:] != input_shape[1:]:
            return None
        return (self.channels, source[0], self.kernel, self.kernel)

    def join(self, x: Tensor, units: Tensor) -> Tensor:
        """Append the units as channels."""
        return torch.cat([x, units], 1)

    def lane_layer(self, input_shape: Shape) -> type[Any] | None:
        """Blocks of stride x stride pixels if these are large, else patches."""
        from pathnet_evo.core.lanes.blocks import SMALLEST, BlockLanes
        from pathnet_evo.core.lanes.patches import PatchLanes

        return BlockLanes if input_shape[0] * self.stride**2 >= SMALLEST else PatchLanes


class Residual(Rectified):
    """A linear layer (vectors) or a convolution (images) with a ReLU, added to the layer's input.

    The convolution keeps the image size. The layer's output is its input, once, plus the sum or
    mean of its modules' outputs.
    """

    units: int = Field(20, ge=1)
    """Inputs, or image channels; a module has as many outputs."""
    kernel: int = Field(3, ge=1)
    """Kernel height and width on images, in pixels; an odd number."""

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError("expected an odd number, so that images keep their size")
        return kernel

    def output_shape(self, input_shape: Shape) -> Shape:
        """That of the input: ``(units,)`` or ``(units, height, width)``."""
        if len(input_shape) not in (1, 3) or input_shape[0] != self.units:
            raise ShapeError(
                f"residual modules of {self.units} units take ({self.units},) or ({self.units}, "
                f"height, width), got {input_shape}; put a layer of another kind before them"
            )
        return tuple(input_shape)

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """Weight ``(units, units)``, or ``(units, units, kernel, kernel)``; bias ``(units,)``."""
        window = (self.kernel, self.kernel) if len(input_shape) == 3 else ()
        return {"weight": (self.units, self.units, *window), "bias": (self.units,)}

    def forward(self, x: Tensor, parameters: dict[str, Tensor]) -> Tensor:
        """The residuals of n modules; ``(batch, n, *input_shape)``."""
        weight, bias = parameters["weight"].flatten(0, 1), parameters["bias"]
        if x.dim() == 2:
            out = F.linear(x, weight, bias.reshape(-1))
        else:
            out = F.conv2d(x, weight, bias.reshape(-1), padding=self.kernel // 2)
        return torch.unflatten(F.relu(out), 1, bias.shape)

    def skip(self, x: Tensor) -> Tensor:
        """The layer's input."""
        return x

    def lateral_shape(self, source: Shape, input_shape: Shape) -> Shape | None:
        """A linear map for vectors, a convolution for images of the input's size."""
        if len(input_shape) == 1:
            return (self.units, math.prod(source))
        if len(source) != 3 or source[1:] != input_shape[1:]:
            return None
        return (self.units, source[0], self.kernel, self.kernel)

    def join(self, x: Tensor, units: Tensor) -> Tensor:
        """Append the units to a vector, or as channels to an image."""
        return torch.cat([x, units.flatten(1) if x.dim() == 2 else units], 1)


class Affine(_OfVectors):
    """A linear map without an activation: a task's readout."""

    outputs: int = Field(ge=1)
    """Number of outputs, such as classes."""

    def output_shape(self, input_shape: Shape) -> Shape:
        """``(outputs,)``."""
        return (self.outputs,)

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """Weight ``(outputs, features)`` and bias ``(outputs,)``."""
        return {"weight": (self.outputs, math.prod(input_shape)), "bias": (self.outputs,)}

    def initialise(self, parameters: dict[str, Tensor], generator: torch.Generator) -> None:
        """Torch's default: uniform within 1 / sqrt(features)."""
        draw_uniform(parameters, generator)

    def forward(self, x: Tensor, parameters: dict[str, Tensor]) -> Tensor:
        """``(batch, n, outputs)``."""
        weight, bias = parameters["weight"], parameters["bias"]
        out = F.linear(x.flatten(1), weight.flatten(0, 1), bias.reshape(-1))
        return out.view(-1, *bias.shape)

    def lateral_shape(self, source: Shape, input_shape: Shape) -> Shape:
        """A linear map, ``(outputs, units of source)``."""
        return (self.outputs, math.prod(source))

    def lane_layer(self, input_shape: Shape) -> type[Any] | None:
        """A matrix for each path."""
        from pathnet_evo.core.lanes.linear import LinearLanes

        return LinearLanes


class Lateral(ModuleKind):
    """Maps from frozen units into the modules of a layer, one each, initially zero.

    They are never applied on their own: they widen the modules that receive the units.
    """

    shape: tuple[int, ...]
    """The result of the receiving kind's ``ModuleKind.lateral_shape``."""

    def output_shape(self, input_shape: Shape) -> Shape:
        """That of the map."""
        return self.shape

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """A weight; the receiving module has the bias."""
        return {"weight": self.shape}

    def initialise(self, parameters: dict[str, Tensor], generator: torch.Generator) -> None:
        """Zero: initially, listening changes nothing."""
        parameters["weight"].zero_()

    def forward(self, x: Tensor, parameters: dict[str, Tensor]) -> Tensor:
        """Never applied on its own.

        Raises:
            TypeError: always.
        """
        raise TypeError("a lateral map is part of the module that receives it")
