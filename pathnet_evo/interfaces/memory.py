"""Memory of a run and of the machine: runs that do not fit are refused before they start.

Estimates are rough, and low rather than high: what they refuse has no chance.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from pathnet_evo.core.modules import ModuleKind, Shape

NUMBER = 4
"""Bytes of a float32."""
PROCESS = 300 * 2**20
"""Private bytes of a worker process; measured: 289 MiB with torch imported."""
LAYER = 3_400
"""Bytes of a layer besides its weights; measured."""
TRIAL = 150
"""Bytes of one trial in a plan; measured: 157."""
GROUP = Path("/sys/fs/cgroup")
"""The kernel's files about this process's control group, such as a container."""


def lacking(what: str, need: int) -> str | None:
    """Why something does not fit, in words, or None.

    Args:
        what: a plural noun.
        need: bytes.
    """
    free = available()
    if need <= free:
        return None
    return f"{what} need about {gibibytes(need)} of memory, and {gibibytes(free)} are free"


def available() -> int:
    """Bytes available without swapping; all memory if unknown."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        table = dict(line.split(":", 1) for line in lines if ":" in line)
        free = int(table["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        most, used = (int((GROUP / f"memory.{n}").read_text()) for n in ("max", "current"))
    except (OSError, ValueError):  # no group, or one without a limit
        return free
    return min(free, max(most - used, 0))


def gibibytes(number: int) -> str:
    """A number of bytes for people."""
    return f"{number / 2**30:,.1f} GiB" if number < 2**60 else "more than a billion GiB"


def of_pool(kinds: Sequence[ModuleKind], modules: int, input_shape: Shape) -> int:
    """Bytes of a pool's weights, and of its layers' outputs for one example.

    Raises:
        ShapeError: a layer cannot take its input.
    """
    numbers, shape = 0, input_shape
    for kind in kinds:
        numbers += modules * sum(map(math.prod, kind.parameter_shapes(shape).values()))
        shape = kind.output_shape(shape)
        numbers += math.prod(shape)
    return NUMBER * numbers + LAYER * len(kinds)


def of_readout(outputs: int, features: Shape) -> int:
    """Bytes of a readout's weights."""
    return NUMBER * outputs * (math.prod(features) + 1)


def of_population(genotypes: int, layers: int, width: int) -> int:
    """Bytes of a number of genotypes; measured: 970 each for L = N = 3."""
    return genotypes * (700 + layers * (64 + 8 * width))
