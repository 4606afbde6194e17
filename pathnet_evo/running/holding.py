"""Holding a run, so that this process alone writes it: a new one, or one to resume."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pathnet_evo.interfaces.storage import ResumePoint
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.running.concluding import refusals
from pathnet_evo.setup.pictures import further
from pathnet_evo.setup.plan import Plan
from pathnet_evo.setup.preparing import device_of, labelled, prepare
from pathnet_evo.store import directory
from pathnet_evo.store.changes import check_changes, check_further
from pathnet_evo.store.checkpointer import folder_of
from pathnet_evo.store.folder import Folder
from pathnet_evo.store.lineage import Lineage, never_begun, open_lineage
from pathnet_evo.store.lock import Lock
from pathnet_evo.store.places import check_own
from pathnet_evo.store.reading import RunError, config_text, intact, read_about
from pathnet_evo.store.resuming import Consent, Say, Standing, begin, standings_of
from pathnet_evo.store.same_data import Ledger, recorded
from pathnet_evo.store.taking_over import take_over
from pathnet_evo.system.replacing import replace

NOTHING_LOST = Consent()


@dataclass
class HeldRun:
    """A run held by this process, ready to begin or to resume.

    Args:
        folder: where it lies.
        plan: what is run.
        registry: its plugins.
        lock: keeps others away.
        lineage: its writer.
        starts: where each unfinished trial resumes; None is its beginning.
        ledger: the data that it learns.
    """

    folder: Path
    plan: Plan
    registry: Registry
    lock: Lock
    lineage: Lineage
    starts: dict[int, ResumePoint | None]
    ledger: Ledger

    @property
    def stages_over(self) -> int:
        """Number of finished stages over all trials."""
        with closing(open_lineage(self.lineage.path)) as db:
            (count,) = db.execute("SELECT count(path) FROM stages").fetchone()
        return int(count)


def hold(
    plan: Plan, folder: Path, registry: Registry | None = None, others: Sequence[Path] = ()
) -> HeldRun:
    """Hold a new run, ready for ``proceed``.

    Args:
        plan: what to run.
        folder: the run's folder.
        registry: where observers are found; None loads the plan's plugins again.
        others: folders of runs that may have learned the same first stage; trials begin with it
            where they did.

    Raises:
        LockError, LineageError, RunError: as of ``execute``.
    """
    if registry is None:
        registry = Registry(files=plan.config.plugins)
    lock = _hold(folder)
    lineage: Lineage | None = None
    try:
        lineage = Lineage(folder / "lineage.sqlite")
        lineage.configured(config_text(folder))
        starts: dict[int, ResumePoint | None] = {trial.id: None for trial in plan.trials}
        held = HeldRun(folder, plan, registry, lock, lineage, starts, Ledger(folder))
        with refusals(folder):
            _take_over(held, others)
    except BaseException:
        if lineage is not None:
            lineage.abandon()
        lock.release()
        raise
    return held


def reopen(
    folder: Path,
    settings: Sequence[str],
    command: str,
    say: Say,
    consent: Consent = NOTHING_LOST,
    spawning: Callable[[], None] = lambda: None,
    add_tasks: Sequence[Path] = (),
    others: Sequence[Path] = (),
) -> HeldRun:
    """Hold a run and bring it back to its last checkpoints; see ``resume``.

    ``spawning`` is called before anything is changed, if the run needs processes; ``others`` are
    those of ``hold``.
    """
    if not (folder / "run.toml").is_file():
        raise RunError(f"{folder}: not a run's folder (it has no run.toml)")
    lock = _hold(folder)
    lineage: Lineage | None = None
    try:
        text = config_text(folder)
        registry = Registry()
        source, path = folder / "run.toml", folder / "lineage.sqlite"
        before = prepare(source, (), registry, rehearse=False)
        plan = before
        if settings or add_tasks:
            added = further(before, add_tasks, registry) if add_tasks else []
            plan = prepare(source, settings, registry, rehearse=False, further=added)
        if plan.spawns:
            spawning()
        with refusals(folder):
            begun, ledger = not never_begun(path), Ledger(folder)
            standings = [Standing(trial) for trial in plan.trials]
            if begun:
                old, new = (tomllib.loads(directory.toml(p)) for p in (before, plan))
                with closing(open_lineage(path, thorough=True)) as db, intact(path):
                    check_changes(db, old, new)
                    check_further(db, plan, len(before.stages))
                    ledger = Ledger(folder, recorded(db), consent.changed_data)
                    standings = standings_of(folder, db, plan, say, consent)
            with labelled(str(source)):
                device_of(plan)
                ledger.rehearse(plan)
            directory.clear(folder)
            lineage = Lineage(path, resume=begun)
            changed = text if plan is before else directory.resolved(plan)
            lineage.configured(changed)
            if changed != text:
                replace(folder / "run.toml", changed)
            starts = begin(folder, lineage, standings, consent)
            reopened = HeldRun(folder, plan, registry, lock, lineage, starts, ledger)
            try:
                read_about(folder)
            except RunError as error:
                say(f"{error}; kept as {directory.set_aside_about(folder).name}")
            _take_over(reopened, others)
            directory.went_on(folder, command, _began_from(plan, reopened.starts), ledger.accepted)
        return reopened
    except BaseException:
        if lineage is not None:
            lineage.abandon()
        lock.release()
        raise


def _take_over(run: HeldRun, others: Sequence[Path]) -> None:
    """Have trials that have not begun resume from the first stage of another run, if they can."""
    trials = [trial for trial in run.plan.trials if run.starts.get(trial.id, ...) is None]
    store = Folder(run.folder.absolute(), run.lock.identity)
    found = take_over(run.plan, run.lineage, store, trials, others)
    run.starts.update({trial: start for trial, (start, _) in found.items()})
    if found:
        with closing(open_lineage(run.lineage.path)) as db, intact(run.lineage.path):
            run.ledger.add(recorded(db))
    places = {start.place: other.name for start, other in found.values()}
    directory.took_over(run.folder, places, [folder_of(trial) for trial in trials])


def _began_from(plan: Plan, starts: dict[int, ResumePoint | None]) -> dict[str, str]:
    """Where each trial goes on that is not finished."""
    return {
        f"{trial.arm}-{trial.seed}": start.place.rpartition("/")[2] if start else "the beginning"
        for trial in plan.trials
        if trial.id in starts
        for start in [starts[trial.id]]
    }


def _hold(folder: Path) -> Lock:
    check_own(folder)
    with refusals(folder):
        return Lock(folder)
