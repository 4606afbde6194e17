"""Executors whose workers run several trials in parallel, on any machine."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from pathnet_evo.executors.remote import RemoteTrials
from pathnet_evo.interfaces.executors import Executor, Job, RunSetting, Trials
from pathnet_evo.interfaces.records import TrialFinished
from pathnet_evo.workers.messages import WorkerLost, WorkerUnable
from pathnet_evo.workers.supervisor import Supervised, Supervisor
from pathnet_evo.workers.transport import Transport, WorkerLine


@dataclass(frozen=True)
class Stop:
    """To a worker: end the trial where it can be resumed."""


@dataclass(frozen=True)
class EndStage:
    """To a worker: end a stage of a trial early."""

    trial: int
    stage: int


@dataclass(eq=False)
class TrialWorker(Supervised):
    """A worker that runs one trial after another; ``ready`` once it has begun one.

    Args:
        job: what it is at; None where it is idle.
        ending: the stage that it was asked to end, if any.
    """

    job: Job | None = None
    ending: EndStage | None = None


class WorkerExecutor(Executor):
    """Workers that run trials in parallel; a subclass provides the transport.

    A trial gives the same results wherever it runs.
    """

    workers: int = Field(2, ge=1)
    """Number of trials to run in parallel."""
    retries: int = Field(2, ge=0)
    """Restarts, from its last checkpoint, of a trial whose worker died."""

    @abstractmethod
    def transport(self) -> Transport:
        """The transport that starts workers and carries trials and records."""

    def run(self, trials: Trials) -> None:
        """Run trials; replace workers that die, and restart their trials."""
        self.run_with(self.transport(), trials, trials.setting, self.workers)

    def run_with(
        self, transport: Transport, trials: Trials, setting: RunSetting, at_once: int
    ) -> None:
        """Run trials in workers of a transport.

        Workers for which there is no trial are ended, so that others can have what they hold.

        Args:
            transport: starts the workers.
            trials: what is run.
            setting: what each worker is sent first; its store may be another than the run's.
            at_once: how many trials to run in parallel.
        """
        workers = Supervisor(transport, work, TrialWorker, "trial", parents=True)
        waiting, stopping = deque(trials.jobs), False
        wanted = min(at_once, len(waiting))
        try:
            while waiting or any(worker.job for worker in workers.members):
                if trials.stop() and not stopping:
                    stopping = True
                    waiting.clear()
                    self._stop(workers)
                self._hand_out(setting, workers, waiting, wanted)
                _end_stages(trials, workers)
                for worker, message in workers.hear():
                    self._take(trials, workers, worker, message, waiting)
        finally:
            workers.close()

    @staticmethod
    def _stop(workers: Supervisor[TrialWorker]) -> None:
        """Ask trials to end; one that waits for room on a cluster might never begin."""
        for worker in list(workers.members):
            if worker.ready:
                worker.link.send(Stop())
            else:
                workers.lose(worker)

    def _hand_out(
        self,
        setting: RunSetting,
        workers: Supervisor[TrialWorker],
        waiting: deque[Job],
        wanted: int,
    ) -> None:
        while waiting:
            free = (w for w in workers.members if w.job is None and w.link.alive)
            idle = next(free, None)
            if idle is None and len(workers.members) < wanted:
                taken = {worker.number for worker in workers.members}
                idle = workers.start(min(set(range(wanted)) - taken))
                idle.link.send(setting)
            if idle is None:
                return
            idle.job = waiting.popleft()
            idle.link.send(idle.job)
        for worker in [worker for worker in workers.members if worker.job is None]:
            workers.lose(worker)

    def _take(
        self,
        trials: Trials,
        workers: Supervisor[TrialWorker],
        worker: TrialWorker,
        message: Any,
        waiting: deque[Job],
    ) -> None:
        match message:
            case list():
                worker.ready = True
                for record in message:
                    if isinstance(record, TrialFinished):
                        worker.job = None
                    trials.emit(record)
            case WorkerUnable():
                workers.lose(worker)
                if worker.job is not None:
                    trials.lost(worker.job, message.error, retries=0)
            case WorkerLost() if worker.job is not None:
                cause = f"the process of the trial {message.ended}"
                again = trials.lost(worker.job, cause, self.retries)
                if again is not None:
                    waiting.appendleft(again)


def _end_stages(trials: Trials, workers: Supervisor[TrialWorker]) -> None:
    """Pass on which stages are to end early."""
    for worker in workers.members:
        if worker.job is None:
            continue
        trial = worker.job.trial.id
        stage = trials.ending(trial)
        if stage is not None and worker.ending != EndStage(trial, stage):
            worker.ending = EndStage(trial, stage)
            worker.link.send(worker.ending)


def work(line: WorkerLine, number: int) -> None:
    """A worker's whole life: what all trials have in common comes first, then trials."""
    stopping = False

    def stop() -> bool:
        nonlocal stopping
        try:
            while not stopping and line.poll():
                order = line.receive()
                if isinstance(order, EndStage):
                    remote.end_stage(order.trial, order.stage)
                stopping = isinstance(order, Stop)
        except (EOFError, OSError):
            stopping = True
        return stopping

    remote = RemoteTrials(line.receive(), line.send, stop)
    try:
        while not stopping:
            order = line.receive()
            if isinstance(order, Stop):
                return
            if isinstance(order, Job):  # a stage to end may be over
                remote.run(order)
    finally:
        remote.close()
