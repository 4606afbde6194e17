"""Calls the command line in this process, as a shell would."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pathnet_evo.cli import main

SMALL = ["--seeds", "1", "--set", "stages.*.generations=3", "--set", "strategy.population=4"]
"""Makes the default preset run in well under a second."""


@dataclass
class Result:
    """What a command left behind."""

    status: int
    out: str
    err: str


Command = Callable[..., Result]


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """Run ``pathnet-evo`` with some arguments in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def call(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["pathnet-evo", *arguments])
        status = 0
        try:
            main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0
        out, err = capsys.readouterr()
        return Result(status, out, err)

    return call


@pytest.fixture
def small() -> list[str]:
    """Arguments of ``run`` that make it short."""
    return list(SMALL)
