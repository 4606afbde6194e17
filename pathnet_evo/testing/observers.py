"""The contract kit of observers; plugin authors subclass it."""

from __future__ import annotations

import copy
import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from pathnet_evo.interfaces.evaluations import Candidate, Evaluation
from pathnet_evo.interfaces.observers import HOOKS, Observer
from pathnet_evo.interfaces.records import (
    Evaluated,
    GenerationFinished,
    Record,
    StageFinished,
    StageStarted,
)
from pathnet_evo.interfaces.run_info import RunInfo, Trial
from pathnet_evo.interfaces.summary import Summary, checked
from pathnet_evo.testing.plain import check_settings
from pathnet_evo.values.suggestions import did_you_mean

ROWS = ((0, 1), (1, 1))
PATH = ((0, 1), (1,))
NOTHING: tuple[tuple[int, ...], ...] = ((), ())
OWN = {"run.toml": "seeds = 1\n", "lineage.sqlite": "rows"}
"""Files of the run, which are not the observer's."""


class ObserverContract(ABC):
    """What every observer keeps to.

    A subclass is a test class for pytest::

        class TestMyObserver(ObserverContract):
            def observer(self) -> Observer:
                return MyObserver()
    """

    @abstractmethod
    def observer(self) -> Observer:
        """A new observer."""

    def follow(self, observer: Observer, folder: Path, first: int = 0) -> Sequence[Record]:
        """Call the hooks of an observer as a run of two stages does; the records.

        The first stage has a failed evaluation, a generation in which all failed, and a test
        accuracy of 0.75; the second one could not be scored.

        Args:
            observer: who is called.
            folder: the run's folder.
            first: the stage from which on the run is followed, as after a resumption.
        """
        run = RunInfo(folder, "contract", {0: Trial(0, "pathnet", 0)})
        records = [r for r in _records() if r.stage >= first]
        for record in records:
            getattr(observer, HOOKS[type(record)])(run=run, record=record)
        observer.run_finished(run=run, summary=_summary())
        return records

    def test_settings(self) -> None:
        """``run.toml`` would not repeat a run."""
        check_settings(self.observer(), "observer")

    def test_survives_a_run(self) -> None:
        """The observer would be switched off by a failed evaluation, or when a run is resumed."""
        with TemporaryDirectory() as folder:
            self.follow(self.observer(), Path(folder))
            self.follow(self.observer(), Path(folder), first=1)

    def test_changes_nothing(self) -> None:
        """Observing a run would change its records or its files."""
        with TemporaryDirectory() as folder:
            for name, text in OWN.items():
                Path(folder, name).write_text(text)
            records = self.follow(self.observer(), Path(folder))
            assert records == list(_records()), "a record must not be changed"
            for name, text in OWN.items():
                assert Path(folder, name).read_text() == text, f"{name} belongs to the run"

    def test_stays_in_the_runs_folder(self) -> None:
        """Runs at the same time, or other programs, would be disturbed."""
        with TemporaryDirectory() as folder:
            run = Path(folder, "runs", "contract")
            run.mkdir(parents=True)
            before = copy.copy(set(Path.cwd().iterdir()))
            self.follow(self.observer(), run)
            beside = {*Path(folder).iterdir(), *run.parent.iterdir()} - {run, run.parent}
            assert not beside, f"files must be in run.folder, not {sorted(map(str, beside))}"
            new = set(Path.cwd().iterdir()) - before
            assert not new, f"files must be in run.folder, not {sorted(map(str, new))}"

    def test_hooks_are_called_so(self) -> None:
        """A misspelt hook would never be called."""
        hooks = {*HOOKS.values(), "run_finished"}
        for name, method in inspect.getmembers(type(self.observer()), inspect.isfunction):
            taken = list(inspect.signature(method).parameters)[1:3]
            a_hook = taken in (["run", "record"], ["run", "summary"])
            if a_hook and not name.startswith("_") and name not in hooks:
                raise AssertionError(f"{name} is not a hook.{did_you_mean(name, hooks)}")


def _records() -> Iterator[StageStarted | Evaluated | GenerationFinished | StageFinished]:
    """What hooks are called with in a run of one trial."""
    for stage in (0, 1):
        frozen = PATH if stage else NOTHING
        yield StageStarted(
            0, stage, f"task {stage}", 4, False, 0.5, (ROWS, ROWS), frozen, (4, 4), "accuracy",
            "examples",
        )  # fmt: skip
        for number in range(4):
            failed = stage == 1 or number == 1
            candidate = Candidate(number, number % 2, ROWS, None, number)
            cause = "the loss is not finite" if failed else None
            fitness = None if failed else 0.5
            evaluation = Evaluation(candidate, fitness, cause, examples=8, metrics={"loss": 1.0})
            yield Evaluated(0, stage, number, number // 2, evaluation, ())
            if number % 2:
                best = 0.5 if stage == 0 else None
                found = {"distinct_paths": 1.0} if stage == 0 else {}
                yield GenerationFinished(0, stage, number // 2, number + 1, best, best, found)
        scores = {0: {"test_accuracy": 0.75}}
        yield StageFinished(
            0, stage, 4, 32, 0.5, ROWS, PATH, 0.5, frozen, PATH, scores if stage == 0 else {}, None
        )


def _summary() -> Summary:
    """The summary of a run that was interrupted before it had results."""
    found = {
        "version": 1,
        "name": "contract",
        "state": "interrupted",
        "deterministic": True,
        "digest": None,
        "seeds": [0],
        "stages": [],
        "arms": {},
        "speed_up": {},
        "comparisons": [],
        "not_finite": [],
        "times": {},
        "about": {},
    }
    return checked(found)
