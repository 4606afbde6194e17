"""Readers that go away, full disks, narrow locales, odd paths, users without a home."""

from __future__ import annotations

import json
import os
import pwd
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pathnet_evo import launch
from pathnet_evo.errors import UserError
from pathnet_evo.system import folders

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-W", "error", "-c", "from pathnet_evo.cli import main; main()"]
SMALL = [
    "--seeds=1",
    "--set=arms=['pathnet']",
    "--set=strategy.population=4",
    "--set=stages.*.generations=2",
    "--set=stages.*.task.copies=1",
    "--set=transfer.prior=false",
    "--set=learner.n_batches=2",
]
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
"""A locale whose letters are those of ASCII alone."""
BYTES = os.fsdecode(b"r\xff\xfeuns")
"""A name that is no UTF-8, as a user's shell hands it over."""


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``pathnet-evo``; whatever happens, nobody sees a traceback."""

    def run(*arguments: str, status: int = 0, stdout: str | None = None, **variables: str):
        out = subprocess.PIPE if stdout is None else os.open(stdout, os.O_WRONLY)
        done = subprocess.run(
            [*PROGRAM, *arguments],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=300,
            check=False,
        )
        if isinstance(out, int) and out >= 0:
            os.close(out)
        assert "Traceback" not in done.stderr, done.stderr
        assert "Exception ignored" not in done.stderr, done.stderr
        assert done.returncode == status, done.stderr
        return done

    return run


def state(run: Path) -> str:
    """What became of a run."""
    return json.loads((run / "summary.json").read_text(encoding="utf-8"))["state"]


def test_a_log_reader_that_goes_away(tmp_path: Path) -> None:
    """``pathnet-evo run 2>&1 | head -n 1`` would end a run of days with its first line."""
    process = subprocess.Popen(
        [*PROGRAM, "run", "digits", "--name=it", *SMALL],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"run runs/it\n"
    process.stdout.close()
    assert process.wait(300) == 0
    assert state(tmp_path / "runs" / "it") == "finished"


def test_a_log_reader_that_goes_away_from_processes(tmp_path: Path) -> None:
    """What plugins print in processes of their own would fail their evaluations."""
    (tmp_path / "loud.py").write_text(
        "import sys\n"
        "from pathnet_evo import hookimpl\n"
        "from pathnet_evo_sgd.learner import SGD, SGDEvaluator\n"
        "class Loud(SGD):\n"
        "    def evaluator(self, context):\n"
        "        return LoudEvaluator(self, context)\n"
        "class LoudEvaluator(SGDEvaluator):\n"
        "    def advance(self):\n"
        "        print('training', flush=True)\n"
        "        return super().advance()\n"
        "@hookimpl\n"
        "def register_learners(register):\n"
        "    register('loud', Loud)\n"
    )
    loud = ["--plugin=loud.py", "--set=learner.name=loud", "--set=engine.name=processes"]
    process = subprocess.Popen(
        [*PROGRAM, "run", "digits", "--name=it", *SMALL, *loud],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"run runs/it\n"
    process.stdout.close()
    assert process.wait(300) == 0
    summary = json.loads((tmp_path / "runs" / "it" / "summary.json").read_text())
    stages = summary["arms"]["pathnet"]["stages"]
    assert [stage["failed"]["mean"] for stage in stages] == [0, 0]


def test_output_to_a_full_disk(program) -> None:
    """A full disk would end in a traceback, or in a status that says that all went well."""
    error = program("presets", stdout="/dev/full", status=1).stderr
    assert error == "standard output: cannot be written (No space left on device)\n"


def test_output_to_nowhere(tmp_path: Path) -> None:
    """``>&-`` would end in a traceback, or write a table into the first file that is opened."""
    line = '"$@" >&- 2>&-'
    arguments = ["run", "digits", "--name=it", *SMALL]
    done = subprocess.run(
        ["sh", "-c", line, "sh", *PROGRAM, *arguments], cwd=tmp_path, timeout=300, check=False
    )
    assert done.returncode == 0
    assert state(tmp_path / "runs" / "it") == "finished"


def test_a_name_that_an_ascii_locale_lacks(program, tmp_path: Path) -> None:
    """Whoever logs in to a cluster without a locale would get a traceback for each accent."""
    names = ["--set=stages.0.name=première", "--set=stages.1.name=été"]
    shown = program("run", "digits", "--name=it", *names, *SMALL, **ASCII)
    assert r"1. premi\xe8re" in shown.stdout
    stages = json.loads((tmp_path / "runs" / "it" / "summary.json").read_text())["stages"]
    assert [stage["name"] for stage in stages] == ["première", "été"]
    program("check", "runs/it", **ASCII)


def test_a_folder_that_an_ascii_locale_lacks(program, tmp_path: Path) -> None:
    """A run would end with a traceback, or after its first stage, since it cannot name a folder."""
    (tmp_path / "e.toml").write_text('name = "é"\n[[stages]]\ntask = "digits"\n', encoding="utf-8")
    error = program("run", "e.toml", status=2, **ASCII).stderr
    way_out = "set LC_ALL=C.UTF-8 or PYTHONUTF8=1"
    assert error == rf"runs/\xe9: cannot be named in this locale (ascii); {way_out}" + "\n"
    arm = "--set=arms=[{name='é'}]"
    error = program("run", "digits", *SMALL, arm, status=2, **ASCII).stderr
    assert "cannot be named in this locale" in error
    assert not list(tmp_path.glob("runs/*"))


def test_a_folder_that_is_no_utf8(program, tmp_path: Path) -> None:
    """Who has an old disk with names in Latin-1 could not run, check or report anything on it."""
    program("run", "digits", "--name=it", f"--runs-dir={BYTES}", *SMALL)
    run = tmp_path / BYTES / "it"
    assert state(run) == "finished"
    for command in ("check", "report"):
        program(command, f"{BYTES}/it")
    assert (run / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("run", f"{BYTES}.toml"), r"r\udcff\udcfeuns.toml: cannot be read (No such file"),
        (("run", BYTES), r'unknown preset "r\udcff\udcfeuns"'),
        (("run", f"--set=name={BYTES}"), "name: not UTF-8 text"),
        (("run", f"--set={BYTES}=1"), r"r\udcff\udcfeuns: not UTF-8 text"),
        (("run", f"--plugin={BYTES}.py"), r"r\udcff\udcfeuns.py: not UTF-8 text"),
        (("check", BYTES), r"r\udcff\udcfeuns"),
        (("resume", BYTES), r"r\udcff\udcfeuns"),
        (("play", BYTES), r"r\udcff\udcfeuns"),
    ],
)
def test_a_command_line_that_is_no_utf8(
    arguments: tuple[str, ...],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """A name that the shell completed would end in a traceback."""
    from pathnet_evo.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pathnet-evo", *arguments])
    monkeypatch.setattr(sys, "stderr", Backslashes(sys.stderr))
    with pytest.raises(SystemExit) as end:
        main()
    error = capsys.readouterr().err
    assert end.value.code in (1, 2)
    assert line in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()


class Backslashes:
    """Standard error as a terminal's, which writes what it cannot encode as escapes."""

    def __init__(self, stream) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        self.stream.write(text.encode("utf-8", "backslashreplace").decode())

    def flush(self) -> None:
        self.stream.flush()


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user without HOME whom the system does not know, as in a container."""

    def unknown(name: object) -> None:
        raise KeyError(f"uid not found: {name}")

    for variable in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(pwd, "getpwnam", unknown)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    folders._temporary.cache_clear()
    yield
    folders._temporary.cache_clear()


def test_a_user_without_a_home(homeless: None, tmp_path: Path) -> None:
    """No image could be learned from in a container whose user has no entry in passwd."""
    settings = [argument.removeprefix("--set=") for argument in SMALL[1:]]
    run = launch("digits", ["seeds=1", *settings], runs_dir=tmp_path / "runs")
    assert run.summary["state"] == "finished"
    cache = folders.cache_folder()
    assert cache.parent.parent == tmp_path / "tmp"
    assert stat.S_IMODE(cache.parent.stat().st_mode) == 0o700


def test_a_temporary_folder_that_others_can_write(homeless: None, tmp_path: Path) -> None:
    """Whoever is first on a machine could plant what all others without a home learn from."""
    planted = tmp_path / "tmp" / f"pathnet-evo-{os.getuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    assert planted not in folders.cache_folder().parents
    folders._temporary.cache_clear()
    planted.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    planted.symlink_to(tmp_path / "elsewhere")
    assert planted not in folders.cache_folder().parents


@pytest.mark.parametrize("home", ["~nouser-of-this-name", "~"])
def test_a_home_that_nobody_has(home: str, homeless: None, tmp_path: Path) -> None:
    """``~nouser`` would end in a traceback (RuntimeError: could not determine home directory)."""
    with pytest.raises(UserError, match=rf"^{home}/mine\.py: cannot be read \(No such file"):
        launch("digits", plugins=[f"{home}/mine.py"], runs_dir=tmp_path)
    data = {"stages": [{"task": {"name": "mnist", "root": f"{home}/data"}}]}
    with pytest.raises(UserError, match=rf"stages\.0\.task: .*{home}/data"):
        launch(data, runs_dir=tmp_path)
