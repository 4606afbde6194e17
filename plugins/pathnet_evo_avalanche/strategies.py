"""Rivals, made of Avalanche's classes."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from avalanche.models import MultiTaskModule
from avalanche.models.pnn import PNN
from avalanche.training.plugins import (
    EvaluationPlugin,
    EWCPlugin,
    LwFPlugin,
    ReplayPlugin,
    SupervisedPlugin,
)
from avalanche.training.supervised import Cumulative, Naive, PNNStrategy
from torch import Tensor, nn

from pathnet_evo import Course, MinibatchLearner
from pathnet_evo_avalanche.answers import answer, untrained
from pathnet_evo_avalanche.heads import Heads, OwnClasses
from pathnet_evo_avalanche.minibatches import Minibatches
from pathnet_evo_avalanche.network import trunk
from pathnet_evo_avalanche.packing import Packed, Pruning
from pathnet_evo_avalanche.settings import RivalSettings


class _MultiHead(MultiTaskModule):  # type: ignore[misc]
    """A trunk and a linear head per task.

    Args:
        trunk: the layers.
        features: number of their outputs.
    """

    def __init__(self, trunk: nn.Module, features: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.heads = Heads(features)

    def forward(self, x: Tensor, task_labels: Tensor) -> Tensor:
        """Logits of each example's own head."""
        logits: Tensor = self.heads(self.trunk(x), task_labels)
        return logits


class _Progressive(OwnClasses, PNN):  # type: ignore[misc]
    """A progressive network whose task labels choose among heads that can differ in width."""


class Watch(SupervisedPlugin):  # type: ignore[misc]
    """Keeps a strategy to the course: its minibatches, its learning rate, its reports.

    Attributes:
        course: the stage at work.
        classes: number of classes of each stage.
    """

    def __init__(self, course: Course[MinibatchLearner]) -> None:
        super().__init__()
        self.course = course
        self.classes: list[int] = []
        self.right = self.examples = self.iterations = 0
        self.loss = 0.0

    def before_training_exp(self, strategy: Any, *args: Any, **kwargs: Any) -> None:
        """Fill the minibatches, and show what the network answers with its new, untrained head."""
        stage, n_classes = self.course.stage, self.course.task.n_classes
        self.classes.append(n_classes)
        self.iterations = 0
        strategy.dataloader = Minibatches(strategy.dataloader, self.course.learner.n_batches)

        def answers(model: nn.Module) -> Callable[[Tensor], Tensor]:
            return partial(answer, model, stage, n_classes)

        self.course.before(answers(strategy.model), lambda: answers(untrained(strategy.model)))

    def before_training_epoch(self, strategy: Any, *args: Any, **kwargs: Any) -> None:
        """An epoch is the minibatches of one evaluation."""
        self.right, self.examples, self.loss = 0, 0, 0.0

    def before_training_iteration(self, strategy: Any, *args: Any, **kwargs: Any) -> None:
        """Follow the learner's schedule."""
        total = self.course.evaluations * self.course.learner.n_batches
        for group in strategy.optimizer.param_groups:
            group["lr"] = self.course.learner.rate(self.iterations / total)

    def after_training_iteration(self, strategy: Any, *args: Any, **kwargs: Any) -> None:
        """Measure the minibatch as it came."""
        self.iterations += 1
        y, logits = strategy.mb_y, strategy.mb_output
        self.right += int((logits.argmax(1) == y).sum())
        self.examples += len(y)
        self.loss += float(strategy.loss)

    def after_training_epoch(self, strategy: Any, *args: Any, **kwargs: Any) -> None:
        """Report the evaluation."""
        loss = self.loss / self.course.learner.n_batches
        self.course.told(self.right / self.examples, loss, self.examples)


def made(settings: RivalSettings, course: Course[MinibatchLearner]) -> tuple[Any, Watch]:
    """A strategy on a new network, and what watches it."""
    learner = course.learner
    watch, method, batch = Watch(course), settings.method, learner.batch_size
    model = _network(method, course)
    plugins: list[Any] = []
    match method:
        case "ewc":
            plugins = [EWCPlugin(settings.ewc_lambda)]
        case "lwf":
            plugins = [LwFPlugin(settings.lwf_alpha, settings.temperature)]
        case "replay":
            replayed = batch // 2
            plugins = [ReplayPlugin(settings.memory, batch - replayed, replayed)]
        case "packnet":
            shares = _pruned(settings, course.n_stages)
            plugins = [Pruning(settings.post_prune, shares, learner.make_optimizer)]
    kind = {"progressive": PNNStrategy, "joint": Cumulative}.get(method, Naive)
    strategy = kind(
        model=model,
        optimizer=learner.make_optimizer(list(model.parameters())),
        criterion=nn.CrossEntropyLoss(),
        train_mb_size=batch,
        train_epochs=course.evaluations,
        eval_mb_size=1000,
        device=course.device,
        plugins=[*plugins, watch],
        evaluator=EvaluationPlugin(),
    )
    return strategy, watch


def _network(method: str, course: Course[MinibatchLearner]) -> Any:
    if method == "progressive":
        return _progressive(course)
    layers = trunk(course.kinds, course.width, course.input_shape, course.aggregate)
    return (Packed if method == "packnet" else _MultiHead)(*layers)


def _progressive(course: Course[MinibatchLearner]) -> Any:
    """A progressive network whose columns have as many units per layer as a path."""
    units = course.width * course.kinds[0].output_shape(course.input_shape)[0]
    model = _Progressive(len(course.kinds), math.prod(course.input_shape), units, adapter="mlp")
    # Its own classifier masks classes, and fails on experiences that have theirs as a set.
    model.classifier = Heads(units)
    return model


def _pruned(settings: RivalSettings, n_stages: int) -> list[float]:
    """The share that is pruned after each task."""
    if settings.prune is not None:
        return [settings.prune] * n_stages
    return [(n_stages - i - 1) / (n_stages - i) for i in range(n_stages)]
