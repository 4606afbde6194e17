"""Avalanche's strategies as rivals: their own training loops, on the budget of the other arms."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from pathnet_evo import Course, MinibatchLearner, Rival
from pathnet_evo_avalanche.answers import answer
from pathnet_evo_avalanche.settings import RivalSettings


class AvalancheRival(Rival[MinibatchLearner]):
    """One of Avalanche's strategies, which learns stage after stage.

    Args:
        settings: which, with its options.
    """

    follows: ClassVar[type | None] = MinibatchLearner

    def __init__(self, settings: RivalSettings) -> None:
        self.settings = settings
        self.strategy: Any = None
        self.watch: Any = None

    def check(self, learners: Sequence[MinibatchLearner], evaluations: Sequence[int]) -> None:
        """Refuse what Avalanche's strategy cannot follow."""
        if any(_kept(learner) != _kept(learners[0]) for learner in learners):
            raise ValueError(
                "a rival has one batch_size and one optimizer for all stages: give all stages the "
                "same, or leave the arm out"
            )
        method, batch = self.settings.method, learners[0].batch_size
        least = {"replay": 2, "joint": len(learners)}.get(method, 1)
        if batch < least:
            raise ValueError(
                f"{method} has examples of several tasks in a minibatch, here {least} or more, but "
                f"learner.batch_size is {batch}: raise it, or leave the arm out"
            )
        if method == "packnet" and min(evaluations) < 2:
            raise ValueError(
                "packnet trains before and after pruning, but a stage has one evaluation: give it "
                "more generations, or leave the arm out"
            )

    def begin(self) -> None:
        """Import Avalanche, which takes seconds."""
        with _quiet():
            import pathnet_evo_avalanche.strategies  # noqa: F401

    def learn(self, course: Course[MinibatchLearner]) -> None:
        """Train the strategy on the next experience; an epoch is one evaluation's minibatches."""
        with _quiet():
            from pathnet_evo_avalanche.strategies import made
            from pathnet_evo_avalanche.to_avalanche import experience_of

            if self.strategy is None:
                self.strategy, self.watch = made(self.settings, course)
            self.watch.course = course
            self.strategy.train_epochs = course.evaluations
            self.strategy.train(experience_of(course))

    def state(self) -> dict[str, Any]:
        """What the strategy carries to the next stage."""
        from pathnet_evo_avalanche.keeping import kept

        return kept(self.strategy)

    def restore(self, state: dict[str, Any], courses: Sequence[Course[MinibatchLearner]]) -> None:
        """Make the strategy again, as it was after those stages."""
        with _quiet():
            from pathnet_evo_avalanche.keeping import put
            from pathnet_evo_avalanche.strategies import made
            from pathnet_evo_avalanche.to_avalanche import experience_of

            self.strategy, self.watch = made(self.settings, courses[0])
            self.watch.classes = [course.task.n_classes for course in courses]
            put(self.strategy, state, map(experience_of, courses))

    def predict(self, stage: int, inputs: Tensor) -> Tensor:
        """Logits of the task's own head."""
        return answer(self.strategy.model, stage, self.watch.classes[stage], inputs)

    def parameters(self, stage: int | None = None) -> int:
        """Parameters of the network; of one task's predictions, without the heads of others."""
        model: nn.Module = self.strategy.model
        others = () if stage is None else self._heads(model, stage)
        return _count(model.parameters()) - sum(_count(head.parameters()) for head in others)

    def _heads(self, model: Any, stage: int) -> list[nn.Module]:
        """The heads of other tasks than one."""
        heads = getattr(model, "classifier", None) or model.heads
        return [head for name, head in heads.classifiers.items() if name != str(stage)]


def _kept(learner: MinibatchLearner) -> tuple[Any, ...]:
    """What a strategy keeps of a learner from stage to stage; the rate follows a schedule."""
    optimizer = learner.make_optimizer([torch.zeros(1, requires_grad=True)])
    return learner.batch_size, type(optimizer), {**optimizer.defaults, "lr": None}


def _count(parameters: Iterator[nn.Parameter]) -> int:
    return sum(values.numel() for values in parameters)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Avalanche's warnings from users; it overrides the filter in places."""
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("ignore")
        yield
