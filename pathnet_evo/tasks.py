"""Task contracts: what a task plugin gives to a learner."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from pathnet_evo.folders import cache_folder as cache_folder
from pathnet_evo.modules import Shape
from pathnet_evo.streams import Streams

if TYPE_CHECKING:
    from gymnasium.vector import VectorEnv


class TaskError(ValueError):
    """A task that cannot be made: data missing or unreadable, classes or shapes that do not fit."""


@dataclass(frozen=True, eq=False)
class SupervisedTask:
    """Labelled examples, held whole on one device; a minibatch is an index.

    Args:
        name: what reports call the task.
        inputs: ``(examples, *shape)`` uint8 or float32, to train on.
        labels: ``(examples,)`` int64 in ``[0, n_classes)``.
        test_inputs: ``(test examples, *shape)``, never trained on.
        test_labels: ``(test examples,)``.
        n_classes: number of classes.
        shift: subtracted from the inputs as they are used; broadcasts against ``shape``.
        scale: the shifted inputs are multiplied with it.
        class_names: a name for each class, or nothing.

    Raises:
        TaskError: shapes, types or labels that do not fit together.
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

    def __post_init__(self) -> None:
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
                raise TaskError(f"{self.name}: {part} labels are outside 0 to {self.n_classes - 1}")
        if self.inputs.shape[1:] != self.test_inputs.shape[1:]:
            raise TaskError(
                f"{self.name}: training inputs are {tuple(self.inputs.shape[1:])}, "
                f"test inputs {tuple(self.test_inputs.shape[1:])}"
            )

    @property
    def input_shape(self) -> Shape:
        """Shape of one example."""
        return tuple(self.inputs.shape[1:])

    def to(self, device: torch.device | str) -> SupervisedTask:
        """The same task on another device; moved once, before training."""
        moved: dict[str, Any] = {
            name: value.to(device)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        return replace(self, **moved)

    def prepare(self, inputs: Tensor) -> Tensor:
        """Inputs as the network takes them: float32, shifted and scaled."""
        x = inputs.float()
        if self.shift is not None:
            x = x - self.shift
        return x if self.scale is None else x * self.scale


@dataclass(frozen=True, eq=False)
class EnvironmentTask(ABC):
    """A game or a control problem with discrete actions.

    Args:
        name: what reports call the task.
        observation_shape: shape of one observation, as the environment gives it.
        n_actions: number of actions.
        shift: subtracted from observations as they are used; broadcasts against their shape.
        scale: the shifted observations are multiplied with it, on the device.
        frames: what one step counts in budgets and reports, such as 4 emulator frames.
        max_steps: steps after which an episode is cut off; None where the environment always ends.
        actions: a name for each action, or nothing.
    """

    name: str
    observation_shape: Shape
    n_actions: int
    shift: Tensor | None = None
    scale: Tensor | None = None
    frames: int = 1
    max_steps: int | None = None
    actions: tuple[str, ...] = ()

    @property
    def input_shape(self) -> Shape:
        """Shape of one observation."""
        return self.observation_shape

    @abstractmethod
    def make(
        self, lanes: int, seeds: Sequence[int], *, render: bool = False
    ) -> VectorEnv[Any, Any, Any]:
        """A vector environment of so many lanes.

        Observations are ``(lanes, *observation_shape)`` uint8 or float32, rewards raw: their sum
        over an episode is the score by which a human would be judged.

        Args:
            lanes: how many environments are stepped together.
            seeds: one a lane, for its first episode.
            render: whether ``render()`` is wanted: a tuple with one ``(height, width, 3)`` uint8
                picture a lane.
        """


Task: TypeAlias = SupervisedTask | EnvironmentTask


@dataclass(frozen=True)
class TaskContext:
    """What a task may depend on besides its own settings.

    Args:
        streams: the random streams of the trial and stage.
        stage: index of the task in the sequence.
        sequence: the settings of all tasks of the sequence, in order.
        input_shape: what the pool takes; None where this task decides it.
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
    """A task plugin: its fields are its configuration, ``make`` makes the task.

    Register the class under a name (``register_tasks``); ``[[stages]] task.name`` asks for it.
    Import heavy libraries inside ``make``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @abstractmethod
    def make(self, context: TaskContext) -> Task:
        """The task, ready to be learned.

        Raises:
            TaskError: it cannot be made; the message says what is wrong and the way out.
        """
