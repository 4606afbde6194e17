"""Runs from strangers, and damaged ones: they are read or refused, and nothing else is touched."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest
import uvicorn
from gymnasium.spaces import Box, Discrete
from uvicorn.server import ServerState

import pathnet_evo
from pathnet_evo.analysis.comparison import compare_runs
from pathnet_evo.analysis.statistics import average, mean_interval, paired_p
from pathnet_evo.analysis.summary import summarise
from pathnet_evo.errors import UserError
from pathnet_evo.interfaces.records import Checkpointed, TrialFinished, TrialStarted
from pathnet_evo.store import opening
from pathnet_evo.store.lineage import Lineage
from pathnet_evo.store.lock import Lock
from pathnet_evo.store.opening import open_lineage
from pathnet_evo.store.places import PlaceError, checkpoint_folder, remove_checkpoint
from pathnet_evo.watch import connections
from pathnet_evo.watch.following import Listing
from pathnet_evo.watch.reader import read_content
from pathnet_evo.watch.runs import RunsFolder

pytestmark = pytest.mark.slow

TINY = [
    "arms=['pathnet']",
    "pool={modules=3, width=1, layers=[{kind='linear', units=2, repeat=2}]}",
    "strategy.population=2",
    "learner.n_batches=2",
    "learner.batch_size=4",
    "stages.*.generations=4",
    "stages.*.task.copies=1",
    "checkpoints.evaluations=1",
]
LIMIT = 120
"""Seconds after which a test is taken to hang."""


@pytest.fixture(autouse=True)
def limit() -> Iterator[None]:
    """What hangs fails."""

    def hung(number: int, frame: Any) -> None:
        raise TimeoutError(f"hung for {LIMIT} s")

    before = signal.signal(signal.SIGALRM, hung)
    signal.alarm(LIMIT)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def foreign(tmp_path: Path, made_up: SimpleNamespace) -> Path:
    """A finished run of two arms, two seeds and two stages, to be spoilt."""
    folder = tmp_path / "runs" / "foreign"
    folder.mkdir(parents=True)
    made_up.two_arms(folder, [0.1, 0.2])
    return folder


def spoil(folder: Path, script: str) -> None:
    """Change a lineage by hand."""
    with closing(sqlite3.connect(folder / "lineage.sqlite")) as db:
        db.executescript(script)


def strict(text: str) -> Any:
    """JSON as everybody else reads it."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


# One state -------------------------------------------------------------------------------


def states(command: Any, folder: Path, runs: RunsFolder) -> set[str]:
    """What every reader says that a run's state is."""
    (entry,) = runs.entries()
    (compared,) = compare_runs([folder])["runs"]
    checked = command("check", str(folder)).out.rpartition("state: ")[2].strip()
    page, _ = read_content(folder)
    (shown,) = (s for s in ("running", "killed") if f'class="state {s}"' in page)
    return {entry.state, compared["state"], checked, shown, summarise(folder)["state"]}


def test_a_running_run_is_called_running_by_everybody(
    command: Any, tmp_path: Path, made_up: SimpleNamespace
) -> None:
    """The list of runs and comparisons would call a run killed that is at work."""
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    made_up.toml(folder, 1, ["pathnet"])
    records = [made_up.started(0), *made_up.stage(0, 0, [0.1, 0.2], None)]
    lineage = made_up.lineage(folder, records, closed=False)
    runs = RunsFolder(tmp_path / "runs")
    lock = Lock(folder)
    assert states(command, folder, runs) == {"running"}
    written = (folder / "lock").read_text()
    lock.release()
    (folder / "lock").write_text(written)  # as a killed process leaves it
    assert states(command, folder, runs) == {"killed"}
    lineage.close()


# Places ----------------------------------------------------------------------------------


@pytest.fixture
def interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A real run that was killed in its second stage, and can be resumed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def heard(record: Any) -> None:
        if isinstance(record, Checkpointed) and record.stage == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pathnet_evo.launch("digits", TINY, name="run", runs_dir=tmp_path / "runs", on_record=heard)
    return tmp_path / "runs" / "run"


def test_resuming_a_run_whose_lineage_names_other_folders(command: Any, interrupted: Path) -> None:
    """The issue's own case: ``resume`` would remove any folder that a foreign lineage names."""
    victim = interrupted.parents[1] / "victim"
    victim.mkdir()
    (victim / "thesis.tex").write_text("three years")
    (interrupted / "notes").mkdir()
    (interrupted / "checkpoints" / "linked").symlink_to(victim)
    over = "checkpoints/pathnet-0/stage-0"
    named = ["../../victim", str(victim), "notes", "checkpoints/pathnet-0/../../../../victim",
             "checkpoints", ".", over]  # fmt: skip
    (interrupted / "checkpoints" / "linked").unlink()
    with closing(sqlite3.connect(interrupted / "lineage.sqlite")) as db:
        rows = [(-i, 0, 0, place, "0" * 64) for i, place in enumerate(named)]
        db.executemany("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?)", rows)
        db.commit()
    ended = command("resume", str(interrupted))
    assert (ended.status, "Traceback" in ended.err) == (0, False)
    assert (victim / "thesis.tex").read_text() == "three years"
    assert (interrupted / "notes").is_dir()
    assert (interrupted / over / "MANIFEST.json").is_file()
    assert not list((interrupted / "checkpoints/pathnet-0").glob("stage-*-round-*"))


