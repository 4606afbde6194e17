"""Two workers of Ray over one, and over none: evaluations on a convolutional pool, and Pong.

Two cores that are otherwise idle are needed to see what the second worker brings; look at the load
that is printed. A worker has one thread.
"""

from __future__ import annotations

import os
import statistics
import sys

import torch
from scale_constants import Measurement, cases
from side_by_side import candidates, rate

from pathnet_evo.engines.inline import InlineEngine
from pathnet_evo_ray.cluster import connected

ROUNDS, SECONDS = 5, 12.0


def main(rounds: int, seconds: float) -> None:
    """Contestants take turns; medians of ratios."""
    torch.set_num_threads(1)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start")
    with connected():
        for case in cases():
            if not (case.game or "500" in case.name):
                continue
            contestants = {f"{n} on Ray": Measurement(case, n) for n in (1, 2)}
            rates: dict[str, list[float]] = {name: [] for name in [*contestants, "inline"]}
            here = InlineEngine().evaluator(case.learner, case.context())
            waiting = candidates(case.setting)
            for _ in range(rounds):
                for name, contestant in contestants.items():
                    rates[name].append(contestant.figures(seconds)["rate"])
                if not case.game:
                    rates["inline"].append(rate(waiting, here, seconds))
            for contestant in contestants.values():
                contestant.close()
            here.close()
            print(case.name)
            for name, found in rates.items():
                if found:
                    print(f"  {name:<10} {statistics.median(found):8.2f} a second")
            for name in ("1 on Ray", "inline"):
                ratios = [
                    two / one for one, two in zip(rates[name], rates["2 on Ray"], strict=False)
                ]
                if ratios:
                    print(f"  2 on Ray over {name}: {statistics.median(ratios):.2f}   goal >= 1.5")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS, SECONDS)
