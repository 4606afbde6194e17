"""Runs that are killed again and again, and go on."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
from contextlib import closing

import pytest

pytestmark = pytest.mark.slow


def test_a_killed_run_goes_on_as_if_it_had_not_been(drive, whole, outcome_of, tmp_path):
    """Hours of work would be lost, or what comes out would depend on when a machine crashed."""
    rng = random.Random(7)
    kills = runs = 0
    while kills < 25:
        home = tmp_path / str(runs)
        home.mkdir()
        while True:
            moment = {"at": rng.randint(1, 150)}
            if not rng.randrange(4):
                moment = {"after": rng.uniform(0.01, 0.5)}
            ended = drive.go(home, **moment)
            if ended.status == 0:
                break
            assert ended.status == -signal.SIGKILL, ended.out
            kills += 1
        assert outcome_of(home / "run") == whole.outcome
        runs += 1


def test_a_killed_game_goes_on_as_if_it_had_not_been(play, outcome_of, tmp_path):
    """Lanes in the midst of episodes would come back as others; games would not repeat."""
    home = tmp_path / "whole"
    home.mkdir()
    assert play.go(home, log=str(home / "log")).status == 0
    wanted = outcome_of(home / "run")
    assert wanted["summary"]["deterministic"]
    rng = random.Random(3)
    home = tmp_path / "killed"
    home.mkdir()
    kills = 0
    while (ended := play.go(home, at=rng.randint(20, 150))).status == -signal.SIGKILL:
        kills += 1
    assert ended.status == 0, ended.out
    assert kills > 5
    assert outcome_of(home / "run") == wanted


@pytest.mark.parametrize("extra", [["--jobs=2"], ["--set=engine={name='processes', workers=1}"]])
def test_processes_end_with_a_killed_run_and_it_goes_on(drive, whole, outcome_of, tmp_path, extra):
    """Orphans would train on for nobody, and write what nobody reads."""
    ended = drive(tmp_path, "run", *drive.small, *extra, at=100)
    assert ended.status == -signal.SIGKILL, ended.out
    assert not ended.left
    assert list((tmp_path / "run").glob("checkpoints/*/*"))
    ended = drive(tmp_path, "resume", "run")
    assert ended.status == 0, ended.out
    assert not ended.left
    assert outcome_of(tmp_path / "run") == whole.outcome


def test_side_by_side_goes_on_without_gaps_and_says_where(drive, tmp_path):
    """Evaluations in flight would be lost or told twice, and nobody would know where."""
    extra = ["--set=engine={name='processes', workers=2}", "--set=arms=['pathnet']"]
    assert drive(tmp_path, "run", *drive.small, *extra, at=60).status == -signal.SIGKILL
    kept = {f.name for f in (tmp_path / "run").glob("checkpoints/pathnet-0/stage-*")}
    ended = drive(tmp_path, "resume", "run")
    assert ended.status == 0, ended.out
    assert not ended.left
    (went_on,) = json.loads((tmp_path / "run" / "about.json").read_text())["resumed"]
    assert went_on["from"]["pathnet-0"] in kept
    with closing(sqlite3.connect(tmp_path / "run" / "lineage.sqlite")) as db:
        told = db.execute(
            "SELECT stage, evaluation, candidate FROM evaluations ORDER BY stage, evaluation"
        ).fetchall()
    for stage in (0, 1):
        assert [number for s, number, _ in told if s == stage] == list(range(10))
        assert len({candidate for s, _, candidate in told if s == stage}) == 10
    assert drive(tmp_path, "check", "run").status == 0


def test_nothing_is_left_of_a_run_that_is_killed_at_its_very_end(
    drive, whole, outcome_of, tmp_path
):
    """Checkpoints that nobody needs any more would stay for ever."""
    last = max(i for i, name in enumerate(whole.failpoints) if name == "after write weights")
    commits = [i for i, n in enumerate(whole.failpoints) if "commit" in n and i > last]
    assert len(commits) >= 4
    for at in commits:
        home = tmp_path / str(at)
        home.mkdir()
        assert drive.go(home, at=at + 1).status == -signal.SIGKILL
        ended = drive.go(home)
        assert ended.status == 0, ended.out
        assert outcome_of(home / "run") == whole.outcome, whole.failpoints[at]


def test_every_kind_of_moment_is_among_the_failpoints(whole):
    """The test above would kill at no dangerous moment, and say that all is well."""
    kinds = ("fsync", "rename", "commit", "write weights", "write text", "remove", "mkdir")
    assert {f"{when} {kind}" for when in ("before", "after") for kind in kinds} == set(
        whole.failpoints
    )


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("times", [1, 2])
def test_a_signal_ends_a_run_where_it_goes_on(
    drive, whole, outcome_of, tmp_path, number, status, times
):
    """Ctrl-C, or a cluster that wants its machine back, would cost what was learned."""
    ended = drive.go(tmp_path, at=330, signals=[number] * times)
    assert ended.status == status, ended.out
    assert not (tmp_path / "run" / "lock").exists()
    if times == 1:
        assert "to resume: pathnet-evo resume run" in ended.out
        summary = json.loads((tmp_path / "run" / "summary.json").read_text())
        assert summary["state"] == "interrupted"
    else:
        assert "stopped at once" in ended.out
    ended = drive.go(tmp_path)
    assert ended.status == 0, ended.out
    assert outcome_of(tmp_path / "run") == whole.outcome
