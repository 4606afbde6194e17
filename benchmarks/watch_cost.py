"""What a viewer of the live page costs a run, and how fast the server answers meanwhile."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

PROGRAM = [sys.executable, "-c", "from pathnet_evo.cli import main; main()"]
ROUNDS = 3


def main() -> None:
    """Runs in turns with and without a viewer; the ratio of their medians."""
    seconds: dict[bool, list[float]] = {False: [], True: []}
    answers: list[float] = []
    with tempfile.TemporaryDirectory() as runs:
        server = subprocess.Popen(
            [*PROGRAM, "watch", runs, "--port", "0"], stdout=subprocess.PIPE, text=True
        )
        assert server.stdout
        address = server.stdout.readline().strip()
        for i in range(2 * ROUNDS):
            watched = bool(i % 2)
            name = f"run-{i}"
            ended = threading.Event()
            viewer = threading.Thread(target=view, args=(address, name, ended, answers))
            began = time.perf_counter()
            process = subprocess.Popen(
                [*PROGRAM, "run", "--name", name, "--runs-dir", runs, "--json"],
                stdout=subprocess.DEVNULL,
            )
            if watched:
                viewer.start()
            process.wait()
            seconds[watched].append(time.perf_counter() - began)
            ended.set()
        server.terminate()
    ratio = statistics.median(seconds[True]) / statistics.median(seconds[False])
    print(f"a run that is watched over one that is not: {ratio:.3f}")
    print(
        f"answers: {1000 * statistics.median(answers):.0f} ms in the median, "
        f"{1000 * max(answers):.0f} ms at the most, of {len(answers)}"
    )


def view(address: str, name: str, ended: threading.Event, answers: list[float]) -> None:
    """Keep a stream open as a browser does, and ask for the content four times a second."""
    stream = None
    while not ended.wait(0.25):
        try:
            if stream is None:
                stream = urllib.request.urlopen(f"{address}runs/{name}/events")  # noqa: S310
                stream.readline()
            began = time.perf_counter()
            urllib.request.urlopen(f"{address}runs/{name}/content").read()  # noqa: S310
            answers.append(time.perf_counter() - began)
        except OSError:
            stream = None
    if stream is not None:
        stream.close()


if __name__ == "__main__":
    main()
