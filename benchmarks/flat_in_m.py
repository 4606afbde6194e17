"""A generation's cost as layers grow, in all their modules and in frozen ones.

A leased evaluation costs what its path costs: neither M nor the number of frozen modules beside
the path should be felt.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from measuring import (
    CIFAR,
    MNIST,
    FullWidth,
    Setting,
    evaluator,
    generation,
    interleaved,
    pool,
    report,
    task,
)

SIZES = (20, 200, 2_000, 20_000)


def free_bytes() -> int:
    """Memory that is available now; 0 where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))


def needed_bytes(setting: Setting, modules: int) -> int:
    """A pool's parameters, and a quarter for the rest."""
    inputs = task(setting, 100).inputs[0].numel()
    per_module = setting.units * (inputs + 1 + (setting.layers - 1) * (setting.units + 1))
    return modules * per_module * 5


def contestant(setting: Setting, modules: int, frozen: float = 0) -> Callable[[], None]:
    """Generations of paths of modules that are not frozen, within a pool of a size."""
    shared = pool(setting, modules)
    n_frozen = round(frozen * modules)
    strategy = FullWidth(shared.shape(setting.width), random.Random(0), population=64)
    strategy.first = n_frozen
    for layer in shared.layers:
        layer.freeze(range(n_frozen))
    trains = evaluator(setting, shared, task(setting))
    return lambda: generation(strategy, trains)


def main() -> None:
    """Measure the published shapes."""
    for setting, rounds in ((MNIST, 40), (CIFAR, 15)):
        free = free_bytes()
        sizes = [m for m in SIZES if needed_bytes(setting, m) < 0.7 * free or m == SIZES[0]]
        for m in sorted(set(SIZES) - set(sizes)):
            print(
                f"{setting.name}: M = {m} skipped, it needs {needed_bytes(setting, m) / 1e9:.1f} GB"
            )
        print(f"{setting.name}: a generation, by the number of modules a layer")
        medians = interleaved({f"M = {m}": contestant(setting, m) for m in sizes}, rounds)
        report(medians, "M = 20", {f"M = {m}": 1.1 for m in sizes[1:]})
        print(f"{setting.name}: a generation, M = 200, by the share of frozen modules")
        shares = (0, 0.5, 0.9)
        medians = interleaved(
            {f"{s:.0%} frozen": contestant(setting, 200, s) for s in shares}, rounds
        )
        report(medians, "0% frozen", {f"{s:.0%} frozen": 1.1 for s in shares[1:]})


if __name__ == "__main__":
    main()
