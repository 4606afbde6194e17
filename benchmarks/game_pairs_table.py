"""A table of what transfers between games, from the lines of ``game_pairs.py``.

    python game_pairs_table.py RESULTS [--draw FILE.png]

A cell is the area between an arm's learning curve and random actions, divided by the same of
``independent`` on the same game with the same seed: the mean over sources and seeds. Below it, for
each arm, the median over all pairs, with a 95 % interval over seeds from three on. Where
``independent`` learns next to nothing, there is no ratio (``--least``), but the mean area.
A game after itself shows what a way in carries at most, and does not count in the medians.
``--draw`` draws each pair, a panel for each arm, areas averaged over seeds before they are divided:
so a game counts that is learned under some seeds alone. It needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

from pathnet_evo.analysis.statistics import mean_interval

Line = dict[str, Any]
Pair = tuple[str, str]
"""A source and a target."""
CONTROL = "independent"
FEWEST = 3
"""Seeds of an interval; that of two says nothing."""
SPAN = 0.6
"""A ratio that differs so much from 1 has the darkest colour."""


def name_of(line: Line) -> str:
    """An arm, with its settings."""
    return " ".join([line["arm"], *line["options"]])


def ratios(lines: Sequence[Line], least: float) -> dict[str, dict[Pair, dict[int, float]]]:
    """Of each arm, pair and seed: its area, divided by that of ``independent``.

    Args:
        lines: of one number of frames.
        least: area of ``independent``, relative to the score of random actions, from which on
            there are ratios.
    """
    control = {key: x for key, x in _control(lines).items() if _learned(x, least)}
    found: dict[str, dict[Pair, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for line in lines:
        target, seed = line["target"], line["seed"]
        if line["arm"] != CONTROL and (target, seed) in control:
            ratio = line["area"] / control[target, seed]["area"]
            found[name_of(line)][line["source"], target][seed] = ratio
    return found


def ratios_of_means(lines: Sequence[Line], least: float) -> dict[str, dict[Pair, float]]:
    """Of each arm and pair: its mean area over seeds, divided by that of ``independent``.

    Args:
        lines: of one number of frames.
        least: as for ``ratios``, of the means.
    """
    control = _control(lines)
    areas: dict[str, dict[Pair, list[Line]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        if line["arm"] != CONTROL and (line["target"], line["seed"]) in control:
            areas[name_of(line)][line["source"], line["target"]].append(line)
    found: dict[str, dict[Pair, float]] = {}
    for arm, pairs in areas.items():
        found[arm] = {}
        for pair, own in pairs.items():
            base = [control[line["target"], line["seed"]] for line in own]
            mine, theirs = (mean(line["area"] for line in of) for of in (own, base))
            if theirs >= least * mean(line["chance"] for line in base):
                found[arm][pair] = mine / theirs
    return found


def table(lines: Sequence[Line], least: float) -> Iterator[str]:
    """A row for each target, one for the medians, and one for games after themselves.

    Args:
        lines: of one number of frames.
        least: see ``ratios``.
    """
    control, found = _control(lines), ratios(lines, least)
    arms = [*dict.fromkeys(name_of(line) for line in lines if line["arm"] != CONTROL)]
    yield "| target | seeds | random actions | independent | " + " | ".join(arms) + " |"
    yield "| --- " * (4 + len(arms)) + "|"
    for game in _games(lines):
        own = [line for (target, _), line in control.items() if target == game]
        if not own:
            continue
        cells = []
        for arm in arms:
            of = {pair: each for pair, each in found[arm].items() if pair[1] == game}
            others = [x for pair, each in of.items() if not _itself(pair) for x in each.values()]
            areas = [x["area"] for x in lines if x["target"] == game and name_of(x) == arm]
            if others:
                cells.append(f"{mean(others):.2f}")
            else:
                cells.append(f"area {mean(areas):.2f}" if areas and not of else "")
        about = f"{mean(x['chance'] for x in own):.2f} | area {mean(x['area'] for x in own):.2f}"
        yield f"| {game} | {len(own)} | {about} | " + " | ".join(cells) + " |"
    for name, same in (("median over pairs", False), ("after itself", True)):
        yield f"| {name} | | | | " + " | ".join(_median(found[arm], same) for arm in arms) + " |"


def _control(lines: Sequence[Line]) -> dict[tuple[str, int], Line]:
    return {(x["target"], x["seed"]): x for x in lines if x["arm"] == CONTROL}


def _games(lines: Sequence[Line]) -> list[str]:
    return [*dict.fromkeys(line["target"] for line in lines)]


def _learned(line: Line, least: float) -> bool:
    return bool(line["area"] >= least * max(line["chance"], 1e-9))


def _itself(pair: Pair) -> bool:
    return pair[0] == pair[1]


def _median(pairs: Mapping[Pair, Mapping[int, float]], same: bool) -> str:
    """The median over pairs, averaged over seeds."""
    by_seed: dict[int, list[float]] = defaultdict(list)
    for pair, each in pairs.items():
        if _itself(pair) is same:
            for seed, ratio in each.items():
                by_seed[seed].append(ratio)
    if not by_seed:
        return ""
    centre, interval = mean_interval([median(of) for of in by_seed.values()])
    if interval is None or len(by_seed) < FEWEST:
        return f"{centre:.2f}"
    return f"{centre:.2f} ({interval[0]:.2f} to {interval[1]:.2f})"


def draw(lines: Sequence[Line], least: float, picture: Path) -> None:
    """The ratio of each pair: sources below each other, a panel an arm.

    Args:
        lines: of one number of frames.
        least: see ``ratios_of_means``.
        picture: where to.
    """
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    found = ratios_of_means(lines, least)
    games = sorted(_games(lines))
    names = [game.replace("_", " ") for game in games]
    figure, panels = pyplot.subplots(
        1, len(found), figsize=(4.6 * len(found), 3.9), layout="constrained", squeeze=False
    )
    for axes, (arm, pairs) in zip(panels[0], found.items(), strict=True):
        shown = [[pairs.get((s, t), math.nan) for t in games] for s in games]
        axes.imshow(shown, "PuOr_r", vmin=1 - SPAN, vmax=1 + SPAN)
        for row, values in enumerate(shown):
            for column, value in enumerate(values):
                text = "" if math.isnan(value) else f"{value:.2f}"
                dark = abs(value - 1) > 0.7 * SPAN
                colour = "white" if dark else "black"
                axes.text(column, row, text, ha="center", va="center", color=colour)
        axes.set_xticks(range(len(games)), names, rotation=30, ha="right")
        axes.set_yticks(range(len(games)), names)
        axes.set(title=arm, xlabel="target", ylabel="source")
    figure.savefig(picture, dpi=80)


def main() -> None:
    """Print a table for each number of frames; draw the first one's pairs if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--least", type=float, default=0.2)
    parser.add_argument("--seeds", nargs="+", type=int, help="these alone")
    parser.add_argument("--arms", nargs="+", help="these alone, beside independent")
    parser.add_argument("--draw", type=Path, metavar="FILE.png")
    arguments = parser.parse_args()
    every = [json.loads(line) for line in arguments.results.read_text().splitlines()]
    arms = arguments.arms and [CONTROL, *arguments.arms]
    lines = [
        line
        for line in every
        if (arguments.seeds is None or line["seed"] in arguments.seeds)
        and (arms is None or name_of(line) in arms)
    ]
    if not lines:
        parser.error("no such lines")
    for frames in dict.fromkeys(line["frames"] for line in lines):
        print(f"\n{frames:,} frames a stage:\n")
        print("\n".join(table([x for x in lines if x["frames"] == frames], arguments.least)))
    if arguments.draw is not None:
        of = [line for line in lines if line["frames"] == lines[0]["frames"]]
        draw(of, arguments.least, arguments.draw)


if __name__ == "__main__":
    main()