@pytest.mark.parametrize(
    "named",
    ["../../victim", "/victim", ".", "", "checkpoints", "checkpoints/pathnet-0", "a/b/stage-0",
     "checkpoints/pathnet-0/../../../victim/x/stage-0", "checkpoints/pathnet-0/other",
     "checkpoints/linked-0/stage-0", "checkpoints/pathnet-0/stage-1", "checkpoints/pathnet-0/\0"],
)  # fmt: skip
def test_no_place_outside_a_trials_own_checkpoints(tmp_path: Path, named: str) -> None:
    """Something else would be read, overwritten or removed as a checkpoint."""
    run, victim = tmp_path / "run", tmp_path / "victim"
    (victim / "stage-0").mkdir(parents=True)
    (run / "checkpoints/pathnet-0").mkdir(parents=True)
    (run / "checkpoints/linked-0").symlink_to(victim)
    (run / "checkpoints/pathnet-0/stage-1").symlink_to(victim)
    before = sorted(tmp_path.rglob("*"))
    for home in (None, "checkpoints/pathnet-0"):
        with pytest.raises(PlaceError):
            checkpoint_folder(run, named, home)
    with pytest.raises(PlaceError):
        remove_checkpoint(run, named, "checkpoints/pathnet-0")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "place",
    ["lock", "summary.json", "report.html", "pictures.json", "about.json", "run.toml",
     "lineage.sqlite", "lineage.sqlite-wal", "figures", "figures/scores-0.png", "tensorboard",
     "tensorboard/pathnet-0", "checkpoints", "checkpoints/pathnet-0"],
)  # fmt: skip
def test_links_in_a_foreign_run(command: Any, foreign: Path, tmp_path: Path, place: str) -> None:
    """Writing to somebody's run would follow its links, to any file or folder of ours."""
    outside = tmp_path / "outside"
    outside.mkdir()
    inside = foreign / place
    inside.parent.mkdir(exist_ok=True)
    target = outside / inside.name
    if inside.exists():
        inside.rename(target)
    elif "." in place or place == "lock":
        target.write_text("precious")
    else:
        target.mkdir()
    inside.symlink_to(target)
    kept = {p: p.is_file() and p.read_bytes() for p in outside.rglob("*")}
    for arguments in (["resume"], ["report", "--figures", "png"], ["check", "--put-back"]):
        ended = command(arguments[0], str(foreign), *arguments[1:])
        assert (ended.status, ended.err.count("\n")) == (2, 1)
        if arguments != ["check", "--put-back"]:
            assert ended.err.startswith(f"{inside}: a link")
    assert {p: p.is_file() and p.read_bytes() for p in outside.rglob("*")} == kept


@pytest.mark.parametrize("name", ["run.toml", "about.json", "lock", "lineage.sqlite-wal"])
def test_a_pipe_in_place_of_a_file(command: Any, foreign: Path, name: str) -> None:
    """Reading would wait for ever for somebody who writes."""
    (foreign / name).unlink(missing_ok=True)
    os.mkfifo(foreign / name)
    for other in ("check", "report", "compare", "resume"):
        ended = command(other, str(foreign))
        assert ended.err.count("\n") <= 1
        unread = name == "lock" or (name, other) == ("about.json", "compare")
        assert ended.status in ((0, 1, 2) if unread else (1, 2))


def test_a_matrix_that_names_a_folder_of_ours(command: Any, tmp_path: Path) -> None:
    """``resume`` would remove a project that happens to be called as a run of a foreign matrix."""
    project = tmp_path / "my-project"
    project.mkdir()
    (project / "thesis.tex").write_text("three years")
    stages = "".join(f'[[stages]]\nname = "{n}"\ntask = "digits"\n' for n in ("my", "project"))
    (tmp_path / "matrix.toml").write_text(f"sources = 1\n{stages}")
    ended = command("resume", str(tmp_path))
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert "thesis.tex; move it away" in ended.err
    assert (project / "thesis.tex").read_text() == "three years"


# What is read ----------------------------------------------------------------------------

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
    command: Any, foreign: Path, made_up: SimpleNamespace, script: str
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


# Numbers that are not finite, or nearly so -----------------------------------------------


