"""Two trials side by side, on Ray and in processes, over one after another on Ray.

The time is that of the trials, from the beginning of the first to the end of the last. All take
turns, so that they see the same load; look at it beside the ratios.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time

from pathnet_evo import Record, TrialFinished, TrialStarted, launch

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
RUN = [
    "seeds=1",
    "arms=['pathnet', 'independent']",
    "stages.*.generations=40",
    "learner.n_batches=50",
]
"""Makes the preset ``digits`` two trials of some seconds each."""
WAYS = {
    "ray, one after another": "executor={name='ray', workers=1}",
    "ray, side by side": "executor={name='ray', workers=2}",
    "processes, side by side": "executor={name='processes', workers=2}",
}


def seconds(executor: str) -> float:
    """How long the trials of a run take."""
    times: list[float] = []

    def on_record(record: Record) -> None:
        if isinstance(record, TrialStarted | TrialFinished):
            times.append(time.monotonic())

    with tempfile.TemporaryDirectory() as folder:
        run = launch("digits", [*RUN, executor], runs_dir=folder, on_record=on_record)
        assert run.summary["state"] == "finished"
    return times[-1] - times[0]


if __name__ == "__main__":
    found: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(ROUNDS):
        for name, executor in WAYS.items():
            found[name].append(seconds(executor))
            print(f"{name}: {found[name][-1]:.1f} s, load {os.getloadavg()[0]:.1f}", flush=True)
    one, two, processes = found.values()
    ratios = [a / b for a, b in zip(one, two, strict=True)]
    print(f"side by side over one after another: {statistics.median(ratios):.2f}   goal >= 1.7")
    ratios = [b / c for b, c in zip(two, processes, strict=True)]
    print(f"ray's time over that of processes: {statistics.median(ratios):.2f}   goal <= 1.1")
