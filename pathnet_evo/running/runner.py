"""A whole run: from a configuration to a folder with lineage, checkpoints, summary and report."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from pathnet_evo.errors import Stopped, UserError
from pathnet_evo.interfaces.records import Checkpointed, Record, TaskMade, TrialFinished
from pathnet_evo.interfaces.run_info import RunInfo, Trial
from pathnet_evo.interfaces.stopping import EarlyEnds, OnRecord, StopRun, StopStage
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.running import notebook
from pathnet_evo.running.concluding import conclude
from pathnet_evo.running.handing_out import hand_out
from pathnet_evo.running.holding import HeldRun, hold, reopen
from pathnet_evo.running.loading import Run, RunFailed, load_run
from pathnet_evo.running.observing import Observers
from pathnet_evo.setup.plan import Plan
from pathnet_evo.setup.preparing import device_of, prepare
from pathnet_evo.setup.resolving import resolve_observers
from pathnet_evo.store import directory
from pathnet_evo.store.checkpointer import folder_of
from pathnet_evo.store.places import PlaceError, remove_checkpoint
from pathnet_evo.store.resuming import (
    Consent,
    Say,
)
from pathnet_evo.workers.spawning import check_main, refuse_while_imported


def launch(
    source: str | Path | Mapping[str, Any] = "digits",
    settings: Sequence[str] = (),
    *,
    name: str | None = None,
    runs_dir: str | Path = "runs",
    on_record: OnRecord = lambda record: None,
    command: str = "",
    plugins: Sequence[str | Path] = (),
) -> Run:
    """Run a preset, a TOML file or a configuration given as a dictionary; show it in a notebook.

    Args:
        source: the name of a preset, the path of a ``.toml`` file, or plain data, which can contain
            paths and NumPy numbers.
        settings: ``"a.b=VALUE"`` overrides, as for ``--set``.
        name: the run's folder under ``runs_dir``; by default the configuration's name, numbered.
        runs_dir: the folder that holds all runs.
        on_record: called with every record, in order; it can return or raise ``StopStage`` or
            ``StopRun`` to end early.
        command: the command that repeats the run, for its report.
        plugins: plugin files to load.

    Returns:
        The finished run; ``run.summary`` holds the results.

    Raises:
        ConfigError: with all errors in the configuration.
        DirectoryError: the run's folder cannot be created.
        LockError: the run's folder was moved while it ran; it can be resumed.
        SpawnError: the run needs processes, and this script cannot start any.
        RunFailed: some trials failed; the others finished, and its ``run`` is readable.
        KeyboardInterrupt: after Ctrl-C, once the run can be resumed; ``SystemExit`` with status 143
            after SIGTERM, unless the script handles it.
    """
    refuse_while_imported()
    registry = Registry()
    plan = prepare(source, settings, registry, plugins)
    if plan.spawns:
        check_main()
    folder = create(plan, registry, Path(runs_dir), name, command)
    with notebook.shown(plan, folder, on_record) as take:
        ended = execute(plan, folder, take, registry)
    return _over(ended, folder, registry)


def resume(
    folder: str | Path,
    settings: Sequence[str] = (),
    *,
    on_record: OnRecord = lambda record: None,
    command: str = "",
    say: Say = lambda text: None,
    accept_changed_data: bool = False,
    start_over: bool = False,
    add_tasks: Sequence[str | Path] = (),
) -> Run:
    """Resume an interrupted or killed run from its last checkpoints.

    Args:
        folder: the run's folder.
        settings: ``"a.b=VALUE"`` overrides of keys that can change: budgets of unfinished stages,
            more ``seeds``, ``executor``, ``device``, ``observers`` and ``checkpoints``.
        on_record: called with every further record, in order; see ``launch``.
        command: the command that was typed, for the run's report.
        say: called with a message for each unusable checkpoint.
        accept_changed_data: continue if tasks provide other data than before, and record it.
        start_over: erase finished stages whose checkpoints are gone or damaged, and learn them
            again.
        add_tasks: folders of pictures to learn after the last stage, each a stage of its own.

    Returns:
        The finished run.

    Raises:
        DataError: the tasks provide other data than the run learned.
        RunError: there is no such run, its configuration was edited by hand, or finished stages
            have no usable checkpoint.
        ConfigError: a setting that cannot change, or a task that cannot be added, and why.
        LockError: another process is writing the run, or the folder was moved while it ran.
        LineageError: the lineage is damaged.
        SpawnError, RunFailed, KeyboardInterrupt, SystemExit: as of ``launch``.
    """
    refuse_while_imported()
    added = [Path(task) for task in add_tasks]
    consent = Consent(accept_changed_data, start_over)
    reopened = reopen(Path(folder), settings, command, say, consent, check_main, added)
    with notebook.shown(reopened.plan, Path(folder), on_record, reopened.stages_over) as take:
        ended = proceed(reopened, take)
    return _over(ended, Path(folder), reopened.registry)


def _over(signal_number: int, folder: Path, registry: Registry) -> Run:
    """The run, if it finished; otherwise raise what ended it."""
    if signal_number:
        _pass_on(signal_number)
    run = load_run(folder, registry)
    if errors := run.errors:
        raise RunFailed(run, errors)
    return run


def _pass_on(number: int) -> None:
    """Give a signal that ended a run its usual effect on a program."""
    if number == signal.SIGTERM and signal.getsignal(number) is signal.SIG_DFL:
        raise SystemExit(128 + number)
    signal.raise_signal(number)


def create(plan: Plan, registry: Registry, runs: Path, name: str | None, command: str = "") -> Path:
    """The run's folder; see ``directory.create``."""
    return directory.create(plan, registry, runs, name, device_of(plan), command)


