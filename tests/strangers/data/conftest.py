"""What the tests of data share: a folder and a run of one's own, interrupted, and its rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import pathnet_evo
from pathnet_evo.interfaces.records import Checkpointed, Record
from pathnet_evo_images.source import decoded


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of one's own, with nothing decoded yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    decoded.cache_clear()
    return tmp_path


@pytest.fixture
def small() -> dict[str, Any]:
    """All of a small run but its stages."""
    return {
        "arms": ["pathnet"],
        "pool": {"modules": 3, "width": 2, "layers": [{"kind": "linear", "units": 6}]},
        "strategy": {"name": "binary-tournament", "population": 2},
        "learner": {"name": "sgd", "n_batches": 2, "batch_size": 4},
        "checkpoints": {"evaluations": 2},
    }


@pytest.fixture
def interrupted() -> Callable[..., Path]:
    """Makes a run that was interrupted at its first checkpoint within a stage (two evaluations)."""

    def interrupt(config: dict[str, Any], stage: int, trial: int = 0) -> Path:
        def heard(record: Record) -> None:
            if isinstance(record, Checkpointed) and (record.trial, record.stage) == (trial, stage):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            pathnet_evo.launch(config, name="run", on_record=heard)
        return Path("runs/run")

    return interrupt


@pytest.fixture
def rows() -> Callable[[Path, str], list[tuple[Any, ...]]]:
    """What a query of a run's lineage gives."""

    def read(run: Path, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(run / "lineage.sqlite")) as db:
            return db.execute(query).fetchall()

    return read
