"""The base of all image tasks: their options, and how decoded images become a task."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor

from pathnet_evo import (
    Encoder,
    Shape,
    SupervisedTask,
    TaskContext,
    TaskError,
    TaskSettings,
    memory,
)
from pathnet_evo_images.backbone import Backbone, Loaded, rebuilt, trained
from pathnet_evo_images.classes import Classes, balanced, choose
from pathnet_evo_images.features import encoded, feature_moments
from pathnet_evo_images.pixels import Frame, moments, moved, salt_and_pepper
from pathnet_evo_images.source import Place, Source, decoded

THUMBNAIL = 64
"""Height and width of the pictures of a task that has features for inputs, in pixels."""

Count = Annotated[int, Field(ge=1, strict=True)]


class ImageTask(TaskSettings):
    """A classification task on images, held in memory as uint8.

    Steps, in order: resize the images, choose classes and examples, rotate, permute, add noise,
    compute the backbone's features if there is one, compute the normalisation from the resulting
    training inputs.
    """

    kind: ClassVar[str]
    """The task's registered name."""

    root: Path = Path("data")
    """Folder of the data, relative to the working directory; ``~`` is the home folder."""
    download: bool = False
    """Download the data if missing."""
    classes: Classes = None
    """Classes, renumbered from 0 in this order: a list of names or numbers, ``{draw = k}`` for k
    random classes, different ones in every stage on the same data, or ``{part = i, of = n}`` for
    one of n equal parts. Default: all."""
    size: Count | None = None
    """Height and width in pixels. Default: the pool's, or the files'; for ``folder`` with a
    backbone, the backbone's."""
    channels: Count | None = None
    """Number of channels; colour becomes grey by luma, grey is repeated. Default: the pool's, or
    the files'."""
    fit: Literal["resize", "pad"] = "resize"
    """How to reach the size: ``resize`` (bilinear, antialiased) or ``pad`` (zeros around)."""
    rotation: float = Field(0.0, allow_inf_nan=False)
    """Degrees by which all images are rotated counter-clockwise, bilinearly, with zeros around."""
    permutation: int | None = Field(None, ge=0, lt=2**63)
    """Number of a fixed random order of the pixels, equal for all channels, images and seeds.
    Default: pixels stay in place."""
    noise: float = Field(0.0, ge=0, le=1)
    """Share of pixels set to 0 or 255 with equal probability (salt and pepper) in training and test
    images, drawn once per seed and stage."""
    examples: Count | None = None
    """Number of training images, sampled per seed and stage, with classes as balanced as possible.
    Default: all."""
    copies: Count = 1
    """Copies of each image, each with its own noise; makes a small data set behave almost as if
    noise were drawn on every access."""
    normalise: bool = True
    """Subtract each channel's mean and divide by its standard deviation, computed on the training
    images; false only divides by 255. With a backbone, subtract each feature's mean and divide by
    the standard deviation of all; false leaves features as they are."""
    backbone: Backbone | None = None
    """A frozen, pretrained network whose features paths learn from, instead of pixels:
    ``{name = "efficientnet-lite0"}``. Keys: ``name``, ``weights``, ``size``, ``mean`` and
    ``deviation``. The task's shape is then ``(features,)``."""

    @field_validator("classes")
    @classmethod
    def _at_least_two(cls, classes: Classes) -> Classes:
        if isinstance(classes, tuple) and len(classes) < 2:
            raise ValueError("name at least two classes, or leave it out for all")
        return classes

    @abstractmethod
    def find(self, place: Place) -> Source:
        """The files of the data set, downloaded if need be.

        Raises:
            TaskError: there are none, or they are not what they should be.
        """

    @property
    def data_set(self) -> tuple[str, ...]:
        """Equal for tasks on the same data, between which drawn classes do not overlap."""
        return (self.kind,)

    @property
    def title(self) -> str:
        """What reports call the data."""
        return self.kind

    @property
    def folder(self) -> Path:
        """``root`` with the home folder filled in."""
        return Path(os.path.expanduser(self.root))

    def make(self, context: TaskContext) -> SupervisedTask:
        """The task: uint8 images ``(n, C, H, W)``, or float32 features, and labels from 0.

        Where the context gives the shape ``(C, H, W)`` that the pool takes, ``size`` and
        ``channels`` that are not set follow it.

        Raises:
            TaskError: data missing or unreadable, classes that do not exist, images that do not
                fit, more examples than there are, a backbone that cannot be used.
        """
        place = Place(self.kind, context.stage)
        loaded = self._loaded(place)
        with self.readable(place):
            images = decoded(self.find(place), self._frame(context.input_shape))
        chosen = self._choose(context, images.names)
        inputs, labels = _select(images.train, images.labels, chosen, len(images.names))
        test_inputs, test_labels = _select(
            images.test, images.test_labels, chosen, len(images.names)
        )
        if self.examples is not None:
            if self.examples > len(labels):
                raise place.error(
                    f"stages.{context.stage}.task.examples: {self.examples} requested, but there "
                    f"are only {len(labels)} training images. Request fewer."
                )
            rng = context.numpy("examples")
            kept = torch.from_numpy(balanced(labels.numpy(), self.examples, rng))
            inputs, labels = inputs[kept], labels[kept]
        inputs, test_inputs = moved(inputs, **self._moves), moved(test_inputs, **self._moves)
        pixels = inputs.numel() + test_inputs.numel()
        if lack := memory.lacking(f"{self.copies} copies", self.copies * pixels):
            raise place.error(f"stages.{context.stage}.task.copies: {lack}")
        sources = None
        if self.copies > 1:
            sources = torch.arange(len(labels)).repeat(self.copies)
            inputs, labels = _repeated(inputs, labels, self.copies)
            test_inputs, test_labels = _repeated(test_inputs, test_labels, self.copies)
        if self.noise > 0:
            inputs = salt_and_pepper(inputs, self.noise, context.numpy("noise/train"))
            test_inputs = salt_and_pepper(test_inputs, self.noise, context.numpy("noise/test"))
        reading: dict[str, Any] = {"fit": self.fit, **self._moves}
        if loaded is not None:
            reading["backbone"] = loaded.reading(inputs.shape[1:])
            inputs, test_inputs = encoded(place, loaded, inputs, test_inputs)
        shift, scale = self._normalisation(inputs)
        names = tuple(images.names[index] for index in chosen)
        return SupervisedTask(
            name=self._name(names, len(images.names)),
            inputs=inputs,
            labels=labels,
            test_inputs=test_inputs,
            test_labels=test_labels,
            n_classes=len(names),
            shift=shift,
            scale=scale,
            class_names=names,
            sources=sources,
            facts={} if loaded is None else loaded.facts,
            reading=reading,
        )

    def pictured(self, context: TaskContext) -> SupervisedTask:
        """The task on pixels; with a backbone, on thumbnails of the images that it sees."""
        if self.backbone is None:
            return self.make(context)
        smaller = {"backbone": None, "size": THUMBNAIL, "fit": "resize"}
        pixels = self.model_copy(update=smaller)
        return pixels.make(replace(context, input_shape=None))

    @contextmanager
    def readable(self, place: Place) -> Iterator[None]:
        """Report what cannot be read in one line.

        Raises:
            TaskError: something raised an ``OSError``.
        """
        try:
            yield
        except OSError as error:
            raise place.error(
                f"cannot read {error.filename or self.root} ({error.strerror or error}). "
                f"Fix it, or {place.setting('root=FOLDER')}."
            ) from error

    @classmethod
    def read_input(cls, source: Any, shape: Shape, reading: Mapping[str, Any]) -> Tensor:
        """A picture's file, or an image of Pillow's, as in training; see ``as_input``."""
        from pathnet_evo_images.given import as_input

        return as_input(source, shape, reading)

    @classmethod
    def encoder(cls, reading: Mapping[str, Any]) -> Encoder | None:
        """The backbone that a saved network names, for its own weights."""
        found = reading.get("backbone")
        return None if found is None else rebuilt(found)

    def trained_encoder(self, reading: Mapping[str, Any]) -> Encoder | None:
        """The backbone of these settings, if it has the weights that it had."""
        found = reading.get("backbone")
        return None if found is None else trained(self.backbone, found)

    def _loaded(self, place: Place) -> Loaded | None:
        try:
            return None if self.backbone is None else self.backbone.load()
        except TaskError as error:
            raise place.error(str(error)) from None

    def _frame(self, input_shape: Shape | None) -> Frame:
        channels, height, width = self.channels, self.size, self.size
        if input_shape is not None and len(input_shape) == 3:
            channels = channels or input_shape[0]
            height, width = height or input_shape[1], width or input_shape[2]
        return Frame(channels, height, width, self.fit)

    def _choose(self, context: TaskContext, names: Sequence[str]) -> list[int]:
        sequence: dict[int, TaskSettings] = dict(enumerate(context.sequence))
        sequence[context.stage] = self
        settings = {
            stage: (Place(self.kind, stage), task.classes)
            for stage, task in sorted(sequence.items())
            if isinstance(task, ImageTask) and task.data_set == self.data_set
        }
        rng = context.whole_trial(f"classes/{self.kind}")
        order = context.whole_trial(f"parts/{self.kind}").permutation(len(names)).tolist()
        own = list(settings).index(context.stage)
        return choose(list(settings.values()), own, names, rng, order)

    @property
    def _moves(self) -> dict[str, Any]:
        """What is done to pixels besides, where anything is."""
        moves = {"rotation": self.rotation or None, "permutation": self.permutation}
        return {name: value for name, value in moves.items() if value is not None}

    def _normalisation(self, inputs: Tensor) -> tuple[Tensor | None, Tensor | None]:
        features = inputs.is_floating_point()
        if not self.normalise:
            return None, None if features else torch.full((inputs.shape[1], 1, 1), 1 / 255)
        mean, deviation = feature_moments(inputs) if features else moments(inputs)
        deviation[deviation == 0] = 255.0
        return mean.float(), (1 / deviation).float()

    def _name(self, names: Sequence[str], available: int) -> str:
        if len(names) == available:
            return self.title
        return f"{self.title} {'-'.join(names) if len(names) <= 4 else f'{len(names)} classes'}"


def _select(
    inputs: Tensor, labels: Tensor, chosen: Sequence[int], available: int
) -> tuple[Tensor, Tensor]:
    """The examples of the chosen classes, in order, labelled by position in ``chosen``."""
    number = torch.full((available,), -1)
    number[list(chosen)] = torch.arange(len(chosen))
    renumbered = number[labels]
    keep = renumbered >= 0
    return (inputs, renumbered) if bool(keep.all()) else (inputs[keep], renumbered[keep])


def _repeated(inputs: Tensor, labels: Tensor, times: int) -> tuple[Tensor, Tensor]:
    return inputs.repeat(times, 1, 1, 1), labels.repeat(times)
