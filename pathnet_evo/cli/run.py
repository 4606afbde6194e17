"""``pathnet-evo run``: learn a sequence of tasks with every arm and seed."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer


def run(
    source: Annotated[
        str, typer.Argument(metavar="[PRESET|FILE.toml]", help="A preset's name or a TOML file.")
    ] = "digits",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="A.B=VALUE",
            help="Override a key; lists by index or *, as in 'stages.*.generations=50'.",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="The run's folder; must not exist.")] = None,
    runs_dir: Annotated[Path, typer.Option(help="The folder of all runs.")] = Path("runs"),
    seeds: Annotated[int | None, typer.Option(min=1, help="Repeat with so many seeds.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Trials at the same time.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    plugins: Annotated[
        list[Path] | None,
        typer.Option("--plugin", metavar="FILE.py", help="Use a plugin that is not installed."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON and nothing else.")
    ] = False,
) -> None:
    """Learn a sequence of tasks; the run's folder holds all that happened.

    Ctrl-C ends it with what is done so far on disk; a second one stops at once.
    """
    from pathnet_evo.cli.progress import Progress
    from pathnet_evo.plugins import Registry
    from pathnet_evo.run import runner

    given = {"seeds": seeds, "jobs": jobs, "device": device}
    extra = [f"{key}={value}" for key, value in given.items() if value is not None]
    registry = Registry()
    plan = runner.prepare(source, [*(settings or []), *extra], registry, plugins or ())
    command = shlex.join(["pathnet-evo", *sys.argv[1:]])
    folder = runner.create(plan, registry, runs_dir, name, command)
    with Progress(plan, folder, quiet=as_json) as progress:
        signal = runner.execute(plan, folder, progress.heard, registry)
    summary = json.loads((folder / "summary.json").read_text())
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        _show(summary, folder)
    for error in progress.errors:
        typer.echo(error, err=True)
    if signal:
        raise typer.Exit(128 + signal)
    if progress.errors:
        raise typer.Exit(1)


def _show(summary: dict[str, Any], folder: Path) -> None:
    from pathnet_evo.cli.tables import results

    results(summary)
    typer.echo(f"report: {folder / 'report.html'}")
