"""Manners of the command line: help, mistakes, statuses, completion, narrow terminals."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from pathnet_evo.cli import run as run_command
from pathnet_evo.cli import tables
from pathnet_evo.cli.progress import Progress
from pathnet_evo.cli.status import MEANINGS, Status
from pathnet_evo.interfaces.evaluations import Candidate, Evaluation
from pathnet_evo.interfaces.records import (
    Evaluated,
    GenerationFinished,
    StageStarted,
    TrialStarted,
)

CLI = Path(run_command.__file__).parent
DOCS = Path(__file__).parents[2] / "docs"
NUMBER = re.compile(r"[+-]?\d[\d,.]*(?: %)?")
OUTPUTS = {
    "compare": ("compare", "runs/a"),
    "runs": ("runs",),
    "presets": ("presets",),
    "options": ("options", "strategy", "aging"),
}
"""Commands that print numbers."""


def test_version(command: Any) -> None:
    """Whoever reports a bug could not say with which version."""
    result = command("--version")
    assert (result.status, result.out) == (0, f"pathnet-evo {version('pathnet-evo')}\n")


@pytest.mark.slow
def test_as_a_module() -> None:
    """Where the program is not on the path, nothing would start it."""
    done = subprocess.run(
        [sys.executable, "-m", "pathnet_evo", "presets", "digit"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith('unknown preset "digit". Did you mean "digits"?')


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("rnu",), "no such command 'rnu'. Did you mean \"run\"? (have: run, resume, "),
        (("--vresion",), 'pathnet-evo: no option --vresion. Did you mean "--version"? (have: '),
        (("run", "--sedes", "2"), 'pathnet-evo run: no option --sedes. Did you mean "--seeds"?'),
        (("run", "--seeds", "many"), "pathnet-evo run: invalid value for '--seeds': "),
        (("run", "--seeds"), "option '--seeds' requires an argument. See "),
        (("run", "a", "b"), "pathnet-evo run: got unexpected extra argument"),
        (("check",), "pathnet-evo check: missing argument 'RUN'. See pathnet-evo check --help"),
        (("options", "--jsno"), 'pathnet-evo options: no option --jsno. Did you mean "--json"?'),
        (("run", "-q", "-v"), "--verbose: nothing is shown with --quiet or --json; leave one"),
    ],
)
def test_a_mistyped_command_line(arguments: tuple[str, ...], line: str, command: Any) -> None:
    """A user would get a box of several lines, or no word about the option that is meant."""
    result = command(*arguments)
    assert (result.status, result.out) == (Status.MISTAKE, "")
    assert line in result.err
    assert len(result.err.splitlines()) == 1


def test_every_status_is_documented() -> None:
    """A script would meet an exit status that no page explains."""
    assert set(MEANINGS) == set(Status)
    for path in CLI.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        for given in re.findall(r"(?:typer\.Exit|sys\.exit)\((.*)\)$", source, re.M):
            assert "Status." in given, f"{path.name}: {given}"
    tree = ast.parse((CLI / "__init__.py").read_text(encoding="utf-8"))
    (status,) = [n for n in ast.walk(tree) if getattr(n, "name", "") == "_status"]
    numbers = [n.value for n in ast.walk(status) if isinstance(n, ast.Constant)]
    assert [n for n in numbers if type(n) is int] == []
    page = (DOCS / "reference/command-line.md").read_text(encoding="utf-8")
    for number, meaning in MEANINGS.items():
        assert f"| {int(number)} | {meaning} |" in page


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    """The shell would complete nothing, or not what the page promises."""
    for words, wanted in (
        ("pathnet-evo res", "resume"),
        ("pathnet-evo run digits-h", "digits-halves"),
        ("pathnet-evo new obs", "observer"),
    ):
        typed = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        typed |= {"_TYPER_COMPLETE_ARGS": words, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
        done = subprocess.run(
            [sys.executable, "-m", "pathnet_evo"],
            env={"_PATHNET_EVO_COMPLETE": f"complete_{shell}", **typed},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert wanted in done.stdout, (words, done.stderr)


@pytest.mark.slow
def test_narrow_terminals(command: Any, small: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a telephone, or in a split window, numbers would be cut off."""
    command("run", "digits", *small, "--seeds", "2", "--name", "a")
    wide = {name: command(*given).out for name, given in OUTPUTS.items()}
    monkeypatch.setenv("COLUMNS", "40")
    for name, given in OUTPUTS.items():
        narrow = command(*given).out
        assert max(map(len, narrow.splitlines())) <= 40, name
        assert "…" not in narrow
        assert set(NUMBER.findall(narrow)) == set(NUMBER.findall(wide[name])), name


