"""What a viewer of the live page costs a run, and how fast the server answers meanwhile.

Runs of one seed in pairs, one of each pair watched, in changing order. What counts is the processor
time of the run's own process, which says the same on a busy machine; the clock is told beside it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from pathnet_evo.analysis.statistics import mean_interval

PROGRAM = [sys.executable, "-c", "from pathnet_evo.cli import main; main()"]


def main() -> None:
    """Run in pairs; the ratios, and the answers' times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--generations", type=int, default=300, help="A stage's, of two.")
    options = parser.parse_args()
    computed: list[float] = []
    clocked: list[float] = []
    answers: list[float] = []
    with tempfile.TemporaryDirectory() as runs:
        server = subprocess.Popen(
            [*PROGRAM, "watch", runs, "--port", "0"], stdout=subprocess.PIPE, text=True
        )
        assert server.stdout
        address = server.stdout.readline().strip()
        for pair in range(options.pairs):
            used = {}
            for is_watched in (True, False) if pair % 2 else (False, True):
                name = f"{pair}-{'watched' if is_watched else 'alone'}"
                eyes = Viewer(address, name, answers) if is_watched else None
                used[is_watched] = run(Path(runs), name, options.generations)
                if eyes:
                    eyes.leave()
            computed.append(used[True][0] / used[False][0])
            clocked.append(used[True][1] / used[False][1])
            print(
                f"pair {pair + 1}: {used[False][0]:.2f} s alone, {used[True][0]:.2f} s watched",
                flush=True,
            )
        server.terminate()
        server.wait()
    tell("processor time", computed)
    tell("clock", clocked)
    answers.sort()
    late = answers[int(0.99 * len(answers))]
    print(
        f"{len(answers)} answers while it worked: {1000 * statistics.median(answers):.1f} ms in "
        f"the median, 99 of 100 in {1000 * late:.1f} ms, the slowest {1000 * answers[-1]:.0f} ms"
    )


def tell(what: str, ratios: list[float]) -> None:
    """Ratios of pairs, in the median and on average."""
    mean, interval = mean_interval(ratios)
    span = f" (95 % interval {interval[0]:.3f} to {interval[1]:.3f})" if interval else ""
    print(
        f"{what}, watched over alone: {statistics.median(ratios):.3f} in the median of "
        f"{len(ratios)} pairs, {mean:.3f} on average{span}"
    )


def run(runs: Path, name: str, generations: int) -> tuple[float, float]:
    """A run of digits; seconds of computing, and seconds by the clock."""
    settings = [
        "--set", 'arms=["pathnet"]', "--set", "seeds=1",
        "--set", f"stages.*.generations={generations}",
    ]  # fmt: skip
    command = [*PROGRAM, "run", "--name", name, "--runs-dir", str(runs), "--json", *settings]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime, time.perf_counter() - began


class Viewer:
    """Keeps a stream open as a browser does, and asks for the page four times a second."""

    def __init__(self, address: str, name: str, answers: list[float]) -> None:
        self.run = f"{address}runs/{name}"
        self.answers = answers
        self.left = threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()

    def leave(self) -> None:
        """Close the page."""
        self.left.set()
        self.thread.join()

    def look(self) -> None:
        """Wait for the run to begin, and look at it until told to leave."""
        stream = None
        while not self.left.wait(0.25):
            try:
                if stream is None:
                    stream = urllib.request.urlopen(f"{self.run}/events", timeout=60)  # noqa: S310
                    stream.readline()
                    continue
                began = time.perf_counter()
                urllib.request.urlopen(f"{self.run}/content", timeout=60).read()  # noqa: S310
                self.answers.append(time.perf_counter() - began)
            except urllib.error.HTTPError as error:
                if error.code not in (404, 503):  # not begun yet
                    raise
        if stream is not None:
            stream.close()


if __name__ == "__main__":
    main()
