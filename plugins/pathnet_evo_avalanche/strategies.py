"""Rivals, made of Avalanche's classes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from avalanche.models import MultiHeadClassifier, MultiTaskModule
from avalanche.models.packnet import PackNetModel, PackNetPlugin
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

from pathnet_evo import Course
from pathnet_evo_avalanche.answers import answer, untrained
from pathnet_evo_avalanche.network import trunk
from pathnet_evo_avalanche.settings import RivalSettings


class _MultiHead(MultiTaskModule):  # type: ignore[misc]
    """A trunk and a linear head per task."""

    def __init__(self, course: Course) -> None:
        super().__init__()
        self.trunk, features = trunk(course.kinds, course.width, course.input_shape)
        self.heads = MultiHeadClassifier(features, masking=False)

    def forward(self, x: Tensor, task_labels: Tensor) -> Tensor:
        """Logits of each example's own head."""
        logits: Tensor = self.heads(self.trunk(x), task_labels)
        return logits


class _Packed(PackNetModel):  # type: ignore[misc]
    """A packed trunk and a linear head per task, as in the paper; Avalanche packs a single head."""

    def __init__(self, course: Course) -> None:
        layers, features = trunk(course.kinds, course.width, course.input_shape)
        super().__init__(layers)
        self.heads = MultiHeadClassifier(features, masking=False)

    def forward(self, x: Tensor, task_labels: Tensor) -> Tensor:
        """Logits of each example's own head, with the weights of its task."""
        logits: Tensor = self.heads(super().forward(x, task_labels), task_labels)
        return logits


class _Chunks:
    """A data loader that gives a fixed number of minibatches a pass, and goes on where it was."""

    def __init__(self, loader: Any, n: int) -> None:
        self.loader, self.n = loader, n
        self.minibatches: Iterator[Any] = iter(())

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[Any]:
        for _ in range(self.n):
            try:
                yield next(self.minibatches)
            except StopIteration:
                self.minibatches = iter(self.loader)
                yield next(self.minibatches)


class Watch(SupervisedPlugin):  # type: ignore[misc]
    """Keeps a strategy to the course: its minibatches, its learning rate, its reports.

    Attributes:
        course: the stage at work.
        classes: number of classes of each stage.
    """

    def __init__(self, course: Course) -> None:
        super().__init__()
        self.course = course
        self.classes: list[int] = []
        self.right = self.examples = self.iterations = 0
        self.loss = 0.0

    def before_training_exp(self, strategy: Any, *args: Any, **kwargs: Any) -> None:
        """Reset the counters, and show what the network answers with its new, untrained head."""
        stage, n_classes = self.course.stage, self.course.task.n_classes
        self.classes.append(n_classes)
        self.iterations = 0

        def answers(model: nn.Module) -> Callable[[Tensor], Tensor]:
            return partial(answer, model, stage, n_classes)

        self.course.before(answers(strategy.model), lambda: answers(untrained(strategy.model)))

    def before_training_epoch(self, strategy: Any, *args: Any, **kwargs: Any) -> None:
        """An epoch is the minibatches of one evaluation."""
        if not isinstance(strategy.dataloader, _Chunks):
            strategy.dataloader = _Chunks(strategy.dataloader, self._learner.n_batches)
        self.right, self.examples, self.loss = 0, 0, 0.0

    def before_training_iteration(self, strategy: Any, *args: Any, **kwargs: Any) -> None:
        """Follow the learner's schedule."""
        total = self.course.evaluations * self._learner.n_batches
        for group in strategy.optimizer.param_groups:
            group["lr"] = self._learner.rate(self.iterations / total)

    def after_training_iteration(self, strategy: Any, *args: Any, **kwargs: Any) -> None:
        """Measure the minibatch as it came."""
        self.iterations += 1
        y, logits = strategy.mb_y, strategy.mb_output
        self.right += int((logits.argmax(1) == y).sum())
        self.examples += len(y)
        self.loss += float(strategy.loss)

    def after_training_epoch(self, strategy: Any, *args: Any, **kwargs: Any) -> None:
        """Report the evaluation."""
        loss = self.loss / self._learner.n_batches
        self.course.told(self.right / self.examples, loss, self.examples)

    @property
    def _learner(self) -> Any:
        return self.course.learner


class _Pruning(PackNetPlugin):  # type: ignore[misc]
    """Trains the same share of every stage after pruning."""

    def __init__(self, share: float, pruned: list[float]) -> None:
        super().__init__(1, pruned)
        self.share = share

    def before_training(self, strategy: Any, *args: Any, **kwargs: Any) -> None:
        """Take the share of this stage's epochs."""
        epochs = strategy.train_epochs
        self.post_prune_epochs = max(1, min(round(self.share * epochs), epochs - 1))
        super().before_training(strategy, *args, **kwargs)


def made(settings: RivalSettings, course: Course) -> tuple[Any, Watch]:
    """A strategy on a new network, and what watches it."""
    learner = course.learner
    watch, method = Watch(course), settings.method
    model: Any = _Packed(course) if method == "packnet" else _MultiHead(course)
    if method == "progressive":
        model = _progressive(course)
    plugins: list[Any] = []
    batch = learner.batch_size
    match method:
        case "ewc":
            plugins = [EWCPlugin(settings.ewc_lambda)]
        case "lwf":
            plugins = [LwFPlugin(settings.lwf_alpha, settings.temperature)]
        case "replay":
            half = max(batch // 2, 1)
            plugins = [ReplayPlugin(settings.memory, batch_size=half, batch_size_mem=half)]
        case "packnet":
            plugins = [_Pruning(settings.post_prune, _pruned(settings, course.n_stages))]
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


def _progressive(course: Course) -> Any:
    """A progressive network whose columns have as many units per layer as a path."""
    units = course.width * course.kinds[0].output_shape(course.input_shape)[0]
    model = PNN(len(course.kinds), math.prod(course.input_shape), units, adapter="mlp")
    # Its own classifier masks classes, and fails on experiences that have theirs as a set.
    model.classifier = MultiHeadClassifier(units, masking=False)
    return model


def _pruned(settings: RivalSettings, n_stages: int) -> list[float]:
    """The share that is pruned after each task."""
    if settings.prune is not None:
        return [settings.prune] * n_stages
    return [(n_stages - i - 1) / (n_stages - i) for i in range(n_stages)]