def execute(
    plan: Plan,
    folder: Path,
    on_record: OnRecord = lambda record: None,
    registry: Registry | None = None,
) -> int:
    """Run every trial; whatever happens, what is done so far is on disk and readable.

    Args:
        plan: what to run.
        folder: the run's folder.
        on_record: called with every record, in order.
        registry: where observers are found; None loads the plan's plugins again.

    Returns:
        The signal that ended it early, or 0.

    Raises:
        LockError: another process is writing the run, or the folder was moved while it ran.
        LineageError: the lineage cannot be written; the run can be resumed.
        RunError: the summary or report cannot be written; ``report`` writes them.
    """
    return proceed(hold(plan, folder, registry), on_record)


def proceed(run: HeldRun, on_record: OnRecord = lambda record: None) -> int:
    """Run every trial that is not finished; see ``execute``."""
    plan, folder, lineage = run.plan, run.folder, run.lineage
    trials = {trial.id: trial for trial in plan.trials}
    about = RunInfo(folder, plan.config.name, trials)
    broken, early = False, EarlyEnds()

    def emit(record: Record) -> None:
        nonlocal broken
        run.lock.check()
        if isinstance(record, TaskMade):
            run.ledger.on_record(record, plan, trials[record.trial].seed)
        lineage.write(record)
        match record:
            case Checkpointed():
                _retire(run, trials[record.trial], plan.config.checkpoints.keep)
            case TrialFinished(state="finished"):
                _retire(run, trials[record.trial], 0)
            case TrialFinished(state="interrupted", error=str()):
                broken = True
        try:
            early.take(on_record(record), record)
        except (StopStage, StopRun) as raised:
            early.take(raised, record)
        for answer in observers.on_record(record):
            early.take(answer, record)

    try:
        observers = Observers(about, resolve_observers(plan.config, run.registry), run.registry)
        with _signals() as stopped:
            hand_out(
                plan,
                folder,
                run.lock,
                lineage,
                run.starts,
                emit,
                lambda: broken or bool(stopped),
                early,
            )
    except (UserError, KeyboardInterrupt):
        lineage.abandon()
        raise
    except BaseException:
        lineage.abandon()
        conclude(folder, run.lock, plan, run.registry, observers, whole=False)
        raise
    else:
        lineage.close()
        conclude(folder, run.lock, plan, run.registry, observers, whole=not stopped)
    finally:
        run.lock.release()
    return stopped[0] if stopped else 0


def _retire(run: HeldRun, trial: Trial, keep: int) -> None:
    for old in run.lineage.retire(trial.id, keep):
        with suppress(PlaceError):  # a foreign lineage may name anything
            remove_checkpoint(run.folder, old, folder_of(trial))


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM: the first asks to stop, the second stops at once.

    One that is ignored stays so, as SIGINT is for what a script starts in the background.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def receive(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            raise Stopped(number)

    numbers = [n for n in (signal.SIGINT, signal.SIGTERM) if _is_ours(n)]
    kept = {number: signal.signal(number, receive) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def _is_ours(number: int) -> bool:
    """Whether a signal's handler can be replaced, and put back: nobody ignores it."""
    return signal.getsignal(number) not in (signal.SIG_IGN, None)
