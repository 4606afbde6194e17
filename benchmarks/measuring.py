"""What the benchmarks share: interleaved timing, and made-up tasks of the published shapes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch

from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.evaluations import Candidate, Evaluator
from pathnet_evo.interfaces.learners import LearningContext
from pathnet_evo.interfaces.strategies import Strategy
from pathnet_evo.interfaces.tasks import SupervisedTask
from pathnet_evo.strategies.binary_tournament import BinaryTournament
from pathnet_evo_sgd.learner import SGD


@dataclass(frozen=True)
class Setting:
    """A published experiment's sizes."""

    name: str
    input_shape: tuple[int, ...]
    modules: int
    width: int
    classes: int
    layers: int = 3
    units: int = 20


MNIST = Setting("MNIST", (1, 28, 28), modules=10, width=3, classes=2)
CIFAR = Setting("CIFAR", (3, 32, 32), modules=20, width=5, classes=10)


def task(setting: Setting, examples: int = 10_000) -> SupervisedTask:
    """Random pixels and labels, normalised as they are used: the time is that of real ones."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randint(256, (examples, *setting.input_shape), generator=generator)
    labels = torch.randint(setting.classes, (examples,), generator=generator)
    colours = (setting.input_shape[0], 1, 1)
    pixels = inputs.to(torch.uint8)
    return SupervisedTask(
        setting.name,
        pixels,
        labels,
        pixels[:100],
        labels[:100],
        setting.classes,
        shift=torch.full(colours, 127.5),
        scale=torch.full(colours, 1 / 74),
    )


def pool(setting: Setting, modules: int | None = None) -> ModulePool:
    """An initialised pool."""
    kinds = [Linear(units=setting.units)] * setting.layers
    made = ModulePool(kinds, modules or setting.modules, setting.input_shape)
    made.initialise(lambda layer: Streams(0).torch("init", layer))
    return made


def context(setting: Setting, shared: ModulePool, learned: SupervisedTask) -> LearningContext:
    """A stage's context."""
    head = shared.head(setting.classes, Streams(0).torch("readout"))
    return LearningContext(
        shared, head, learned, torch.device("cpu"), Streams(0, 0), always_active=False
    )


class FullWidth(BinaryTournament):
    """The paper's tournament, but between random paths of exactly N modules a layer.

    So that all contestants do the same arithmetic; ``first`` is the lowest module they use.
    """

    first = 0

    def ask(self, n: int) -> list[Candidate]:
        """The contestants, with genotypes drawn anew."""
        for member in self.members:
            counts = [range(self.first, count) for count in self.shape.counts]
            member.genotype[:] = [self.rng.sample(c, self.shape.width) for c in counts]
        return super().ask(n)


def evaluator(setting: Setting, shared: ModulePool, learned: SupervisedTask) -> Evaluator:
    """The SGD learner's evaluator: 50 minibatches of 16."""
    return SGD(learning_rate=1e-3).evaluator(context(setting, shared, learned))


def generation(strategy: Strategy, trains: Evaluator) -> None:
    """Two evaluations: one tournament."""
    told = 0
    while told < 2:
        for candidate in strategy.ask(trains.free):
            trains.submit(candidate)
        for evaluation in trains.advance():
            assert not evaluation.failed, evaluation.cause
            strategy.tell(evaluation)
            told += 1


def interleaved(
    contestants: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 3
) -> dict[str, float]:
    """Median seconds of each contestant; they take turns, so that all see the same weather."""
    torch.set_num_threads(1)
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for i in range(warm_up + rounds):
        for name, contestant in contestants.items():
            start = time.perf_counter()
            contestant()
            if i >= warm_up:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


@dataclass(frozen=True)
class Rate:
    """How fast a contestant is.

    Args:
        clock: median steps a second.
        busy: median steps a second of CPU time.
        threads: of torch, with which it was measured.
    """

    clock: float
    busy: float
    threads: int


def rates(
    contestants: Mapping[str, Callable[[], int]], threads: Mapping[str, Iterable[int]], rounds: int
) -> dict[str, Rate]:
    """The rate of each contestant, with the number of threads with which it is fastest.

    On a busy machine, threads of torch that wait for one another may cost more than they bring.

    Args:
        contestants: each plays, and gives how many steps; they take turns.
        threads: of torch, to be tried; by default one.
        rounds: how many, after one that does not count.
    """
    variants = [(name, n) for name in contestants for n in sorted({*threads.get(name, (1,))})]
    seconds: dict[tuple[str, int], list[tuple[float, float]]] = {key: [] for key in variants}
    for i in range(1 + rounds):
        for name, n in variants:
            torch.set_num_threads(n)
            start, worked = time.perf_counter(), time.process_time()
            steps = contestants[name]()
            clock, busy = time.perf_counter() - start, time.process_time() - worked
            if i:
                seconds[name, n].append((steps / clock, steps / busy))
    found: dict[str, Rate] = {}
    for (name, n), measured in seconds.items():
        clock, busy = map(statistics.median, zip(*measured, strict=True))
        if name not in found or clock > found[name].clock:
            found[name] = Rate(clock, busy, n)
    return found


def report(medians: Mapping[str, float], reference: str, goals: Mapping[str, float]) -> None:
    """Print each median and its ratio to the reference."""
    for name, seconds in medians.items():
        goal = f"   goal <= {goals[name]:g}" if name in goals else ""
        print(f"  {name:<34} {1e3 * seconds:9.2f} ms {seconds / medians[reference]:7.3f}{goal}")