def infinite(folder: Path, made_up: SimpleNamespace) -> None:
    """A finished run of a game with an infinite chance, episodes and score."""
    made_up.toml(folder, 2, ["pathnet", "independent"], 1)
    records: list[Any] = []
    for trial, (arm, seed) in enumerate((a, s) for s in (0, 1) for a in ("pathnet", "independent")):
        begun = made_up.episodes(trial)
        scores = [float("inf"), -1e308, float("nan"), 1e308, 2.0] * 8
        told = [replace(e, score=s) for e, s in zip(begun[2].episodes, scores, strict=True)]
        score = {0: {"mean_return": [float("-inf"), 3.0][seed]}}
        *_, last = made_up.stage(trial, 0, [0.1, 1e308, -1e308, None], {0: 0.5})
        started = replace(begun[1], random_baseline=float("-inf"))
        records += [
            TrialStarted(trial, arm, seed),
            started,
            replace(begun[2], episodes=tuple(told)),
            replace(last, scores=score, fitness=1e308),
            TrialFinished(trial, "finished"),
        ]
    made_up.lineage(folder, records)


OLD = """UPDATE stages SET scores = '{"0":{"mean_return":-Infinity}}' WHERE trial < 2;
DELETE FROM episodes WHERE typeof(score) = 'text'"""


@pytest.mark.parametrize("old", ["", OLD], ids=["written now", "already written so"])
def test_a_game_with_infinite_rewards(
    command: Any, tmp_path: Path, made_up: SimpleNamespace, old: str
) -> None:
    """A finished run would have no report, for good, or its JSON could be read by Python alone."""
    infinite(tmp_path, made_up)
    spoil(tmp_path, old)
    ended = command("report", str(tmp_path), "--figures", "svg")
    assert (ended.status, ended.err) == (0, "")
    summary = strict((tmp_path / "summary.json").read_text())
    told = {(e["arm"], e["seed"], e["what"]): e["values"] for e in summary["not_finite"]}
    assert told["pathnet", 1, "chance"] == ["-inf"]
    assert told["independent", 0, "mean_return"] == ["-inf"]
    assert told["pathnet", 0, "episode scores"] == (["inf"] if old else ["inf", "nan"])
    assert ("pathnet", 1, "mean_return") not in told
    page = (tmp_path / "report.html").read_text()
    expected = "Not finite, so excluded from means, curves and tests: chance (-inf) of pathnet"
    assert expected in page
    data = page.partition('id="data">')[2].partition("</script>")[0]
    assert strict(data)["stages"][0]["chance"] is None
    compared = command("compare", str(tmp_path), "--html", "compared.html")
    assert (compared.status, compared.err) == (0, "")
    assert "chance (-inf) of pathnet, seed 0" in compared.out
    assert "chance (-inf) of pathnet, seed 0" in (tmp_path / "compared.html").read_text()
    found = strict(command("compare", str(tmp_path), "--json").out)
    assert found["stages"][0]["results"]["pathnet"]["scores"]["mean_return"]["mean"] == 3.0
    assert pathnet_evo.load_run(tmp_path).summary["not_finite"] == summary["not_finite"]
    assert "Not finite" in read_content(tmp_path)[0]
    with closing(sqlite3.connect(tmp_path / "lineage.sqlite")) as db:
        texts = [text for (text,) in db.execute("SELECT scores FROM stages")]
    assert all(map(strict, texts)) if not old else "Infinity" in "".join(texts)


