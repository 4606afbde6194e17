"""1 to 1,000 workers of one trial, simulated with constants that were measured on real ones.

``scale.py measure [NAME ...]`` measures the constants of shapes on Ray, and compares the simulation
with one and two real workers; ``scale.py simulate [--link 1.25e9] [--figure FILE]`` shows what more
of them would do. Needs ``pip install 'pathnet-evo[ray,benchmark]'``.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import simpy

RESULTS = Path(__file__).parent / "results" / "scale.json"
WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
INTERVAL = 30.0
"""Seconds between checkpoints, the default."""


@dataclass(frozen=True)
class Shape:
    """What one exchange is: an evaluation, or a rollout of all environments of a worker.

    Args:
        name: what is learned.
        layers, modules, width: L, M, and the modules of a layer that an exchange trains.
        module: bytes of a module, averaged over layers.
        head: bytes of the readout.
        keeps: whether a worker has what it trained itself, as with leases; else that comes back.
        seconds: of work in one exchange.
        driver: CPU seconds of the trial's process for one exchange of one worker.
        per_byte: CPU seconds of the trial's process for each byte that travels.
        call: seconds that a message takes, there or back.
        save: seconds for which a checkpoint holds the trial's process up.
        crowding: how much longer an exchange takes where two workers share this machine.
    """

    name: str
    layers: int
    modules: int
    width: int
    module: float
    head: float
    keeps: bool
    seconds: float
    driver: float
    per_byte: float
    call: float
    save: float
    crowding: float = 1.0


class Simulation:
    """W workers and the process of their trial.

    Args:
        shape: what they exchange.
        workers: how many, W.
        link: bytes a second of the trial's network, each way.
        deaths: of a worker in a second.
        restart: seconds until another one has taken its place.
    """

    def __init__(
        self, shape: Shape, workers: int, link: float, deaths: float = 0.0, restart: float = 20.0
    ) -> None:
        self.shape, self.link_speed, self.deaths, self.restart = shape, link, deaths, restart
        self.env, self.rng = simpy.Environment(), np.random.default_rng(workers)
        self.driver = simpy.Resource(self.env)
        self.down, self.up = simpy.Resource(self.env), simpy.Resource(self.env)
        self.versions = np.zeros((shape.layers, shape.modules), dtype=np.int64)
        self.done = self.overlapped = 0
        self.bytes = self.lost = self.driver_busy = self.link_busy = 0.0
        self.own = shape.layers * shape.width * shape.module + shape.head  # what always comes back
        for _ in range(workers):
            self.env.process(self._worker())
        self.env.process(self._checkpoints())

    def run(self, exchanges: int) -> dict[str, float]:
        """Simulate so many exchanges, after a tenth of them to begin with."""
        self._until(exchanges // 10)
        before = (self.env.now, self.done, self.overlapped, self.bytes)
        busy, sent, lost = self.driver_busy, self.link_busy, self.lost
        self._until(self.done + exchanges)
        seconds, done = self.env.now - before[0], self.done - before[1]
        return {
            "rate": done / seconds,
            "overlap": (self.overlapped - before[2]) / done,
            "bytes": (self.bytes - before[3]) / seconds,
            "lost": (self.lost - lost) / seconds,
            "driver": (self.driver_busy - busy) / seconds,
            "link": (self.link_busy - sent) / seconds,
        }

    def _until(self, done: int) -> None:
        while self.done < done:
            self.env.step()

    def _at_driver(self, seconds: float) -> Generator[Any, Any, None]:
        with self.driver.request() as turn:
            yield turn
            self.driver_busy += seconds
            yield self.env.timeout(seconds)

    def _travel(self, way: simpy.Resource, size: float) -> Generator[Any, Any, None]:
        self.bytes += size
        with way.request() as turn:
            yield turn
            self.link_busy += size / self.link_speed / 2
            yield self.env.timeout(size / self.link_speed)
        yield self.env.timeout(self.shape.call)

    def _worker(self) -> Generator[Any, Any, None]:
        shape, rows = self.shape, np.arange(self.shape.layers)[:, None]
        known, head = np.full_like(self.versions, -1), -1
        while True:
            order = self.rng.random(known.shape).argsort(axis=1)
            path = rows, order[:, : shape.width]
            lacks = int((known[path] != self.versions[path]).sum())
            fresh = lacks * shape.module + shape.head * (head != self.done)
            yield from self._at_driver(shape.driver / 2 + fresh * shape.per_byte)
            leased = self.versions[path].copy()
            known[path] = leased
            yield from self._travel(self.down, fresh)
            work = shape.seconds * self.rng.uniform(0.95, 1.05)
            dies = self.rng.exponential(1 / self.deaths) if self.deaths else math.inf
            if dies < work:
                self.lost += dies + self.restart
                yield self.env.timeout(dies + self.restart)
                known[:] = -1
                continue
            yield self.env.timeout(work)
            yield from self._travel(self.up, self.own)
            # The cost of the bytes that return is in ``driver``, as measured with one worker.
            yield from self._at_driver(shape.driver / 2)
            alone = self.versions[path] == leased
            self.versions[path] += 1
            self.overlapped += not alone.all()
            self.done += 1
            if shape.keeps:
                known[path] = np.where(alone, self.versions[path], -1)
                head = self.done

    def _checkpoints(self) -> Generator[Any, Any, None]:
        while True:
            yield self.env.timeout(INTERVAL)
            yield from self._at_driver(self.shape.save)


def simulate(shapes: list[Shape], link: float, a_day: float) -> dict[str, list[dict[str, float]]]:
    """Each shape with more and more workers; deaths are rare, so they are counted sped up."""
    found: dict[str, list[dict[str, float]]] = {}
    for shape in shapes:
        for workers in WORKERS:
            row = Simulation(shape, workers, link).run(exchanges := max(3 * workers, 300))
            faster = max(0.02 / shape.seconds / (a_day / 86_400), 1.0)
            dying = Simulation(shape, workers, link, faster * a_day / 86_400).run(exchanges)
            row["lost"] = dying["lost"] / workers / faster
            found.setdefault(shape.name, []).append({"workers": workers, **row})
    return found


def main() -> None:
    """Measure, or simulate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["measure", "simulate"])
    parser.add_argument("names", nargs="*", help="beginnings of the shapes to measure")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--link", type=float, default=1.25e9, help="bytes a second")
    parser.add_argument("--failures", type=float, default=1.0, help="of a worker, a day")
    parser.add_argument("--figure", help="file for the curves")
    given = parser.parse_args()
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if given.what == "measure":
        from scale_constants import measured

        for found in measured(given.seconds, given.names):
            kept[found["shape"]["name"]] = found
            print(*found["checks"], sep="\n", flush=True)
            RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
        return
    from scale_table import draw, show

    found = simulate([Shape(**of["shape"]) for of in kept.values()], given.link, given.failures)
    show(found)
    draw(found, given.figure)


if __name__ == "__main__":
    main()
