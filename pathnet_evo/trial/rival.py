"""A trial of a rival: the same stream, budget and scores as for the other arms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams, borrow, seed_globals
from pathnet_evo.interfaces.fingerprint import Fingerprint
from pathnet_evo.interfaces.records import Emit, TaskMade
from pathnet_evo.interfaces.rivals import Rival
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.interfaces.tasks import SupervisedTask
from pathnet_evo.setup.plan import Plan
from pathnet_evo.system.plugin_calls import calling
from pathnet_evo.trial.rival_stage import RivalStage, TrialStopped
from pathnet_evo.trial.trial import Checkpointer


@borrow()
def learn_with_rival(
    plan: Plan,
    trial: Trial,
    device: str,
    emit: Emit,
    stop: Callable[[], bool],
    rival: Rival,
    checkpointer: Checkpointer | None = None,
    start: dict[str, Any] | None = None,
) -> bool:
    """Let a rival learn every stage in turn.

    A rival has checkpoints at the ends of stages, if it has any: a stage that was stopped starts
    again.

    Args:
        plan: the run.
        trial: which arm, which seed.
        device: where to compute.
        emit: hears of everything that happens, in order.
        stop: asked after each evaluation; true ends the trial where it is.
        rival: learns; it has learned nothing yet.
        checkpointer: hears of the ends of stages.
        start: the state of the last checkpoint, as ``_state`` gave it; None begins the trial.

    Returns:
        Whether all stages were learned.
    """
    checkpointer = Checkpointer() if checkpointer is None else checkpointer
    streams, pool, data = Streams(trial.seed), None, list[str]()
    stages: list[RivalStage] = []
    n_learned = 0 if start is None else start["session"]["stages"]
    with calling("rival"):
        rival.begin()
    for i in range(len(plan.stages)):
        task = plan.make_task(i, streams, pool)
        assert isinstance(task, SupervisedTask)  # rehearsed
        fingerprint = Fingerprint.of(task)
        emit(TaskMade(trial.id, i, fingerprint))
        data.append(str(fingerprint))
        pool = plan.make_pool(task.input_shape, "meta") if pool is None else pool
        stages.append(RivalStage(plan, trial, i, task.to(device), pool, device, emit, stop, rival))
        if i < n_learned:
            continue
        if i == n_learned and start is not None:
            with calling("rival"):
                rival.restore(start["session"]["rival"], [stage.course for stage in stages[:-1]])
        seed_globals(streams.at(i), "stage")
        try:
            finished = stages[-1].learn([stage.task for stage in stages])
        except TrialStopped:
            return False
        with calling("rival"):
            kept = rival.state()
        state = None if kept is None else _state(pool, kept, data)
        emit(replace(finished, checkpoint=checkpointer.rival_finished(state, finished)))
    return True


def _state(pool: ModulePool, kept: dict[str, Any], data: Sequence[str]) -> dict[str, Any]:
    """A trial's state after a stage, like ``trial.state``; the pool of a rival is empty."""
    return {
        "input_shape": list(pool.input_shape),
        "layers": [],
        "learned": [],
        "session": {"rival": kept, "stages": len(data)},
        "seconds": 0.0,
        "data": list(data),
    }
