"""The contract of rivals: continual learners with a network and a training loop of their own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeAlias

import torch
from torch import Tensor
from typing_extensions import TypeVar

from pathnet_evo.core.aggregate import Aggregate
from pathnet_evo.core.modules import ModuleKind, Shape
from pathnet_evo.interfaces.tasks import SupervisedTask

Predict: TypeAlias = Callable[[Tensor], Tensor]
"""Logits ``(n, classes)`` of prepared inputs ``(n, *input_shape)``."""


class MinibatchLearner(Protocol):
    """What a rival that trains by gradient descent follows of a learner, such as ``sgd``'s."""

    @property
    def n_batches(self) -> int:
        """Minibatches per evaluation."""

    @property
    def batch_size(self) -> int:
        """Examples per minibatch."""

    def make_optimizer(self, parameters: list[Tensor]) -> torch.optim.Optimizer:
        """An optimizer of the parameters."""

    def rate(self, share: float) -> float:
        """The learning rate after a ``share`` (0 to 1) of the stage's budget."""


FollowedT = TypeVar("FollowedT", default=Any)
"""What a rival follows of learners, such as ``MinibatchLearner``."""


@dataclass(frozen=True)
class Course(Generic[FollowedT]):
    """What a rival learns in one stage, and with how much.

    Args:
        stage: index in the sequence.
        n_stages: number of stages of the sequence.
        task: what to learn; without the examples that the learner holds out for validation.
        learner: the stage's learner, whose options a rival follows; it has what the rival's
            ``follows`` names.
        kinds: the module kind of each layer.
        width: modules per layer of a full-width path, N.
        aggregate: how the outputs of a layer's modules are combined.
        input_shape: shape of one example.
        evaluations: the stage's budget.
        device: where to compute.
        told: to be called after each evaluation with the training accuracy and the mean loss of its
            minibatches, and with the number of their examples; what it raises must pass through.
            If examples are held out, the rival's ``predict`` is called for their accuracy, which is
            then the fitness.
        before: to be called before a stage after the first is trained, with the predictions of the
            network that training starts from, and with what makes those of the same network with
            random weights throughout; these may be drawn from the global generators, which are
            restored. Without it, the arm has no forward transfer.
    """

    stage: int
    n_stages: int
    task: SupervisedTask
    learner: FollowedT
    kinds: Sequence[ModuleKind]
    width: int
    aggregate: Aggregate
    input_shape: Shape
    evaluations: int
    device: str
    told: Callable[[float, float, int], None]
    before: Callable[[Predict, Callable[[], Predict]], None]


class Rival(ABC, Generic[FollowedT]):
    """A continual learner that is compared with PathNet as an arm of the same run.

    Attributes:
        follows: a protocol, such as ``MinibatchLearner``, whose attributes every stage's learner
            must have; None if the rival follows no learner.
    """

    follows: ClassVar[type | None] = None

    def check(self, learners: Sequence[FollowedT], evaluations: Sequence[int]) -> None:
        """Check before a run starts that this rival can learn its stages.

        Args:
            learners: the learner of each stage; each has what ``follows`` names.
            evaluations: the budget of each stage.

        Raises:
            ValueError: it cannot; the message says the way out.
        """

    def begin(self) -> None:
        """Called in the trial's process before its first stage; seconds of stages leave it out.

        Import here what takes long.
        """

    @abstractmethod
    def learn(self, course: Course[FollowedT]) -> None:
        """Learn the next stage."""

    @abstractmethod
    def predict(self, stage: int, inputs: Tensor) -> Tensor:
        """Logits for a stage that was learned or is being learned, with the weights of now.

        Args:
            stage: index in the sequence.
            inputs: ``(n, *input_shape)`` float32, prepared for the network.

        Returns:
            ``(n, classes)``; classes of other stages are left out.
        """

    @abstractmethod
    def parameters(self, stage: int | None = None) -> int:
        """Parameters that a stage's predictions use; None for those of all stages together."""

    def state(self) -> dict[str, Any] | None:
        """What is kept at the end of a stage: JSON data in which any value can be a tensor.

        None, the default, keeps nothing: a trial that is stopped starts again.
        """
        return None

    def restore(self, state: dict[str, Any], courses: Sequence[Course[FollowedT]]) -> None:
        """Resume from ``state``; the next stage then gives the bits of a trial that never stopped.

        Args:
            state: what ``state`` gave.
            courses: the stages that were learned before, which are not to be reported again.

        Raises:
            TypeError: the default, for a rival that keeps a state must also resume from one.
        """
        raise TypeError(f"{type(self).__name__} overrides state, but not restore")
