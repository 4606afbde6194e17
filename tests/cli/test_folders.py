"""Folders that cannot be read, are named twice, or hold no run yet."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pathnet_evo.interfaces.run_info import RunInfo, Trial
from pathnet_evo.observers.csv import Csv
from pathnet_evo.report.figures import save_figures
from pathnet_evo.running import checking
from pathnet_evo.store.directory import clear

LONG = "x" * 300
TAKE_FOLDERS = [
    ("resume", LONG),
    ("resume", "begun", "--add-task", LONG),
    ("report", LONG),
    ("check", LONG),
    ("rm", "-y", LONG),
    ("runs", LONG),
    ("watch", LONG),
    ("compare", LONG),
    ("export", LONG, "--csv", "out"),
    ("play", LONG),
    ("sweep", LONG),
    ("learn", LONG),
]


@pytest.fixture
def whole(made_up: SimpleNamespace, command: Any) -> Path:
    """A finished run, beside one of which no trial has started."""
    folder = Path("whole")
    folder.mkdir()
    made_up.two_arms(folder, [0.25, 0.125])
    (folder / "about.json").write_text("{}")
    Path("begun").mkdir()
    Path("begun/run.toml").write_text('[[stages]]\ntask = "digits"\n')
    return folder


@pytest.mark.parametrize("arguments", TAKE_FOLDERS, ids=lambda a: a[0] + "-" * (a[1] != LONG))
def test_a_name_that_is_too_long(arguments: tuple[str, ...], whole: Path, command: Any) -> None:
    """A path that was pasted wrongly would end in a traceback."""
    result = command(*arguments)
    assert (result.status, result.out) == (2, "")
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [a for a in TAKE_FOLDERS if LONG in a], ids=lambda a: a[0] + "-" * (a[1] != LONG)
)
def test_a_folder_without_permission(
    arguments: tuple[str, ...], whole: Path, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's folder would end in a traceback."""
    inspected = Path.stat

    def stat(path: Path, **how: Any) -> os.stat_result:
        if "sealed" in path.parts:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return inspected(path, **how)

    monkeypatch.setattr(Path, "stat", stat)
    result = command(*("sealed/run" if a == LONG else a for a in arguments))
    assert (result.status, result.out) == (2, "")
    (line,) = result.err.splitlines()
    assert "sealed/run" in line


