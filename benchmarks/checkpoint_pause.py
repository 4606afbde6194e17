"""How long training waits for a checkpoint, as a share of the default interval."""

from __future__ import annotations

import statistics
import tempfile
import time
from importlib.metadata import EntryPoint
from pathlib import Path

import torch
from measuring import CIFAR, task

from pathnet_evo.core.pool import ModulePool
from pathnet_evo.interfaces.records import Checkpointed, Record
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.interfaces.tasks import SupervisedTask, TaskContext, TaskSettings
from pathnet_evo.plugins.hookspecs import hookimpl
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup import config
from pathnet_evo.setup.config import CheckpointsConfig
from pathnet_evo.setup.plan import Plan
from pathnet_evo.setup.resolving import resolve
from pathnet_evo.store.checkpointer import TrialCheckpointer
from pathnet_evo.store.folder import Folder
from pathnet_evo.trial.learned import Learned
from pathnet_evo.trial.stage import StageRun
from pathnet_evo.trial.trial import learn_sequence

GENERATIONS = 60
EVERY = 0.5


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


class Waiting(TrialCheckpointer):
    """Measures how long training waits between two rounds."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.waits: list[float] = []

    def between(
        self, pool: ModulePool, learned: list[Learned], stage_run: StageRun, stopping: bool
    ) -> None:
        """Take a checkpoint if one is due."""
        start = time.perf_counter()
        super().between(pool, learned, stage_run, stopping)
        self.waits.append(time.perf_counter() - start)


def plan_of(modules: int) -> Plan:
    """CIFAR's network with so many modules a layer."""
    homes = {
        "core": "pathnet_evo.plugins.builtin",
        "sgd": "pathnet_evo_sgd",
        "here": f"{__name__}:PLUGIN",
    }
    registry = Registry([EntryPoint(n, home, "pathnet_evo") for n, home in homes.items()])
    layers = [{"kind": "linear", "units": CIFAR.units, "repeat": CIFAR.layers}]
    data = {
        "arms": ["pathnet"],
        "pool": {"modules": modules, "width": CIFAR.width, "layers": layers},
        "stages": [{"task": "made-up", "generations": GENERATIONS}] * 2,
    }
    return resolve(config.validate(data), registry)


def measure(modules: int) -> None:
    """A run with checkpoints; how long it waited for each."""
    written: list[Record] = []
    plan, trial = plan_of(modules), Trial(0, "pathnet", 0)
    often = CheckpointsConfig(seconds=EVERY)
    with tempfile.TemporaryDirectory() as folder:
        checkpointer = Waiting(Folder(Path(folder)), trial, often, written.append)
        learn_sequence(plan, trial, "cpu", checkpointer.emit, checkpointer=checkpointer)
        size = max(f.stat().st_size for f in Path(folder).rglob("weights.safetensors"))
    taken = sum(isinstance(record, Checkpointed) for record in written)
    waits = sorted(checkpointer.waits, reverse=True)[:taken]
    default = CheckpointsConfig().seconds
    print(
        f"M = {modules}, {size / 2**20:.0f} MB: {taken} checkpoints, waited "
        f"{1000 * statistics.median(waits):.1f} ms in the median, {1000 * waits[0]:.1f} ms at "
        f"most: {statistics.mean(waits) / default:.3%} of {default:g} s"
    )


def main() -> None:
    """CIFAR's pool, and larger ones."""
    torch.set_num_threads(1)
    for modules in (CIFAR.modules, 200, 1000):
        measure(modules)
    print("goal < 5 %")


if __name__ == "__main__":
    main()
