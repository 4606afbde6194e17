"""The other commands."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest


def test_help_imports_nothing_heavy() -> None:
    """``pathnet-evo --help`` would take seconds."""
    code = (
        "import sys; sys.argv = ['pathnet-evo', '--help']\n"
        "from pathnet_evo.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('torch', 'numpy', 'matplotlib', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_plugins_lists_names(command: Any) -> None:
    """A user could not see which tasks, learners and strategies there are."""
    listed = {p["name"]: p for p in json.loads(command("plugins", "--json").out)}
    assert "digits" in listed["images"]["names"]["tasks"]
    assert listed["sgd"]["errors"] == []
    assert "digits" in command("plugins").out


def test_presets_are_listed_and_printed(command: Any) -> None:
    """A user could not start from a preset."""
    assert "cifar-svhn" in command("presets").out
    assert tomllib.loads(command("presets", "cifar-svhn").out)["pool"]["modules"] == 20
    assert command("presets", "cifarsvhn").status == 2


@pytest.mark.slow
def test_report_again(command: Any, small: list[str]) -> None:
    """A report that was lost could not be made again, or would differ."""
    command("run", "digits", *small)
    page = Path("runs/digits/report.html")
    before = page.read_text()
    page.unlink()
    assert command("report", "runs/digits").status == 0
    assert page.read_text() == before


def test_report_of_nothing(command: Any) -> None:
    """A mistyped folder would end in a traceback."""
    result = command("report", "runs/none")
    assert result.status == 2
    assert "not a run's folder" in result.err


@pytest.mark.slow
def test_front(command: Any, small: list[str]) -> None:
    """Nobody could see what nsga2 had to choose from, and which path it chose."""
    command(
        "run", "digits", *small, "--set", "strategy.name=nsga2", "--set", "strategy.freeze=knee"
    )
    summary = json.loads(Path("runs/digits/summary.json").read_text())
    page = Path("runs/digits/report.html").read_text()
    for stage in summary["arms"]["pathnet"]["stages"]:
        front = stage["fronts"]["0"]
        assert (front["objectives"], front["rule"]) == (["fitness", "trained modules"], "knee")
        (chosen,) = (m for m in front["members"] if m["chosen"])
        assert chosen["objectives"][0] == stage["fitness"]["mean"]
        values = [m["objectives"] for m in front["members"]]
        fitnesses, costs = zip(*values, strict=True)
        assert sorted(fitnesses, reverse=True) == list(fitnesses)
        assert len(set(fitnesses)) == len(set(costs)) == len({*map(tuple, values)})
        assert all(m["modules"] == sum(map(len, m["path"])) for m in front["members"])
        assert all(" ".join(map(str, m["path"][0])) in page for m in front["members"])
    assert "chosen by the rule “knee”" in page
    assert summary["arms"]["random"]["stages"][0]["fronts"] == {}


@pytest.mark.slow
def test_compare(command: Any, small: list[str]) -> None:
    """Two strategies could not be held against each other."""
    command("run", "digits", *small, "--name", "a")
    command("run", "digits", *small, "--name", "b", "--set", "strategy.name=aging")
    found = json.loads(command("compare", "runs/a", "runs/b", "--json").out)
    assert [e["strategy"] for e in found["entries"] if e["arm"] == "pathnet"] == [
        "binary-tournament",
        "aging",
    ]
    shown = command("compare", "runs/a", "runs/b").out
    assert "b: pathnet minus a: pathnet" in shown
    assert 'strategy.name: "binary-tournament", "aging"' in shown
    wrong = command("compare", "runs/a", "runs/none")
    assert (wrong.status, wrong.err) == (2, "runs/none: no such run\n")
