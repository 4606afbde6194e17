"""Task contracts: what a task plugin provides to a learner."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from pathnet_evo.core.modules import Shape
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.encoders import Encoder
from pathnet_evo.system.folders import cache_folder as cache_folder
from pathnet_evo.values.numbers import whole

if TYPE_CHECKING:
    from gymnasium.vector import VectorEnv


MOST_ROWS = 5
"""Rows that an error names."""


class TaskError(ValueError):
    """A task cannot be created: missing or unreadable data, invalid classes or shapes."""


@dataclass(frozen=True, eq=False)
class SupervisedTask:
    """Labelled examples, held in full on one device; a minibatch is an index.

    Args:
        name: name of the task in reports.
        inputs: ``(examples, *shape)`` uint8 or float32, to train on.
        labels: ``(examples,)`` int64 in ``[0, n_classes)``.
        test_inputs: ``(test examples, *shape)``, never trained on.
        test_labels: ``(test examples,)``.
        n_classes: number of classes.
        shift: subtracted from the inputs on use; broadcasts against ``shape``.
        scale: factor on the shifted inputs.
        class_names: a name per class, or empty.
        sources: ``(examples,)`` int64, equal for training examples with a common source, such as
            noisy copies of one image; None if all sources are distinct.
        facts: anything else that identifies the task, such as a version; part of its fingerprint.
        reading: plain data that ``TaskSettings.read_input`` needs to read another input the same
            way; kept in saved networks.

    Raises:
        TaskError: inconsistent shapes, types or labels, or non-finite values; the message names the
            rows.
    """

    name: str
    inputs: Tensor
    labels: Tensor
    test_inputs: Tensor
    test_labels: Tensor
    n_classes: int
    shift: Tensor | None = None
    scale: Tensor | None = None
    class_names: tuple[str, ...] = ()
    sources: Tensor | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    reading: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_classes", whole(self.n_classes))
        for part, inputs, labels in (
            ("training", self.inputs, self.labels),
            ("test", self.test_inputs, self.test_labels),
        ):
            if len(inputs) == 0 or len(inputs) != len(labels):
                raise TaskError(f"{self.name}: {len(inputs)} {part} inputs, {len(labels)} labels")
            if inputs.dtype not in (torch.uint8, torch.float32):
                raise TaskError(f"{self.name}: {part} inputs must be uint8 or float32")
            if labels.dtype != torch.int64 or labels.dim() != 1:
                raise TaskError(f"{self.name}: {part} labels must be one int64 an example")
            if not 0 <= int(labels.min()) <= int(labels.max()) < self.n_classes:
                outside = (labels < 0) | (labels >= self.n_classes)
                raise TaskError(
                    f"{self.name}: {part} labels are outside 0 to {self.n_classes - 1} "
                    f"in {_rows(outside)}"
                )
            if not _finite(inputs):
                wrong = ~torch.isfinite(inputs).flatten(1).all(1)
                raise TaskError(
                    f"{self.name}: {part} inputs are not finite (NaN or infinite) in "
                    f"{_rows(wrong)}. Leave those examples out, or replace the values"
                )
        if self.inputs.shape[1:] != self.test_inputs.shape[1:]:
            raise TaskError(
                f"{self.name}: training inputs are {tuple(self.inputs.shape[1:])}, "
                f"test inputs {tuple(self.test_inputs.shape[1:])}"
            )
        if self.inputs.dtype != self.test_inputs.dtype:
            raise TaskError(
                f"{self.name}: training inputs are {_type(self.inputs)}, test inputs "
                f"{_type(self.test_inputs)}: use the same type and scale for both"
            )
        if self.class_names and len(self.class_names) != self.n_classes:
            raise TaskError(
                f"{self.name}: {len(self.class_names)} class names, {self.n_classes} classes"
            )
        sources = self.sources
        if sources is not None and (
            sources.dtype != torch.int64 or tuple(sources.shape) != (len(self.inputs),)
        ):
            raise TaskError(f"{self.name}: sources must be one int64 a training example")
        _check_normalisation(self.name, self.shift, self.scale, self.input_shape)
        try:
            plain = json.loads(json.dumps(dict(self.reading), allow_nan=False))
        except (TypeError, ValueError) as error:
            raise TaskError(f"{self.name}: reading must be plain data ({error})") from None
        object.__setattr__(self, "reading", plain)

    @property
    def input_shape(self) -> Shape:
        """Shape of one example."""
        return tuple(self.inputs.shape[1:])

    def split(self, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A random split of the training examples into a training and a validation part.

        No source has examples in both parts, so validation never uses a copy of a training example.

        Args:
            share: share of the sources for validation, in [0, 1).
            generator: a CPU generator.

        Returns:
            Two tensors of indices into ``inputs``, int64, on the CPU; the first ascending.

        Raises:
            TaskError: one of the parts would be empty.
        """
        n, of_source = len(self.inputs), None
        if self.sources is not None:
            kinds, of_source = torch.unique(self.sources.cpu(), return_inverse=True)
            n = len(kinds)
        order = torch.randperm(n, generator=generator)
        n_held = round(share * n)
        if n_held >= n or (share and not n_held):
            what = "examples" if of_source is None else "sources of examples"
            raise TaskError(f"{self.name}: a share of {share} of {n} {what} leaves none")
        held, kept = order[:n_held], order[n_held:].sort().values
        if of_source is None:
            return kept, held
        out = torch.isin(of_source, held)
        return (~out).nonzero().flatten(), out.nonzero().flatten()

    def only(self, rows: Tensor) -> SupervisedTask:
        """The same task with some of its training examples.

        Args:
            rows: indices into ``inputs``, int64.
        """
        sources = None if self.sources is None else self.sources[rows]
        return replace(self, inputs=self.inputs[rows], labels=self.labels[rows], sources=sources)

    def to(self, device: torch.device | str) -> SupervisedTask:
        """The same task on another device; moved once, before training."""
        moved: dict[str, Any] = {
            name: value.to(device)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        return replace(self, **moved)

    def prepare(self, inputs: Tensor) -> Tensor:
        """Inputs prepared for the network: float32, shifted and scaled."""
        return _prepared(inputs, self.shift, self.scale)


@dataclass(frozen=True, eq=False)
class EnvironmentTask(ABC):
    """A game or a control problem.

    Args:
        name: name of the task in reports.
        observation_shape: shape of one observation of the environment.
        n_actions: number of actions, or of entries of an action that is a vector.
        shift: subtracted from observations on use; broadcasts against their shape.
        scale: factor on the shifted observations, applied on the device.
        frame_skip: frames per step in budgets and reports, such as 4 emulator frames.
        max_episode_steps: steps after which an episode is truncated; None if the environment
            always ends.
        actions: a name per action, or empty.
        facts: anything else that identifies the task, such as its engine's version; part of its
            fingerprint.
        continuous: whether an action is a vector of ``n_actions`` numbers, float32; the usual ones
            lie within -1 and 1.

    Raises:
        TaskError: counts below 1, or a shift or scale that does not fit an observation.
    """

    name: str
    observation_shape: Shape
    n_actions: int
    shift: Tensor | None = None
    scale: Tensor | None = None
    frame_skip: int = 1
    max_episode_steps: int | None = None
    actions: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    continuous: bool = False

    def __post_init__(self) -> None:
        for name in ("n_actions", "frame_skip"):
            object.__setattr__(self, name, whole(getattr(self, name)))
            if getattr(self, name) < 1:
                raise TaskError(f"{self.name}: {name} is {getattr(self, name)}, expected 1 or more")
        if self.max_episode_steps is not None:
            object.__setattr__(self, "max_episode_steps", whole(self.max_episode_steps))
        object.__setattr__(self, "observation_shape", tuple(map(whole, self.observation_shape)))
        if self.actions and len(self.actions) != self.n_actions:
            raise TaskError(f"{self.name}: {len(self.actions)} names for {self.n_actions} actions")
        _check_normalisation(self.name, self.shift, self.scale, self.observation_shape)

    @property
    def input_shape(self) -> Shape:
        """Shape of one observation."""
        return self.observation_shape

    def prepare(self, observations: Tensor) -> Tensor:
        """Observations prepared for the network: float32, shifted and scaled."""
        return _prepared(observations, self.shift, self.scale)

    @abstractmethod
    def make(
        self, num_envs: int, seeds: Sequence[int], *, render: bool = False
    ) -> VectorEnv[Any, Any, Any]:
        """A vector environment.

        Observations are ``(num_envs, *observation_shape)`` uint8 or float32. Rewards are raw: their
        sum over an episode is the score that a human player would see.

        Args:
            num_envs: number of environments that step together.
            seeds: one per environment, for its first episode.
            render: whether ``render()`` must work: it returns a tuple with one
                ``(height, width, 3)`` uint8 image per environment.
        """


def _prepared(inputs: Tensor, shift: Tensor | None, scale: Tensor | None) -> Tensor:
    x = inputs.float()
    x = x if shift is None else x - shift
    return x if scale is None else x * scale


def _check_normalisation(
    name: str, shift: Tensor | None, scale: Tensor | None, shape: Shape
) -> None:
    """Refuse a non-finite shift or scale, or one that would change an input's type or shape."""
    for part, values in (("shift", shift), ("scale", scale)):
        if values is None:
            continue
        if values.dtype != torch.float32:
            raise TaskError(f"{name}: {part} must be float32, not {_type(values)}")
        try:
            fits = np.broadcast_shapes(tuple(values.shape), shape) == tuple(shape)
        except ValueError:
            fits = False
        if not fits:
            raise TaskError(
                f"{name}: {part} of shape {tuple(values.shape)} does not broadcast against "
                f"inputs of shape {tuple(shape)}"
            )
        if not _finite(values):
            raise TaskError(f"{name}: {part} is not finite (NaN or infinite)")


def _finite(values: Tensor) -> bool:
    """Whether all numbers are finite; one pass, and no copy."""
    if not values.is_floating_point() or not values.numel():
        return True
    return all(math.isfinite(extreme) for extreme in torch.stack(values.aminmax()).tolist())


def _rows(wrong: Tensor) -> str:
    """The rows that are marked, for a message."""
    rows = wrong.nonzero().flatten().tolist()
    named = ", ".join(map(str, rows[:MOST_ROWS]))
    more = f" and {len(rows) - MOST_ROWS:,} more" if len(rows) > MOST_ROWS else ""
    return f"row{'s' * (len(rows) > 1)} {named}{more} of {len(wrong):,}"


def _type(values: Tensor) -> str:
    return str(values.dtype).removeprefix("torch.")


Task: TypeAlias = SupervisedTask | EnvironmentTask


@dataclass(frozen=True)
class TaskContext:
    """What a task can depend on besides its own settings.

    Args:
        streams: the random streams of the trial and stage.
        stage: index of the task in the sequence.
        sequence: the settings of all tasks of the sequence, in order.
        input_shape: the pool's input shape; None if this task determines it.
    """

    streams: Streams
    stage: int = 0
    sequence: Sequence[TaskSettings] = ()
    input_shape: Shape | None = None

    def generator(self, name: str) -> torch.Generator:
        """A torch generator for this seed, stage and name."""
        return self.streams.at(self.stage).torch(f"task/{name}")

    def numpy(self, name: str) -> np.random.Generator:
        """A NumPy generator for this seed, stage and name."""
        return self.streams.at(self.stage).numpy(f"task/{name}")

    def whole_trial(self, name: str) -> np.random.Generator:
        """A NumPy generator for this seed and name, the same at every stage."""
        return self.streams.numpy(f"task/{name}")


class TaskSettings(BaseModel, ABC):
    """A task plugin: its fields are its configuration, ``make`` creates the task.

    Register the class under a name (``register_tasks``), which ``[[stages]] task.name`` refers to.
    Import heavy libraries inside ``make``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @abstractmethod
    def make(self, context: TaskContext) -> Task:
        """The task, ready to be learned.

        Raises:
            TaskError: it cannot be created; the message says what is wrong and the way out.
        """

    def pictured(self, context: TaskContext) -> Task:
        """The task with the pictures that its inputs were made from, for a report.

        Returns:
            The examples of ``make`` in the same order; by default ``make``'s.

        Raises:
            TaskError: it cannot be created.
        """
        return self.make(context)

    @classmethod
    def read_input(cls, source: Any, shape: Shape, reading: Mapping[str, Any]) -> Tensor:
        """Read an input of this kind for a saved network, such as a picture's file.

        Args:
            source: a file name, or an object of another library, such as a Pillow image.
            shape: the network's input shape.
            reading: the task's own ``reading``; untrusted, if the network is somebody else's.

        Returns:
            ``shape``, of the type of the task's inputs.

        Raises:
            TaskError: it cannot be read; by default nothing can.
        """
        raise TaskError(f"cannot read {type(source).__name__}: give arrays or tensors")

    @classmethod
    def encoder(cls, reading: Mapping[str, Any]) -> Encoder | None:
        """The network that made a task's inputs from raw ones, for a saved network's own weights.

        Args:
            reading: the task's own ``reading``; untrusted, if the network is somebody else's.

        Returns:
            An encoder with any weights; None, the default, where the task's inputs are raw.

        Raises:
            TaskError: it cannot be built.
        """
        return None

    def trained_encoder(self, reading: Mapping[str, Any]) -> Encoder | None:
        """The same with the weights that these settings name.

        Args:
            reading: that of the task that was learned.

        Raises:
            TaskError: it cannot be built, or its weights are not those of the learned task.
        """
        return None
