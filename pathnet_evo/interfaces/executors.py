"""What an executor is: where the trials of a run are, and what a run gives to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from pathnet_evo.errors import UserError
from pathnet_evo.interfaces.records import Record
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.interfaces.storage import ResumePoint, Store
from pathnet_evo.values.options import OPTIONS


class ExecutorError(UserError):
    """Trials cannot be run where the configuration wants them; the message says the way out."""


@dataclass(frozen=True)
class Job:
    """A trial to be run; plain data.

    Args:
        trial: which arm, which seed.
        start: the checkpoint that it resumes from; None is its beginning.
    """

    trial: Trial
    start: ResumePoint | None = None


@dataclass(frozen=True)
class RunSetting:
    """What is the same for all trials of a run; plain data that another process can be sent.

    Args:
        config: the configuration, as ``RunConfig`` takes it.
        device: ``cpu`` or ``cuda``.
        store: where checkpoints lie.
        threads: torch's threads for a trial; results are equal where they are.
    """

    config: Mapping[str, Any]
    device: str
    store: Store
    threads: int = 1


class Trials(Protocol):
    """The trials of a run, as an executor has them.

    All methods are for the process and thread that ``Executor.run`` was called in.
    """

    @property
    def jobs(self) -> Sequence[Job]:
        """The trials to be run; run them in this order, so that arms can be compared early."""

    @property
    def setting(self) -> RunSetting:
        """What another process needs to run them; see ``RemoteTrials``."""

    def run_here(self, job: Job) -> None:
        """Run a trial in this process, until it is over or to be stopped."""

    def emit(self, record: Record) -> None:
        """Take a record of a trial; those of one trial in order. What it raises ends the run."""

    def stop(self) -> bool:
        """Whether to stop: trials end where they can be resumed, and no more are begun."""

    def ending(self, trial: int) -> int | None:
        """The stage of a trial that is to end early, once it is at work; None if none.

        ``run_here`` heeds it; for another process, pass it on to ``RemoteTrials.end_stage``.
        """

    def lost(self, job: Job, cause: str, retries: int) -> Job | None:
        """Take note that a trial's process is gone, after all its records were emitted.

        The trial is brought back to its last checkpoint, or reported as failed after it was lost
        more than ``retries`` times.

        Args:
            job: the trial.
            cause: what happened, such as ``the process of the trial was killed by signal 9``.
            retries: how often a trial may begin again.

        Returns:
            The trial where it begins again; None where it does not.
        """


class Executor(BaseModel, ABC):
    """An executor plugin: its fields are its configuration (``executor``)."""

    model_config = OPTIONS

    @abstractmethod
    def run(self, trials: Trials) -> None:
        """Run all trials to the end, or until ``trials.stop()``; leave nothing running.

        Every started trial emits ``TrialStarted`` first and ``TrialFinished`` last.

        Raises:
            ExecutorError: no trial can run; started trials can be resumed.
        """

    def check(self) -> None:
        """Check before a run starts that its trials can run.

        Raises:
            ExecutorError: they cannot, for example because a cluster is unreachable.
        """

    @property
    def processes(self) -> int:
        """Number of processes on this machine that run trials, besides the main one."""
        return 0

    @property
    def device(self) -> str | None:
        """The device of its trials, ``cpu`` or ``cuda``; None if it is this machine's."""
        return None
