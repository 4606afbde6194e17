"""The contract of learners: what trains a path, and scores what came out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic

import torch
from pydantic import BaseModel
from torch import Tensor
from typing_extensions import TypeVar

from pathnet_evo.core.columns import ENERGY
from pathnet_evo.core.genotype import Path
from pathnet_evo.core.head import TaskHead
from pathnet_evo.core.modules import Shape
from pathnet_evo.core.network import PathNetwork
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.stack import Stack
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.budget import Budget
from pathnet_evo.interfaces.evaluations import Evaluator
from pathnet_evo.interfaces.policies import Connect
from pathnet_evo.interfaces.tasks import EnvironmentTask, SupervisedTask, Task
from pathnet_evo.values.options import OPTIONS

TaskT = TypeVar("TaskT", bound=Task, default=Any)
"""The task contract that a learner learns."""


@dataclass(frozen=True)
class LearningContext(Generic[TaskT]):
    """What a learner works on during one stage.

    Args:
        pool: the shared modules.
        head: what the task owns: its readout and, if it listens to columns, lateral maps.
        task: what to learn; an instance of the learner's ``takes``.
        device: where to compute.
        streams: the stage's random streams.
        always_active: whether frozen modules are in every path.
        worker: index of this evaluator among several in parallel. Sequential draws, such as
            exploration, must depend on it; draws identified by a candidate's key must not.
        budget: the stage's budget, and how much of it is used.
        transport: the ``Transport`` on which a learner with workers of its own (``own_workers``)
            starts them; None means processes of this machine.
    """

    pool: ModulePool
    head: TaskHead
    task: TaskT
    device: torch.device
    streams: Streams
    always_active: bool
    worker: int = 0
    budget: Budget = field(default_factory=Budget)
    transport: Any = None

    def path(self, rows: Sequence[Sequence[int]]) -> Path:
        """The path of a genotype, plus frozen modules if they are in every path."""
        return self.pool.active(rows, self.always_active)


class Learner(BaseModel, ABC, Generic[TaskT]):
    """A learner plugin: its fields are its configuration (``[learner]``).

    ``Learner[SupervisedTask]`` learns from examples, ``Learner[EnvironmentTask]`` by acting.

    Attributes:
        takes: the kind of task it can learn.
        connect: default way in which frozen modules enter a new task's path.
        published: the paper's way.
        listens: whether it can train paths that hear columns.
        heard_energy: how loud columns are: the sum of the mean squares of what a unit hears of
            them. The default was chosen for gradient descent on images.
        unit: what its evaluations count, for reports: ``examples`` or ``frames``.
        fitness_name: name of its fitness, for reports.
        in_place: whether it trains the pool itself instead of leasing from it.
        own_workers: whether it can start workers of its own on the context's transport.
        policy: whether the first ``n_actions`` outputs of its networks are the logits of a policy,
            so that saved networks can act.
    """

    model_config = OPTIONS

    takes: ClassVar[type]
    connect: ClassVar[Connect] = "named"
    published: ClassVar[Connect] = "named"
    listens: ClassVar[bool] = False
    heard_energy: ClassVar[float] = ENERGY
    unit: ClassVar[str] = "examples"
    fitness_name: ClassVar[str] = "fitness"
    in_place: ClassVar[bool] = False
    own_workers: ClassVar[bool] = False
    policy: ClassVar[bool] = False

    @abstractmethod
    def outputs(self, task: TaskT) -> int:
        """Number of outputs of the task's readout."""

    def readout(self, pool: ModulePool, task: TaskT, generator: torch.Generator) -> Stack:
        """A new readout for the task on the pool's features, with torch's initialisation."""
        return pool.readout(self.outputs(task), generator)

    def check(self, task: TaskT) -> None:
        """Check before a run starts that this learner can learn the task here.

        Not called if an engine hosts the learner's workers elsewhere.

        Raises:
            TaskError: it cannot, for example for lack of memory; the message says the way out.
        """

    def check_budget(self, task: TaskT, budget: Budget) -> None:
        """Check before a run starts that a stage's budget suffices.

        Raises:
            TaskError: no evaluation would end; the message says the way out.
        """

    def carries(self, stack: Stack) -> Mapping[str, Shape]:
        """State that leases carry for each module besides its parameters: names and shapes.

        For example momentum, which stays with a module between evaluations; see ``Stack.carry``.
        """
        return {}

    @abstractmethod
    def evaluator(self, context: LearningContext[TaskT]) -> Evaluator:
        """An evaluator that trains candidates on the context's pool."""

    def visits(self, task: TaskT, budget: Budget) -> float | None:
        """How often a budget visits each training example; None if there are none, as in games.

        Copies of an example count as one example.
        """
        return None

    def split_examples(self, task: SupervisedTask, streams: Streams) -> tuple[Tensor, Tensor]:
        """The examples to train on, and those held out; by default none are held out.

        Override it together with ``validates``, so that rivals learn from the same examples.

        Args:
            task: the stage's task.
            streams: the stage's random streams.

        Returns:
            Two tensors of indices into ``task.inputs``, int64, on the CPU; the second is empty if
            fitness is measured on training examples.
        """
        return torch.arange(len(task.inputs)), torch.arange(0)

    @property
    def validates(self) -> bool:
        """Whether fitness is measured on what paths do not train on, as a sweep's target must be.

        By default true for environments, whose episodes are new each time.
        """
        return issubclass(self.takes, EnvironmentTask)

    @property
    def processes(self) -> int:
        """How many processes an evaluator starts."""
        return 0

    @property
    def deterministic(self) -> bool:
        """Whether equal seeds give equal results, bit for bit."""
        return True

    def random_baseline(self, task: TaskT, streams: Streams) -> float | None:
        """The untrained baseline score, such as that of random actions, or None."""
        return None

    def returns(
        self, network: PathNetwork | None, task: TaskT, streams: Streams
    ) -> Sequence[float] | None:
        """Returns of some episodes that nothing is learned from, for learners that act.

        An earlier policy is judged by them before a task is learned (``transfer.copy_readout``).

        Args:
            network: what plays; None for random actions.
            task: the task.
            streams: the stage's random streams.

        Returns:
            At least two, or None for learners that do not act.
        """
        return None

    def inputs(self, task: TaskT, n: int, streams: Streams) -> Tensor:
        """Some of the task's inputs, prepared for the network; columns are standardised on them.

        Args:
            task: the task.
            n: maximum number of inputs.
            streams: the stage's random streams.

        Returns:
            ``(n, *input_shape)`` float32, drawn at random: examples may be sorted by class.

        Raises:
            TypeError: the task has no examples, and the learner does not override this.
        """
        if not isinstance(task, SupervisedTask):
            raise TypeError(f"{type(self).__name__} must override inputs() for this task")
        drawn = torch.randperm(len(task.inputs), generator=streams.torch("inputs"))[:n]
        return task.prepare(task.inputs[drawn.sort().values.to(task.inputs.device)])

    @abstractmethod
    def score(self, network: PathNetwork, task: TaskT, streams: Streams) -> dict[str, float]:
        """Test scores of a network, by name, the main one first; changes nothing."""

    def actions(
        self, network: PathNetwork, observations: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Actions of a trained network, for learners that act.

        Args:
            network: path and readout.
            observations: ``(n, *observation_shape)`` from the environment, on any device.
            generator: a CPU generator for sampling actions.

        Returns:
            ``(n,)`` int64, on the CPU.

        Raises:
            TypeError: this learner's networks do not act.
        """
        raise TypeError(f"{type(self).__name__} trains networks that do not act")

    def actions_in(
        self,
        task: TaskT,
        network: PathNetwork,
        observations: Tensor,
        generator: torch.Generator,
    ) -> Tensor:
        """Actions in a task, by default ``actions``; override it to act in vectors.

        Returns:
            ``(n,)`` int64, or ``(n, n_actions)`` float32 of a continuous task, on the CPU.
        """
        return self.actions(network, observations, generator)
