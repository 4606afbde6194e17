"""What the README shows, done."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_group

from pathnet_evo.cli import app

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_task_of_the_readme_runs(tmp_path: Path) -> None:
    """A newcomer would copy the README's task plugin and it would not work."""
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (code,) = [block for block in blocks if "register_tasks" in block]
    (tmp_path / "parity.py").write_text(code)
    command = [sys.executable, "-c", "from pathnet_evo.cli import main; main()", "run"]
    options = ["digits", "--plugin", "parity.py", "--seeds", "1", "--set", 'arms=["pathnet"]']
    stages = ["--set", 'stages.*.task={name = "parity"}', "--set", "stages.*.generations=2"]
    done = subprocess.run(
        [*command, *options, *stages], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs/digits/report.html").is_file()


def test_the_report_of_the_first_command() -> None:
    """A newcomer would look for a page of another preset than the one that runs by default."""
    (default,) = {p.default for p in get_group(app).commands["run"].params if p.name == "source"}
    (named,) = re.findall(r"`runs/([\w-]+)/report\.html`", README)
    assert named == default


def test_links_of_the_readme_lead_somewhere() -> None:
    """A reader would follow a link to a file, or to a heading in it, that is not there."""
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        name, _, anchor = target.partition("#")
        file = Path(__file__).parents[2] / name
        assert file.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [heading.lower().replace(" ", "-") for heading in headings], target


def test_readme_fits_two_screens() -> None:
    """A newcomer would scroll past results and proofs to find out what the program does."""
    assert len(README.splitlines()) <= 110
    assert README.count("\n| --- ") == 1
