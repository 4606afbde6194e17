"""A new user's first ten minutes, word for word."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("first_ten_minutes.sh")


@pytest.mark.slow
def test_first_ten_minutes(tmp_path: Path) -> None:
    """A newcomer would meet a command that is not there, or that fails after another one."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, line in {"python": '"$@"', "pathnet-evo": '-m pathnet_evo "$@"'}.items():
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {line}\n')
        program.chmod(0o755)
    folder = tmp_path / "mine"
    folder.mkdir()
    done = subprocess.run(
        ["bash", "-eu", str(SCRIPT)],
        cwd=folder,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "runs/digits/report.html").is_file()
    assert not (folder / "runs/raced").exists()
