"""Steps a second of the labyrinth's vector environment, over those of the engines alone.

The engines alone: one thread a lane calls ViZDoom with random actions and takes the picture, which
is all that can be had without our code. Both take turns in one process, and are compared by the
median of the ratios; other work on the machine lowers both, and ours more, which waits for more
processes: so the processor time of a step is compared as well. Lanes on the command line: 1 8 64.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pathnet_evo_labyrinth.catalogue import game
from pathnet_evo_labyrinth.vector import LabyrinthVectorEnv
from pathnet_evo_labyrinth.worker import bare

LEVEL, ROUNDS, SECONDS = "seekavoid_arena", 5, 2.0


def ours(lanes: int, workers: int | None = None) -> tuple[Callable[[], float], Callable[[], None]]:
    """Steps a second of our environment, and what ends it."""
    env = LabyrinthVectorEnv(game(LEVEL), lanes, range(lanes), workers)
    env.reset()
    rng = np.random.default_rng(0)

    def rate() -> float:
        steps, start = 0, time.perf_counter()
        while (passed := time.perf_counter() - start) < SECONDS:
            env.step(rng.integers(10, size=lanes))
            steps += lanes
        return steps / passed

    return rate, env.close


def alone(lanes: int) -> tuple[Callable[[], float], Callable[[], None]]:
    """Steps a second of the engines without us, and what ends them."""
    spec = game(LEVEL).spec(1)
    games: list[Any] = []
    for lane in range(lanes):
        made = bare(spec)
        made.set_doom_map(spec["maps"][0])
        made.set_seed(lane)
        made.init()
        games.append(made)
    length = game(LEVEL).steps

    def play(made: Any, seed: int, counts: list[int], end: float) -> None:
        rng = np.random.default_rng(seed)
        while time.perf_counter() < end:
            if counts[seed] % length == 0:
                made.new_episode()
            made.make_action(spec["actions"][int(rng.integers(10))], spec["tics"])
            _ = made.get_state().screen_buffer
            counts[seed] += 1

    def rate() -> float:
        counts, start = [0] * lanes, time.perf_counter()
        threads = [
            threading.Thread(target=play, args=(made, seed, counts, start + SECONDS))
            for seed, made in enumerate(games)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(counts) / (time.perf_counter() - start)

    def close() -> None:
        for made in games:
            made.close()

    return rate, close


def processor_seconds() -> float:
    """What this process and all below it have used so far (Linux)."""
    parents, used = {}, {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(entry.parent.name)] = int(fields[1])
        used[int(entry.parent.name)] = int(fields[11]) + int(fields[12])
    total = 0
    for process in used:
        above = process
        while above not in (0, 1, os.getpid()):
            above = parents.get(above, 0)
        total += used[process] if above == os.getpid() else 0
    return total / os.sysconf("SC_CLK_TCK")


def measure(lanes: int) -> None:
    """Let both take turns, so that they see the same weather."""
    contestants = {"engines alone": alone(lanes), "environment": ours(lanes)}
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    costs: dict[str, list[float]] = {name: [] for name in contestants}
    for i in range(1 + ROUNDS):
        for name, (rate, _) in contestants.items():
            before = processor_seconds()
            found = rate()
            if i:
                rates[name].append(found)
                costs[name].append((processor_seconds() - before) / (found * SECONDS))
    for _, close in contestants.values():
        close()
    print(f"{lanes} lanes")
    for name in contestants:
        fast, cost = statistics.median(rates[name]), 1e6 * statistics.median(costs[name])
        print(
            f"  {name:<14} {fast:7.0f} steps a second, {cost:5.0f} microseconds of processor each"
        )
    for what, ours_, theirs in (
        ("steps a second", rates["environment"], rates["engines alone"]),
        ("steps a processor second", costs["engines alone"], costs["environment"]),
    ):
        ratio = statistics.median(a / b for a, b in zip(ours_, theirs, strict=True))
        print(f"  {what}, over the engines alone: {ratio:.2f}   goal >= 0.8")


if __name__ == "__main__":
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start")
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # the engines alone leave files in the current folder
        for n in map(int, sys.argv[1:] or ("1", "8", "64")):
            measure(n)
        os.chdir(here)
