"""A long run that checkpoints every second: ``soak.py [MINUTES]``; what must stay flat, does it?"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SETTINGS = [
    "--seeds=1",
    "--name=soak",
    "--set=arms=['pathnet']",
    "--set=stages.*.generations=10000000",
    "--set=learner.n_batches=5",
    "--set=checkpoints.seconds=1",
]


def sample(pid: int, run: Path) -> tuple[float, int, int, int, int]:
    """Memory in MB, open files, threads, evaluations, and the checkpoints' bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    values = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    memory = int(values["VmRSS"].split()[0]) / 1024
    files = len(os.listdir(f"/proc/{pid}/fd"))
    db = sqlite3.connect(f"file:{run / 'lineage.sqlite'}?mode=ro", uri=True)
    (evaluations,) = db.execute("SELECT count(*) FROM evaluations").fetchone()
    db.close()
    kept = 0
    for file in run.glob("checkpoints/*/*/*"):
        try:
            kept += file.stat().st_size
        except FileNotFoundError:  # it was retired just now
            continue
    return memory, files, int(values["Threads"]), evaluations, kept


def main() -> None:
    """Run, and print a line every tenth of the time."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "runs" / "soak"
        process = subprocess.Popen(
            [sys.executable, "-c", "from pathnet_evo.cli import main; main()", "run", *SETTINGS],
            cwd=folder,
            stderr=subprocess.DEVNULL,
        )
        print("minutes  memory MB  files  threads  evaluations  lineage bytes each  checkpoints kB")
        while not list(run.glob("checkpoints/*/*")):
            time.sleep(1)
        start = time.monotonic()
        for step in range(11):
            time.sleep(max(0, start + step * 6 * minutes - time.monotonic()))
            memory, files, threads, evaluations, kept = sample(process.pid, run)
            size = sum(f.stat().st_size for f in run.glob("lineage.sqlite*"))
            print(
                f"{(time.monotonic() - start) / 60:7.1f} {memory:10.1f} {files:6} {threads:8} "
                f"{evaluations:12} {size / max(evaluations, 1):19.0f} {kept / 1024:16.0f}",
                flush=True,
            )
        process.send_signal(signal.SIGTERM)
        print(f"ended with status {process.wait()}")


if __name__ == "__main__":
    main()
