"""Module kinds: what the modules of a layer are, written for many modules at once."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

if TYPE_CHECKING:
    from pathnet_evo.lanes.layer import LaneLayer

Parameters: TypeAlias = dict[str, Tensor]
"""Some modules' parameters, by name ``(modules, *parameter_shape)``."""
Shape: TypeAlias = tuple[int, ...]
"""The shape of one example or one module's parameter, without batch or module dimension."""


class ShapeError(ValueError):
    """Inputs that a layer's modules cannot take."""


class ModuleKind(BaseModel, ABC):
    """One kind of module; its fields are its configuration (``[[pool.layers]]``).

    A layer holds M modules of a kind, each parameter as one tensor with the module index first.
    A kind never loops over modules: ``forward`` computes n of them on the same input in one go.

    Attributes:
        dense: whether a module is ``relu(W x + b)`` of its flattened input, with parameters
            ``weight`` and ``bias``: learners may then train it by matrix products alone. A
            subclass with a ``forward`` of its own is not, unless it says so.
        shares_weights: whether a module applies the same weights at many places of its input, as a
            convolution does: what a first layer of such modules learned of one task is a good
            beginning for another, so paths may begin as copies.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dense: ClassVar[bool] = False
    shares_weights: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "forward" in vars(cls):  # what a base class knows of its own does not hold any more
            cls.dense = vars(cls).get("dense", False)
            if "lane_layer" not in vars(cls):
                cls.lane_layer = ModuleKind.lane_layer  # type: ignore[method-assign]
            if "lateral_shape" not in vars(cls):
                cls.lateral_shape = ModuleKind.lateral_shape  # type: ignore[method-assign]

    @abstractmethod
    def output_shape(self, input_shape: Shape) -> Shape:
        """The shape of a module's output for one example.

        Raises:
            ShapeError: modules of this kind cannot take ``input_shape``.
        """

    @abstractmethod
    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """The shape of every parameter of one module, by name."""

    @abstractmethod
    def initialise(self, parameters: dict[str, Tensor], generator: torch.Generator) -> None:
        """Draw new values in place.

        Args:
            parameters: by name ``(k, *parameter_shape)`` float32 on the CPU, k modules.
            generator: the only source of randomness.
        """

    @abstractmethod
    def forward(self, x: Tensor, parameters: dict[str, Tensor]) -> Tensor:
        """Apply n modules to the same inputs.

        Args:
            x: ``(batch, *input_shape)`` float32.
            parameters: by name ``(n, *parameter_shape)``.

        Returns:
            ``(batch, n, *output_shape)``, activation applied.
        """

    def skip(self, x: Tensor) -> Tensor | None:
        """What a layer passes on besides the sum or mean of its modules; by default nothing.

        It is added once, however many modules are active and whether they are frozen.

        Args:
            x: ``(batch, *input_shape)`` float32.

        Returns:
            ``(batch, *output_shape)``, or None.
        """
        return None

    @property
    def hears(self) -> bool:
        """Whether modules of this kind can hear frozen units; see ``lateral_shape``."""
        return type(self).lateral_shape is not ModuleKind.lateral_shape

    def lateral_shape(self, source: Shape, input_shape: Shape) -> Shape | None:
        """The shape of the map that leads frozen units into one module, or None.

        A module that hears other units is a module with a wider input: its map is joined to
        ``weight`` along the inputs (``widen``), and the units to its own input (``join``).
        By default a kind hears none.

        Args:
            source: shape of the units for one example, those of all frozen modules together.
            input_shape: what the layer takes besides.
        """
        return None

    def join(self, x: Tensor, units: Tensor) -> Tensor:
        """The input of widened modules.

        Args:
            x: ``(batch, *input_shape)``.
            units: ``(batch, *source)``.
        """
        raise TypeError(f"modules of kind {type(self).__name__} hear no frozen units")

    def widen(self, parameters: Parameters, lateral: Tensor) -> Parameters:
        """Parameters of modules that take what ``join`` gives.

        Args:
            parameters: by name ``(n, *parameter_shape)``.
            lateral: ``(n, *lateral_shape)``.
        """
        return {**parameters, "weight": torch.cat([parameters["weight"], lateral], 2)}

    def lane_layer(self, input_shape: Shape) -> type[LaneLayer] | None:
        """What computes a layer of this kind for many paths at once, if it knows a fast way."""
        return None


class _OfVectors(ModuleKind):
    """What kinds share whose modules flatten their input: frozen units are further inputs."""

    def join(self, x: Tensor, units: Tensor) -> Tensor:
        """Both flattened, one behind the other."""
        return torch.cat([x.flatten(1), units.flatten(1)], 1)


class Rectified(ModuleKind):
    """Modules of a weight and a bias that end in a ReLU."""

    initial: Literal["torch", "he"] = "torch"
    """How weights are drawn: as torch does by default, or as He et al. (2015), 2.4 times as wide
    and without biases, so that a signal does not fade on its way through many layers."""

    def initialise(self, parameters: dict[str, Tensor], generator: torch.Generator) -> None:
        """Uniform within 1 / sqrt(inputs of one unit), or within sqrt(6 / inputs) (``he``)."""
        if self.initial == "torch":
            draw_uniform(parameters, generator)
            return
        bound = math.sqrt(6 / parameters["weight"][0, 0].numel())
        parameters["weight"].uniform_(-bound, bound, generator=generator)
        parameters["bias"].zero_()


class Linear(Rectified, _OfVectors):
    """A linear layer with a ReLU; inputs of any shape are flattened."""

    dense: ClassVar[bool] = True

    units: int = Field(20, ge=1)
    """Number of outputs of a module."""

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

    def lane_layer(self, input_shape: Shape) -> type[LaneLayer] | None:
        """A matrix for each path."""
        from pathnet_evo.lanes.linear import LinearLanes

        return LinearLanes


class Conv2d(Rectified):
    """A two-dimensional convolution with a ReLU, as in the paper's Atari network."""

    shares_weights: ClassVar[bool] = True

    channels: int = Field(8, ge=1)
    """Number of features of a module."""
    kernel: int = Field(3, ge=1)
    """Height and width of the kernel, in pixels."""
    stride: int = Field(1, ge=1)
    """Step between applications of the kernel, in pixels."""
    padding: int = Field(0, ge=0)
    """Zeros added on each side, in pixels."""

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
        return F.relu(out).reshape(len(out), n, channels, *out.shape[2:])

    def lateral_shape(self, source: Shape, input_shape: Shape) -> Shape | None:
        """A convolution of the same kernel and stride over images of the input's size."""
        if len(source) != 3 or source[1:] != input_shape[1:]:
            return None
        return (self.channels, source[0], self.kernel, self.kernel)

    def join(self, x: Tensor, units: Tensor) -> Tensor:
        """Units are further channels."""
        return torch.cat([x, units], 1)

    def lane_layer(self, input_shape: Shape) -> type[LaneLayer] | None:
        """By blocks of stride x stride pixels where these are large, else by patches."""
        from pathnet_evo.lanes.blocks import SMALLEST, BlockLanes
        from pathnet_evo.lanes.patches import PatchLanes

        return BlockLanes if input_shape[0] * self.stride**2 >= SMALLEST else PatchLanes


