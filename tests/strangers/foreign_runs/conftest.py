"""What the tests of runs from strangers share: one to be spoilt, and how."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest


@pytest.fixture
def tiny() -> list[str]:
    """Settings with which ``digits`` takes seconds."""
    return [
        "arms=['pathnet']",
        "pool={modules=3, width=1, layers=[{kind='linear', units=2, repeat=2}]}",
        "strategy.population=2",
        "learner.n_batches=2",
        "learner.batch_size=4",
        "stages.*.generations=4",
        "stages.*.task.copies=1",
        "transfer.prior=false",
        "checkpoints.evaluations=1",
    ]


@pytest.fixture
def foreign(tmp_path: Path, made_up: SimpleNamespace) -> Path:
    """A finished run of two arms, two seeds and two stages, to be spoilt."""
    folder = tmp_path / "runs" / "foreign"
    folder.mkdir(parents=True)
    made_up.two_arms(folder, [0.1, 0.2])
    return folder


@pytest.fixture
def spoil() -> Callable[[Path, str], None]:
    """Changes a lineage by hand."""

    def execute(folder: Path, script: str) -> None:
        with closing(sqlite3.connect(folder / "lineage.sqlite")) as db:
            db.executescript(script)

    return execute


@pytest.fixture
def strict() -> Callable[[str], Any]:
    """JSON as everybody else reads it."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return lambda text: json.loads(text, parse_constant=refuse)
