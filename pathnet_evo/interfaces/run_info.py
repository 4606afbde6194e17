"""A run and its trials, as observers and executors see them; plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Trial:
    """One arm and one seed: an independent job."""

    id: int
    arm: str
    seed: int


@dataclass(frozen=True)
class RunInfo:
    """The run that an observer follows; plain data.

    Args:
        folder: the run's folder.
        name: what its plan is called.
        trials: arm and seed of every trial, by its id.
    """

    folder: Path
    name: str
    trials: Mapping[int, Trial]
