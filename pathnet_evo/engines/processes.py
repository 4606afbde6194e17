"""Trials side by side, each in a process of its own; the same results as one after another."""

from __future__ import annotations

import queue
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch.multiprocessing as multiprocessing

from pathnet_evo.config import RunConfig
from pathnet_evo.engines.inline import run_trial
from pathnet_evo.plan import Trial, resolve
from pathnet_evo.plugins import Registry
from pathnet_evo.records import Emit, Evaluated, GenerationFinished, Record, TrialFinished

SENT_EVERY = 0.1
"""Seconds for which a worker gathers records before it sends them."""


@dataclass
class _Worker:
    process: BaseProcess
    trial: Trial
    records: Any = field(repr=False)
    finished: bool = False


def run_trials(
    config: RunConfig,
    trials: Sequence[Trial],
    folder: Path,
    device: str,
    emit: Emit,
    stop: Callable[[], bool],
) -> None:
    """Run trials, ``config.jobs`` at a time.

    A worker that dies costs its own trial, which is told as failed.
    """
    context = multiprocessing.get_context("spawn")
    stopping = context.Event()
    waiting = list(trials)
    working: list[_Worker] = []
    try:
        while waiting or working:
            if stop():
                stopping.set()
                waiting.clear()
            while waiting and len(working) < config.jobs:
                working.append(_start(context, config, waiting.pop(0), folder, device, stopping))
            for worker in working:
                _hear(worker, emit)
            working = [worker for worker in working if not _over(worker, emit)]
    finally:
        for worker in working:
            worker.process.kill()
            worker.process.join()


def _start(
    context: Any, config: RunConfig, trial: Trial, folder: Path, device: str, stopping: Any
) -> _Worker:
    records = context.Queue()
    process = context.Process(
        target=_work,
        args=(config.model_dump(), trial, folder, device, records, stopping),
        name=f"{trial.arm}-{trial.seed}",
        daemon=True,
    )
    process.start()
    return _Worker(process, trial, records)


def _hear(worker: _Worker, emit: Emit) -> None:
    """Pass on what a worker sent, waiting for it a moment."""
    try:
        batch = worker.records.get(timeout=SENT_EVERY / 2)
        while True:
            for record in batch:
                worker.finished |= isinstance(record, TrialFinished)
                emit(record)
            batch = worker.records.get_nowait()
    except queue.Empty:
        return


def _over(worker: _Worker, emit: Emit) -> bool:
    if worker.process.is_alive() and not worker.finished:
        return False
    if not worker.finished:
        _hear(worker, emit)
    worker.process.join()
    if not worker.finished:
        code = worker.process.exitcode
        died = f"killed by signal {-code}" if code and code < 0 else f"ended with status {code}"
        error = f"the process of trial {worker.trial.arm}, seed {worker.trial.seed}, was {died}"
        emit(TrialFinished(worker.trial.id, "failed", error))
    worker.records.close()
    return True


def _work(
    config: dict[str, Any], trial: Trial, folder: Path, device: str, records: Any, stopping: Any
) -> None:
    """A worker's whole life. Ctrl-C reaches it as well, but it is the parent that says stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    plan = resolve(RunConfig.model_validate(config), Registry())
    gathered: list[Record] = []
    sent = time.monotonic()

    def emit(record: Record) -> None:
        nonlocal gathered, sent
        gathered.append(record)
        frequent = isinstance(record, Evaluated | GenerationFinished)
        if not frequent or time.monotonic() - sent > SENT_EVERY:
            records.put(gathered)
            gathered, sent = [], time.monotonic()

    run_trial(plan, trial, folder, device, emit, stopping.is_set)
