"""A stage as worker processes are given it: what is shared lies where all can see it."""

from __future__ import annotations

import copy
from typing import Any

import torch

from pathnet_evo.core.columns import Columns
from pathnet_evo.engines.protocol import StageBegins
from pathnet_evo.interfaces.learners import Learner, LearningContext
from pathnet_evo.workers.pipes import share_memory


def stage_for_workers(
    number: int, learner: Learner, context: LearningContext, shares_memory: bool
) -> StageBegins:
    """What a worker needs to know, its tensors in shared memory where there is some."""
    pool = context.pool
    for stack in pool.stacks(context.head):
        stack.carry(learner.carries(stack))
    carried = tuple(
        {name: tuple(stack.statistics[name].shape[1:]) for name in stack.carried}
        for stack in pool.stacks(context.head)
    )
    return StageBegins(
        round=number,
        learner=learner,
        task=_shared(context.task) if shares_memory else _on_cpu(context.task),
        kinds=tuple(layer.kind for layer in pool.layers),
        input_shape=pool.input_shape,
        aggregate=pool.aggregate.name,
        counts=tuple(len(layer) for layer in pool.layers),
        frozen=pool.frozen_path(),
        readout=context.head.readout.kind,
        columns=_columns(context.head.columns, shares_memory),
        carried=carried,
        device=str(context.device),
        streams=context.streams,
        always_active=context.always_active,
        budget=context.budget,
    )


def _columns(columns: Columns | None, shares_memory: bool) -> Columns | None:
    """Columns with their weights on the CPU."""
    if columns is None:
        return None
    copied = copy.deepcopy(columns).cpu()
    return copied.share_memory() if shares_memory else copied


def _on_cpu(task: Any) -> Any:
    return task.to("cpu") if hasattr(task, "to") else task


def _shared(task: Any) -> Any:
    """The task with its tensors on the CPU in memory that all workers see; nothing is copied."""
    task = _on_cpu(task)
    for value in vars(task).values() if hasattr(task, "__dict__") else ():
        if isinstance(value, torch.Tensor):
            share_memory(value)
    return task
