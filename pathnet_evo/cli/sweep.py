"""``pathnet-evo sweep``: search a configuration's best values."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pathnet_evo.cli.run import presets_and_files
from pathnet_evo.cli.shared import Device, PluginFiles, Quiet, RunsDir, Verbose
from pathnet_evo.cli.status import Status
from pathnet_evo.cli.terminal import say
from pathnet_evo.errors import UserError

if TYPE_CHECKING:
    from pathnet_evo.cli.progress import Detail
    from pathnet_evo.interfaces.stopping import OnRecord
    from pathnet_evo.plugins.registry import Registry
    from pathnet_evo.setup.plan import Plan
    from pathnet_evo.setup.sweeps import Sweep
    from pathnet_evo.store.resuming import Consent


def sweep(
    source: Annotated[
        str,
        typer.Argument(
            metavar="PRESET|FILE.toml|FOLDER",
            help="Name of a preset, a TOML file, or the folder of a sweep to resume.",
            autocompletion=presets_and_files,
        ),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="A.B=VALUE", help="Override a key; VALUE can be a search space."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the sweep's folder, a new one.")] = None,
    runs_dir: RunsDir = Path("runs"),
    trials: Annotated[int | None, typer.Option(min=1, help="Number of trials.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds per trial.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Seeds of a trial to run in parallel.")
    ] = None,
    executor: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where seeds run: inline, processes, ...")
    ] = None,
    device: Device = None,
    plugins: PluginFiles = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the trials as JSON and nothing else.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Search a configuration's best values with Optuna; each trial is a run of its own.

    A value of the configuration can be a search space: {low = 0.001, high = 0.3, log = true},
    {low = 1, high = 8} or {choices = ["SGD", "Adam"]}. The table [sweep] says what to search.
    """
    from pathnet_evo import presets
    from pathnet_evo.analysis import sweep as folders
    from pathnet_evo.cli.run import detail_of, options
    from pathnet_evo.plugins.registry import Registry
    from pathnet_evo.running import sweeping
    from pathnet_evo.store.resuming import Consent

    detail = detail_of(quiet or as_json, verbose)
    given = options(seeds=seeds, executor=executor, jobs=jobs, device=device)
    given += [] if trials is None else [f"sweep.trials={trials}"]
    given += settings or []
    if Path(source).is_dir() and source not in presets.names():
        if name is not None or plugins:
            raise UserError(
                f"{source}: a sweep that resumes keeps its name and plugins; leave --name and "
                "--plugin out"
            )
        again(Path(source), given, detail, Consent(), as_json)
        return
    registry = Registry()
    found = sweeping.prepare(source, given, registry, plugins or ())
    folder = folders.create(found, runs_dir, name)
    _search(found, folder, registry, [], detail, Consent(), as_json)


def again(
    folder: Path, settings: Sequence[str], detail: Detail, consent: Consent, as_json: bool
) -> None:
    """Resume a sweep."""
    from pathnet_evo.plugins.registry import Registry
    from pathnet_evo.running import sweeping

    registry = Registry()
    found = sweeping.reopen(folder, settings, registry)
    of_runs = [text for text in settings if not text.startswith("sweep.")]
    _search(found, folder, registry, of_runs, detail, consent, as_json)


def _search(
    found: Sweep,
    folder: Path,
    registry: Registry,
    settings: Sequence[str],
    detail: Detail,
    consent: Consent,
    as_json: bool,
) -> None:
    """Run a sweep; show it, and exit with the matching status."""
    from pathnet_evo.running.sweeping import Search, search

    command = shlex.join(["pathnet-evo", *sys.argv[1:]])
    say_err: Callable[[str], None] = partial(say, err=True)
    shown = partial(_shown, detail)
    number = search(Search(found, folder, registry, command, settings, shown, say_err, consent))
    if number:
        say(f"to resume the sweep: pathnet-evo resume {shlex.quote(str(folder))}", err=True)
    _conclude(folder, number, as_json)


@contextmanager
def _shown(detail: Detail, plan: Plan, folder: Path, done: int) -> Iterator[OnRecord]:
    """The progress of a trial."""
    from pathnet_evo.cli.progress import Progress
    from pathnet_evo.cli.run import stoppable

    with Progress(plan, folder, detail, done=done) as progress, stoppable():
        yield progress.on_record


def _conclude(folder: Path, number: int, as_json: bool) -> None:
    """Show the trials, and exit with the matching status."""
    from pathnet_evo.analysis import sweep as folders
    from pathnet_evo.cli.tables import trials

    text = (folder / folders.RESULTS).read_text(encoding="utf-8")
    found = json.loads(text)
    if as_json:
        say(json.dumps(found))
    else:
        trials(found)
        if found["best"] is not None:
            best = next(row for row in found["trials"] if row["trial"] == found["best"])
            command = shlex.join(["pathnet-evo", "run", str(folder / best["run"] / "run.toml")])
            say(f"best: {best['run']}; repeat it with {command}")
        say(f"report: {folder / folders.PAGE}")
    failed = [row for row in found["trials"] if row["state"] == "failed"]
    for row in failed:
        say(f"{row['run']}: {row['error'] or 'failed'}", err=True)
    if number:
        raise typer.Exit(Status.SIGNAL + number)
    if failed:
        raise typer.Exit(Status.FAILED)
