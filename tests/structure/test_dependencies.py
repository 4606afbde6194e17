"""What is imported is declared, and a lean installation runs and says what it lacks."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

from pathnet_evo.system.extras import EXTRAS

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRA = PROJECT["optional-dependencies"]
FOR_DEVELOPERS = {"all", "benchmark", "docs", "test"}
"""Extras that are no feature of the program."""
FOR_TESTS = {"pytest"}
"""Who uses the contract kits has it."""
OF_DEEPMIND = {"deepmind_lab"}
"""Not on any index; it is built from source."""
HOMES = {"avalanche": ["avalanche-lib"]}
"""Distributions of other names than their modules, where they are not installed."""


def distributions(requirements: list[str]) -> set[str]:
    """The names of required distributions."""
    return {plain(Requirement(text).name) for text in requirements}


def plain(name: str) -> str:
    """A distribution's name as indexes write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def imported() -> dict[str, list[str]]:
    """The top-level modules that the packages import, and where."""
    found: dict[str, list[str]] = {}
    for path in [*(ROOT / "pathnet_evo").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            else:
                continue
            for name in names:
                found.setdefault(name.partition(".")[0], []).append(path.name)
    own = {name for name in found if name.startswith("pathnet_evo")}
    return {n: p for n, p in found.items() if n not in sys.stdlib_module_names and n not in own}


def test_every_import_is_declared() -> None:
    """The program would work for as long as somebody else's package brings what it imports."""
    declared = distributions(PROJECT["dependencies"])
    for name, requirements in EXTRA.items():
        if name not in FOR_DEVELOPERS:
            declared |= distributions(requirements)
    homes = packages_distributions()
    for module, places in imported().items():
        names = set(map(plain, homes.get(module, HOMES.get(module, [module]))))
        assert names & declared or module in FOR_TESTS | OF_DEEPMIND, (module, places)


def test_extras_bring_what_they_are_named_for() -> None:
    """The way out of a missing module would not lead out."""
    homes = packages_distributions()
    for module, extra in EXTRAS.items():
        names = set(map(plain, homes[module]))
        assert names & distributions(EXTRA[extra]), module
    everything = Requirement(EXTRA["all"][0]).extras
    assert everything == set(EXTRA) - FOR_DEVELOPERS
    assert "pathnet-evo[all]" in EXTRA["test"]


LEAN = f"""
import sys
for name in {sorted(EXTRAS)!r} + ["sklearn", "vizdoom", "labmaze", "pandas"]:
    sys.modules[name] = None
from pathnet_evo.cli import main
main()
"""


def lean(folder: Path, *arguments: str, program: str = LEAN) -> subprocess.CompletedProcess[str]:
    """Run a command where no extra is installed, or where something else cannot be imported."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_a_lean_installation(tmp_path: Path) -> None:
    """The first run would end without a report, or a feature in a traceback."""
    short = ["--set", "stages.*.generations=2", "--set", "strategy.population=4", "--seeds", "1"]
    done = lean(tmp_path, "run", "digits", *short)
    assert done.returncode == 0, done.stderr
    assert "Plotly" in (tmp_path / "runs/digits/report.html").read_text(encoding="utf-8")
    settings = ["stages.*.frames=2_000", "arms=['pathnet']", "learner.score_episodes=2"]
    pole = ["run", "cartpole", "--seeds", "1", *(f"--set={setting}" for setting in settings)]
    done = lean(tmp_path, *pole)
    assert done.returncode == 0, done.stderr
    for arguments, line in {
        ("report", "runs/digits", "--figures", "png"): "--figures needs matplotlib",
        ("watch", "runs"): "watch needs starlette",
        ("sweep", "digits", "--set", "seed={low=1,high=2}"): "sweeps need optuna",
        ("play", "runs/cartpole", "--video", "pole.mp4"): "--video needs imageio",
        (
            "run",
            "digits",
            "--set",
            'observers=["tensorboard"]',
        ): "observers.0: this observer needs tensorboard",
        (
            "run",
            "digits",
            "--set",
            'stages.*.task={name="labyrinth"}',
        ): "labyrinth needs vizdoom",
    }.items():
        done = lean(tmp_path, *arguments)
        assert done.returncode == 2, done.stderr
        for said in done.stderr.splitlines():
            assert line in said
            assert re.search(r"which is not installed: pip install 'pathnet-evo\[\w+\]'$", said)


WITHOUT_COMPILER = """
import sys
import torch
compiler = {"torch._dynamo", "torch._inductor"} - sys.modules.keys()
for name in compiler:
    sys.modules[name] = None
from pathnet_evo.cli import main
main()
"""


@pytest.mark.slow
def test_torchs_compiler_is_not_imported(tmp_path: Path) -> None:
    """Each process would take a second or two longer to start, for something that nobody uses."""
    short = ["stages.*.generations=2", "strategy.population=4", "learner.momentum=0.9"]
    settings = [f"--set={setting}" for setting in short]
    done = lean(tmp_path, "run", "digits", *settings, program=WITHOUT_COMPILER)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_film_without_a_display(tmp_path: Path) -> None:
    """Who has imageio but not pygame would be sent to another package's extras."""
    settings = ["stages.*.frames=2_000", "arms=['pathnet']", "learner.score_episodes=2"]
    assert lean(tmp_path, "run", "cartpole", *(f"--set={s}" for s in settings)).returncode == 0
    program = LEAN.replace("'imageio', ", "")
    done = lean(tmp_path, "play", "runs/cartpole", "--video", "pole.gif", program=program)
    assert done.returncode == 2
    assert "drawing it needs pygame, which is not installed: pip install 'pathnet-evo[video]'" in (
        done.stderr
    )


def test_the_digits_are_scikit_learns() -> None:
    """Results on digits would not be comparable with earlier ones, or with other people's."""
    datasets = pytest.importorskip("sklearn.datasets")
    bundle = datasets.load_digits()
    with np.load(ROOT / "plugins/pathnet_evo_images/digits.npz", allow_pickle=False) as ours:
        assert np.array_equal(ours["images"], bundle.images)
        assert np.array_equal(ours["labels"], bundle.target)
