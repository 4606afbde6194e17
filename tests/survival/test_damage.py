"""Every file of a run, damaged in every way that a disk, a copy or a hand can damage it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pathnet_evo.errors import UserError
from pathnet_evo.running import holding, runner
from pathnet_evo.running.checking import inspect
from pathnet_evo.running.loading import load_run
from pathnet_evo.store.resuming import Consent, checkpoints_of

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("PATHNET_EVO_DAMAGE", "40"))
"""How many damaged files are tried; 1,000 take half an hour."""
SAME = ("digest", "arms", "stages")


@pytest.fixture(scope="module")
def killed(halfway, tmp_path_factory) -> Path:
    """A run that was killed, its lineage in one file so that it can be copied."""
    run = tmp_path_factory.mktemp("killed") / "run"
    shutil.copytree(halfway, run)
    with contextlib.closing(sqlite3.connect(run / "lineage.sqlite")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("PRAGMA journal_mode=DELETE")
    return run


@pytest.fixture(scope="module")
def other(drive, tmp_path_factory) -> Path:
    """Another seed's run, killed at about the same moment."""
    home = tmp_path_factory.mktemp("other")
    assert drive(home, "run", *drive.small, "--set=seed=5", at=500).status == -9
    return home / "run"


def told(call):
    """What a call returns; None, where it says what is wrong."""
    with contextlib.suppress(UserError):
        return call()
    return None


def gone_on(folder: Path, consent: Consent) -> dict | None:
    """The summary of a run that was gone on with; None where that was refused."""

    def go():
        said: list[str] = []
        runner.proceed(holding.reopen(folder, (), "", said.append, consent))
        return json.loads((folder / "summary.json").read_text())

    return told(go)


@pytest.fixture(autouse=True)
def no_report(monkeypatch):
    """Reports take longer than everything else."""
    monkeypatch.setattr("pathnet_evo.report.write_report", lambda folder, summary: folder)


def right_or_refused(folder: Path, whole) -> None:
    """Read the run in all ways, then go on with it: what comes out is right, or refused."""
    wanted = whole.outcome["summary"]
    told(lambda: inspect(folder))
    for stage in (0, 1):
        network = told(lambda stage=stage: load_run(folder).network(stage))
        if network is not None:
            right = load_run(whole.folder).network(stage)
            assert network.path == right.path
            for a, b in zip(
                network.state_dict().values(), right.state_dict().values(), strict=True
            ):
                assert a.equal(b)
    told(lambda: load_run(folder).summary)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        summaries = [gone_on(folder, Consent(start_over=each)) for each in (False, True)]
    for summary in filter(None, summaries):
        assert {k: summary[k] for k in SAME} == {k: wanted[k] for k in SAME}


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,  # every run's files have other sizes: an example from before means nothing
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    of_lineage=st.booleans(),
    which=st.integers(0, 999),
    truncate=st.booleans(),
    where=st.integers(0, 2**40),
)
def test_a_damaged_file_is_never_used(killed, whole, tmp_path, of_lineage, which, truncate, where):
    """Weights or fitnesses that nobody computed would be taken for results."""
    folder = tmp_path / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(killed, folder)
    files = sorted(f for f in folder.rglob("*") if f.is_file() and f.name != "lock")
    file = folder / "lineage.sqlite" if of_lineage else files[which % len(files)]
    content = bytearray(file.read_bytes())
    if truncate:
        content = content[: where % len(content)]
    else:
        byte, bit = divmod(where % (8 * len(content)), 8)
        content[byte] ^= 1 << bit
    file.write_bytes(content)
    right_or_refused(folder, whole)


@settings(
    max_examples=8,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_changed_fitness_is_found(killed, whole, tmp_path, data):
    """A result could be made better with an editor, and a resumed run would confirm it."""
    folder = tmp_path / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(killed, folder)
    with contextlib.closing(sqlite3.connect(folder / "lineage.sqlite")) as db:
        keys = db.execute("SELECT trial, stage, evaluation FROM evaluations").fetchall()
        key = data.draw(st.sampled_from(keys))
        db.execute(
            "UPDATE evaluations SET fitness = fitness + 0.125 "
            "WHERE (trial, stage, evaluation) = (?, ?, ?)",
            key,
        )
        db.commit()
    right_or_refused(folder, whole)


@pytest.mark.parametrize(
    "part", ["lineage.sqlite", "checkpoints", "checkpoints/pathnet-0/stage-1", "run.toml"]
)
def test_what_belongs_to_another_run_is_not_used(killed, other, whole, tmp_path, part):
    """Folders get mixed up; two runs would become one that never was."""
    folder = tmp_path / "copy"
    shutil.copytree(killed, folder)
    source, target = other / part.replace("pathnet-0", "pathnet-5"), folder / part
    if source.is_dir():
        shutil.rmtree(target)
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)
        with contextlib.closing(sqlite3.connect(folder / "lineage.sqlite")) as db:
            db.execute("PRAGMA journal_mode=DELETE")
    right_or_refused(folder, whole)