def test_narrow_results(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """The table at the end of a run would cut its numbers off."""
    scores = {"accuracy": {"mean": 0.875, "interval": [0.8125, 0.9375], "seeds": {"0": 0.875}}}
    stage = {"scores": scores, "forgetting": {"accuracy": {"mean": 0.125}}}
    summary: Any = {
        "stages": [{"stage": 0, "name": "first pair", "score": "accuracy"}],
        "arms": {"pathnet": {"stages": [stage]}},
        "speed_up": {},
        "not_finite": [],
    }
    monkeypatch.setenv("COLUMNS", "40")
    tables.results(summary)
    assert capsys.readouterr().out.splitlines() == [
        "1. first pair, pathnet",
        "  score (95 % interval): 87.5 % (81.2 to",
        "  93.8 %)",
        "  forgotten: +12.5 points",
    ]


def follow(verbose: int, columns: int) -> Progress:
    """Progress of a trial at work, on a terminal of some columns."""
    plan: Any = SimpleNamespace(stages=[0], trials=[0])
    progress = Progress(plan, Path("runs/a"), run_command.detail_of(verbose < 0, verbose > 0))
    progress.console = Console(width=columns, force_terminal=True, record=True, highlight=False)
    rows, none = ((0, 1), (1, 2)), ((), ())
    started = StageStarted(
        0, 0, "first pair", 123_456, False, None, (rows,), none, (90, 90), "accuracy", "examples"
    )
    failed = Evaluation(Candidate(0, 0, rows, None, 0), None, "the loss is not finite", examples=8)
    progress.on_record(TrialStarted(0, "fine-tuning", 1))
    progress.on_record(started)
    progress.on_record(Evaluated(0, 0, 0, 0, failed, ()))
    progress.on_record(GenerationFinished(0, 0, 0, 1, 0.84375, 0.71875, {}))
    return progress


def test_the_live_table_on_a_narrow_terminal() -> None:
    """The live table would squeeze fitness and generation to a few letters."""
    progress = follow(0, 40)
    progress.console.print(progress.table())
    lines = progress.console.export_text().splitlines()
    assert max(map(len, lines)) <= 40
    assert "fine-tuning, seed 1: 1. first pair" in lines
    assert "  best 0.844, mean 0.719" in lines
    wide = follow(0, 120)
    wide.console.print(wide.table())
    row = r"fine-tuning +1 +1\. first pair +1 +0\.844 +0\.719"
    assert re.search(row, wide.console.export_text())


def test_verbose() -> None:
    """Whoever looks for the cause of failed evaluations would find it in the lineage alone."""
    assert follow(1, 200).console.export_text().splitlines() == [
        "fine-tuning, seed 1: stage 1: first pair: 123,456 evaluations, 0 of 180 modules frozen",
        "fine-tuning, seed 1: stage 1: evaluation 0 failed: the loss is not finite",
        "fine-tuning, seed 1: stage 1: generation 0: best 0.844, mean 0.719",
    ]
    assert follow(0, 200).console.export_text() == ""


@pytest.mark.slow
def test_quiet(command: Any, small: list[str]) -> None:
    """A script's log would fill with progress."""
    result = command("run", "digits", *small, "-q")
    assert (result.status, result.err) == (0, "")
    assert "report: runs/digits/report.html" in result.out
    assert json.loads(command("runs", "--json").out)[0]["state"] == "finished"
