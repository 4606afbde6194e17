"""Two trials side by side, on Ray and in processes, over one after another on Ray.

Wall time is that of the trials, from the beginning of the first to the end of the last. All take
turns, so that they see the same load; look at it beside the ratios. CPU time is that of all
processes of a run, Ray's own among them; other work on the machine hardly changes it.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from pathnet_evo import Record, TrialFinished, TrialStarted, launch

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
RUN = [
    "seeds=1",
    "arms=['pathnet', 'independent']",
    "stages.*.generations=600",
    "learner.n_batches=50",
]
"""Makes the preset ``digits`` two trials of some tens of seconds each."""
WAYS = {
    "ray, one after another": "executor={name='ray', workers=1}",
    "ray, side by side": "executor={name='ray', workers=2}",
    "processes, side by side": "executor={name='processes', workers=2}",
}
TICKS = os.sysconf("SC_CLK_TCK")


class Meter(threading.Thread):
    """Sums the CPU time of all descendants of this process, by looking at them now and then."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._spent: dict[int, float] = {}
        self._over = threading.Event()

    def run(self) -> None:
        """Look until told to stop."""
        while not self._over.wait(0.1):
            self._look()

    def _look(self) -> None:
        parents: dict[int, int] = {}
        spent: dict[int, float] = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                values = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            number = int(path.parent.name)
            parents[number] = int(values[1])
            spent[number] = (int(values[11]) + int(values[12])) / TICKS
        ours = {os.getpid()}
        while more := {n for n, parent in parents.items() if parent in ours} - ours:
            ours |= more
        self._spent.update({n: spent[n] for n in ours - {os.getpid()}})

    def stop(self) -> float:
        """Seconds of CPU that they had."""
        self._over.set()
        self.join()
        return sum(self._spent.values())


def measure(executor: str) -> tuple[float, float]:
    """Seconds that the trials of a run take, and CPU seconds that the run takes in all."""
    times: list[float] = []

    def on_record(record: Record) -> None:
        if isinstance(record, TrialStarted | TrialFinished):
            times.append(time.monotonic())

    meter, own = Meter(), time.process_time()
    meter.start()
    with tempfile.TemporaryDirectory() as folder:
        run = launch("digits", [*RUN, executor], runs_dir=folder, on_record=on_record)
        assert run.summary["state"] == "finished"
    return times[-1] - times[0], meter.stop() + time.process_time() - own


if __name__ == "__main__":
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    for _ in range(ROUNDS):
        for name, executor in WAYS.items():
            found[name].append(measure(executor))
            wall, cpu = found[name][-1]
            load = os.getloadavg()[0]
            print(f"{name}: {wall:.1f} s, {cpu:.1f} s of CPU, load {load:.1f}", flush=True)
    one, two, processes = found.values()
    for what, i in (("wall", 0), ("CPU", 1)):
        faster = statistics.median(a[i] / b[i] for a, b in zip(one, two, strict=True))
        dearer = statistics.median(b[i] / c[i] for b, c in zip(two, processes, strict=True))
        print(f"{what}: one after another over side by side: {faster:.2f}   goal >= 1.7 (wall)")
        print(f"{what}: ray over processes: {dearer:.2f}   goal <= 1.1")
