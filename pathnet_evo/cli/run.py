"""``pathnet-evo run``: learn a sequence of tasks with every arm and seed."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from glob import escape, glob
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from pathnet_evo.cli.shared import (
    Device,
    ExecutorName,
    Jobs,
    PluginFiles,
    Quiet,
    RunName,
    RunsDir,
    Seeds,
    SummaryAsJson,
    Verbose,
)
from pathnet_evo.cli.status import Status
from pathnet_evo.cli.terminal import say
from pathnet_evo.errors import Stopped, UserError

if TYPE_CHECKING:
    from pathnet_evo.cli.progress import Detail
    from pathnet_evo.interfaces.summary import Summary
    from pathnet_evo.plugins.registry import Registry
    from pathnet_evo.setup.config import RunConfig
    from pathnet_evo.setup.plan import Plan

Failed: TypeAlias = "tuple[int, list[str]]"
"""The signal that ended a run, or 0, and the errors of its trials."""


def presets_and_files(incomplete: str) -> list[str]:
    """What the shell can complete a source to."""
    from pathnet_evo import presets

    folder = os.path.dirname(incomplete)  # as it was typed, with "./" and without the name
    files = sorted(glob(os.path.join(escape(folder), "*.toml")))
    return [name for name in [*presets.names(), *files] if name.startswith(incomplete)]


def run(
    source: Annotated[
        str,
        typer.Argument(
            metavar="[PRESET|FILE.toml]",
            help="Name of a preset, or a TOML file.",
            autocompletion=presets_and_files,
        ),
    ] = "digits-nine",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="A.B=VALUE",
            help="Override a key. Index lists by number or *: 'stages.*.generations=50'.",
        ),
    ] = None,
    name: RunName = None,
    runs_dir: RunsDir = Path("runs"),
    seeds: Seeds = None,
    jobs: Jobs = None,
    executor: ExecutorName = None,
    device: Device = None,
    plugins: PluginFiles = None,
    as_json: SummaryAsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Learn a sequence of tasks and write the results to the run's folder.

    Ctrl-C stops the run at a checkpoint that can be resumed; a second Ctrl-C stops it at once.
    """
    from pathnet_evo.plugins.registry import Registry
    from pathnet_evo.setup import preparing

    detail = detail_of(quiet or as_json, verbose)
    registry = Registry()
    extra = options(seeds=seeds, executor=executor, jobs=jobs, device=device)
    config, label = preparing.configure(
        source, [*extra, *(settings or [])], registry, plugins or ()
    )
    if config.sources is not None:
        _matrix(config, label, registry, runs_dir, name, detail, as_json)
        return
    folder, failed = one(preparing.ready(config, registry, label), registry, runs_dir, name, detail)
    conclude(folder, failed, as_json)


def detail_of(quiet: bool, verbose: bool) -> Detail:
    """How much progress to show.

    Raises:
        UserError: both less and more are asked for.
    """
    from pathnet_evo.cli.progress import Detail

    if quiet and verbose:
        raise UserError("--verbose: nothing is shown with --quiet or --json; leave one out")
    return Detail.QUIET if quiet else Detail.VERBOSE if verbose else Detail.NORMAL


def options(**given: object) -> list[str]:
    """Options of the command line as settings of the configuration."""
    if given["executor"] is not None and given["jobs"] is not None:
        name, workers = json.dumps(given["executor"]), given.pop("jobs")
        given["executor"] = f"{{name = {name}, workers = {workers}}}"
    return [f"{key}={value}" for key, value in given.items() if value is not None]


def conclude(folder: Path, failed: Failed, as_json: bool) -> None:
    """Show the results of a run, and exit with the matching status."""
    from pathnet_evo.store.reading import read_summary

    summary = read_summary(folder)
    if as_json:
        say(json.dumps(summary))
    else:
        _show(summary, folder)
    _end(failed)


@contextmanager
def stoppable() -> Iterator[None]:
    """A second signal ends the command at once."""
    try:
        yield
    except Stopped as stopped:
        say("stopped at once; work since the last checkpoints is lost", err=True)
        raise typer.Exit(Status.SIGNAL + stopped.signal) from None


def tell_how_to_go_on(folder: Path) -> None:
    """Say how to resume an interrupted run."""
    from pathnet_evo.store.reading import read_summary

    if read_summary(folder)["state"] == "interrupted":
        say(f"to resume: pathnet-evo resume {shlex.quote(str(folder))}", err=True)


def one(
    plan: Plan,
    registry: Registry,
    runs_dir: Path,
    name: str | None,
    detail: Detail,
    others: Sequence[Path] = (),
) -> tuple[Path, Failed]:
    """Run one sequence; its folder, and what went wrong.

    ``others`` are runs that may have learned the same first stage.
    """
    from pathnet_evo.cli.progress import Progress
    from pathnet_evo.running import holding, runner

    command = shlex.join(["pathnet-evo", *sys.argv[1:]])
    folder = runner.create(plan, registry, runs_dir, name, command)
    held = holding.hold(plan, folder, registry, others)
    with Progress(plan, folder, detail, done=held.stages_over) as progress, stoppable():
        signal = runner.proceed(held, progress.on_record)
    tell_how_to_go_on(folder)
    return folder, (signal, progress.errors)


def _matrix(
    config: RunConfig,
    label: str,
    registry: Registry,
    runs_dir: Path,
    name: str | None,
    detail: Detail,
    as_json: bool,
) -> None:
    """Run every pair of a matrix, one after another."""
    from pathnet_evo.analysis import matrix
    from pathnet_evo.setup import preparing

    plans = [preparing.ready(run, registry, label) for run in matrix.pairs(config).values()]
    folder = matrix.create(config, runs_dir, name)

    def runs() -> Iterator[tuple[str, Failed]]:
        for plan in plans:
            name, others = plan.config.name, matrix.others(folder, config, plan.config.name)
            yield name, one(plan, registry, folder, name, detail, others)[1]

    conclude_matrix(folder, runs(), as_json)


def conclude_matrix(folder: Path, runs: Iterable[tuple[str, Failed]], as_json: bool) -> None:
    """Run a matrix until one of its runs is stopped; show it and exit with the matching status."""
    from pathnet_evo.analysis import matrix
    from pathnet_evo.cli.tables import transfers
    from pathnet_evo.store.directory import clear
    from pathnet_evo.store.lock import held

    signal, errors = 0, []
    with held(folder) as lock:
        clear(folder)
        matrix.write_matrix(folder)
        for name, (signal, failed) in runs:
            errors += [f"{name}: {error}" for error in failed]
            lock.check()
            matrix.write_matrix(folder)
            if signal:
                whole = shlex.quote(str(folder))
                say(f"to resume all runs: pathnet-evo resume {whole}", err=True)
                break
        lock.end()
        found = matrix.write_matrix(folder)
    if as_json:
        say(json.dumps(found))
    else:
        transfers(found)
        say(f"matrix: {folder / matrix.RESULTS}")
    _end((signal, errors))


def _end(failed: Failed) -> None:
    """Report errors, and exit with the matching status."""
    signal, errors = failed
    for error in errors:
        say(error, err=True)
    if signal:
        raise typer.Exit(Status.SIGNAL + signal)
    if errors:
        raise typer.Exit(Status.FAILED)


def _show(summary: Summary, folder: Path) -> None:
    from pathnet_evo.cli.tables import results

    results(summary)
    say(f"report: {folder / 'report.html'}")
