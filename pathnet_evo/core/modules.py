"""Module kinds: what the modules of a layer are, written for many modules at once."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, TypeAlias

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

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

    def lane_layer(self, input_shape: Shape) -> type[Any] | None:
        """What computes a layer of this kind for many paths at once, if it knows a fast way.

        Returns:
            A subclass of ``pathnet_evo.core.lanes.layer.LaneLayer``, or None.
        """
        return None


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


def draw_uniform(parameters: dict[str, Tensor], generator: torch.Generator) -> None:
    """Fill ``weight`` and ``bias`` uniformly within 1 / sqrt(inputs of one unit), in place."""
    bound = 1 / math.sqrt(parameters["weight"][0, 0].numel())
    for values in (parameters["weight"], parameters["bias"]):
        values.uniform_(-bound, bound, generator=generator)
