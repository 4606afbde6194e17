"""Names as strangers give them, and as their runs bring them: no file, terminal or page obeys."""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathnet_evo import cli
from pathnet_evo.cli import tables
from pathnet_evo.report.across_runs import matrix_page
from pathnet_evo.values.names import visible
from pathnet_evo_labyrinth.build import lumps
from pathnet_evo_labyrinth.level import read

SMALL = ["digits", "--set", "stages.*.generations=1", "--set", "strategy.population=2"]
ESCAPES = "\x1b]0;owned\x07 \x9b31m \r\u202egnp"
LEVEL = "map = '''\n####\n#>a#\n####\n'''\nrewards = {apple = 1}\n"


def files(folder: Path) -> set[Path]:
    """Every path below a folder."""
    return set(folder.rglob("*"))


@pytest.mark.parametrize(
    "name",
    [
        "../../../escaped/arm",
        "/escaped/arm",
        "..",
        "a/b",
        "a\\b",
        ".hidden",
        "~nobody",
        "",
        " ",
        "x\0y",
        "x\ny",
        "\x1b[31mred",
        "\u202eevil",
        "x" * 101,
        "\U0001f9ea" * 60,
    ],
)
@pytest.mark.parametrize("extra", [(), ("--set", "observers=['tensorboard']")])
def test_an_arm_named_after_a_path(
    command: Any, tmp_path: Path, name: str, extra: tuple[str, ...]
) -> None:
    """Checkpoints and TensorBoard's logs would lie outside the run, or a traceback be shown."""
    quoted = "".join(f"\\U{ord(c):08x}" for c in name)
    before = files(tmp_path.parent)
    arms = f'arms=[{{name = "{quoted}"}}]'
    ended = command("run", *SMALL, "--set", arms, *extra)
    assert ended.status == 2
    assert re.fullmatch(r"digits: arms\.0\.name: not a folder's name \(.*\), got .*\n", ended.err)
    assert visible(ended.err) == ended.err
    assert files(tmp_path.parent) == before


@pytest.mark.parametrize("name", ["x\0y", "\x1b[2Jgone", "two\nlines", "", "x" * 201])
def test_a_stage_named_with_controls(command: Any, name: str) -> None:
    """A NUL in a name would end in a traceback, an escape sequence be shown in every table."""
    quoted = "".join(f"\\U{ord(c):08x}" for c in name)
    ended = command("run", *SMALL, "--set", f'stages.1.name="{quoted}"')
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert ended.err.startswith("digits: stages.1.name: not a name (")


@pytest.mark.parametrize("name", ["Ünïcode 名", "[/]", "<b> & $x_", "a/b", "-x"])
def test_an_unusual_name_for_a_stage(command: Any, name: str) -> None:
    """Names that harm nobody would be refused."""
    ended = command("run", *SMALL, "--seeds", "1", "--set", "arms=['pathnet']", "--name", "-run",
                    "--set", f'stages.0.name="{name}"')  # fmt: skip
    assert (ended.status, ended.err.count("Traceback")) == (0, 0)
    assert f"1. {name}" in ended.out


def test_markup_in_the_names_of_a_matrix(capsys: pytest.CaptureFixture[str]) -> None:
    """Square brackets would end in a MarkupError, or be left out."""
    cell = {"mean": 2.0, "interval": None, "censored": 0, "n": 1, "seeds": {}}
    arms = {"[/]": {"speed_up": [[cell]], "mean": 2.0}}
    tables.transfers({"sources": ["[bold]a"], "targets": ["[/b] :ok:"], "arms": arms})
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("[/]: after", "[bold]a", "[/b] :ok:"))
    page = matrix_page({"name": "<i>", "sources": ["<b>"], "targets": ["<u>"], "arms": arms})
    assert not re.search(r"<(i|b|u)>(?!2)", page.partition("<main")[2])


@pytest.fixture
def foreign(tmp_path: Path, made_up: SimpleNamespace) -> Path:
    """Somebody's run whose lineage and files are full of escape sequences."""
    folder = tmp_path / "foreign"
    folder.mkdir()
    made_up.two_arms(folder, [0.1, 0.2])
    with closing(sqlite3.connect(folder / "lineage.sqlite")) as db:
        db.execute("UPDATE stages SET task = task || ?, unit = unit || ?", (ESCAPES, ESCAPES))
        db.execute("UPDATE trials SET error = ?, state = 'failed'", (ESCAPES,))
        db.execute("UPDATE stages SET checkpoint = ?, manifest = 'x'", (ESCAPES,))
        scores = '{"0": {"test_accuracy\\u001b[31m": 0.5}}'
        db.execute("UPDATE stages SET scores = ? WHERE stage = 0", (scores,))
        db.commit()
    return folder


@pytest.mark.parametrize(
    "arguments",
    [("check",), ("compare",), ("compare", "--html", "page.html"), ("report",), ("resume",),
     ("play",), ("play", "--stage", "0")],
)  # fmt: skip
def test_escape_sequences_in_a_foreign_run(
    command: Any, foreign: Path, arguments: tuple[str, ...]
) -> None:
    """A run from somebody else could take over the terminal of whoever looks at it."""
    ended = command(arguments[0], str(foreign), *arguments[1:])
    shown = ended.out + ended.err
    assert shown
    assert visible(shown) == shown


def test_escape_sequences_in_a_foreign_configuration(command: Any, foreign: Path) -> None:
    """What is quoted of a bad run.toml would reach the terminal as it is."""
    (foreign / "run.toml").write_text('"\\u001b]0;x\\u0007" = 1\n')
    for name in ("check", "compare", "report", "resume"):
        ended = command(name, str(foreign))
        assert ended.status in (1, 2)
        assert visible(ended.err) == ended.err


@pytest.mark.slow
@given(st.text())
def test_nothing_that_is_shown_controls_a_terminal(text: str) -> None:
    """A character that controls a terminal would be let through, or harmless text be changed."""
    shown = visible(text)
    controls = {c for c in shown if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")}
    assert controls <= {"\n", "\t"}
    if text.isprintable():
        assert shown == text


def test_every_command_writes_through_one_door() -> None:
    """A new command would show what a foreign run says as it is."""
    others = re.compile(r"\becho\(|(?<!\.)\bprint\(|\bConsole\(|std(out|err)\.write")
    for file in Path(cli.__file__).parent.glob("*.py"):
        assert file.name == "terminal.py" or not others.search(file.read_text()), file


@pytest.mark.parametrize("name", ['x" { } map MAP01 "', "a\\", "a\nmap MAP99", "x" * 300, "ä"])
def test_a_level_in_a_file_with_an_odd_name(name: str) -> None:
    """A file's name would become statements of the engine's own language."""
    level = read(LEVEL, name)
    (text,) = (data.decode("ascii") for lump, data in lumps(level) if lump == "ZMAPINFO")
    outside = re.sub(r'"[^"\\\n]*"', '""', text)
    assert re.findall(r"^map .*$", outside, re.MULTILINE) == ['map MAP01 ""']
    assert outside.count("{") == outside.count("}") == 2
