"""The readout of a task's columns that is fitted in closed form: when, and on what."""

from __future__ import annotations

import torch
from torch import Tensor

from pathnet_evo.core.columns import AT_ONCE
from pathnet_evo.core.fitted import FittedReadout
from pathnet_evo.core.head import TaskHead
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
        wanted: whether to; None decides by the number of examples.
    """
    if head.columns is None or not isinstance(task, SupervisedTask) or wanted is False:
        return
    rows = examples(learner, task, streams, "fitted-readout")
    few = len(rows) <= MOST and (budget.visits or 0) >= FEW_EXAMPLES
    if len(rows) < FEWEST or not (wanted or few):
        return
    rows = rows[:MOST].to(task.inputs.device)
    columns = head.columns
    heard = (columns(task.prepare(task.inputs[some])) for some in torch.split(rows, AT_ONCE))
    columns.fitted = FittedReadout.fit(columns.shapes, heard, task.labels[rows], task.n_classes)


@torch.no_grad()
def weigh_readouts(stage: Learned, pool: ModulePool, streams: Streams) -> None:
    """Give a stage's trained readout the spread of its fitted one, if it has one.

    Args:
        stage: a stage that is over, or as far as it is.
        pool: all modules.
        streams: of the stage.
    """
    columns, task = stage.head.columns, stage.task
    if columns is None or columns.fitted is None or not isinstance(task, SupervisedTask):
        return
    rows = examples(stage.learner, task, streams, "fitted-readout")[:AT_ONCE]
    network = pool.network(stage.path, stage.head)
    network.columns = columns.without_fitted()
    columns.fitted.weigh(network(task.prepare(task.inputs[rows.to(task.inputs.device)])))


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
