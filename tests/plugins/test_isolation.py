"""A plugin that does not work costs its own names, and is named where they are asked for."""

import re

import pytest

pytestmark = pytest.mark.slow

GOOD = """
from pathnet_evo import hookimpl

@hookimpl
def register_tasks(register):
    register("good-task", "pathnet_evo_images.digits:Digits")
"""
BROKEN = {
    "no-module": (
        "import a_module_that_is_not_there",
        "No module named 'a_module_that_is_not_there'",
    ),
    "syntax": ("def (", "SyntaxError"),
    "raises": ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
    "exits": ("raise SystemExit(3)", "SystemExit: 3"),
    "no-hook": ("x = 1", "implements no hook"),
    "hook-raises": (
        GOOD.replace('register("good-task"', '1 / 0; register("good-task"'),
        "register_tasks: ZeroDivisionError",
    ),
    "hook-exits": (GOOD + "    raise SystemExit", "register_tasks: SystemExit"),
    "signature": (GOOD.replace("(register)", "(registry)"), "registry"),
    "misspelt": (GOOD.replace("register_tasks", "register_task"), 'Did you mean "register_tasks"'),
    "duplicate": (GOOD.replace("good-task", "digits"), "'digits' is already registered by images"),
    "no-name": (GOOD.replace('"good-task"', "None"), "a name is text"),
    "command-raises": (
        GOOD.replace("good-task", "t") + "@hookimpl\ndef register_commands(app): 1 / 0",
        "register_commands: ZeroDivisionError",
    ),
    "command-taken": (
        GOOD.replace("good-task", "t")
        + "@hookimpl\ndef register_commands(app):\n    @app.command()\n    def run(): pass",
        "command 'run' already exists",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_contained(name, install, listed):
    """One broken plugin would take every command down, or fail without a word."""
    source, error = BROKEN[name]
    install(name, source)
    install("zzz-good", GOOD.replace("good-task", "other-task"))
    plugins = listed()
    assert error in "; ".join(plugins[name]["errors"])
    assert "\n" not in "".join(plugins[name]["errors"])
    assert plugins["zzz-good"]["names"] == {"tasks": ["other-task"]}
    assert plugins["zzz-good"]["errors"] == []
    assert "digits" in plugins["images"]["names"]["tasks"]


def test_named_where_its_name_is_asked_for(install, program, small):
    """A user would hear that a task is unknown, and not that its plugin needs a package."""
    install("my-lab", "import cv3")
    config = small(task='{ name = "lab-task" }')
    error = program("run", config, status=2).stderr
    assert "lab-task" in error
    assert "my-lab (my_lab) failed to load: ModuleNotFoundError: No module named 'cv3'" in error
    assert len(error.strip().splitlines()) == 1


def test_a_class_that_cannot_be_imported(install, program, small):
    """A lazy import that fails would end in a traceback."""
    install("my-lab", GOOD.replace("pathnet_evo_images.digits:Digits", "not_there:Task"))
    error = program("run", small(task='"good-task"'), status=2).stderr
    assert "task 'good-task' of plugin my-lab cannot be imported" in error


def test_a_class_of_another_kind(install, program, small):
    """A class that is no task would fail deep inside a run."""
    install("my-lab", GOOD.replace("pathnet_evo_images.digits:Digits", "pathlib:Path"))
    error = program("run", small(task='"good-task"'), status=2).stderr
    assert "is not a subclass of pathnet_evo.interfaces.tasks.TaskSettings" in error


def test_chosen_plugins(install, listed):
    """Nobody could find out which plugin spoils a run."""
    install("aaa", GOOD)
    install("bbb", GOOD.replace("good-task", "b-task"))
    own = {"core", "images", "sgd"}
    assert own | {"aaa", "bbb"} <= set(listed())
    none = set(listed(chosen=""))
    assert own <= none
    assert not none & {"aaa", "bbb"}
    assert set(listed(chosen="bbb")) == none | {"bbb"}
    assert set(listed(chosen=" aaa, bbb ")) == none | {"aaa", "bbb"}
    assert "not installed" in listed(chosen="ccc")["ccc"]["errors"][0]


def test_plain_list(install, program):
    """A user would not see at a glance what is installed and what fails."""
    install("my-lab", "import cv3")
    shown = program("plugins").stdout
    assert "my-lab (my_lab; my-lab 1.2)\n  failed: ModuleNotFoundError" in shown
    assert re.search(r"^  task cifar10 +CIFAR-10: ", shown, re.M)
