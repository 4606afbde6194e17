"""The constants of ``scale.py``, measured with one worker of Ray, and its predictions for two."""

from __future__ import annotations

import itertools
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from a3c_speed import KINDS, TASK, Pong
from measuring import CIFAR, MNIST, Setting, task
from scale import Shape, Simulation

from pathnet_evo.core.kinds import Conv2d, Linear
from pathnet_evo.core.modules import ModuleKind
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.evaluations import Candidate, Evaluator
from pathnet_evo.interfaces.learners import Learner, LearningContext
from pathnet_evo.workers.supervisor import TICK, Supervised, Supervisor
from pathnet_evo.workers.transport import WorkerLine
from pathnet_evo_a3c.learner import A3C
from pathnet_evo_ray.cluster import connected
from pathnet_evo_ray.engine import RayEngine
from pathnet_evo_sgd.learner import SGD

CONV = [*[Conv2d(channels=8, kernel=3, stride=2)] * 2, Linear(units=20)]
GAMES = 16
"""Environments of a worker."""
RESERVE = 0.45
"""CPUs that Ray reserves for a worker, so that two and whatever else there is fit on two cores."""


class OneThread(Pong):
    """Pong whose emulators have one thread, as its worker has; by default they take all cores."""

    def make(self, num_envs: int, seeds: Sequence[int], *, render: bool = False) -> Any:
        """ale-py's native vector environment."""
        from ale_py.vector_env import AtariVectorEnv

        return AtariVectorEnv("pong", num_envs, num_threads=1, reward_clipping=False)


PONG = OneThread("Pong", TASK.input_shape, TASK.n_actions, scale=TASK.scale, frame_skip=4)


@dataclass
class Case:
    """Something to learn."""

    name: str
    setting: Setting
    kinds: list[ModuleKind]
    learner: Learner
    learned: Any
    outputs: int
    game: bool = False

    def pool(self) -> ModulePool:
        """An initialised pool."""
        made = ModulePool(self.kinds, self.setting.modules, self.learned.input_shape)
        made.initialise(lambda layer: Streams(0).torch("init", layer))
        return made

    def context(self) -> LearningContext:
        """A stage."""
        pool = self.pool()
        head = pool.head(self.outputs, Streams(0).torch("readout"))
        return LearningContext(pool, head, self.learned, torch.device("cpu"), Streams(0, 0), False)


def cases() -> Iterator[Case]:
    """The shapes, one after another."""
    for setting in (MNIST, CIFAR):
        kinds: list[ModuleKind] = [Linear(units=setting.units)] * setting.layers
        learned = task(setting)
        yield Case(setting.name, setting, kinds, SGD(learning_rate=1e-3), learned, setting.classes)
    wide = SGD(n_batches=500, learning_rate=1e-3)
    yield Case("CIFAR, convolutional, 500 minibatches", CIFAR, CONV, wide, task(CIFAR), 10)
    pong = Setting("Atari", PONG.input_shape, modules=10, width=4, classes=6, layers=4)
    yield Case(
        "Atari (Pong, rollouts)", pong, KINDS, A3C(num_envs=GAMES), PONG, PONG.n_actions + 1, True
    )
    large = Setting("large", (3, 32, 32), modules=20, width=5, classes=10, units=990)
    kinds = [Linear(units=large.units)] * large.layers
    yield Case(
        "100 million parameters", large, kinds, SGD(learning_rate=1e-3), task(large, 1000), 10
    )


def candidates(setting: Setting) -> Iterator[Candidate]:
    """Random paths of exactly N modules a layer."""
    rng = random.Random(0)
    for number in itertools.count():
        rows = [rng.sample(range(setting.modules), setting.width) for _ in range(setting.layers)]
        yield Candidate(number, number, tuple(map(tuple, rows)), None, number)


