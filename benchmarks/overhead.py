"""The share of a run that is not evaluations: strategy, records, lineage, scoring, freezing."""

from __future__ import annotations

import tempfile
import time
from importlib.metadata import EntryPoint
from pathlib import Path
from statistics import median

import torch
from measuring import CIFAR, task

from pathnet_evo.interfaces.records import Evaluated, Record, TrialStarted
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.interfaces.tasks import SupervisedTask, TaskContext, TaskSettings
from pathnet_evo.plugins.hookspecs import hookimpl
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup import config
from pathnet_evo.setup.resolving import resolve
from pathnet_evo.store.lineage import Lineage
from pathnet_evo.trial.trial import learn_sequence


class MadeUp(TaskSettings):
    """Random pixels of CIFAR's shape, made once."""

    def make(self, context: TaskContext) -> SupervisedTask:
        """The same task each time."""
        return TASK


class Plugin:
    """The benchmark's own plugin."""

    @hookimpl
    def register_tasks(self, register: object) -> None:
        """The task ``made-up``."""
        register("made-up", MadeUp)


TASK = task(CIFAR)
PLUGIN = Plugin()
GENERATIONS = 40


def share(connect: str) -> tuple[float, float]:
    """Two stages with a lineage: 1 - evaluations / all, and the seconds outside evaluations."""
    homes = {
        "core": "pathnet_evo.plugins.builtin",
        "sgd": "pathnet_evo_sgd",
        "here": f"{__name__}:PLUGIN",
    }
    registry = Registry([EntryPoint(n, home, "pathnet_evo") for n, home in homes.items()])
    pool = {
        "modules": CIFAR.modules,
        "width": CIFAR.width,
        "layers": [{"kind": "linear", "units": CIFAR.units, "repeat": CIFAR.layers}],
    }
    stage = {"task": "made-up", "generations": GENERATIONS}
    data = {
        "arms": ["pathnet"],
        "pool": pool,
        "learner": {"name": "sgd"},
        "transfer": {"connect": connect},
        "stages": [stage] * 2,
    }
    plan = resolve(config.validate(data), registry)
    training = 0.0
    with tempfile.TemporaryDirectory() as folder:
        lineage = Lineage(Path(folder) / "lineage.sqlite")

        def emit(record: Record) -> None:
            nonlocal training
            lineage.write(record)
            if isinstance(record, Evaluated):
                training += record.evaluation.seconds

        start = time.perf_counter()
        emit(TrialStarted(0, "pathnet", 0))
        learn_sequence(plan, Trial(0, "pathnet", 0), "cpu", emit)
        lineage.close()
        whole = time.perf_counter() - start
    return 1 - training / whole, whole - training


def main() -> None:
    """Measure a few runs."""
    torch.set_num_threads(1)
    print(f"CIFAR: two stages of {GENERATIONS} generations, outside the evaluations")
    for connect, goal in (("published", "   goal < 5 %"), ("lateral", "")):
        shares, seconds = zip(*(share(connect) for _ in range(5)), strict=True)
        shown = ", ".join(f"{s:.2%}" for s in sorted(shares))
        print(f"  {connect}: {shown}; median {median(shares):.1%}{goal}")
        print(f"    {median(seconds):.2f} s, once a stage and for each evaluation")


if __name__ == "__main__":
    main()
