"""Ctrl-C, as a user presses it."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_keeps_what_is_done(tmp_path: Path, jobs: int) -> None:
    """Hours of work would be lost, or processes would go on, when a user presses Ctrl-C."""
    command = [sys.executable, "-c", "from pathnet_evo.cli import main; main()", "run"]
    long = ["--set", "stages.*.generations=100000", "--jobs", str(jobs), "--name", "long"]
    process = subprocess.Popen(
        [*command, *long], cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    run = tmp_path / "runs" / "long"
    deadline = time.monotonic() + 120
    while _evaluations(run) < 10:
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    summary = json.loads((run / "summary.json").read_text())
    assert summary["state"] == "interrupted"
    assert (run / "report.html").is_file()
    assert _evaluations(run) >= 10


def _evaluations(run: Path) -> int:
    try:
        db = sqlite3.connect(f"file:{run / 'lineage.sqlite'}?mode=ro", uri=True)
        (count,) = db.execute("SELECT count(*) FROM evaluations").fetchone()
        db.close()
    except sqlite3.OperationalError:
        return 0
    return int(count)
