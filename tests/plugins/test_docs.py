"""What the documentation shows works as it is shown."""

import re
import tomllib
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    ("page", "settings"),
    [
        ("swap-the-strategy", 'strategy={name="aging", mutate={name="one-layer", modules=10}}'),
        ("write-an-observer", 'observers=["scores"]'),
        ("write-an-engine", "engine=here"),
    ],
)
def test_how_to(page, settings, program, tmp_path):
    """A how-to page would show a plugin that does not work."""
    (code,) = blocks(f"how-to/{page}.md", "python")
    (tmp_path / "plugin.py").write_text(code)
    short = ("--seeds", "1", "--set", "stages.*.generations=2", "--set", "strategy.population=4")
    program("run", "digits", "--plugin", "plugin.py", *short, "--set", settings)
    if page == "write-an-observer":
        assert "pathnet 0 " in (tmp_path / "runs" / "digits" / "scores.txt").read_text()


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
