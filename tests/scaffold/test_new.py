"""What ``pathnet-evo new`` writes is a package that installs, keeps its contract and runs."""

import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from pathnet_evo.cli import app
from pathnet_evo.errors import UserError
from pathnet_evo.plugins.registry import Registry

KINDS = {
    "task": "tasks",
    "learner": "learners",
    "strategy": "strategies",
    "policy": "policies",
    "modules": "modules",
    "executor": "executors",
    "observer": "observers",
}


ACTING = ("learner", ("--acting",))


def new(*arguments: str):
    """``pathnet-evo new`` in this process; a user's mistake is raised."""
    return CliRunner().invoke(app, ["new", *arguments], catch_exceptions=False)


def ran(command, cwd, site):
    """A command's output; it must succeed."""
    env = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    env.pop("PATHNET_EVO_PLUGINS", None)
    done = subprocess.run(
        [sys.executable, "-W", "error", *command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "options"), [*((kind, ()) for kind in KINDS), ACTING])
def test_written_installed_tested_run(kind, options, tmp_path):
    """The first thing that a plugin's author sees would not work."""
    name = f"my-{kind}"
    assert new(kind, name, "--into", str(tmp_path), *options).exit_code == 0
    folder, site = tmp_path / name, tmp_path / "site"
    install = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    pip = [sys.executable, "-m", "pip", "install", "-q", *install, "--target", str(site), "."]
    subprocess.run(pip, cwd=folder, check=True)
    assert " passed" in ran(
        ["-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"], folder, site
    )
    program = ["-c", "from pathnet_evo.cli import main; main()"]
    listed = json.loads(ran([*program, "plugins", "--json"], folder, site))
    (mine,) = [plugin for plugin in listed if plugin["name"] == name]
    assert mine["distribution"] == name
    assert mine["names"] == {KINDS[kind]: [name]}
    assert mine["errors"] == []
    summary = json.loads(ran([*program, "run", "run.toml", "--json"], folder, site))
    assert summary["state"] == "finished"
    assert name in (folder / "runs" / name / "run.toml").read_text()


def test_only_learners_act(tmp_path):
    """The option would be ignored, and a plugin of another kind be written."""
    with pytest.raises(UserError, match="--acting is for learners"):
        new("task", "lab", "--into", str(tmp_path), "--acting")
    assert not (tmp_path / "lab").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_readme_names_what_is_there(kind, tmp_path):
    """The README would speak of files that are not there."""
    new(kind, "lab", "--into", str(tmp_path))
    readme = (tmp_path / "lab" / "README.md").read_text()
    assert f"lab/{kind}.py" in readme
    assert (tmp_path / "lab" / "lab" / f"{kind}.py").is_file()
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or not {"@name@", "@package@", "@Class@"} & set(
            path.read_text().split()
        )
        assert "@" not in path.name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("9lives", "not a name for a package"),
        ("my lab", "not a name for a package"),
        ("../lab", "not a name for a package"),
        ("", "not a name for a package"),
        ("Lab", "not a name for a package"),
        ("class", "not a name for a package"),
        ("lab-", "not a name for a package"),
        ("json", "there is a package of that name"),
        ("torch", "there is a package of that name"),
        ("pathnet-evo", "there is a package of that name"),
        ("taken", "exists; choose another name or --into"),
    ],
)
def test_refused(name, message, tmp_path):
    """A package would be written that cannot be imported, or over somebody's work."""
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "work").write_text("of somebody")
    with pytest.raises(UserError, match=message) as error:
        new("task", "--into", str(tmp_path), "--", name)
    assert "\n" not in str(error.value)
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]
    assert [p.name for p in (tmp_path / "taken").iterdir()] == ["work"]


@pytest.mark.parametrize(
    ("kind", "name", "what"),
    [
        ("strategy", "racing", "a strategy"),
        ("strategy", "mu_plus_lambda", "a strategy"),
        ("task", "cifar10", "a task"),
        ("learner", "ppo", "a learner"),
        ("modules", "residual", "a module"),
        ("observer", "taken", "an observer"),
    ],
)
def test_a_name_that_is_registered_is_refused(kind, name, what, tmp_path, monkeypatch):
    """The author's run would use the one that was there before, and say nothing."""
    own = Registry.names

    def names(registry, family):
        return [*own(registry, family), *(["taken"] if family == "observers" else [])]

    monkeypatch.setattr(Registry, "names", names)  # as if it were installed
    with pytest.raises(
        UserError, match=f"^'{name}': there is {what} of that name; choose another$"
    ):
        new(kind, name, "--into", str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_names_of_other_families_are_free(tmp_path):
    """A task could not have the name of a strategy, although nothing confuses them."""
    assert new("task", "racing", "--into", str(tmp_path)).exit_code == 0


def test_a_folder_that_cannot_be_written(tmp_path):
    """A full or read-only disk would end in a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        new("task", "lab", "--into", str(tmp_path / "file"))


def test_unknown_kind():
    """A misspelt kind would end in a traceback."""
    with pytest.raises(UserError, match=r'^no kind .tsak.\. Did you mean "task"\?'):
        new("tsak", "lab")
