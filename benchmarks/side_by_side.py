"""Evaluations a second of two worker processes over one, on the CIFAR shape.

The ratio is bounded by the cores that are free: other work on the machine lowers it, so look at
the machine's load beside it. ``here`` is the learner's own evaluator, without any worker.
"""

from __future__ import annotations

import itertools
import os
import random
import statistics
import time
from collections.abc import Iterator

import torch
from measuring import CIFAR, MNIST, Setting, context, pool, task

from pathnet_evo.engines.inline import InlineEngine
from pathnet_evo.engines.processes import ProcessEngine
from pathnet_evo.interfaces.engines import Engine
from pathnet_evo.interfaces.evaluations import Candidate, Evaluator
from pathnet_evo_sgd.learner import SGD

ROUNDS, SECONDS = 7, 2.0


def candidates(setting: Setting) -> Iterator[Candidate]:
    """Random paths of exactly N modules a layer, so that every evaluation is as much work."""
    rng = random.Random(0)
    for number in itertools.count():
        rows = [rng.sample(range(setting.modules), setting.width) for _ in range(setting.layers)]
        yield Candidate(number, number, tuple(map(tuple, rows)), None, number)


def rate(waiting: Iterator[Candidate], evaluator: Evaluator, seconds: float) -> float:
    """Evaluations a second, from where the candidates go on."""
    told, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds:
        for candidate in itertools.islice(waiting, evaluator.free):
            evaluator.submit(candidate)
        for evaluation in evaluator.advance():
            assert not evaluation.failed, evaluation.cause
            told += 1
    return told / passed


def measure(setting: Setting) -> None:
    """Let the engines take turns, so that all see the same weather."""
    learned = task(setting)
    engines: dict[str, Engine] = {
        "here": InlineEngine(),
        "1 worker": ProcessEngine(workers=1),
        "2 workers": ProcessEngine(workers=2),
    }
    contestants = {}
    for name, engine in engines.items():
        shared = pool(setting)
        trains = engine.evaluator(SGD(learning_rate=1e-3), context(setting, shared, learned))
        contestants[name] = (candidates(setting), trains)
        rate(*contestants[name], 0.5)
    rates: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(ROUNDS):
        for name, (waiting, trains) in contestants.items():
            rates[name].append(rate(waiting, trains, SECONDS))
    for name, engine in engines.items():
        contestants[name][1].close()
        engine.close()
    print(f"{setting.name}: evaluations of 50 minibatches of 16, median of {ROUNDS}")
    for name, found in rates.items():
        print(f"  {name:<12} {statistics.median(found):8.1f} a second")
    ratios = [two / one for one, two in zip(rates["1 worker"], rates["2 workers"], strict=True)]
    print(f"  two workers over one: {statistics.median(ratios):.2f}   goal >= 1.7 on CIFAR")


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start")
    for shape in (MNIST, CIFAR):
        measure(shape)
