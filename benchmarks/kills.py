"""Kills and failing disks, many times: ``kills.py [KILLS] [FAULTS]``.

A small run is killed at a random failpoint (just before or after a file is written, synced,
renamed or removed, or a transaction is committed) or at a random time, and gone on with, again and
again until it ends; then everything of it is compared with the run that was not killed. Then every
write, sync and rename in turn fails with ENOSPC or EIO. Ends with status 1 if anything was lost or
wrong.
"""

from __future__ import annotations

import errno
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "survival"))
from conftest import Driver, outcome  # noqa: E402


def kills(drive: Driver, home: Path, wanted: dict, number: int) -> tuple[int, int, int]:
    """Kill so often; how many runs that took, and how many of them were lost or wrong."""
    rng = random.Random(int(time.time()))
    done = runs = lost = wrong = 0
    while done < number:
        folder = home / f"kills-{runs}"
        folder.mkdir()
        runs += 1
        while True:
            moment = {"at": rng.randint(1, 150)}
            if not rng.randrange(4):
                moment = {"after": rng.uniform(0.01, 0.5)}
            ended = drive.go(folder, **moment)
            if ended.status != -9:
                break
            done += 1
        lost += ended.status != 0
        wrong += ended.status == 0 and _different(folder / "run", wanted)
        shutil.rmtree(folder)
        print(f"{done} kills in {runs} runs: {lost} lost, {wrong} wrong", flush=True)
    return runs, lost, wrong


def faults(drive: Driver, home: Path, wanted: dict, names: list[str], most: int) -> list[int]:
    """Let each write, sync and rename fail; how often that was tried, lost and wrong."""
    moments = [
        name for name in names if name.startswith("before") and name[7:] not in ("commit", "remove")
    ]
    tried = lost = wrong = 0
    for at in range(1, min(len(moments), most) + 1):
        for error in (errno.ENOSPC, errno.EIO):
            folder = home / f"fault-{at}-{error}"
            folder.mkdir()
            tried += 1
            drive.go(folder, at=at, error=error)
            ended = drive.go(folder)
            lost += ended.status != 0
            wrong += ended.status == 0 and _different(folder / "run", wanted)
            shutil.rmtree(folder)
            if not tried % 20:
                print(f"{tried} failed calls: {lost} lost, {wrong} wrong", flush=True)
    return [tried, lost, wrong]


def _different(run: Path, wanted: dict) -> bool:
    """Whether a run differs from that which was not killed; says in what."""
    try:
        found = outcome(run)
    except AssertionError as error:
        print(f"{run}: {error}", flush=True)
        return True
    for part in wanted:
        for key, value in wanted[part].items():
            if found[part].get(key) != value:
                print(f"{run}: {part} {key}: {found[part].get(key)} {value}"[:2000], flush=True)
    return found != wanted


def main() -> None:
    """Do it, and print a row for each kind."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    most = int(sys.argv[2]) if len(sys.argv) > 2 else 10**6
    drive = Driver()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "whole").mkdir()
        assert drive.go(home / "whole", log=str(home / "log")).status == 0
        wanted = outcome(home / "whole" / "run")
        names = json.loads((home / "log").read_text())
        start = time.monotonic()
        runs, lost, wrong = kills(drive, home, wanted, number)
        minutes = (time.monotonic() - start) / 60
        print(f"{number} kills in {runs} runs: {lost} lost, {wrong} wrong ({minutes:.1f} minutes)")
        tried, missing, bad = faults(drive, home, wanted, names, most)
        print(f"{tried} writes, syncs and renames that failed: {missing} lost, {bad} wrong")
    drive.close()
    sys.exit(bool(lost or wrong or missing or bad))


if __name__ == "__main__":
    main()