@pytest.mark.parametrize(
    "bug", [OSError(errno.EBADF, "Bad file descriptor", "file"), OSError(errno.EACCES, "Denied")]
)
def test_other_errors_of_the_system_stay_visible(
    bug: OSError, whole: Path, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug of the program would pass for a mistake of the user."""

    def inspect(run: Path) -> None:
        raise bug

    monkeypatch.setattr(checking, "inspect", inspect)
    with pytest.raises(OSError, match=bug.strerror) as raised:
        command("check", "whole")
    assert raised.value is bug


# Folders named twice ----------------------------------------------------------------------


def test_rm_of_a_run_named_twice(whole: Path, command: Any) -> None:
    """The command would fail half-way, with other runs left."""
    shutil.copytree(whole, "other")
    result = command("rm", "-y", "whole", str(whole.absolute()), "./whole/", "other")
    assert (result.status, result.err) == (0, "")
    assert result.out == "whole: removed\nother: removed\n"


def test_rm_of_a_matrix_and_one_of_its_runs(whole: Path, command: Any) -> None:
    """The matrix would be gone, then its run be missed, and further runs be left."""
    stages = "".join(f'[[stages]]\nname = "{name}"\ntask = "digits"\n' for name in "abc")
    Path("grid").mkdir()
    Path("grid/matrix.toml").write_text(f"sources = 2\n{stages}")
    Path("grid/matrix.json").write_text("{}")
    shutil.copytree(whole, "grid/a-c")
    result = command("rm", "-y", "grid/a-c", "grid", "whole")
    assert (result.status, result.err) == (0, "")
    assert result.out == "grid: removed\nwhole: removed\n"


# Folders without a run --------------------------------------------------------------------


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Fills the disk: what is written from then on cannot be made durable."""

    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return lambda: monkeypatch.setattr(os, "fsync", fsync)


MATRIX = """
sources = 1
arms = ["pathnet"]
[[stages]]
name = "a"
task = "digits"
[[stages]]
name = "b"
task = "digits"
"""
SWEEP = """
[sweep]
trials = 2
score = "fitness"
[learner]
name = "sgd"
learning_rate = { low = 0.1, high = 0.2 }
[[stages]]
task = "digits"
"""


@pytest.mark.parametrize(
    ("verb", "text"), [("run", '[[stages]]\ntask = "digits"'), ("run", MATRIX), ("sweep", SWEEP)]
)
def test_a_folder_that_cannot_be_begun_is_not_left(
    verb: str, text: str, command: Any, full: Any
) -> None:
    """Its name would be taken by what can neither be resumed nor removed."""
    Path("it.toml").write_text(text)
    full()
    result = command(verb, "it.toml", "--name", "it")
    assert result.status == 2
    assert result.err.splitlines()[-1].endswith("cannot be written (No space left on device)")
    assert not Path("runs/it").exists()


def test_rm_of_what_a_killed_run_began(command: Any) -> None:
    """A name would be taken for good by a process that was killed as it began."""
    left = Path("runs/it")
    left.mkdir(parents=True)
    (left / "about.json").write_text("{}")
    (left / ".run.toml.tmp-12").write_text("")
    taken = command("run", "digits", "--name", "it")
    assert taken.status == 2
    assert taken.err.endswith("`pathnet-evo rm runs/it`: it holds no run\n")
    result = command("rm", "-y", "runs/it")
    assert (result.status, result.out) == (0, "runs/it: removed\n")
    assert not left.exists()
    (left / "photos").mkdir(parents=True)
    assert command("rm", "-y", "runs/it").status == 2
    assert "rm" not in command("run", "digits", "--name", "it").err


# Files that were there before -------------------------------------------------------------


def test_a_full_disk_leaves_pages_and_figures_as_they_were(
    whole: Path, command: Any, full: Any
) -> None:
    """A page would be empty, or a figure half a file, where a whole one was."""
    assert command("compare", "whole", "--html", "page.html").status == 0
    assert command("report", "whole", "--figures", "svg").status == 0
    kept = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert any("figures" in path.parts for path in kept)
    full()
    failed = command("compare", "whole", "--html", "page.html")
    assert (failed.status, failed.err.splitlines()[-1]) == (
        2,
        "--html page.html: cannot be written (No space left on device)",
    )
    assert command("report", "whole").status == 2
    with pytest.raises(OSError, match="No space left"):
        save_figures(whole, ["svg"])
    found = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert found == kept


def test_a_page_can_go_to_a_pipe_or_through_a_link(whole: Path, command: Any) -> None:
    """A link would be replaced by the page, and a device file by a file."""
    Path("page.html").write_text("old")
    Path("link.html").symlink_to("page.html")
    assert command("compare", "whole", "--html", "link.html").status == 0
    assert Path("link.html").is_symlink()
    assert Path("page.html").read_text().startswith("<!")
    assert command("compare", "whole", "--html", "/dev/null", "--json").status == 0
    assert Path("/dev/null").is_char_device()


def test_a_full_disk_leaves_metrics_as_they_were(
    tmp_path: Path, made_up: SimpleNamespace, full: Any
) -> None:
    """A resumed run would lose the rows of its earlier sessions."""
    run = RunInfo(tmp_path, "run", {0: Trial(0, "pathnet", 0)})
    (tmp_path / "metrics").mkdir()
    file = tmp_path / "metrics" / "pathnet-0.csv"
    file.write_text("arm,seed,name,step,value\r\npathnet,0,a,1,0.5\r\n")
    full()
    with pytest.raises(OSError, match="No space left"):
        Csv().measured(run, run.trials[0], 1, {"a": 0.25})
    assert "0.5" in file.read_text()
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_partial_files_of_killed_processes_are_removed(tmp_path: Path) -> None:
    """They would stay for ever, and be copied with every run."""
    mine = [".notes.tmp-1", "matrix.json", "metrics/pathnet-0.csv", "figures/.plot.txt.tmp-1"]
    left = [".matrix.toml.tmp-1", ".matrix.json.tmp-1", ".matrix.html.tmp-23", ".run.toml.tmp-4"]
    left += ["metrics/.pathnet-0.csv.tmp-5", "figures/.scores-1.svg.tmp-6"]
    for name in (*mine, *left):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(name))
    clear(tmp_path)
    found = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert found == set(mine)
