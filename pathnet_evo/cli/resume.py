"""``pathnet-evo resume``: go on with a run that was interrupted or killed."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer


def resume(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="A.B=VALUE",
            help="Override what may change: budgets, observers, checkpoints.",
        ),
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="More seeds than before.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Trials at the same time.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON and nothing else.")
    ] = False,
) -> None:
    """Go on with a run from its last checkpoints, as if it had not been ended."""
    from pathnet_evo.cli.progress import Progress
    from pathnet_evo.cli.run import conclude, stoppable, tell_how_to_go_on
    from pathnet_evo.run import runner

    given = {"seeds": seeds, "jobs": jobs, "device": device}
    extra = [f"{key}={value}" for key, value in given.items() if value is not None]
    command = shlex.join(["pathnet-evo", *sys.argv[1:]])

    def say(text: str) -> None:
        typer.echo(text, err=True)

    opened = runner.reopen(run, [*(settings or []), *extra], command, say)
    done = opened.stages_over
    with Progress(opened.plan, run, quiet=as_json, done=done) as progress, stoppable():
        signal = runner.proceed(opened, progress.heard)
    tell_how_to_go_on(run)
    conclude(run, (signal, progress.errors), as_json)
