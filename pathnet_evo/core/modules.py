"""Module kinds: the modules of a layer, computed many at a time."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, TypeAlias

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

Parameters: TypeAlias = dict[str, Tensor]
"""Some modules' parameters, by name ``(modules, *parameter_shape)``."""
Shape: TypeAlias = tuple[int, ...]
"""The shape of one example or one module's parameter, without batch or module dimension."""


class ShapeError(ValueError):
    """An input shape that a layer's modules do not accept."""


class ModuleKind(BaseModel, ABC):
    """One kind of module; its fields are its configuration (``[[pool.layers]]``).

    A layer holds M modules of one kind, with each parameter as one tensor, module index first.
    A kind never loops over modules: ``forward`` applies n of them to the same input at once.

    Attributes:
        dense: whether a module is ``relu(W x + b)`` of its flattened input, with parameters
            ``weight`` and ``bias``; learners can then train it with matrix products alone. A
            subclass that overrides ``forward`` must declare it again.
        shares_weights: whether a module applies the same weights at many positions of its input,
            as a convolution does. A first layer of such modules transfers well, so paths can start
            as copies.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dense: ClassVar[bool] = False
    shares_weights: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "forward" in vars(cls):  # fast paths of the base class no longer apply
            cls.dense = vars(cls).get("dense", False)
            if "lane_layer" not in vars(cls):
                cls.lane_layer = ModuleKind.lane_layer  # type: ignore[method-assign]
            if "lateral_shape" not in vars(cls):
                cls.lateral_shape = ModuleKind.lateral_shape  # type: ignore[method-assign]

    @abstractmethod
    def output_shape(self, input_shape: Shape) -> Shape:
        """The shape of a module's output for one example.

        Raises:
            ShapeError: modules of this kind do not accept ``input_shape``.
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
        """What a layer adds to the sum or mean of its modules; by default nothing.

        It is added once, regardless of how many modules are active or frozen.

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
        """The shape of the lateral map from frozen units into one module, or None if unsupported.

        A module that hears other units is a module with a wider input: ``widen`` appends the map
        to ``weight`` along the inputs, and ``join`` appends the units to the input.

        Args:
            source: shape of the units of all frozen modules together, for one example.
            input_shape: the layer's own input shape.
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
        """Parameters of modules that accept the output of ``join``.

        Args:
            parameters: by name ``(n, *parameter_shape)``.
            lateral: ``(n, *lateral_shape)``.
        """
        return {**parameters, "weight": torch.cat([parameters["weight"], lateral], 2)}

    def lane_layer(self, input_shape: Shape) -> type[Any] | None:
        """The fast implementation of this kind for many paths at once, if there is one.

        Returns:
            A subclass of ``pathnet_evo.core.lanes.layer.LaneLayer``, or None.
        """
        return None


class Rectified(ModuleKind):
    """Modules with a weight, a bias and a ReLU."""

    initial: Literal["torch", "he", "orthogonal"] = "torch"
    """Initialisation of weights: torch's default, or He et al. (2015), which is 2.4 times as wide
    with zero biases, so that signals do not fade through many layers, or orthogonal units of the
    same width."""

    def initialise(self, parameters: dict[str, Tensor], generator: torch.Generator) -> None:
        """Uniform within 1 / sqrt(inputs of one unit), or within sqrt(6 / inputs) (``he``).

        ``orthogonal``: as Saxe et al. (2014), with a gain of sqrt(2) for the ReLU.
        """
        if self.initial == "torch":
            draw_uniform(parameters, generator)
            return
        if self.initial == "orthogonal":
            for weight in parameters["weight"]:
                nn.init.orthogonal_(weight, math.sqrt(2), generator=generator)
            parameters["bias"].zero_()
            return
        bound = math.sqrt(6 / parameters["weight"][0, 0].numel())
        parameters["weight"].uniform_(-bound, bound, generator=generator)
        parameters["bias"].zero_()


def draw_uniform(parameters: dict[str, Tensor], generator: torch.Generator) -> None:
    """Fill ``weight`` and ``bias`` uniformly within 1 / sqrt(inputs of one unit), in place."""
    bound = 1 / math.sqrt(parameters["weight"][0, 0].numel())
    for values in (parameters["weight"], parameters["bias"]):
        values.uniform_(-bound, bound, generator=generator)
