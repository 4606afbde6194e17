"""The trials of a sweep in Optuna's storage, a SQLite file in the sweep's folder."""

from __future__ import annotations

import math
import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pathnet_evo.errors import UserError
from pathnet_evo.setup.spaces import Choices, Numbers
from pathnet_evo.setup.sweeps import Sweep
from pathnet_evo.system.extras import required

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.study import Study as OptunaStudy
    from optuna.trial import FrozenTrial

FILE = "study.sqlite"
"""The file in a sweep's folder."""
NAME = "sweep"
"""The name of the study in it."""
ERROR = "error"
"""The attribute that says why a trial failed."""
STARTUP_TRIALS = 5
"""Trials before the first that can be pruned."""

State: TypeAlias = Literal["running", "finished", "pruned", "failed"]


@dataclass(frozen=True)
class SweepTrial:
    """A trial of a sweep.

    Args:
        number: from 0, in the order in which they were sampled.
        state: ``running`` also if its process was killed.
        labels: its point of the search space.
        value: its score; of a pruned trial the last one on the way.
        error: why it failed.
        values: its scores on the way, by step.
    """

    number: int
    state: State
    labels: Mapping[str, Any]
    value: float | None = None
    error: str | None = None
    values: Mapping[int, float] | None = None

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"trial-{self.number:03}"


class Study:
    """The study of a sweep; only its owner, who holds the sweep's lock, may change it.

    Each trial has a sampler of its own, seeded by its number, so that a sweep that was killed
    samples the same trials as one that was not.

    Args:
        folder: the sweep's folder.
        sweep: what is searched.

    Raises:
        UserError: Optuna is missing, or the file is damaged or of another sweep.
    """

    def __init__(self, folder: Path, sweep: Sweep) -> None:
        self.optuna = required("sweeps need", "optuna")
        self.optuna.logging.set_verbosity(self.optuna.logging.ERROR)
        self.path, self.sweep = folder / FILE, sweep
        _check_plain(self.path)
        self.distributions = {p: self._distribution(s) for p, s in sweep.spaces.items()}
        self.pruner = self.optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS)
        with self._intact():
            path = str(self.path.absolute())
            self.storage = self.optuna.storages.RDBStorage(
                "sqlite://",  # a URL could not name every file
                engine_kwargs={"creator": lambda: sqlite3.connect(path, check_same_thread=False)},
            )
            self.study: OptunaStudy = self.optuna.create_study(
                storage=self.storage,
                study_name=NAME,
                direction="maximize",
                load_if_exists=True,
            )

    def trials(self) -> list[SweepTrial]:
        """All trials, in order.

        Raises:
            UserError: the file is damaged, or of another sweep.
        """
        with self._intact():
            return [self._read(trial) for trial in self.study.get_trials(deepcopy=False)]

    def next(self) -> SweepTrial | None:
        """The trial to run: one that was left running, or a new one; None if there are enough."""
        found = self.trials()
        left = [trial for trial in found if trial.state == "running"]
        if left or len(found) >= self.sweep.settings.trials:
            return left[0] if left else None
        with self._intact():
            sampled = self._sample(len(found))
            self.study.add_trial(  # with its values, so that no kill can leave it without some
                self.optuna.trial.create_trial(
                    state=self.optuna.trial.TrialState.RUNNING,
                    params=sampled,
                    distributions=self.distributions,
                )
            )
        return self.trials()[-1]

    def report(self, trial: SweepTrial, step: int, value: float) -> None:
        """Store a score on the way; a step that is known stays as it is."""
        with self._intact():
            if step not in self._frozen(trial).intermediate_values:
                key = self._frozen(trial)._trial_id
                self.storage.set_trial_intermediate_value(key, step, value)

    def prunes(self, trial: SweepTrial) -> bool:
        """Whether a trial is to end early, after its last step."""
        with self._intact():
            return bool(self.pruner.prune(self.study, self._frozen(trial)))

    def finish(
        self, trial: SweepTrial, state: State, value: float | None = None, error: str | None = None
    ) -> None:
        """Store how a trial ended."""
        states = self.optuna.trial.TrialState
        known = {"finished": states.COMPLETE, "pruned": states.PRUNED, "failed": states.FAIL}
        with self._intact():
            if error is not None:
                key = self._frozen(trial)._trial_id
                self.storage.set_trial_user_attr(key, ERROR, error)
            told = value if state == "finished" else None
            self.study.tell(trial.number, told, state=known[state])

    def close(self) -> None:
        """Close the file."""
        self.storage.remove_session()
        self.storage.engine.dispose()

    def _frozen(self, trial: SweepTrial) -> FrozenTrial:
        return self.study.get_trials(deepcopy=False)[trial.number]

    def _sample(self, number: int) -> dict[str, Any]:
        """The values of a new trial, from a copy of the study."""
        copied = self.optuna.create_study(sampler=self._sampler(number), direction="maximize")
        copied.add_trials(self.study.get_trials(deepcopy=False))
        return dict(copied.ask(self.distributions).params)

    def _sampler(self, number: int) -> BaseSampler:
        seed = (self.sweep.settings.seed * 1_000_003 + number) % 2**32
        samplers = self.optuna.samplers
        kinds = {"tpe": samplers.TPESampler, "random": samplers.RandomSampler}
        found: BaseSampler = kinds[self.sweep.settings.sampler](seed=seed)
        return found

    def _distribution(self, space: Numbers | Choices) -> BaseDistribution:
        kinds = self.optuna.distributions
        found: BaseDistribution
        if isinstance(space, Choices):
            found = kinds.CategoricalDistribution(space.labels)
        elif space.whole:
            step = 1 if space.step is None else space.step
            found = kinds.IntDistribution(space.low, space.high, log=space.log, step=step)
        else:
            found = kinds.FloatDistribution(
                float(space.low), float(space.high), log=space.log, step=space.step
            )
        return found

    def _read(self, trial: FrozenTrial) -> SweepTrial:
        spaces = self.sweep.spaces
        params = trial.params
        if params.keys() != spaces.keys() or not all(
            spaces[p].contains(v) for p, v in params.items()
        ):
            raise UserError(f"{self.path}: trial {trial.number} is of another sweep")
        names: dict[str, State] = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed"}
        value = trial.value
        error = trial.user_attrs.get(ERROR)
        return SweepTrial(
            trial.number,
            names.get(trial.state.name, "running"),
            dict(params),
            value if value is not None and math.isfinite(value) else None,
            None if error is None else str(error),
            dict(trial.intermediate_values),
        )

    @contextmanager
    def _intact(self) -> Iterator[None]:
        """Report what Optuna cannot read or write in one line."""
        try:
            yield
        except UserError:
            raise
        except Exception as error:  # of SQLAlchemy, alembic, SQLite and Optuna
            reason = str(getattr(error, "orig", None) or error).splitlines() or [""]
            kind = type(error).__name__
            text = f"{self.path}: cannot be read or written ({kind}: {reason[0]:.200})"
            raise UserError(text) from None


def _check_plain(path: Path) -> None:
    """Refuse a link or a special file in place of the study."""
    for each in (path, *(path.with_name(path.name + end) for end in ("-journal", "-wal", "-shm"))):
        try:
            mode = os.lstat(each).st_mode
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(mode):
            raise UserError(f"{each}: not a plain file; remove it")
