"""PathNet as a strategy of Avalanche: it learns the experiences of task-incremental streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from avalanche.core import SupervisedPlugin
from avalanche.evaluation.metric_results import MetricValue
from avalanche.evaluation.metric_utils import get_metric_name
from avalanche.training.plugins import EvaluationPlugin
from avalanche.training.plugins.evaluation import default_evaluator
from avalanche.training.templates import SupervisedTemplate

from pathnet_evo import (
    Evaluated,
    GenerationFinished,
    PathNet,
    Record,
    Registry,
    Streams,
    UserError,
    lend,
)
from pathnet_evo_avalanche.defaults import configuration
from pathnet_evo_avalanche.from_avalanche import (
    check_stream,
    classes_of,
    first_example_of,
    label_of,
    task_of,
)
from pathnet_evo_avalanche.paths import Paths

FITNESS = "BestFitness"
"""Metric: the best fitness of each generation."""
NEVER_CALLED = tuple(
    f"{when}_{what}"
    for what in ("training_epoch", "training_iteration", "forward", "backward", "update")
    for when in ("before", "after")
)


class PathNetStrategy(SupervisedTemplate):  # type: ignore[misc]
    """PathNet learns each experience in a stage of its own, and freezes the path that it evolved.

    Evaluation is Avalanche's: each example goes through the frozen path of its task label. A label
    that was not learned yet is answered by the last task's features and an untrained readout, as
    the metric FWT wants. Training has no epochs or iterations in Avalanche's sense, so metrics of
    these stay empty; the best fitness of each generation is published as ``BestFitness``.

    Args:
        generations: budget of an experience, in generations of the strategy.
        seed: of all random numbers; Avalanche's own are neither drawn nor changed.
        pool: as ``[pool]`` of a configuration. Default: 24 modules per layer, 4 in use; layers by
            the shape of an example, convolutional for channels, height and width.
        strategy: as ``[strategy]``. Default: ``racing``.
        learner: as ``[learner]``. Default: ``sgd`` with momentum and a cosine schedule.
        transfer: as ``[transfer]``. Default: lateral columns; layers grow when they are full.
        device: ``cpu``, ``cuda`` or ``auto``.
        eval_mb_size: examples per minibatch of evaluation.
        plugins: Avalanche's, called around experiences and evaluations.
        evaluator: computes and logs Avalanche's metrics.
        eval_every: 0 evaluates before and after each experience; -1 only on request.

    Attributes:
        pathnet: what was learned; None before the first experience.
        stages: the stage of each task label that was learned.

    Raises:
        ConfigError: everything that is wrong with the sections.
        UserError: a plugin or ``eval_every`` that needs epochs or iterations.
    """

    def __init__(
        self,
        *,
        generations: int = 50,
        seed: int = 0,
        pool: Mapping[str, Any] = {},
        strategy: Mapping[str, Any] = {},
        learner: Mapping[str, Any] = {},
        transfer: Mapping[str, Any] = {},
        device: str = "cpu",
        eval_mb_size: int = 256,
        plugins: Sequence[Any] = (),
        evaluator: EvaluationPlugin | Callable[[], EvaluationPlugin] | None = default_evaluator,
        eval_every: int = -1,
    ) -> None:
        _check_plugins(plugins)
        if eval_every not in (-1, 0):
            raise UserError(f"eval_every is {eval_every}, but PathNet has no epochs: use -1 or 0")
        self.seed, self.generations = seed, generations
        self._sections = {
            "pool": pool,
            "strategy": strategy,
            "learner": learner,
            "transfer": transfer,
        }
        self._run = {"seed": seed, "device": device}
        self._registry = Registry()
        self.pathnet: PathNet | None = None
        self.stages: dict[int, int] = {}
        made = self._made((1, 1, 1))  # to be told of mistakes before data are read
        super().__init__(
            model=Paths(),
            optimizer=None,
            train_mb_size=1,
            eval_mb_size=eval_mb_size,
            device=made.device,
            plugins=[*plugins],
            evaluator=evaluator,
            eval_every=eval_every,
        )

    def make_train_dataloader(self, **kwargs: Any) -> None:
        """Make none: PathNet draws minibatches of its own."""
        self.dataloader: Any = []

    def check_model_and_optimizer(self, **kwargs: Any) -> None:
        """Refuse an experience that is not a new task; there is no optimizer."""
        check_stream(self.experience)
        label = label_of(self.experience)
        if label in self.stages:
            raise UserError(f"task label {label} was learned already, and its path is frozen")

    def model_adaptation(self, model: Any = None) -> Any:
        """Have the model answer for the experience that is evaluated, even if it is not learned."""
        label, classes = label_of(self.experience), classes_of(self.adapted_dataset)
        if label not in self.stages:
            beginning = first_example_of(self.experience, self.adapted_dataset)
            untrained = self._opened(beginning).before_training(beginning)
            self.model.hold(label, classes, untrained)
        self.model.widen(classes)
        return self.model.to(self.device)

    def _train_exp(self, experience: Any, eval_streams: Any = None, **kwargs: Any) -> None:
        """Learn one experience; then take all networks out of the pool."""
        if self.dataloader != []:
            raise UserError("a plugin replaced the data loader, which PathNet does not use")
        label = label_of(experience)
        with lend(Streams(self.seed, len(self.stages)).python("avalanche")):
            task = task_of(experience, self.adapted_dataset)
        pathnet = self._opened(task)
        pathnet.learn(task, ends=lambda: self._stop_training)
        self._stop_training = False
        self.model.classes[label] = [int(name) for name in task.class_names]
        self.stages[label] = len(self.stages)
        for each, stage in self.stages.items():
            self.model.hold(each, self.model.classes[each], pathnet.network(stage))

    def _opened(self, task: Any) -> PathNet:
        """PathNet, with a pool for inputs of a task's shape if it is new."""
        if self.pathnet is None:
            self.pathnet = self._made(task.input_shape)
        return self.pathnet

    def _made(self, shape: tuple[int, ...]) -> PathNet:
        config = self._run | configuration(self._sections, shape)
        return PathNet(config, self.generations, registry=self._registry, on_record=self._on_record)

    def _on_record(self, record: Record) -> None:
        """Count minibatches, and publish the fitness of generations."""
        if isinstance(record, Evaluated) and self.pathnet is not None:
            n_batches = getattr(self.pathnet.learner, "n_batches", 1)
            for counter in ("train_iterations", "train_exp_iterations", "total_iterations"):
                setattr(self.clock, counter, getattr(self.clock, counter) + n_batches)
        if isinstance(record, GenerationFinished) and record.best is not None:
            name = get_metric_name(FITNESS, self)
            at = self.clock.train_iterations
            self.evaluator.publish_metric_value(MetricValue(self, name, record.best, at))


def _check_plugins(plugins: Sequence[Any]) -> None:
    """Refuse plugins that would silently do nothing.

    Raises:
        UserError: one has callbacks that are never called.
    """
    for plugin in plugins:
        kind = type(plugin)
        own = [name for name in NEVER_CALLED if _own(kind, name)]
        if own:
            raise UserError(
                f"plugin {kind.__name__} works within epochs or iterations ({own[0]}), which "
                "PathNet does not have: leave it out"
            )


def _own(kind: type, name: str) -> bool:
    """Whether a plugin's class brings a callback of its own."""
    found = getattr(kind, name, None)
    return found is not None and found is not getattr(SupervisedPlugin, name, None)