class Harsh(gymnasium.Env[Any, Any]):
    """Two steps; an action costs next to the largest number that there is, the other nothing."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as Gymnasium has it
    observation_space = Box(-1, 1, (2,), np.float32)
    action_space = Discrete(2)
    steps = 0

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        """Begin."""
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> Any:
        """Pay."""
        self.steps += 1
        return np.zeros(2, np.float32), -1.7e308 * int(action), self.steps == 2, False, {}


@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_a_real_game_whose_returns_overflow(command: Any) -> None:
    """Random play that overflows would leave a finished run without a report."""
    gymnasium.register("Harsh-v0", entry_point=Harsh)
    try:
        ended = command(
            "run", "cartpole", "--set", "arms=['pathnet', 'independent']",
            "--seeds", "1", "--executor", "inline",
            "--set", "strategy.population=4", "--set", "stages.*.frames=60",
            "--set", "learner={name='a3c', num_envs=3, rollout_length=10, episodes=1}",
            "--set", "learner.score_episodes=6",
            "--set", "stages.*.task={name='gym', id='Harsh-v0'}", "--json",
        )  # fmt: skip
    finally:
        del gymnasium.registry["Harsh-v0"]
    assert "Traceback" not in ended.err
    assert strict(ended.out)["not_finite"]
    assert "Not finite" in Path("runs/cartpole/report.html").read_text()


def test_a_fitness_near_the_largest_number(command: Any, foreign: Path) -> None:
    """Sums and squares would overflow: tracebacks, or means that are no numbers."""
    spoil(foreign, "UPDATE evaluations SET fitness = CASE evaluation % 2 WHEN 0 THEN 1e308 ELSE "
          "-1.797e308 END; UPDATE stages SET fitness = 1.797e308, scores = "
          """'{"0": {"x": ' || CASE trial WHEN 0 THEN '1e308}}' ELSE '-1e308}}' END""")  # fmt: skip
    ended = command("report", str(foreign), "--figures", "png")
    assert (ended.status, ended.err) == (0, "")
    found = strict((foreign / "summary.json").read_text())["arms"]["pathnet"]["stages"][0]
    assert found["fitness"]["mean"] == 1.797e308
    assert command("compare", str(foreign)).status == 0


def test_means_of_numbers_that_cannot_be_added() -> None:
    """They are right by scaling: the mean of numbers is the scale times the mean of the scaled."""
    values = [1.0, 1.5, -0.25, 1.25]
    large = [1e308 * v for v in values]
    mean, interval = mean_interval(values)
    assert mean is not None
    assert interval is not None
    assert average(large) == pytest.approx(1e308 * mean, rel=1e-12)
    found, ends = mean_interval([v / 4 for v in large])
    assert found == pytest.approx(0.25e308 * mean, rel=1e-12)
    assert ends == pytest.approx([0.25e308 * end for end in interval], rel=1e-12)
    assert paired_p(large) == pytest.approx(paired_p(values))
    assert average([float("inf"), 1.0]) == float("inf")


# Readers that leave, and connections that stay -------------------------------------------


def without_a_reader(*arguments: str) -> int:
    """The status of a command whose output nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    program = "from pathnet_evo.cli import main; main()"
    command = [sys.executable, "-c", program, *arguments]
    ended = subprocess.run(command, stdout=writing, stderr=writing, timeout=LIMIT, check=False)
    os.close(writing)
    return ended.returncode


def test_a_comparison_whose_reader_leaves(foreign: Path) -> None:
    """``pathnet-evo compare ... | head`` would end with status 1 in a script."""
    assert without_a_reader("compare", str(foreign)) == 0


def test_a_check_whose_reader_leaves(foreign: Path) -> None:
    """A script would take a damaged run for a whole one, as ``check`` was not read to its end."""
    spoil(foreign, HOSTILE["a trigger"])
    assert without_a_reader("check", str(foreign)) == 1


def test_a_run_whose_reader_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``pathnet-evo run ... 2>&1 | head`` would end with the reader of its log."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sets = [f"--set={setting}" for setting in TINY]
    runs = str(tmp_path / "runs")
    assert without_a_reader("run", "--name=run", f"--runs-dir={runs}", *sets) == 0
    assert strict((tmp_path / "runs/run/summary.json").read_text())["state"] == "finished"


async def served(application: Callable[..., Any]) -> tuple[asyncio.Server, int]:
    """A server of our connections."""
    config = uvicorn.Config(application, http=connections.Connection, log_config=None)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: connections.Connection(config, state, {}), "127.0.0.1", 0
    )
    return server, server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\n"])
def test_a_connection_that_never_asks(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    """Open connections would be kept for ever, until there are no more to be had."""
    monkeypatch.setattr(connections, "IDLE", 0.05)

    async def ask() -> bytes:
        server, port = await served(lambda scope, receive, send: None)
        async with server:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(said)
            found = await asyncio.wait_for(reader.read(), 60)
            writer.close()
        return found

    assert asyncio.run(ask()) == b""


def test_an_answer_that_takes_long_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams of events would be closed as idle, and pages stand still."""
    monkeypatch.setattr(connections, "IDLE", 0.05)

    async def ask() -> bytes:
        go_on = asyncio.Event()

        async def application(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await go_on.wait()
            await send({"type": "http.response.body", "body": b"the end"})

        server, port = await served(application)
        async with server:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readline()
            idle, other = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.wait_for(idle.read(), 60)  # begun later, and closed by now
            go_on.set()
            found = await asyncio.wait_for(reader.read(), 60)
            writer.close()
            other.close()
        return found

    assert b"the end" in asyncio.run(ask())


def test_three_hundred_browsers_on_the_list_of_runs(foreign: Path) -> None:
    """Each would have every run read again, and all wait for it."""
    runs = RunsFolder(foreign.parent)
    read = []

    class Counted:
        def entries(self) -> list[Any]:
            read.append(1)
            return runs.entries()

    async def ask() -> list[Any]:
        listing = Listing(Counted())  # type: ignore[arg-type]
        found = await asyncio.gather(*(listing.entries() for _ in range(300)))
        await listing.entries(60.0)
        return found

    found = asyncio.run(ask())
    assert len(read) == 1
    assert [entry.name for entry in found[299]] == ["foreign"]
