"""``pathnet-evo resume``: resume a run that was interrupted or killed."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pathnet_evo.cli.shared import Device, ExecutorName, Jobs, Quiet, SummaryAsJson, Verbose
from pathnet_evo.cli.terminal import say

if TYPE_CHECKING:
    from pathnet_evo.cli.progress import Detail
    from pathnet_evo.cli.run import Failed
    from pathnet_evo.store.resuming import Consent


def resume(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of a run, a matrix or a sweep.")
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="A.B=VALUE",
            help="Override a key that may change: budgets, observers, checkpoints.",
        ),
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="New number of seeds.")] = None,
    jobs: Jobs = None,
    executor: ExecutorName = None,
    device: Device = None,
    accept_changed_data: Annotated[
        bool,
        typer.Option(
            "--accept-changed-data",
            help="Resume even if the data has changed, and record the change.",
        ),
    ] = False,
    start_over: Annotated[
        bool,
        typer.Option(
            "--start-over",
            help="Erase finished stages whose checkpoints are gone or damaged, and learn them "
            "again.",
        ),
    ] = False,
    add_tasks: Annotated[
        list[Path] | None,
        typer.Option(
            "--add-task",
            metavar="FOLDER",
            help="Learn a folder of pictures after the last stage; earlier stages stay as they "
            "are.",
        ),
    ] = None,
    as_json: SummaryAsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Resume a run from its last checkpoints, every unfinished run of a matrix, or a sweep.

    The result equals that of a run that was never interrupted.
    """
    from pathnet_evo.analysis import matrix
    from pathnet_evo.analysis import sweep as sweeps
    from pathnet_evo.cli.run import conclude, detail_of, options
    from pathnet_evo.cli.sweep import again
    from pathnet_evo.store.resuming import Consent

    consent = Consent(accept_changed_data, start_over)
    detail = detail_of(quiet or as_json, verbose)
    extra = options(seeds=seeds, executor=executor, jobs=jobs, device=device)
    if add_tasks:
        _refuse_several(run)
    if (run / sweeps.FILE).is_file():
        again(run, [*extra, *(settings or [])], detail, consent, as_json)
    elif (run / matrix.FILE).is_file():
        _matrix(run, [*extra, *(settings or [])], detail, consent, as_json)
    else:
        wanted = [*extra, *(settings or [])]
        done = _go_on(run, wanted, detail, consent, add_tasks or ())
        conclude(run, done, as_json)


def _refuse_several(run: Path) -> None:
    """Refuse to add a task to what is no run of its own.

    Raises:
        UserError: it is a matrix or a sweep, or part of one.
    """
    from pathnet_evo.analysis import matrix
    from pathnet_evo.analysis import sweep as sweeps
    from pathnet_evo.errors import UserError

    for what, file in (("a matrix", matrix.FILE), ("a sweep", sweeps.FILE)):
        for part, folder in (("", run), ("part of ", run.resolve().parent)):
            if (folder / file).is_file():
                raise UserError(f"--add-task: {run} is {part}{what}, whose runs take no more tasks")


def _go_on(
    run: Path,
    settings: list[str],
    detail: Detail,
    consent: Consent,
    add_tasks: Sequence[Path] = (),
    others: Sequence[Path] = (),
) -> Failed:
    """Resume one run; what went wrong. ``others`` may have learned the same first stage."""
    from pathnet_evo.cli.progress import Progress
    from pathnet_evo.cli.run import stoppable, tell_how_to_go_on
    from pathnet_evo.running import holding, runner

    command = shlex.join(["pathnet-evo", *sys.argv[1:]])

    opened = holding.reopen(
        run, settings, command, partial(say, err=True), consent, add_tasks=add_tasks, others=others
    )
    for line in opened.ledger.accepted:
        say(f"changed data accepted: {line}", err=True)
    done = opened.stages_over
    with Progress(opened.plan, run, detail, done=done) as progress, stoppable():
        signal = runner.proceed(opened, progress.on_record)
    tell_how_to_go_on(run)
    return signal, progress.errors


def _matrix(
    folder: Path, settings: list[str], detail: Detail, consent: Consent, as_json: bool
) -> None:
    """Resume the runs of a matrix that have started, and start the others."""
    from pathnet_evo.analysis import matrix
    from pathnet_evo.cli.run import conclude_matrix, one
    from pathnet_evo.plugins.registry import Registry
    from pathnet_evo.running.concluding import refusals
    from pathnet_evo.setup import preparing

    registry = Registry()
    config, label = preparing.configure(folder / matrix.FILE, settings, registry)

    def runs() -> Iterator[tuple[str, Failed]]:
        with refusals(folder):
            matrix.add_seeds(folder, config.seeds)
        for run in matrix.unfinished(folder, config):
            name, others = run.name, matrix.others(folder, config, run.name)
            if (folder / name / "run.toml").is_file():
                wanted = [*settings, f"seeds={config.seeds}"]
                done = _go_on(folder / name, wanted, detail, consent, others=others)
            else:
                plan = preparing.ready(run, registry, label)
                done = one(plan, registry, folder, name, detail, others)[1]
            yield name, done

    conclude_matrix(folder, runs(), as_json)
