"""The pages say what the program does, and read well where they are not built."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_group

from pathnet_evo.cli import app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
READ = [ROOT / "README.md", *(page for page in PAGES if "_build" not in page.parts)]


@pytest.mark.slow
def test_tables_are_those_of_the_code() -> None:
    """The reference would list an option that is gone, or lack one that is new."""
    pages = [str(page.relative_to(ROOT)) for page in READ[1:]]
    command = [sys.executable, "-m", "cogapp", "--check", "-P", "-I", "docs", "-I", "benchmarks"]
    done = subprocess.run(
        [*command, *pages], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", READ, ids=lambda page: page.name)
def test_commands_exist(page: Path) -> None:
    """A reader would type a command, or an option of it, that is not there."""
    group = get_group(app)
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            _, program, given = line.partition("pathnet-evo ")
            if not program or line.startswith(("pip", "cd", "#", "git")):
                continue
            name, *arguments = shlex.split(re.split(r"&&| > |\|", given)[0], comments=True)
            if name.startswith("-"):
                continue
            assert name in group.commands, line
            command = group.commands[name]
            if "--help" not in arguments:
                command.make_context(name, arguments)


@pytest.mark.parametrize("page", READ, ids=lambda page: page.name)
def test_nothing_waits_to_be_built(page: Path) -> None:
    """On a code host a reader would see a directive, or a link without words."""
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^```\{.*$", text, re.M) == []
    assert re.findall(r"(?<!!)\[\]\([^)]*\)", text) == []


def test_every_page_is_on_the_front_page() -> None:
    """A page could not be found."""
    linked = re.findall(r"\]\((.+?)\)", (DOCS / "index.md").read_text(encoding="utf-8"))
    pages = {str(page.relative_to(DOCS)) for page in READ[1:]} - {"index.md"}
    assert set(linked) == pages
