"""What a stage's network costs, and what the next task's network scores before it is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor
from torch.backends import mha
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from pathnet_evo.core.columns import Columns
from pathnet_evo.core.modules import Shape
from pathnet_evo.core.network import PathNetwork
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.stack import Stack
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.learners import Learner
from pathnet_evo.interfaces.records import BeforeTraining, NetworkMeasured
from pathnet_evo.interfaces.tasks import SupervisedTask, Task, TaskError
from pathnet_evo.system.plugin_calls import PluginFailed, calling
from pathnet_evo.trial.learned import Learned
from pathnet_evo.values.numbers import named


def measured(
    pool: ModulePool,
    learned: Sequence[Learned],
    usable: Iterable[int],
    trial: int,
    evaluations: int,
) -> NetworkMeasured:
    """What the latest network costs, and what all networks so far need together.

    Args:
        pool: all modules.
        learned: the stages so far.
        usable: those whose networks still live in the pool; every other one counts on its own.
        trial: the trial's id.
        evaluations: how many the latest stage took.
    """
    stage = len(learned) - 1
    network = learned[stage].network(pool)
    return NetworkMeasured(
        trial,
        stage,
        evaluations,
        parameters=_in_use(network, set()),
        multiply_adds=counted(network, pool.input_shape, network.shift.device),
        stored=_stored(pool, learned, {*usable}),
        fitted_readout=network.columns is not None and network.columns.fitted is not None,
    )


def counted(
    predict: Callable[[Tensor], Tensor], input_shape: Shape, device: torch.device
) -> int | None:
    """Multiply-adds of a prediction for one example, in matrix products and convolutions.

    None if zeros cannot be predicted for.
    """
    counter = FlopCounter()  # type: ignore[no-untyped-call]
    try:
        with calling("forward"), torch.no_grad(), _attention_in_parts(), counter:
            predict(torch.zeros(1, *input_shape, device=device))
    except PluginFailed:
        return None
    return counter.flops // 2


@contextmanager
def _attention_in_parts() -> Iterator[None]:
    """Have attention computed by the matrix products that it is made of.

    Torch has no formulas for some of the operations that compute it at once, as on CPUs.
    """
    fast = mha.get_fastpath_enabled()
    mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        mha.set_fastpath_enabled(fast)


class FlopCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operations within a block by torch's formulas.

    Torch's own counter would first import its compiler, which takes a second or two.
    """

    flops: int = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), keywords: Any = None
    ) -> Any:
        """Call an operation, and add what it takes."""
        keywords = keywords or {}
        result = operation(*args, **keywords)
        formula = flop_registry.get(operation.overloadpacket)
        if formula is not None:
            self.flops += int(formula(*args, **keywords, out_val=result))
        return result


def before_training(
    pool: ModulePool,
    last: Learned,
    learner: Learner,
    task: Task,
    streams: Streams,
    trial: int,
    stage: int,
) -> BeforeTraining | None:
    """Scores of a new task before it is trained, for its forward transfer.

    The features are those of the last stage's network. The readout is the one that the stage
    starts with, not trained yet. The baseline has random weights throughout.

    Args:
        pool: all modules, as the last stage left them.
        last: the last stage.
        learner: of the new task.
        task: the new task; None is measured for one without test examples, such as a game.
        streams: the random streams of the new stage.
        trial: the trial's id.
        stage: index of the new stage.
    """
    if not isinstance(task, SupervisedTask):
        return None
    with suppress(PluginFailed, TaskError), calling("score", TaskError):
        network = with_fresh_readout(pool, last, learner, task, streams)
        untrained = network.untrained(streams.torch("before-training"))
        untrained.shift, untrained.scale = network.shift, network.scale
        return BeforeTraining(
            trial,
            stage,
            scores=named(learner.score(network, task, streams)),
            untrained=named(learner.score(untrained, task, streams)),
        )
    return None


def with_fresh_readout(
    pool: ModulePool, last: Learned, learner: Learner, task: SupervisedTask, streams: Streams
) -> PathNetwork:
    """The features of the last stage with a fresh readout, even where the stage copies one."""
    readout = learner.readout(pool, task, streams.torch("readout"))
    head = last.head.with_readout(pool.layers, readout)
    return pool.network(last.path, head, task.shift, task.scale)


def _in_use(network: PathNetwork, seen: set[int], listened: bool = False) -> int:
    """Parameters that a prediction uses; of a path that is listened to, all but its readout."""
    if id(network) in seen:
        return 0
    seen.add(id(network))
    layers = network.layers[:-1] if listened else network.layers
    columns = network.columns if isinstance(network.columns, Columns) else None
    heard: Iterable[Any] = () if columns is None else columns.networks
    own = sum(values.numel() for values in layers.parameters())
    if columns is not None and not listened:
        own += _of_fitted(columns)
    return own + sum(_in_use(column, seen, True) for column in heard)


def _stored(pool: ModulePool, learned: Sequence[Learned], usable: set[int]) -> int:
    shared: set[tuple[int, int]] = set()
    total = 0
    for j, stage in enumerate(learned):
        modules = {(i, module) for i, row in enumerate(stage.path) for module in row}
        total += _of_head(stage)
        if j in usable:
            shared |= modules
        else:
            total += _of_modules(pool, modules)
    return total + _of_modules(pool, shared)


def _of_modules(pool: ModulePool, modules: Iterable[tuple[int, int]]) -> int:
    each = [_of_one(layer) for layer in pool.layers]
    return sum(each[layer] for layer, _ in modules)


def _of_head(stage: Learned) -> int:
    """Parameters of a task's readout, and of the maps that lead into its path and its readout."""
    maps = zip(stage.head.laterals, [*map(len, stage.path), 1], strict=True)
    columns = stage.head.columns
    fitted = 0 if columns is None else _of_fitted(columns)
    return (
        _of_one(stage.head.readout)
        + fitted
        + sum(n * _of_one(stack) for stack, n in maps if stack is not None)
    )


def _of_fitted(columns: Columns) -> int:
    """Parameters of the fitted readout, if there is one."""
    return 0 if columns.fitted is None else sum(p.numel() for p in columns.fitted.parameters())


def _of_one(stack: Stack) -> int:
    """Parameters of one module."""
    return sum(values[0].numel() for values in stack.parameters.values())
