"""What the documentation shows works as it is shown."""

import csv
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    """A page's code in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(), re.M | re.S)


def test_the_tutorials_task(program, tmp_path):
    """The first plugin that a user copies would not work."""
    (code,) = blocks("tutorial.md", "python")
    (config,) = blocks("tutorial.md", "toml")
    assert len([line for line in code.splitlines() if line]) <= 30
    (tmp_path / "spirals.py").write_text(code)
    (tmp_path / "spirals.toml").write_text(config)
    program("run", "spirals.toml", "--set", "stages.*.generations=2")
    wrong = program("run", "spirals.toml", "--set", "stages.1.task.turn=2", status=2)
    assert 'Did you mean "turns"' in wrong.stderr


SHORT = ("--seeds", "1", "--set", "stages.*.generations=2", "--set", "strategy.population=4")


@pytest.mark.parametrize(
    ("page", "settings"),
    [
        ("swap-the-strategy", 'strategy={name="aging", mutate={name="one-layer", modules=10}}'),
        ("write-an-engine", "engine=here"),
    ],
)
def test_how_to(page, settings, program, tmp_path):
    """A how-to page would show a plugin that does not work."""
    (code,) = blocks(f"how-to/{page}.md", "python")
    (tmp_path / "plugin.py").write_text(code)
    program("run", "digits", "--plugin", "plugin.py", *SHORT, "--set", settings)


def test_how_to_write_an_observer(program, tmp_path):
    """The page would show observers that do not work, or take more than thirty lines."""
    codes = blocks("how-to/write-an-observer.md", "python")
    names = ("scores", "json-lines", "patience")
    plugins = []
    for name, code in zip(names, codes, strict=True):
        assert len([line for line in code.splitlines() if line]) <= 30
        (tmp_path / f"{name.replace('-', '_')}.py").write_text(code)
        plugins += ["--plugin", f"{name.replace('-', '_')}.py"]
    wanted = 'observers=["scores", "csv", "json-lines", {name="patience", generations=1}]'
    done = program(
        "run", "digits", *plugins, *SHORT, "--set", "stages.*.generations=60", "--set", wanted
    )
    assert "switched off" not in done.stderr
    run = tmp_path / "runs" / "digits"
    assert "pathnet 0 " in (run / "scores.txt").read_text()
    lines = (run / "pathnet-0-metrics.jsonl").read_text().splitlines()
    logged = {
        (name, line["step"], value)
        for line in map(json.loads, lines)
        for name, value in line.items()
        if name != "step"
    }
    with (run / "metrics" / "pathnet-0.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert {(r["name"], int(r["step"]), float(r["value"])) for r in rows} == logged
    best = [r for r in rows if r["name"] == "stage-0/fitness/best"]
    assert 1 < len(best) < 60, "patience had no effect"


@pytest.mark.parametrize("number", [0, 1])
def test_swapping_the_strategy(number, program, small, tmp_path):
    """The page would show a configuration that is refused."""
    code = blocks("how-to/swap-the-strategy.md", "toml")[number]
    data = tomllib.loads(code)
    text = (tmp_path / small()).read_text()
    if "arms" in data:
        text = text.replace('arms = ["pathnet"]', code)
    else:
        text = text.replace('[strategy]\nname = "binary-tournament"', code).replace(
            "modules = 4", "modules = 10"
        )
    (tmp_path / "swapped.toml").write_text(text)
    program("run", "swapped.toml")


def test_learning_ones_own_pictures(program, tmp_path, monkeypatch):
    """The page would show a command, or code, that does not work."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for folder in ("pets/cat", "pets/dog", "cars/taxi", "cars/van"):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(1, 13):
            pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number:03}.jpg")
    short = {
        "learn": ["-q", "--seeds=1", "--jobs=1", "--size=32", "--set=stages.*.generations=1"],
        "resume": ["-q", "--set=stages.1.generations=1"],
        "run": ["-q"],
    }
    page = "how-to/learn-your-own-pictures.md"
    for block in blocks(page, "sh"):
        for line in block.splitlines():
            _, command, *arguments = shlex.split(line)
            program(command, *arguments, *short.get(command, []))
    (code,) = blocks(page, "python")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() in ("cat", "dog"), done.stderr
