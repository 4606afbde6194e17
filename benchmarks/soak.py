"""A run that checkpoints every second: ``soak.py [MINUTES] [ray]``; what must stay flat, does it?

With ``ray``, two trials run on a local Ray. Lines then have the memory of each worker, shared
memory apart, and the bytes that the object store spilled, which must stay 0.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

SETTINGS = [
    "--name=soak",
    "--set=arms=['pathnet']",
    "--set=stages.*.generations=10000000",
    "--set=learner.n_batches=5",
    "--set=checkpoints.seconds=1",
]
ON_RAY = ["--seeds=2", "--set=executor={name='ray', workers=2}"]
MEBI = 1024 * 1024


def sample(pid: int, run: Path) -> tuple[float, int, int, int, int]:
    """Memory in MB, open files, threads, evaluations, and the checkpoints' bytes."""
    process = psutil.Process(pid)
    db = sqlite3.connect(f"file:{run / 'lineage.sqlite'}?mode=ro", uri=True)
    (evaluations,) = db.execute("SELECT count(*) FROM evaluations").fetchone()
    db.close()
    kept = size_of(run.glob("checkpoints/*/*/*"))
    memory = process.memory_info().rss / MEBI
    return memory, process.num_fds(), process.num_threads(), evaluations, kept


def on_ray(pid: int, folder: Path) -> str:
    """Memory of each worker in MB, shared memory apart, and the bytes that were spilled."""
    workers, shared = [], []
    for process in psutil.Process(pid).children(recursive=True):
        try:
            if "ray::RayWorker" in " ".join(process.cmdline()):
                memory = process.memory_info()
                workers.append((memory.rss - memory.shared) / MEBI)
                shared.append(memory.shared / MEBI)
        except psutil.NoSuchProcess:
            continue
    spilled = size_of(folder.glob("pathnet-evo-*/session_*/*spill*/**/*"))
    each = ", ".join(f"{memory:.1f}" for memory in sorted(workers))
    return f"  workers {each}, shared {max(shared, default=0):.1f}; spilled {spilled} bytes"


def size_of(files: Iterable[Path]) -> int:
    """Bytes of files, of those that are still there."""
    total = 0
    for file in files:
        try:
            total += file.stat().st_size if file.is_file() else 0
        except FileNotFoundError:  # it was retired just now
            continue
    return total


def main() -> None:
    """Run, and print a line every tenth of the time."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 5
    ray = sys.argv[2:] == ["ray"]
    with tempfile.TemporaryDirectory(prefix="pe-") as folder:
        run = Path(folder) / "runs" / "soak"
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", "from pathnet_evo.cli import main; main()", "run"),
                *SETTINGS,
                *(ON_RAY if ray else ["--seeds=1"]),
            ],
            cwd=folder,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": folder},
        )
        print("minutes  memory MB  files  threads  evaluations  lineage bytes each  checkpoints kB")
        while not list(run.glob("checkpoints/*/*")):
            time.sleep(1)
        start = time.monotonic()
        for step in range(11):
            time.sleep(max(0, start + step * 6 * minutes - time.monotonic()))
            memory, files, threads, evaluations, kept = sample(process.pid, run)
            size = size_of(run.glob("lineage.sqlite*"))
            print(
                f"{(time.monotonic() - start) / 60:7.1f} {memory:10.1f} {files:6} {threads:8} "
                f"{evaluations:12} {size / max(evaluations, 1):19.0f} {kept / 1024:16.0f}"
                + (on_ray(process.pid, Path(folder)) if ray else ""),
                flush=True,
            )
        process.send_signal(signal.SIGTERM)
        print(f"ended with status {process.wait()}")


if __name__ == "__main__":
    main()