class Residual(Rectified):
    """What is added to a layer's input, by a linear layer or a convolution, with a ReLU.

    Vectors go through a linear layer, images through a convolution that keeps their size.
    The layer passes on its input, once, plus the sum or mean of its modules' outputs.
    """

    units: int = Field(20, ge=1)
    """Number of inputs, or of channels of an image, and as many outputs of a module."""
    kernel: int = Field(3, ge=1)
    """Height and width of the kernel on images, in pixels; an odd number."""

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError("an odd number, so that images keep their size")
        return kernel

    def output_shape(self, input_shape: Shape) -> Shape:
        """That of the input: ``(units,)`` or ``(units, height, width)``."""
        if len(input_shape) not in (1, 3) or input_shape[0] != self.units:
            raise ShapeError(
                f"residual modules of {self.units} units take ({self.units},) or ({self.units}, "
                f"height, width), got {input_shape}; a layer of another kind can come before them"
            )
        return tuple(input_shape)

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """Weight ``(units, units)``, or ``(units, units, kernel, kernel)``; bias ``(units,)``."""
        window = (self.kernel, self.kernel) if len(input_shape) == 3 else ()
        return {"weight": (self.units, self.units, *window), "bias": (self.units,)}

    def forward(self, x: Tensor, parameters: dict[str, Tensor]) -> Tensor:
        """What n modules add to the layer's input; ``(batch, n, *input_shape)``."""
        weight, bias = parameters["weight"].flatten(0, 1), parameters["bias"]
        if x.dim() == 2:
            out = F.linear(x, weight, bias.reshape(-1))
        else:
            out = F.conv2d(x, weight, bias.reshape(-1), padding=self.kernel // 2)
        return F.relu(out).reshape(len(x), *bias.shape, *x.shape[2:])

    def skip(self, x: Tensor) -> Tensor:
        """The layer's input."""
        return x

    def lateral_shape(self, source: Shape, input_shape: Shape) -> Shape | None:
        """A linear map of vectors, a convolution of images of the input's size."""
        if len(input_shape) == 1:
            return (self.units, math.prod(source))
        if len(source) != 3 or source[1:] != input_shape[1:]:
            return None
        return (self.units, source[0], self.kernel, self.kernel)

    def join(self, x: Tensor, units: Tensor) -> Tensor:
        """Units are further numbers of a vector, or channels of an image."""
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
        """As torch does by default: uniform within 1 / sqrt(features)."""
        draw_uniform(parameters, generator)

    def forward(self, x: Tensor, parameters: dict[str, Tensor]) -> Tensor:
        """``(batch, n, outputs)``."""
        weight, bias = parameters["weight"], parameters["bias"]
        out = F.linear(x.flatten(1), weight.flatten(0, 1), bias.reshape(-1))
        return out.view(-1, *bias.shape)

    def lateral_shape(self, source: Shape, input_shape: Shape) -> Shape:
        """A linear map, ``(outputs, units of source)``."""
        return (self.outputs, math.prod(source))

    def lane_layer(self, input_shape: Shape) -> type[LaneLayer] | None:
        """A matrix for each path."""
        from pathnet_evo.lanes.linear import LinearLanes

        return LinearLanes


class Lateral(ModuleKind):
    """Maps from frozen units into the modules of a layer, one for each, zero at first.

    They are not applied by themselves: they widen the modules that they lead into.
    """

    shape: tuple[int, ...]
    """What ``ModuleKind.lateral_shape`` of the receiving kind gave."""

    def output_shape(self, input_shape: Shape) -> Shape:
        """That of the map."""
        return self.shape

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """Weight alone: the module that it leads into has a bias."""
        return {"weight": self.shape}

    def initialise(self, parameters: dict[str, Tensor], generator: torch.Generator) -> None:
        """Zero: at first, a task that listens learns as one that does not."""
        parameters["weight"].zero_()

    def forward(self, x: Tensor, parameters: dict[str, Tensor]) -> Tensor:
        """Not applied by itself.

        Raises:
            TypeError: always.
        """
        raise TypeError("a lateral map is a part of the module that it leads into")


def draw_uniform(parameters: dict[str, Tensor], generator: torch.Generator) -> None:
    """Fill ``weight`` and ``bias`` uniformly within 1 / sqrt(inputs of one unit), in place."""
    bound = 1 / math.sqrt(parameters["weight"][0, 0].numel())
    for values in (parameters["weight"], parameters["bias"]):
        values.uniform_(-bound, bound, generator=generator)