class Measurement:
    """Workers of one case at work."""

    def __init__(self, case: Case, workers: int) -> None:
        self.case, self.workers = case, workers
        engine = RayEngine(workers=workers, cpus_per_worker=RESERVE)
        learner = case.learner
        if case.game:
            learner = learner.model_copy(update={"workers": workers})
        self.evaluator: Evaluator = engine.evaluator(learner, case.context())
        self.engine, self.waiting, self.told = engine, candidates(case.setting), 0
        while not self._all_there():
            self._run(1.0, least=1)
        self._run(2.0 * workers, least=2)

    def _all_there(self) -> bool:
        """Whether all workers have started; a game begins with the first."""
        if not self.case.game:
            return True
        members = self.evaluator.evaluator.workers.members  # type: ignore[attr-defined]
        return all(member.ready for member in members)

    def _run(self, seconds: float, least: int) -> float:
        began, before = time.perf_counter(), self._exchanges
        while (passed := time.perf_counter() - began) < seconds or self._exchanges - before < least:
            for candidate in itertools.islice(self.waiting, self.evaluator.free):
                self.evaluator.submit(candidate)
            for evaluation in self.evaluator.advance():
                assert not evaluation.failed, evaluation.cause
                self.told += 1
        return passed

    @property
    def _exchanges(self) -> int:
        if self.case.game:
            return int(self.evaluator.evaluator.server.updates)  # type: ignore[attr-defined]
        return self.told

    def figures(self, seconds: float) -> dict[str, float]:
        """What a while of work was like."""
        usage, done, used = self.evaluator.usage(), self._exchanges, time.process_time()
        passed = self._run(seconds, least=3 * self.workers)
        used, done = time.process_time() - used, self._exchanges - done
        now = self.evaluator.usage()
        waited = now["waiting"] - usage["waiting"]
        return {
            "rate": done / passed,
            "seconds": max(self.workers * passed - waited, 0.0) / done,
            "driver": used / done,
            "bytes": (now["bytes"] - usage["bytes"]) / done,
            "overlap": now.get("overlap", 1.0),
        }

    def close(self) -> None:
        """End the workers."""
        self.evaluator.close()
        self.engine.close()


def measured(seconds: float, words: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The constants of each shape, and what they predict beside what was measured.

    Args:
        seconds: of each measurement.
        words: what the names of shapes start with; none are all.
    """
    torch.set_num_threads(1)
    with connected():
        costs = _transport()
        for case in cases():
            if words and not case.name.startswith(tuple(words)):
                continue
            load = os.getloadavg()[0]
            shape, checks = _case(case, seconds, *costs)
            yield {"shape": asdict(shape), "checks": checks, "load": load}


def _case(
    case: Case, seconds: float, call: float, per_byte: float, idle: float
) -> tuple[Shape, list[dict[str, Any]]]:
    found = []
    for workers in (1, 2):
        measurement = Measurement(case, workers)
        found.append(measurement.figures(seconds))
        measurement.close()
    one, two = found
    pool = case.pool()
    sizes = [sum(v.nbytes for v in s.parameters.values()) for s in pool.layers]
    head = pool.head(case.outputs, torch.Generator()).readout
    width = case.setting.width
    if case.game:  # the paths of 16 environments use nearly all modules
        width = case.setting.modules
    shape = Shape(
        name=case.name,
        layers=len(pool.layers),
        modules=case.setting.modules,
        width=width,
        module=sum(sizes) / len(sizes) / case.setting.modules,
        head=sum(v.nbytes for v in head.parameters.values()),
        keeps=not case.game,
        seconds=one["seconds"],
        # While an exchange lasts it costs nothing, but the process wakes up now and then.
        driver=max(one["driver"] - idle / one["rate"], call + per_byte * one["bytes"]),
        per_byte=per_byte,
        call=call,
        save=_seconds(lambda: [layer.state() for layer in pool.layers]),
        crowding=two["seconds"] / one["seconds"],
    )
    checks = []
    for workers, real in enumerate(found, 1):
        crowding = shape.crowding if workers == 2 else 1.0
        slower = ("seconds", "driver", "per_byte", "call")  # two workers and the trial, two cores
        here = replace(shape, **{name: getattr(shape, name) * crowding for name in slower})
        guess = Simulation(here, workers, link=1e12).run(2000)
        checks.append(
            {
                "shape": case.name,
                "workers": workers,
                "rate": [real["rate"], guess["rate"]],
                "overlap": [real["overlap"], guess["overlap"]],
                "bytes": [real["bytes"], guess["bytes"] / guess["rate"]],
            }
        )
    return shape, checks


def _echo(line: WorkerLine, number: int) -> None:
    while True:
        line.send(line.receive())


def _transport() -> tuple[float, float, float]:
    """Seconds of a message there or back; CPU seconds of a byte, and of a second of waiting."""
    from pathnet_evo_ray.packing import packed, unpacked
    from pathnet_evo_ray.transport import RayTransport

    workers = Supervisor(RayTransport(RESERVE), _echo, Supervised, "echo")
    worker = workers.start(0)

    def there_and_back() -> None:
        worker.link.send(b"x")
        while not list(workers.hear(1.0)):
            pass

    there_and_back()
    clock = time.perf_counter
    call = statistics.median(_seconds(there_and_back, clock) for _ in range(200)) / 2
    idle = statistics.median(_seconds(lambda: list(workers.hear())) for _ in range(50)) / TICK
    workers.close()
    numbers = np.zeros(2**22, dtype=np.float32)
    each = [_seconds(lambda: unpacked(packed(numbers)).copy()) for _ in range(9)]
    return call, statistics.median(each) / numbers.nbytes, idle


def _seconds(what: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    began = clock()
    what()
    return clock() - began
