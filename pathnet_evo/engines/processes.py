"""Trials side by side, each in a process of its own; the same results as one after another."""

from __future__ import annotations

import queue
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch.multiprocessing as multiprocessing

from pathnet_evo.engines.inline import run_trial
from pathnet_evo.engines.orphans import end_with_parent
from pathnet_evo.errors import UserError
from pathnet_evo.interfaces.records import (
    Emit,
    EpisodesFinished,
    Evaluated,
    GenerationFinished,
    Record,
    TrialFinished,
    TrialStarted,
)
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup.config import RunConfig
from pathnet_evo.setup.resolving import resolve
from pathnet_evo.store.resuming import ResumePoint as Start
from pathnet_evo.system import standard_streams
from pathnet_evo.system.plugin_calls import PluginFailed, calling

SENT_EVERY = 0.1
"""Seconds for which a worker gathers records before it sends them."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""What may reach a worker as well, but is for its parent alone."""


@dataclass
class _Worker:
    """A process that runs one trial after another.

    Args:
        process: the process.
        orders: the trials to run are sent here.
        records: queue of lists of records, from the worker.
        trial: what it is at; None where it is idle.
        begun: whether it told that this has started.
    """

    process: BaseProcess
    orders: Connection
    records: Any = field(repr=False)
    trial: Trial | None = None
    begun: bool = False


def run_trials(
    config: RunConfig,
    trials: Sequence[tuple[Trial, Start | None]],
    folder: Path,
    device: str,
    emit: Emit,
    stop: Callable[[], bool],
) -> None:
    """Run trials, ``config.jobs`` at a time.

    A worker that dies costs its own trial, which is told as failed; another takes its place.
    """
    context = multiprocessing.get_context("spawn")
    stopping = context.Event()
    waiting = list(trials)
    workers: list[_Worker] = []
    try:
        while waiting or any(worker.trial for worker in workers):
            if stop():
                stopping.set()
                waiting.clear()
            while waiting and len(workers) < min(config.jobs, len(trials)):
                workers.append(_start(context, config, folder, device, stopping))
            for worker in workers:
                if worker.trial is None and waiting and worker.process.is_alive():
                    worker.trial, start = waiting.pop(0)
                    worker.orders.send((worker.trial, start))
                _hear(worker, emit)
            workers = [worker for worker in workers if not _died(worker, emit)]
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.join()
            worker.records.close()


def _start(context: Any, config: RunConfig, folder: Path, device: str, stopping: Any) -> _Worker:
    records = context.Queue()
    receiver, orders = context.Pipe(duplex=False)
    process = context.Process(
        target=_work,
        args=(config.model_dump(), folder, device, receiver, records, stopping),
    )  # not a daemon, for those must not have children
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    receiver.close()
    return _Worker(process, orders, records)


def _hear(worker: _Worker, emit: Emit) -> None:
    """Pass on what a worker sent, waiting for it a moment."""
    try:
        batch = worker.records.get(timeout=SENT_EVERY / 2)
        while True:
            for record in batch:
                worker.begun = not isinstance(record, TrialFinished)
                if not worker.begun:
                    worker.trial = None
                emit(record)
            batch = worker.records.get_nowait()
    except queue.Empty:
        return


def _died(worker: _Worker, emit: Emit) -> bool:
    """Whether a worker is dead; its trial is then told as failed."""
    if worker.process.is_alive():
        return False
    _hear(worker, emit)
    worker.process.join()
    worker.records.close()
    if worker.trial is not None:
        code = worker.process.exitcode
        if not worker.begun:
            emit(TrialStarted(worker.trial.id, worker.trial.arm, worker.trial.seed))
        died = f"was killed by signal {-code}" if code and code < 0 else f"ended with status {code}"
        emit(TrialFinished(worker.trial.id, "failed", f"the process of the trial {died}"))
    return True


def _work(
    config: dict[str, Any],
    folder: Path,
    device: str,
    orders: Connection,
    records: Any,
    stopping: Any,
) -> None:
    """A worker's whole life."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # they were, until they could be ignored
    standard_streams.endure()
    end_with_parent()
    loaded = RunConfig.model_validate(config)
    try:
        with calling("", UserError):
            plan = resolve(loaded, Registry(files=loaded.plugins))
    except (UserError, PluginFailed) as error:
        _refuse(orders, records, str(error))
        return
    gathered: list[Record] = []
    sent = time.monotonic()

    def emit(record: Record) -> None:
        nonlocal gathered, sent
        gathered.append(record)
        frequent = isinstance(record, Evaluated | EpisodesFinished | GenerationFinished)
        if not frequent or time.monotonic() - sent > SENT_EVERY:
            records.put(gathered)
            gathered, sent = [], time.monotonic()

    while True:
        try:
            trial, start = orders.recv()
        except EOFError:
            plan.engine.close()
            return
        run_trial(plan, trial, folder, device, emit, stopping.is_set, start)


def _refuse(orders: Connection, records: Any, error: str) -> None:
    """Tell every trial as failed, where none can be run."""
    while True:
        try:
            trial, _ = orders.recv()
        except EOFError:
            return
        failed = TrialFinished(trial.id, "failed", error)
        records.put([TrialStarted(trial.id, trial.arm, trial.seed), failed])
