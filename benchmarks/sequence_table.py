"""A table in Markdown of a sequence of tasks: what was learned, kept, and what a prediction costs.

    python benchmarks/sequence_table.py runs/cifar-ten --from 2

Means over the tasks from ``--from`` on, and PathNet against each control, paired by seed, with 95 %
intervals. Parameters and multiply-adds are of the last task's network and of the largest, those of
the frozen paths that it listens to included.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from pathnet_evo.analysis.statistics import mean_interval
from pathnet_evo.core.network import PathNetwork
from pathnet_evo.running.loading import Run, load_run


def seeds_of(run: Run, arm: str, first: int) -> dict[int, float]:
    """By seed the mean score of the tasks from ``first`` on, each right after it was learned."""
    stages = run.summary["arms"][arm]["stages"][first:]
    name = run.summary["stages"][0]["score"]
    by_seed = [stage["scores"][name]["seeds"] for stage in stages]
    whole = set.intersection(*map(set, by_seed))
    return {int(s): sum(scores[s] for scores in by_seed) / len(by_seed) for s in sorted(whole)}


def forgotten(run: Run, arm: str) -> str:
    """The mean loss over earlier tasks; exactly 0 where no score changed at all."""
    name = run.summary["stages"][0]["score"]
    lost = [s["forgetting"].get(name) for s in run.summary["arms"][arm]["stages"][:-1]]
    values = [v for found in lost if found for v in found["seeds"].values()]
    if not values:
        return ""
    return f"{100 * sum(values) / len(values):.1f} points" if any(values) else "0, exactly"


def cost(network: PathNetwork) -> tuple[int, int]:
    """Parameters, and multiply-adds of one prediction."""
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, *network.input_shape or ()))
    return sum(p.numel() for p in network.parameters()), counter.get_total_flops() // 2


def rows(run: Run, first: int) -> Iterator[str]:
    """A row an arm."""
    ours = seeds_of(run, "pathnet", first)
    for arm, result in run.summary["arms"].items():
        theirs = seeds_of(run, arm, first)
        mean, interval = mean_interval([*theirs.values()])
        both = sorted(ours.keys() & theirs.keys())
        cells = [arm, str(len(theirs)), _percent(mean, interval), ""]
        if arm != "pathnet":
            cells[-1] = _points(*mean_interval([ours[s] - theirs[s] for s in both]))
        last = result["stages"][-1]
        cells += [
            forgotten(run, arm),
            f"{last['frozen']['mean']:.0f} of {last['modules']['mean']:.0f}",
        ]
        try:
            networks = [run.network(i, arm=arm) for i in range(len(result["stages"]))]
        except KeyError:
            networks = [run.network(len(result["stages"]) - 1, arm=arm)]
        each = [cost(network) for network in networks]
        cells += [f"{each[-1][i]:,} ({max(c[i] for c in each):,})" for i in (0, 1)]
        yield f"| {' | '.join(cells)} |"


def _percent(mean: float | None, interval: tuple[float, float] | None) -> str:
    span = f" ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})" if interval else ""
    return f"{100 * (mean or 0):.1f} %{span}"


def _points(mean: float | None, interval: tuple[float, float] | None) -> str:
    span = f" ({100 * interval[0]:+.1f} to {100 * interval[1]:+.1f})" if interval else ""
    return f"{100 * (mean or 0):+.1f}{span}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="STAGE")
    given = parser.parse_args()
    print(
        "| arm | seeds | mean over tasks | pathnet over it | forgotten | modules frozen | "
        "parameters (largest) | multiply-adds (largest) |"
    )
    print("| --- " * 8 + "|")
    print("\n".join(rows(load_run(given.run), given.first)))


if __name__ == "__main__":
    main()
