"""One-file plugins: used without being installed, recorded with the run, imported by no reader."""

import hashlib
import json
import shutil
import tomllib

import pytest

from pathnet_evo import launch, load_run
from pathnet_evo.plugins.files import PluginFile, import_file, module_of
from pathnet_evo.plugins.registry import Registry

pytestmark = pytest.mark.slow

TASK = """
from pathnet_evo import TaskSettings, SupervisedTask, hookimpl
import torch

class Mine(TaskSettings):
    n: int = 20

    def make(self, context):
        x = torch.randn(self.n, 3, generator=context.generator("x"))
        y = (x[:, 0] > 0).long()
        return SupervisedTask("mine", x, y, x, y, 2)

@hookimpl
def register_tasks(register):
    register("mine", Mine)
"""


@pytest.fixture
def file(tmp_path):
    """A task in a file."""
    path = tmp_path / "my_task.py"
    path.write_text(TASK)
    return path


def resolved(tmp_path):
    """What the run recorded of its configuration."""
    return tomllib.loads((tmp_path / "runs" / "run" / "run.toml").read_text())


def test_by_option(program, small, file, tmp_path):
    """A task in a file could only be used once it is a package."""
    program("run", small(task='"mine"'), "--plugin", "my_task.py")
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert resolved(tmp_path)["plugins"] == [{"path": str(file), "sha256": sha256}]
    assert resolved(tmp_path)["stages"][0]["task"] == {"name": "mine", "n": 20}
    about = json.loads((tmp_path / "runs" / "run" / "about.json").read_text())
    assert about["plugins"]["my_task.py"] == str(file)


def test_in_a_toml(program, small, file, tmp_path):
    """A TOML and its plugin could not be handed on in one folder."""
    folder = tmp_path / "handed on"
    folder.mkdir()
    shutil.move(file, folder)
    config = small('plugins = ["my_task.py"]', task='"mine"')
    shutil.move(tmp_path / config, folder)
    program("run", f"handed on/{config}", "--plugin", "handed on/my_task.py")
    assert [p["path"] for p in resolved(tmp_path)["plugins"]] == [str(folder / "my_task.py")]


def test_a_run_is_repeated_from_its_run_toml(program, small, file, tmp_path):
    """A run with a plugin of one's own could not be repeated, or be repeated with another."""
    program("run", small(task='"mine"'), "--plugin", "my_task.py")
    program("run", "runs/run/run.toml", "--name", "again")
    file.write_text(TASK + "\n# changed\n")
    error = program("run", "runs/run/run.toml", "--name", "third", status=2).stderr
    assert "my_task.py: has changed since it was recorded" in error
    assert not (tmp_path / "runs" / "third").exists()


def test_workers_load_it(program, small, file):
    """Trials side by side would not know the task."""
    config = small(task='"mine"')
    done = program("run", config, "--plugin", "my_task.py", "--jobs", "2", "--seeds", "2", "--json")
    assert json.loads(done.stdout)["state"] == "finished"


def test_workers_refuse_a_changed_file(program, small, file):
    """Trials of one run would learn different tasks."""
    spoil = f"""
from pathlib import Path
import multiprocessing
if multiprocessing.parent_process() is None:
    Path({str(file)!r}).write_text(Path({str(file)!r}).read_text() + "# changed while it ran")
"""
    file.write_text(TASK)
    config = small(task='"mine"')
    (file.parent / "spoil.py").write_text(
        "from pathnet_evo import hookimpl\n@hookimpl\ndef run_finished(run): pass\n" + spoil
    )
    done = program(
        "run",
        config,
        *("--plugin", "my_task.py", "--plugin", "spoil.py"),
        *("--jobs", "2", "--seeds", "2", "--json"),
        status=1,
    )
    assert "has changed since it was recorded" in done.stderr
    assert json.loads(done.stdout)["state"] == "failed"


def test_readers_import_none(program, small, file, tmp_path):
    """Looking at somebody's run would execute their code."""
    program("run", small(task='"mine"'), "--plugin", "my_task.py")
    file.write_text("raise RuntimeError('imported')")
    program("report", "runs/run")
    run = load_run(tmp_path / "runs" / "run")
    assert run.summary["state"] == "finished"
    assert run.config.plugins[0].path == str(file)


def test_networks_of_a_run_with_a_file(small, file, tmp_path):
    """What was learned with a task of one's own could not be used."""
    config = tmp_path / small(task='"mine"')
    run = launch(config, runs_dir=tmp_path / "runs", plugins=[file])
    registry = Registry(files=load_run(run.folder).config.plugins)
    again = load_run(run.folder, registry)
    assert run.network(0).path == again.network(0).path


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "my_task.py: cannot be read (No such file or directory)"),
        ("import cv3", "my_task.py: failed to load: ModuleNotFoundError"),
        ("raise SystemExit", "my_task.py: failed to load: SystemExit"),
        ("x = 1", "implements no hook"),
        (TASK.replace('"mine"', '"digits"'), "'digits' is already registered by images"),
    ],
)
def test_refused(program, small, file, source, message):
    """A file that does not work would be passed over, or end in a traceback."""
    file.unlink() if source is None else file.write_text(source)
    error = program("run", small(task='"mine"'), "--plugin", "my_task.py", status=2).stderr
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_an_edited_file_stops_no_process(tmp_path):
    """After an edit in a notebook, no process could be started: what was imported is gone."""
    path = tmp_path / "edited_lab.py"
    for text in ("VALUE = 1\n", "VALUE = 2\n", "VALUE = 1\n"):
        path.write_text(text)
        module, _ = import_file(PluginFile(path=str(path)))
        assert module_of("edited_lab") is module
    for change in (lambda: path.write_text("VALUE = 3\n"), path.unlink):
        change()
        settings = ["seeds=2", "arms=['pathnet']", "stages.*.generations=1", "jobs=2"]
        assert launch("digits", settings, runs_dir=tmp_path / "runs").summary["state"] == "finished"
