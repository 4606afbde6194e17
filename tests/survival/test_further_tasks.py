"""A task that is added to a finished run, and processes that are killed on the way."""

from __future__ import annotations

import json
import random
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

ADD = ("--add-task=cars", "--set=stages.2.generations=5")


@pytest.fixture(scope="module")
def roomy(drive, tmp_path_factory):
    """Runs commands with a cache of their own, and the small run with room for a third task."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        driver = type(drive)([*drive.small, "--set=pool.modules=8"])
    yield driver
    driver.close()


@pytest.fixture(scope="module")
def base(roomy, tmp_path_factory) -> Path:
    """That run, finished, and a folder of pictures beside it."""
    home = tmp_path_factory.mktemp("base")
    ended = roomy.go(home)
    assert ended.status == 0, ended.out
    rng = np.random.default_rng(0)
    for label in ("old", "new"):
        (home / "cars" / label).mkdir(parents=True)
        for index in range(6):
            pixels = rng.integers(0, 256, (9, 9), dtype=np.uint8)
            Image.fromarray(pixels).save(home / "cars" / label / f"{index}.png")
    return home


def go_on(drive, home: Path, **order):
    """Add the task, or go on if it was added."""
    added = "cars" in (home / "run" / "run.toml").read_text()
    return drive(home, "resume", "run", *(() if added else ADD), **order)


def test_a_killed_addition_goes_on_as_if_it_had_not_been(roomy, base, outcome_of, tmp_path):
    """A run would lose its earlier tasks, or the new one would depend on when a machine crashed."""
    before = outcome_of(base / "run")["weights"]
    home = tmp_path / "home"
    shutil.copytree(base, home)
    assert go_on(roomy, home, log=str(home / "log")).status == 0
    moments = len(json.loads((home / "log").read_text()))
    wanted = outcome_of(home / "run")
    assert wanted["summary"]["state"] == "finished"
    assert {name: wanted["weights"][name] for name in before} == before
    rng = random.Random(5)
    for first in [*range(1, 9), *rng.sample(range(9, moments), 3)]:
        shutil.rmtree(home)
        shutil.copytree(base, home)
        at = first
        while (ended := go_on(roomy, home, at=at)).status == -signal.SIGKILL:
            at = rng.randint(9, moments)
        assert ended.status == 0, ended.out
        assert outcome_of(home / "run") == wanted
