"""Scripts that start runs: without a main guard, from standard input, stopped, or failing."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pathnet_evo import RunFailed, launch, load_run, resume
from pathnet_evo.running.checking import inspect
from pathnet_evo.workers import spawning

pytestmark = pytest.mark.slow

SMALL = [
    "seeds=1",
    "arms=['pathnet']",
    "strategy.population=4",
    "stages.*.generations=3",
    "stages.*.task.copies=1",
    "transfer.prior=false",
    "learner.n_batches=2",
]
"""Makes the preset ``digits`` two stages of six evaluations."""
SCRIPT = """
from pathnet_evo import launch

GUARD
    run = launch("digits", SETTINGS, runs_dir="runs")
    print(run.summary["state"])
"""
GUARDS = {"plain": "if True:", "guarded": 'if __name__ == "__main__":'}
BACKGROUND = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]
"""Starts a program with SIGINT ignored, as a script does with what it puts into the background."""
SPAWNING = {"jobs": ["seeds=2", "jobs=2"], "engine": ["engine.name=processes", "engine.workers=1"]}


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a script that calls ``launch``, from a file or from standard input."""

    def run(guard: str, settings: list[str], stdin: bool = False):
        text = SCRIPT.replace("GUARD", GUARDS[guard]).replace("SETTINGS", repr(SMALL + settings))
        (tmp_path / "script.py").write_text(text)
        return subprocess.run(
            [sys.executable, "-W", "error", *([] if stdin else ["script.py"])],
            input=text if stdin else None,
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.mark.parametrize("how", SPAWNING)
def test_a_script_without_a_main_guard(how: str, script, tmp_path: Path) -> None:
    """Every process would begin the run again: twelve folders, and success is reported."""
    done = script("plain", SPAWNING[how])
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1, "the script's own, and none of its children"
    last = done.stderr.splitlines()[-1]
    assert last.startswith("pathnet_evo.workers.spawning.SpawnError: ")
    assert "script.py: begins its run again in each process" in last
    assert last.endswith('put what begins the run under `if __name__ == "__main__":`')
    assert not (tmp_path / "runs").exists()


def test_a_script_from_standard_input(script, tmp_path: Path) -> None:
    """No process could find the script, and each trial would be reported as failed, or none."""
    done = script("guarded", SPAWNING["jobs"], stdin=True)
    assert done.returncode == 1
    assert "save the script as a file" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "runs").exists()


def test_a_script_with_a_main_guard(script, tmp_path: Path) -> None:
    """What is asked for would be refused when it is there."""
    done = script("guarded", SPAWNING["jobs"])
    assert (done.returncode, done.stdout) == (0, "finished\n"), done.stderr
    assert len(list((tmp_path / "runs").iterdir())) == 1


def test_a_script_that_needs_no_processes(script) -> None:
    """Who runs one trial after another would have to write a guard for nothing."""
    assert script("plain", []).stdout == "finished\n"
    assert script("plain", [], stdin=True).stdout == "finished\n"


def test_a_run_in_a_process_of_a_pool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Processes of multiprocessing.Pool may have no children: an AssertionError after the start."""
    monkeypatch.setattr(spawning, "check_main", spawning.check_main.__wrapped__)
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)
    with pytest.raises(spawning.SpawnError, match="daemon"):
        spawning.check_main()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_loop_over_launch_is_stopped(number: signal.Signals, tmp_path: Path) -> None:
    """A loop over ``launch`` could not be stopped: each run would return as if it had finished."""

    def press(record: object) -> None:
        if type(record).__name__ == "Evaluated":
            signal.raise_signal(number)

    begun = 0
    with pytest.raises((KeyboardInterrupt, SystemExit)) as ended:
        for _ in range(2):
            begun += 1
            launch("digits", SMALL, runs_dir=tmp_path, name=f"run-{begun}", on_record=once(press))
    assert begun == 1
    if number == signal.SIGTERM:
        assert ended.type is SystemExit
        assert ended.value.code == 143
    else:
        assert ended.type is KeyboardInterrupt
    stopped = load_run(tmp_path / "run-1")
    assert stopped.summary["state"] == "interrupted"
    assert not inspect(stopped.folder).problems
    assert resume(stopped.folder).summary["state"] == "finished"


def test_a_script_that_handles_sigterm_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A script that a cluster tells to stop could not do what it does then."""
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        press = once(lambda record: signal.raise_signal(signal.SIGTERM))
        launch("digits", SMALL, runs_dir=tmp_path, on_record=press)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]


def once(call: Callable[[object], None]) -> Callable[[object], None]:
    """Call with the first evaluation only."""
    left = [call]

    def heard(record: object) -> None:
        if left and type(record).__name__ == "Evaluated":
            left.pop()(record)

    return heard


def test_a_run_of_which_trials_fail(tmp_path: Path) -> None:
    """A script would go on with a failed run as if it had worked."""
    settings = [*SMALL, "learner.learning_rate=1e30"]
    with pytest.raises(RunFailed, match=r"pathnet, seed 0: .*not finite") as failed:
        launch("digits", settings, runs_dir=tmp_path)
    run = failed.value.run
    assert run.summary["state"] == "failed"
    with pytest.raises(RunFailed):
        resume(run.folder)


def test_a_program_in_the_background_of_a_script(tmp_path: Path) -> None:
    """Where SIGINT is ignored, as after ``&`` in a script, SIGTERM would not end a run cleanly."""
    code = "from pathnet_evo.cli import main; main()"
    long = [f"--set={s}" for s in [*SMALL, "stages.*.generations=1000000"]]
    process = subprocess.Popen(
        [*BACKGROUND, sys.executable, "-c", code, "run", "digits", "--name=it", *long],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        run = tmp_path / "runs" / "it"
        wait_for(lambda: process.poll() is not None or evaluations(run) > 3)
        process.send_signal(signal.SIGINT)
        before = evaluations(run)
        wait_for(lambda: process.poll() is not None or evaluations(run) > before + 3)
        assert process.poll() is None, "it ignores what was ignored"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 143, err
    assert "Traceback" not in err
    assert json.loads((run / "summary.json").read_text())["state"] == "interrupted"
    assert not inspect(run).problems


def test_children_of_tests_can_be_interrupted() -> None:
    """A suite that a script starts in the background would wait for ever for a child of a test."""
    program = "import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
    suite = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {program!r}])"
    conftest = Path(__file__).parents[1] / "conftest.py"
    code = f"import runpy; runpy.run_path({str(conftest)!r}); {suite}"
    done = subprocess.run(
        [*BACKGROUND, sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert done.stdout == "False\n"


def test_every_test_has_a_time_limit(request: pytest.FixtureRequest) -> None:
    """A test that waits for what never comes would hold up everything, until somebody looks."""
    assert request.config.pluginmanager.has_plugin("timeout")
    assert float(request.config.getini("timeout")) > 0


def evaluations(run: Path) -> int:
    """How many a run has, as far as they are committed."""
    try:
        with closing(sqlite3.connect(f"file:{run / 'lineage.sqlite'}?mode=ro", uri=True)) as db:
            (count,) = db.execute("SELECT count(*) FROM evaluations").fetchone()
    except sqlite3.OperationalError:
        return 0
    return int(count)


def wait_for(what: Callable[[], bool], seconds: float = 240.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)
