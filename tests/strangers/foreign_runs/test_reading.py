"""What is read of a run from a stranger: it is understood or refused, in a line."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pathnet_evo.errors import UserError
from pathnet_evo.store import opening
from pathnet_evo.store.lineage import Lineage
from pathnet_evo.store.opening import open_lineage
from pathnet_evo.watch.reader import read_content
from pathnet_evo.watch.runs import RunsFolder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM c) SELECT"


NESTED = "[" * 100_000 + "]" * 100_000


HOSTILE = {
    "a view with an endless query": "DROP TABLE episodes; CREATE VIEW episodes AS "
    f"{ENDLESS} x AS trial, x AS stage, x AS episode, x AS score, x AS at FROM c",
    "one more view": f"CREATE VIEW more AS {ENDLESS} x FROM c",
    "a trigger": "CREATE TRIGGER t AFTER UPDATE ON trials BEGIN DELETE FROM evaluations; END",
    "a column that computes": "ALTER TABLE trials ADD COLUMN g AS (arm || arm)",
    "an index that computes": "CREATE INDEX i ON trials (length(arm))",
    "a table too few": "DROP TABLE generations",
    "a column too few": "ALTER TABLE evaluations DROP COLUMN examples",
    "counts = [4e9]": "UPDATE stages SET counts = '[4e9, 4]'",
    "counts = [4000000000]": "UPDATE stages SET counts = '[4000000000, 4]'",
    "counts below 1": "UPDATE stages SET counts = '[-4, 4]'",
    "counts = {}": "UPDATE stages SET counts = '{}'",
    "a gene of 1e400": "UPDATE evaluations SET genotype = '[[1e400,1],[2,3]]'",
    "a gene that is no module": "UPDATE evaluations SET genotype = '[[4,1],[2,3]]'",
    "a gene below 0": "UPDATE evaluations SET genotype = '[[-1,1],[2,3]]'",
    "a genotype too wide": "UPDATE evaluations SET genotype = '[[0,1,1],[2,3,3]]'",
    "a population nested 100,000 deep": f"UPDATE stages SET population = '{NESTED}'",
    "no population": "UPDATE stages SET population = '[]'",
    "a path of too many layers": "UPDATE stages SET path = '[[0],[1],[2]]'",
    "text in a REAL column": "UPDATE evaluations SET fitness = 'high'",
    "text for seconds": "UPDATE stage_times SET seconds = 'long'",
    "a list for usage": "UPDATE stage_times SET usage = '[1]'",
    "a blob in a TEXT column": "UPDATE stages SET task = x'00ff'",
    "half a number of evaluations": "UPDATE evaluations SET examples = 0.5",
    "a score that is a word": """UPDATE stages SET scores = '{"0": {"test_accuracy": "good"}}'""",
    "scores in a list": "UPDATE stages SET scores = '[1]'",
    "scores nested deep": f"UPDATE stages SET scores = '{NESTED}'",
    "a mutation outside": "UPDATE events SET data = "
    """'{"winner":0,"loser":1,"changes":[[9,9,9,9]]}'""",
    "a replacement outside": """UPDATE events SET data = '{"winner":7e9,"loser":1,"changes":[]}'""",
    "an origin too wide": "UPDATE events SET data = "
    """'{"winner":0,"loser":1,"changes":[],"origin":[[0,1,1],[2,3,3]]}'""",
    "an event that is none": "UPDATE events SET data = 'no JSON'",
    "a place outside": "UPDATE evaluations SET place = 4000000000",
    "a generation far away": "UPDATE evaluations SET generation = 4000000000",
    "an arm of another run": "UPDATE trials SET arm = 'other'",
    "a stage too many": "UPDATE evaluations SET stage = 9 WHERE stage = 1; "
    "UPDATE events SET stage = 9 WHERE stage = 1; UPDATE generations SET stage = 9 WHERE stage = 1;"
    "UPDATE stages SET stage = 9 WHERE stage = 1",
}  # fmt: skip


@pytest.mark.parametrize("script", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_foreign_lineage(
    command: Any,
    foreign: Path,
    made_up: SimpleNamespace,
    script: str,
    spoil: Callable[[Path, str], None],
) -> None:
    """A reader would hang, fill the memory or end with a traceback; ``check`` would not see it."""
    good = foreign.with_name("good")
    good.mkdir()
    made_up.two_arms(good, [0.1])
    spoil(foreign, script)
    for arguments in (["check"], ["report"], ["report", "--figures", "svg"], ["resume"]):
        ended = command(arguments[0], str(foreign), *arguments[1:])
        assert ended.status == (1 if arguments == ["check"] else 2), ended
        assert 0 < ended.err.count("\n") <= 1 + (arguments == ["resume"])  # its task is unknown
        assert len(ended.err) < 600
    compared = command("compare", str(foreign), str(good))
    assert compared.status in (0, 2)
    assert compared.err.count("\n") == (compared.status == 2)
    entries = {entry.name: entry for entry in RunsFolder(foreign.parent).entries()}
    assert entries["good"].state == "finished"
    assert entries["foreign"].state in ("finished", "unreadable")
    with pytest.raises(UserError):
        read_content(foreign)


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ("seeds = 2", "seeds = 3000000000", 2),
        ("seeds = 2", "seeds = 2\nseed = 9223372036854775807", 0),
        ("repeat = 2", "repeat = 4000000000", 0),
        ("modules = 4", "modules = 4000000000", 0),
        ('task = "none"', "generations = " + "9" * 500 + '\ntask = "none"', 0),
    ],
)
def test_a_foreign_configuration_of_huge_numbers(
    command: Any, foreign: Path, old: str, new: str, status: int
) -> None:
    """What a number asks for would be built before anybody asks whether it can be."""
    file = foreign / "run.toml"
    file.write_text(file.read_text().replace(old, new))
    for name in ("report", "compare"):
        ended = command(name, str(foreign))
        assert (ended.status, ended.err.count("\n")) == (status, int(status > 0))


@pytest.mark.parametrize("text", [NESTED, '{"a": ' * 100_000, "[1]", '{"resumed": 1e999}', "\0"])
def test_a_foreign_description_of_the_machine(command: Any, foreign: Path, text: str) -> None:
    """``about.json`` would end every reader with a traceback."""
    (foreign / "about.json").write_text(text)
    for name in ("check", "report"):
        ended = command(name, str(foreign))
        assert ended.err.count("\n") == (ended.status > 0)
        assert ended.status in (0, 1, 2)


def test_a_query_that_would_not_end(foreign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that SQLite itself cannot get through would hang whoever reads it."""
    monkeypatch.setattr(opening, "STEPS", 1_000_000)
    monkeypatch.setattr(opening, "STEPS_A_BYTE", 0)
    with closing(open_lineage(foreign / "lineage.sqlite")) as db:
        for _ in range(2):
            with pytest.raises(sqlite3.OperationalError, match="interrupted"):
                db.execute(f"{ENDLESS} max(x) FROM c").fetchone()
            assert db.execute("SELECT count(*) FROM trials").fetchone()[0] == 4


LOCK = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB)"


"""Locks a whole file, unless another process has a lock on any of it."""


def test_a_run_read_its_own_lineage_while_it_wrote(tmp_path: Path) -> None:
    """It would lose SQLite's locks: the next reader would cut what it has mapped, and end it."""
    path = tmp_path / "lineage.sqlite"
    lineage = Lineage(path)
    open_lineage(path).close()
    command = [sys.executable, "-c", LOCK, f"{path}-shm"]
    locking = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    lineage.close()
    assert "BlockingIOError" in locking.stderr
