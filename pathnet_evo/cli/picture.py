"""A pool and its fitness as a few characters, for a terminal."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Sequence

from rich.text import Text

from pathnet_evo.core.genotype import Path, Rows, distinct

RECENT = 64
"""Evaluations over which a module is hot or cold."""

WIDEST = 60
"""Maximum modules of a layer, or points of a line, for 80 columns."""

FROZEN, COLD = "#", "."
SHADES, PLAIN_SHADES = "░▒▓█", "-+*@"
BARS, PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.-=+*%@"


class PoolPicture:
    """Which modules are frozen, hot (in many of the latest paths) or cold (in none).

    Told apart by character as well as by colour.

    Args:
        counts: modules of each layer.
        frozen: the frozen modules of each layer.
    """

    def __init__(self, counts: Sequence[int], frozen: Path) -> None:
        self.counts = tuple(counts)
        self.frozen = [set(layer) for layer in frozen]
        self._uses = [Counter[int]() for _ in counts]
        self._recent: deque[Path] = deque()

    def add(self, genotype: Rows) -> None:
        """Add an evaluated genotype."""
        self._recent.append(distinct(genotype))
        for uses, modules in zip(self._uses, self._recent[-1], strict=True):
            uses.update(modules)
        if len(self._recent) > RECENT:
            for uses, modules in zip(self._uses, self._recent.popleft(), strict=True):
                uses.subtract(modules)

    def lines(self, plain: bool = False) -> list[Text]:
        """A line per layer, a character per module.

        Args:
            plain: use ASCII alone.
        """
        return [
            self._line(layer, PLAIN_SHADES if plain else SHADES)
            for layer in range(len(self.counts))
        ]

    def _line(self, layer: int, shades: str) -> Text:
        line = Text(f"layer {layer + 1:<3}", style="dim")
        for module in range(min(self.counts[layer], WIDEST)):
            share = self._uses[layer][module] / max(len(self._recent), 1)
            if module in self.frozen[layer]:
                line.append(FROZEN, style="bold cyan" if share else "cyan")
            elif share:
                line.append(shades[min(math.floor(share * 4), 3)], style="yellow")
            else:
                line.append(COLD, style="dim")
        return line.append("…" if self.counts[layer] > WIDEST else "")


class Sparkline:
    """Values over time in at most ``WIDEST`` bars; older ones are averaged as there are more."""

    def __init__(self) -> None:
        self._values: list[float] = []
        self._every = 1
        self._pending: list[float] = []

    def add(self, value: float) -> None:
        """Add a value; non-finite values are skipped."""
        if not math.isfinite(value):
            return
        self._pending.append(value)
        if len(self._pending) < self._every:
            return
        self._values.append(sum(v / self._every for v in self._pending))
        self._pending = []
        if len(self._values) >= WIDEST:
            pairs = zip(self._values[::2], self._values[1::2], strict=True)
            self._values = [a / 2 + b / 2 for a, b in pairs]
            self._every *= 2

    def text(self, plain: bool = False) -> str:
        """The bars, the lowest value the lowest bar.

        Args:
            plain: use ASCII alone.
        """
        bars = PLAIN_BARS if plain else BARS
        if not self._values:
            return ""
        low, high = min(self._values), max(self._values)
        half = (high / 2 - low / 2) or 1.0  # of the largest numbers a difference has no value
        shares = ((value / 2 - low / 2) / half for value in self._values)
        return "".join(bars[round(share * (len(bars) - 1))] for share in shares)
