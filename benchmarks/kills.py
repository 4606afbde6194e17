"""Kills and failing disks, many times: ``kills.py [KILLS] [FAULTS] [RUN]``.

A small run is killed at a random failpoint (just before or after a file is written, synced,
renamed or removed, or a transaction is committed) or at a random time, and gone on with, again and
again until it ends; then everything of it is compared with the run that was not killed. Where
evaluations run side by side no two runs are equal: then its lineage must have no gap, and all that
is kept must be whole. Then every write, sync and rename in turn fails with ENOSPC or EIO. Ends with
status 1 if anything was lost or wrong, or a process outlived the one that was killed.

RUN is ``images`` (SGD, the default), ``jobs`` (the same with two trials at a time), ``processes``
and ``two-processes`` (its evaluations in one and in two worker processes), ``cartpole`` or ``pong``
(A3C).
"""

from __future__ import annotations

import errno
import json
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "survival"))
from conftest import CARTPOLE, SMALL, Driver, outcome  # noqa: E402

from pathnet_evo.running.checking import inspect  # noqa: E402

ONE_ARM = "--set=arms=['pathnet']"
PONG = [
    "atari-pong-alien",
    *CARTPOLE[1:4],
    ONE_ARM,
    *CARTPOLE[6:7],
    "--set=learner={name='a3c', num_envs=3, rollout_length=5, episodes=1, score_episodes=1}",
    "--set=stages.*.frames=1200",
    "--set=stages.*.task={name='atari', game='pong', max_episode_frames=120}",
    "--set=checkpoints.evaluations=3",
]
ENGINE = "--set=engine={name='processes', workers=%d}"
RUNS: dict[str, tuple[list[str], list[str], float]] = {
    "images": (SMALL, [], 0.5),
    "jobs": ([*SMALL, "--jobs=2"], [], 20),
    "processes": ([*SMALL, ENGINE % 1], [], 10),
    "two-processes": ([*SMALL, ENGINE % 2], [], 10),
    "cartpole": (CARTPOLE, ["gymnasium", "pathnet_evo_a3c.evaluator"], 2),
    "pong": (PONG, ["ale_py", "pathnet_evo_a3c.evaluator"], 5),
}
"""By name: arguments, what is imported beforehand, and the most seconds before a kill."""


def kills(
    drive: Driver, home: Path, wanted: dict, number: int, longest: float
) -> tuple[int, int, int]:
    """Kill so often; how many runs that took, and how many of them were lost or wrong."""
    rng = random.Random(int(time.time()))
    done = runs = lost = wrong = 0
    while done < number:
        folder = home / f"kills-{runs}"
        folder.mkdir()
        runs += 1
        left = 0
        while True:
            moment = {"at": rng.randint(1, 150)}
            if not rng.randrange(4):
                moment = {"after": rng.uniform(0.01, longest)}
            ended = drive.go(folder, **moment)
            left += ended.left
            if ended.status != -9:
                break
            done += 1
        if ended.status:
            print(f"{folder}: status {ended.status}: {ended.out[-2000:]}", flush=True)
        lost += ended.status != 0
        wrong += bool(left or (ended.status == 0 and _different(folder / "run", wanted)))
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
    if not wanted["summary"]["deterministic"]:
        return _torn(run)
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


def _torn(run: Path) -> bool:
    """Whether a lineage has a gap, or something that was kept is not whole; says what."""
    problems = inspect(run).problems
    with sqlite3.connect(run / "lineage.sqlite") as db:
        problems += db.execute(
            "SELECT trial, stage, count(*), max(evaluation) FROM evaluations "
            "GROUP BY trial, stage HAVING count(*) != max(evaluation) + 1"
        ).fetchall()
    for problem in problems:
        print(f"{run}: {problem}", flush=True)
    return bool(problems)


def main() -> None:
    """Do it, and print a row for each kind."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    most = int(sys.argv[2]) if len(sys.argv) > 2 else 10**6
    small, imports, longest = RUNS[sys.argv[3] if len(sys.argv) > 3 else "images"]
    drive = Driver(small, imports)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "whole").mkdir()
        assert drive.go(home / "whole", log=str(home / "log")).status == 0
        wanted = outcome(home / "whole" / "run")
        names = json.loads((home / "log").read_text())
        start = time.monotonic()
        runs, lost, wrong = kills(drive, home, wanted, number, longest)
        minutes = (time.monotonic() - start) / 60
        print(f"{number} kills in {runs} runs: {lost} lost, {wrong} wrong ({minutes:.1f} minutes)")
        tried, missing, bad = faults(drive, home, wanted, names, most)
        print(f"{tried} writes, syncs and renames that failed: {missing} lost, {bad} wrong")
    drive.close()
    sys.exit(bool(lost or wrong or missing or bad))


if __name__ == "__main__":
    main()
