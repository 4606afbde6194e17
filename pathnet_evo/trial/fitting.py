"""The readout of a task's columns that is fitted in closed form: when, and on what."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pathnet_evo.core.columns import AT_ONCE
from pathnet_evo.core.fitted import FittedReadout, explained
from pathnet_evo.core.head import TaskHead
from pathnet_evo.core.network import PathNetwork
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.budget import FEW_EXAMPLES, Budget
from pathnet_evo.interfaces.learners import Learner
from pathnet_evo.interfaces.tasks import SupervisedTask, Task
from pathnet_evo.system.plugin_calls import calling
from pathnet_evo.trial.learned import Learned

MOST = 2000
"""Examples that a readout is fitted on; of more, none is fitted unless it is wanted."""
FEWEST = 3
"""The same, at least."""
LEAST = 0.05
"""Share of the labels' variance that columns must explain: on SVHN after CIFAR-10 fully connected
columns explain 1 to 4 %, and their readout cost 6 points."""
LARGEST = 2**27
"""Units that are computed at once."""


def fit_readout(
    head: TaskHead,
    learner: Learner[Task],
    task: Task,
    budget: Budget,
    streams: Streams,
    wanted: bool | None,
) -> None:
    """Fit a readout of a new head's columns, if it has columns and examples are few.

    Args:
        head: whose columns are standardised already.
        learner: of the stage.
        task: of the stage.
        budget: of the stage.
        streams: of the stage.
        wanted: whether to; None decides by the number of examples, and by what the columns tell.
    """
    columns, outputs = head.columns, getattr(head.readout.kind, "outputs", None)
    if columns is None or not isinstance(task, SupervisedTask) or wanted is False:
        return
    rows = examples(learner, task, streams, "fitted-readout")
    few = len(rows) <= MOST and (budget.visits or 0) >= FEW_EXAMPLES
    if len(rows) < FEWEST or outputs != task.n_classes or not (wanted or few):
        return
    rows = rows[:MOST].to(task.inputs.device)
    size = sum(map(math.prod, columns.shapes))
    parts = torch.split(rows, max(1, min(AT_ONCE, LARGEST // size)))
    heard = (columns(task.prepare(task.inputs[part])) for part in parts)
    labels = task.labels[rows]
    fitted = FittedReadout.fit(heard, labels, outputs)
    if wanted or tells_more(fitted, task.prepare(task.inputs[rows]), labels):
        columns.fitted = fitted


def tells_more(fitted: FittedReadout, inputs: Tensor, labels: Tensor) -> bool:
    """Whether columns tell more of the classes than the inputs do, and not next to nothing.

    Otherwise their readout would only outvote the trained one.

    Args:
        fitted: the readout of the columns, as it was just fitted.
        inputs: ``(examples, ...)`` that it was fitted on, prepared for the network.
        labels: ``(examples,)`` int64.
    """
    least = max(LEAST, explained(inputs, labels, len(fitted.bias)))
    return fitted.explained is not None and fitted.explained > least


@torch.no_grad()
def weigh_readouts(stage: Learned, pool: ModulePool, streams: Streams) -> None:
    """Give a stage's trained readout the spread of its fitted one, if it has one.

    Where examples are held out, a fitted readout that makes the network worse on them is dropped.

    Args:
        stage: a stage that is over, or as far as it is.
        pool: all modules.
        streams: of the stage.
    """
    columns, task = stage.head.columns, stage.task
    if columns is None or columns.fitted is None or not isinstance(task, SupervisedTask):
        return
    trained = pool.network(stage.path, stage.head, task.shift, task.scale)
    trained.columns = columns.without_fitted()
    rows = examples(stage.learner, task, streams, "fitted-readout")[:AT_ONCE]
    columns.fitted.weigh(trained(task.inputs[rows.to(task.inputs.device)]))
    with calling("split_examples"):
        _, held = stage.learner.split_examples(task, streams)
    if len(held) and _right(stage.network(pool), task, held) < _right(trained, task, held):
        columns.fitted = None


def _right(network: PathNetwork, task: SupervisedTask, rows: Tensor) -> int:
    """How many examples a network classifies correctly."""
    return sum(
        int((network(task.inputs[part]).argmax(1) == task.labels[part]).sum())
        for part in torch.split(rows.to(task.inputs.device), AT_ONCE)
    )


def examples(learner: Learner[Task], task: SupervisedTask, streams: Streams, stream: str) -> Tensor:
    """Rows of the examples to learn from, in random order, one per source: copies would leak."""
    with calling("split_examples"):
        kept, _ = learner.split_examples(task, streams)
    kept = kept.cpu()
    order = kept[torch.randperm(len(kept), generator=streams.torch(stream))]
    if task.sources is None:
        return order
    first: dict[int, int] = {}
    for row, source in zip(order.tolist(), task.sources[order].tolist(), strict=True):
        first.setdefault(source, row)
    return torch.tensor([*first.values()])