def test_a_run_that_was_killed_while_it_was_closed_opens(drive, whole, tmp_path):
    """A run would be lost in the moment in which it is over, as two of 1,000 killed ones were."""
    folder = tmp_path / "run"
    shutil.copytree(whole.folder, folder)
    shutil.copytree(whole.folder, tmp_path / "open")
    with contextlib.closing(sqlite3.connect(tmp_path / "open/lineage.sqlite")) as db:
        db.execute("PRAGMA cache_size=1")
        db.execute("BEGIN")
        db.execute("UPDATE evaluations SET genotype = genotype || hex(zeroblob(4000))")
        for name in ("lineage.sqlite", "lineage.sqlite-journal"):
            shutil.copy(tmp_path / "open" / name, folder / name)
    assert (folder / "lineage.sqlite").stat().st_size > (
        (whole.folder / "lineage.sqlite").stat().st_size
    )
    assert load_run(folder).summary["digest"] == whole.outcome["summary"]["digest"]
    assert not inspect(folder).problems
    assert (folder / "lineage.sqlite-journal").exists()
    ended = drive(tmp_path, "resume", "run")
    assert ended.status == 0, ended.out
    assert not (folder / "lineage.sqlite-journal").exists()
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["digest"] == whole.outcome["summary"]["digest"]


def test_a_damaged_checkpoint_is_named_and_an_older_one_is_used(drive, whole, killed, tmp_path):
    """One bad sector would cost a whole run, or be passed over in silence."""
    folder = tmp_path / "run"
    shutil.copytree(killed, folder)
    with contextlib.closing(sqlite3.connect(folder / "lineage.sqlite")) as db:
        row = db.execute("SELECT trial FROM trials WHERE arm = 'fine-tuning'").fetchone()
        newest = folder / checkpoints_of(db, *row)[0].place
    weights = newest / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    ended = drive(tmp_path, "check", "run")
    assert ended.status == 1
    assert f"{newest.name}/weights.safetensors: damaged" in ended.out
    ended = drive(tmp_path, "resume", "run")
    assert ended.status == 0
    assert f"{newest.name}/weights.safetensors: damaged" in ended.out
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["digest"] == whole.outcome["summary"]["digest"]


@pytest.mark.parametrize("lost", [lambda file: file.unlink(), lambda file: os.truncate(file, 0)])
def test_a_run_that_lost_its_lineage_is_not_begun_again(killed, tmp_path, lost):
    """It would pass for one that never began, and all that it learned be overwritten."""
    run = tmp_path / "run"
    shutil.copytree(killed, run)
    lost(run / "lineage.sqlite")
    kept = {p: p.read_bytes() for p in run.rglob("*") if p.is_file() and p.name != "lock"}
    assert [str(run / "lineage.sqlite") in line for line in inspect(run).problems] == [True]
    with pytest.raises(UserError, match=r"lineage\.sqlite: (no such file|not a readable lineage)"):
        holding.reopen(run, (), "", print, Consent(start_over=True))
    assert {p: p.read_bytes() for p in kept} == kept


@pytest.mark.parametrize("text", ["jun", "[1]"])
def test_how_a_run_began_is_not_thrown_away(killed, tmp_path, text):
    """``resume`` would write over a damaged ``about.json``, and ``check`` call it intact."""
    run = tmp_path / "run"
    shutil.copytree(killed, run)
    (run / "about.json").write_text(text)
    said: list[str] = []
    runner.proceed(holding.reopen(run, (), "", said.append, Consent()))
    (line,) = (line for line in said if "about.json" in line)
    assert line.startswith(f"{run / 'about.json'}: damaged (")
    assert line.endswith("); kept as about.json.damaged")
    assert (run / "about.json.damaged").read_text() == text
    found = inspect(run)
    assert found.problems == []
    assert "about.json: missing, or does not say how the run began" in found.lines
