"""Wrong executors fail their kit, with a message that says what the contract wants."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from pathnet_evo import (
    Evaluated,
    Executor,
    Job,
    RemoteTrials,
)
from pathnet_evo.testing import ExecutorContract, executors


class Straying(Executor):
    """Right where ``wrong`` is empty: runs trials one after another."""

    wrong: str = ""

    def run(self, trials):
        late: list[Any] = []
        jobs = {"drops": trials.jobs[:1], "twice": [*trials.jobs, trials.jobs[0]]}
        for job in jobs.get(self.wrong, trials.jobs):
            if trials.stop() and self.wrong != "deaf":
                break
            if self.wrong == "restarts":
                job = Job(job.trial)
            if self.wrong == "other seed":
                job = Job(replace(job.trial, seed=job.trial.seed + 1))
            if self.wrong == "swallows":
                with suppress(Exception):
                    trials.run_here(job)
                continue
            emit = {"late": late.append, "few": few(trials.emit)}.get(self.wrong, trials.emit)
            remote = RemoteTrials(
                trials.setting,
                lambda records, emit=emit: [emit(record) for record in records],
                (lambda: False) if self.wrong == "deaf" else trials.stop,
            )
            remote.run(job)
        for record in reversed(late):
            trials.emit(record)


def few(emit):
    """Takes every other evaluation."""

    def take(record):
        if not (isinstance(record, Evaluated) and record.number % 2):
            emit(record)

    return take


WRONG_EXECUTORS = [
    ("drops", "test_every_trial_ends", "trial 1 began 0 times"),
    ("twice", "test_every_trial_ends", "trial 0 began 2 times"),
    ("late", "test_every_trial_ends", "TrialStarted must be a trial's first record"),
    ("few", "test_records_come_in_order", "all of them and in order"),
    ("other seed", "test_gives_what_inline_gives", "what it gives inline"),
    ("deaf", "test_stops", "must return soon after stop"),
    ("restarts", "test_resumes", "must begin where its job's start says"),
    ("swallows", "test_a_record_that_cannot_be_taken_ends_it", "must end run"),
]


@pytest.mark.parametrize(("wrong", "check", "message"), [*WRONG_EXECUTORS, ("", "all", "")])
def test_wrong_executors(monkeypatch, wrong, check, message):
    """An executor's author would see runs that lack trials, or cannot be resumed, and not why."""
    monkeypatch.setattr(executors, "SOON", 500)

    class Here(ExecutorContract):
        def executor(self):
            return Straying(wrong=wrong)

    if not wrong:
        for name in (check for _, check, _ in WRONG_EXECUTORS):
            getattr(Here(), name)()
        return
    with pytest.raises(AssertionError, match=message):
        getattr(Here(), check)()


def test_a_kill_that_finds_nothing_fails():
    """The kit would say that lost trials begin again, and have lost none."""

    class Here(ExecutorContract):
        def executor(self):
            return Straying()

        def kill(self):
            return False

    with pytest.raises(AssertionError, match=r"kill\(\) must end a process that runs a trial"):
        Here().test_a_lost_trial_begins_again()
