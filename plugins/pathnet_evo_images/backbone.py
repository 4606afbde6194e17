"""The option ``backbone`` of image tasks: a pretrained network whose features paths learn from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pathnet_evo import Shape, TaskError, plugin_backbone
from pathnet_evo_images.architectures import Architecture, architecture
from pathnet_evo_images.encoder import ImageEncoder
from pathnet_evo_images.stamps import Stamp, stamp
from pathnet_evo_images.weights import digest, fit, read

Side = Annotated[int, Field(ge=1, le=4096, strict=True)]
Seen = Annotated[int, Field(ge=1, le=1024, strict=True)]
"""Height and width that a backbone sees; a larger one in somebody's file could fill the memory."""
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Backbone(BaseModel):
    """A frozen, pretrained network; its pooled features become the task's inputs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    """``efficientnet-lite0`` (extra ``backbone``), a classifier of torchvision, one of timm if that
    is installed, or ``module:factory`` of a plugin, a function that returns a torch module. A
    classifier's last layer is left out."""
    weights: Path | None = None
    """File of weights, as safetensors or a ``state_dict`` of ``torch.save``, relative to the
    working directory. Networks of torchvision and timm need one: nothing is downloaded. Default:
    the weights that come along."""
    size: Seen | None = None
    """Height and width in pixels to which images are resized for the backbone. Default: as in its
    training, 224 for most. Features of smaller images are computed faster."""
    mean: tuple[Share, Share, Share] | None = None
    """Mean of red, green and blue, from 0 to 1, subtracted before the backbone. Default: as in its
    training."""
    deviation: tuple[Positive, Positive, Positive] | None = None
    """Standard deviation of red, green and blue, by which they are divided. Default: as in its
    training."""

    def load(self) -> Loaded:
        """The network with its weights; once in a process.

        Raises:
            TaskError: there is none of this name, its extra is not installed, or its weights are
                missing, damaged or of another network.
        """
        return _loaded(self, self._stamp(), self._factory())

    def fresh(self) -> Loaded:
        """The same, shared with nobody."""
        return _load(self)

    @property
    def file(self) -> Path | None:
        """The file of weights with the home folder filled in."""
        return None if self.weights is None else Path(os.path.expanduser(self.weights))

    def _factory(self) -> Callable[[], Any] | None:
        """A plugin's function, which may be another one by now."""
        try:
            return plugin_backbone(self.name) if ":" in self.name else None
        except LookupError as error:
            raise TaskError(f"backbone {self.name}: {error}") from None

    def _stamp(self) -> Stamp | None:
        try:
            return None if self.file is None else stamp(self.file)
        except OSError as error:
            raise TaskError(f"weights {self.weights}: {error.strerror or error}") from None

    def prepared(self) -> Architecture:
        """The architecture with random weights, and the preprocessing of these options."""
        found = architecture(self.name, self.size)
        return replace(
            found, mean=self.mean or found.mean, deviation=self.deviation or found.deviation
        )


@dataclass(frozen=True, eq=False)
class Loaded:
    """A backbone with its weights.

    Args:
        name: as in the options.
        backbone: network and preprocessing.
        digest: SHA-256 of the weights.
    """

    name: str
    backbone: Architecture
    digest: str

    def encoder(self, input_shape: Shape) -> ImageEncoder:
        """The encoder of images ``(channels, height, width)``."""
        return ImageEncoder(self.name, self.backbone, input_shape)

    @property
    def facts(self) -> dict[str, Any]:
        """What a run compares before it resumes."""
        return {
            "backbone": self.name,
            "backbone weights": self.digest[:16],
            "backbone size": self.backbone.size,
        }

    def reading(self, input_shape: Shape) -> dict[str, Any]:
        """Plain data from which ``rebuilt`` makes the encoder again."""
        return {
            "name": self.name,
            "size": self.backbone.size,
            "mean": list(self.backbone.mean),
            "deviation": list(self.backbone.deviation),
            "input_shape": list(input_shape),
            "sha256": self.digest,
        }


class Reading(BaseModel):
    """What a saved network says of its backbone; anybody may have written it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(max_length=200)
    size: Seen
    mean: tuple[Share, Share, Share]
    deviation: tuple[Positive, Positive, Positive]
    input_shape: tuple[Side, Side, Side]
    sha256: str

    @classmethod
    def of(cls, found: Any) -> Reading:
        """The checked form of what ``Loaded.reading`` gave.

        Raises:
            TaskError: it is none.
        """
        try:
            return cls.model_validate(found)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise TaskError(f"the description of its backbone is damaged ({place})") from None


def rebuilt(found: Mapping[str, Any]) -> ImageEncoder:
    """An encoder with random weights, for those of a saved network.

    Args:
        found: what ``Loaded.reading`` gave; untrusted.

    Raises:
        TaskError: it is no such thing, or its architecture is not installed.
    """
    about = Reading.of(found)
    options = Backbone(name=about.name, size=about.size, mean=about.mean, deviation=about.deviation)
    return ImageEncoder(about.name, options.prepared(), about.input_shape)


def trained(options: Backbone | None, found: Mapping[str, Any]) -> ImageEncoder:
    """The encoder of a task that was learned, with the weights that the options name.

    Raises:
        TaskError: they are gone, or others than they were.
    """
    about = Reading.of(found)
    if options is None:
        raise TaskError(f"the task has no backbone, but was learned with {about.name}")
    loaded = options.fresh()
    now = loaded.reading(about.input_shape)
    if now != about.model_dump(mode="json"):
        what = "weights" if now["sha256"] != about.sha256 else "settings"
        raise TaskError(
            f"backbone {about.name}: its {what} are not those that the task was learned with. "
            "Restore them"
        )
    return loaded.encoder(about.input_shape)


@lru_cache(maxsize=2)
def _loaded(options: Backbone, stamp: Stamp | None, factory: Callable[[], Any] | None) -> Loaded:
    return _load(options)


def _load(options: Backbone) -> Loaded:
    found = options.prepared()
    file = options.file or found.weights
    if file is not None:
        what = f"weights {file} do not fit {options.name}"
        fit(found.network, read(file), found.head, what)
    elif not found.trained:
        raise TaskError(
            f"backbone {options.name}: its weights are needed, and nothing is downloaded. Set "
            "backbone.weights to a file of safetensors or torch.save"
        )
    found.network.eval()
    return Loaded(options.name, found, digest(found.network))
