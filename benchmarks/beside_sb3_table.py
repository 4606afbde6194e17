"""A table of the lines of ``beside_sb3.py``: ``beside_sb3_table.py RESULTS [--draw FILE.png]``.

The area under the curve is the mean return over the training steps; a part of the steps in which no
episode ended counts as the one before it. Means over seeds with 95 % intervals, from three seeds
on; no return is below 0. ``--draw`` draws the curves with their intervals, a panel for each task;
it needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pathnet_evo.analysis.statistics import AMOUNT, mean_interval

Line = dict[str, Any]
FEWEST = 3
"""Seeds of an interval; that of two says nothing."""
COLOURS = ("#0072b2", "#56b4e9", "#d55e00", "#e69f00", "#009e73", "#cc79a7", "#000000", "#999999")


def read(file: Path) -> dict[tuple[str, int], dict[str, list[Line]]]:
    """The lines of each task and number of steps, by arm."""
    found: dict[tuple[str, int], dict[str, list[Line]]] = defaultdict(lambda: defaultdict(list))
    for line in map(json.loads, file.read_text().splitlines()):
        found[line["task"], line["steps"]][" ".join([line["arm"], *line["options"]])].append(line)
    return found


def filled(curve: Sequence[float | None]) -> list[float]:
    """A curve without gaps: each takes the value before it, at the beginning the first one.

    Raises:
        ValueError: it has no value.
    """
    last = next((value for value in curve if value is not None), None)
    if last is None:
        raise ValueError("no episode ended")
    values = []
    for value in curve:
        last = last if value is None else value
        values.append(last)
    return values


def area(line: Line) -> float:
    """The mean of a curve."""
    values = filled(line["curve"])
    return sum(values) / len(values)


def table(lines: dict[tuple[str, int], dict[str, list[Line]]]) -> Iterator[str]:
    """A row for each task and arm."""
    yield "| task, steps | arm | seeds | area under the curve | after training | CPU seconds |"
    yield "| --- " * 6 + "|"
    for (task, steps), arms in lines.items():
        for arm, found in arms.items():
            cells = [
                _shown([area(line) for line in found]),
                _shown([line["score"] for line in found]),
                f"{sum(line['cpu_seconds'] for line in found) / len(found):.0f}",
            ]
            yield f"| {task}, {steps:,} | {arm} | {len(found)} | {' | '.join(cells)} |"


def _shown(values: Sequence[float]) -> str:
    mean, interval = mean_interval(values, AMOUNT)
    digits = 1 if abs(mean or 0) >= 10 else 2
    if interval is None or len(values) < FEWEST:
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} ({interval[0]:.{digits}f} to {interval[1]:.{digits}f})"


def draw(lines: dict[tuple[str, int], dict[str, list[Line]]], picture: Path) -> None:
    """Mean curves over seeds, with their intervals; those of stable-baselines3 are dashed."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(
        1, len(lines), figsize=(4 * len(lines) + 1.7, 3.4), layout="constrained", squeeze=False
    )
    names = [*dict.fromkeys(arm for arms in lines.values() for arm in arms)]
    for axes, ((task, steps), arms) in zip(panels[0], lines.items(), strict=True):
        for arm, found in arms.items():
            points = [
                mean_interval(values, AMOUNT)
                for values in zip(*(filled(line["curve"]) for line in found), strict=True)
            ]
            at = [(i + 1) * steps / len(points) / 1000 for i in range(len(points))]
            colour = COLOURS[names.index(arm) % len(COLOURS)]
            style = "--" if arm.startswith("sb3") else "-"
            axes.plot(at, [mean for mean, _ in points], style, color=colour, label=arm)
            bounds = [interval for _, interval in points if interval is not None]
            if len(found) >= FEWEST and len(bounds) == len(at):
                axes.fill_between(
                    at, *zip(*bounds, strict=True), color=colour, alpha=0.15, linewidth=0
                )
        top = max(max(line.get_ydata()) for line in axes.get_lines())  # intervals can be wider
        axes.set(title=task, xlabel="thousands of environment steps", ylim=(0, 1.25 * top))
    panels[0, 0].set_ylabel("return of training episodes")
    handles = {
        name: handle
        for axes in panels[0]
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside right upper", frameon=False)
    figure.savefig(picture, dpi=80)


def main() -> None:
    """Print the table; draw the curves if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--draw", type=Path, metavar="FILE.png")
    given = parser.parse_args()
    lines = read(given.results)
    print("\n".join(table(lines)))
    if given.draw is not None:
        draw(lines, given.draw)


if __name__ == "__main__":
    main()
