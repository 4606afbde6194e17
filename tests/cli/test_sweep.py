"""``pathnet-evo sweep``: what it refuses, in one line and before it writes anything."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

TOML = """
arms = ["pathnet", "independent"]
[pool]
modules = 3
width = 2
layers = [{ kind = "linear", units = 4 }]
[learner]
name = "sgd"
validation_fraction = 0.25
learning_rate = {low = 1e-3, high = 0.5, log = true}
[[stages]]
name = "first"
task = { name = "digits", classes = [0, 1], examples = 20 }
[[stages]]
task = { name = "digits", classes = [2, 3], examples = 20 }
"""


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("sweep.arm=pathnett", 'sweep.arm: no arm "pathnett". Did you mean "pathnet"?'),
        ("sweep.stage=2", "sweep.stage: no stage 2: the last of 2 is 1"),
        ("sweep.stage=frist", 'sweep.stage: no stage "frist". Did you mean "first"?'),
        ("sweep.score=test_accuracy", "sweep.score: a test score is never a target"),
        ("sweep.trails=3", 'sweep.trails: unknown key. Did you mean "trials"?'),
        ("sweep=3", "sweep: expected a table, got 3"),
        (
            "learner.lerning_rate={low=1,high=2}",
            'learner.lerning_rate: unknown key. Did you mean "learning_rate"?',
        ),
        ("learner.momentum={low=0.0,high=1.0}", "learner.momentum: input should be less than 1"),
        (
            'learner.optimizer={choices=["SGD","Admm","Adam"]}',
            "learner.optimizer: not a supported optimizer",
        ),
        ("learner.validation_fraction=0", "sweep.score: the fitness is measured on training"),
        ("learner.learning_rate=0.1", "nothing to search: no value is a search space"),
        ("sources=1", "sources: a sweep searches one sequence, not a matrix"),
        (
            'arms={choices=[["pathnet"],["independent"]]}',
            'sweep.arm: no arm "pathnet" (have: independent)',
        ),
    ],
)
def test_mistakes(command: Any, tmp_path: Path, setting: str, said: str) -> None:
    """A typo would be found hours later, or leave half a sweep behind."""
    (tmp_path / "s.toml").write_text(TOML)
    done = command("sweep", "s.toml", "--set", "sweep.arm=pathnet", "--set", setting)
    assert done.status == 2
    assert done.err.startswith(f"s.toml: {said}"), done.err
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_without_optuna(command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user would see an ImportError, perhaps after a folder is made."""
    monkeypatch.setitem(sys.modules, "optuna", None)
    (tmp_path / "s.toml").write_text(TOML)
    done = command("sweep", "s.toml")
    assert done.status == 2
    assert done.err == (
        "sweeps need optuna, which is not installed: pip install 'pathnet-evo[optuna]'\n"
    )
    assert not (tmp_path / "runs").exists()


def test_other_commands(command: Any, tmp_path: Path) -> None:
    """`run` would call the table of a sweep unknown, and a sweep any folder its own."""
    (tmp_path / "s.toml").write_text(f"{TOML}[sweep]\n")
    done = command("run", "s.toml")
    assert (done.status, done.err) == (
        2,
        "s.toml: sweep: a search; `pathnet-evo sweep` runs it\n",
    )
    done = command("sweep", str(tmp_path))
    assert done.status == 2
    assert done.err.endswith("not a sweep's folder (it has no file sweep.toml)\n")
