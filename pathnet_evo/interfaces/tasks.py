"""Task contracts: what a task plugin provides to a learner."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor

from pathnet_evo.core.modules import Shape
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.acting import EnvironmentTask as EnvironmentTask
from pathnet_evo.interfaces.encoders import Encoder
from pathnet_evo.interfaces.inputs import TaskError as TaskError
from pathnet_evo.interfaces.supervised import SupervisedTask as SupervisedTask
from pathnet_evo.system.folders import cache_folder as cache_folder
from pathnet_evo.values.options import OPTIONS

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

    model_config = OPTIONS

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
