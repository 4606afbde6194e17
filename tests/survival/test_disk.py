"""Disks that are full, fail, or cannot be written."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pathnet_evo.running.checking import inspect
from pathnet_evo.running.loading import load_run

pytestmark = pytest.mark.slow

TRIED = 8


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_costs_nothing_that_was_kept(drive, whole, outcome_of, tmp_path, error):
    """A full disk would end a run with a traceback, half a checkpoint, or one that is lost."""
    moments = [name for name in whole.failpoints if name.startswith("before")]
    moments = [name for name in moments if "commit" not in name and "remove" not in name]
    first = error == errno.EIO
    for at in range(1 + first * 7, len(moments), len(moments) // TRIED):
        home = tmp_path / str(at)
        home.mkdir()
        ended = drive.go(home, at=at, error=error)
        run = home / "run"
        if not (run / "run.toml").exists():
            assert ended.status == 2, ended.out
            continue
        assert ended.status in (0, 1, 2), ended.out
        assert ended.status == 0 or os.strerror(error) in ended.out
        if not (run / "lineage.sqlite").exists():
            continue
        assert not list(run.rglob("*tmp-*")), moments[at - 1]
        assert inspect(run).problems == []
        ended = drive.go(home)
        assert ended.status == 0, ended.out
        assert outcome_of(run) == whole.outcome


def mounted(folder: Path, *options: str) -> None:
    """Mount something there, or skip the test."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")


def unmount(folder: Path) -> None:
    """Take away what was mounted there."""
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="only root can mount")
@pytest.mark.parametrize("kilobytes", [60, 160, 260])
def test_a_full_disk(drive, whole, outcome_of, tmp_path, kilobytes):
    """The same, where the disk is really full, under the database as well."""
    disk = tmp_path / "disk"
    mounted(disk, "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs")
    try:
        ended = drive.go(disk, out=str(tmp_path / "output"))
        assert ended.status in (1, 2), ended.out
        assert "No space left" in ended.out or "full" in ended.out
        if (disk / "run" / "lineage.sqlite").exists():
            assert not list(disk.rglob("*tmp-*"))
            assert inspect(disk / "run").problems == []
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        ended = drive.go(disk, out=str(tmp_path / "output"))
        assert ended.status == 0, ended.out
        assert outcome_of(disk / "run") == whole.outcome
    finally:
        unmount(disk)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="only root can mount")
@pytest.mark.parametrize("which", ["finished", "killed"])
def test_reading_from_a_folder_that_cannot_be_written(drive, whole, halfway, tmp_path, which):
    """Runs in an archive, or of somebody else, could not be looked at."""
    run = tmp_path / "run"
    shutil.copytree(whole.folder if which == "finished" else halfway, run)
    folder = tmp_path / "read-only"
    mounted(folder, "-t", "none", "-o", "bind,ro", str(run))
    try:
        opened = load_run(folder)
        assert opened.summary["state"] == which
        assert opened.network(0).path
        assert inspect(folder).problems == []
        ended = drive(tmp_path, "resume", "read-only")
        assert ended.status == 2
        assert "Read-only file system" in ended.out
        assert json.loads((whole.folder / "summary.json").read_text())["state"] == "finished"
    finally:
        unmount(folder)
