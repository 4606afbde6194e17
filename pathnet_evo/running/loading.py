"""Reading a run: what it compared, what came out, and its networks as plain torch modules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from deap import tools

from pathnet_evo.analysis.continual import Matrix
from pathnet_evo.analysis.overview import overview
from pathnet_evo.analysis.summary import summarise
from pathnet_evo.errors import UserError
from pathnet_evo.interfaces.evolution_record import EvolutionRecord
from pathnet_evo.interfaces.fingerprint import Fingerprint
from pathnet_evo.interfaces.summary import Summary
from pathnet_evo.interfaces.tasks import Task, TaskError
from pathnet_evo.models.trained import TrainedNetwork
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.running.frames import Frames
from pathnet_evo.running.rebuilding import evolution_record
from pathnet_evo.running.trained_networks import Wanted, trained_network
from pathnet_evo.setup.config import RunConfig
from pathnet_evo.setup.plan import Plan
from pathnet_evo.setup.problems import ConfigError
from pathnet_evo.setup.resolving import resolve
from pathnet_evo.store import checkpoint
from pathnet_evo.store.checkpoint import CheckpointError
from pathnet_evo.store.lineage import LineageError
from pathnet_evo.store.places import PlaceError, checkpoint_folder
from pathnet_evo.store.reading import RunError, read_config, reading
from pathnet_evo.store.same_data import learned_on, of_trial
from pathnet_evo.system.plugin_calls import PluginFailed
from pathnet_evo.values.html import escaped
from pathnet_evo.values.names import on_one_line
from pathnet_evo.values.suggestions import nearest

__all__ = ["Run", "RunError", "RunFailed", "load_run"]


class RunFailed(RuntimeError):  # noqa: N818
    """Trials of a run failed; the others are done, and all that they did can be read.

    Attributes:
        run: the run.
        errors: what ended each of the trials, with its arm and seed.
    """

    def __init__(self, run: Run, errors: Sequence[str]) -> None:
        self.run, self.errors = run, list(errors)
        super().__init__(f"{run.folder}: {'; '.join(errors)}")


def load_run(folder: Path | str, registry: Registry | None = None) -> Run:
    """Open a run for reading, finished or not.

    Args:
        folder: the run's folder.
        registry: source of module kinds; by default all installed plugins.

    Raises:
        RunError: there is no such run, or it is damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RunError(f"{folder}: no such run")
    try:
        config = read_config(folder)
        with reading(folder, ("stages",)) as db:
            begun = db.execute("SELECT stage, task FROM stages ORDER BY trial").fetchall()
    except (ConfigError, LineageError) as error:
        raise RunError(str(error)) from None
    stages = tuple(
        stage.called(task for number, task in begun if number == i)
        for i, stage in enumerate(config.stages)
    )
    return Run(folder, config, stages, registry)


@dataclass(frozen=True, repr=False)
class Run(Frames):
    """A run on disk; ``to_frame``, ``evaluations`` and others give its results as data frames.

    Args:
        folder: its folder.
        config: its configuration.
        stages: names of its stages.
        registry: source of module kinds; None for all installed plugins.
    """

    folder: Path
    config: RunConfig
    stages: tuple[str, ...]
    registry: Registry | None = None

    def __repr__(self) -> str:
        """Its folder, and how much it compares, on one line."""
        stages = ", ".join(self.stages)
        return on_one_line(
            f"<Run {self.folder}: {', '.join(self.arms)}; {len(self.seeds)} seeds; {stages}>"
        )

    def _repr_html_(self) -> str:
        try:
            return overview(self.summary, self.folder)
        except UserError as error:
            return escaped(error)

    @property
    def arms(self) -> tuple[str, ...]:
        """The names of the arms."""
        return tuple(arm.name for arm in self.config.arms)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of every arm."""
        return tuple(range(self.config.seed, self.config.seed + self.config.seeds))

    @property
    def errors(self) -> list[str]:
        """Causes of failed trials, from the current lineage."""
        with reading(self.folder, ("trials",)) as db:
            found = db.execute(
                "SELECT arm, seed, error FROM trials WHERE error IS NOT NULL ORDER BY trial"
            ).fetchall()
        return [f"{arm}, seed {seed}: {error}" for arm, seed, error in found]

    @cached_property
    def summary(self) -> Summary:
        """The results in the form of ``summary.json``, from the current lineage."""
        try:
            return summarise(self.folder)
        except (ConfigError, LineageError) as error:
            raise RunError(str(error)) from None

    def accuracy_matrix(self, arm: str = "pathnet", seed: int | None = None) -> Matrix:
        """R: row i, column j is the test accuracy on stage j after stage i.

        The diagonal above the main one holds the accuracy of the features of the stage before, with
        the untrained readout of stage j.

        Args:
            arm: name of the arm.
            seed: the seed; None for the mean over seeds.

        Returns:
            ``(stages, stages)`` float64; NaN where nothing was measured.

        Raises:
            RunError: there is no such arm or seed, or the stages have no accuracy in common.
        """
        self._seed(arm, seed)
        found = self.summary["arms"][arm].get("continual")
        if found is None:
            raise RunError("a single stage, or stages without an accuracy in common: no matrix")
        n = len(self.stages)
        missing: list[list[float | None]] = [[None] * n] * n
        rows = found["matrix"] if seed is None else found["matrices"].get(str(seed), missing)
        return np.array(rows, dtype=np.float64)

    def network(
        self,
        stage: int | str,
        arm: str = "pathnet",
        seed: int | None = None,
        after: int | str | None = None,
        task: Task | None = None,
    ) -> TrainedNetwork:
        """The network of a stage's best path, in eval mode on the CPU; it predicts or acts.

        Reads only the modules of the path.

        Args:
            stage: name or index of the stage.
            arm: name of the arm.
            seed: the seed; None for the first.
            after: name or index of the stage after which to take the weights; None for ``stage``.
            task: the task that the network will be used on; refused unless the stage learned it
                (see ``task``).

        Raises:
            RunError: there is no such stage, arm or seed, the stage is unfinished, its checkpoint
                is damaged or does not match the lineage, the task provides other data, or the
                task's encoder is missing or another.
        """
        i = self.index(stage)
        j = i if after is None else self.index(after)
        if j < i:
            raise RunError(f"stage {self.stages[i]!r} is learned only after {self.stages[j]!r}")
        seed = self._seed(arm, seed)
        policy = self._plan().arms[arm].policy
        if policy.rival() is not None:
            raise RunError(
                f"arm {arm!r} is a rival: what it learned is kept for `resume`, not as networks"
            )
        if not policy.usable(i, j):
            raise RunError(
                f"arm {arm!r} re-initialises all weights after each stage: stage "
                f"{self.stages[i]!r} has no network after a later one"
            )
        folder = self._checkpoint(arm, seed, j)
        if task is not None:
            self.check_task(task, i, arm, seed)
        try:
            wanted = Wanted(self.folder, i, j, arm, seed, self.stages[i])
            known = self._learned_on(arm, seed).get(i, ())
            return trained_network(wanted, self._plan(), folder, task, known)
        except (CheckpointError, LineageError, PluginFailed, TaskError) as error:
            raise RunError(str(error)) from None
        except (KeyError, IndexError, TypeError, ValueError, RecursionError, OSError) as error:
            raise RunError(f"{folder}: not a checkpoint of this run ({error!r})") from None

    def task(
        self,
        stage: int | str,
        arm: str = "pathnet",
        seed: int | None = None,
        accept_changed_data: bool = False,
    ) -> Task:
        """The task of a stage, as the run's configuration makes it now.

        Args:
            stage: name or index.
            arm: which arm.
            seed: which seed; None is the first.
            accept_changed_data: take it although it gives other data than the stage was learned
                on.

        Raises:
            RunError: it cannot be made, or gives other data.
        """
        i = self.index(stage)
        seed = self.seeds[0] if seed is None else seed
        try:
            task = resolve(self.config, self.registry or Registry()).task_of(i, seed)
        except ConfigError as error:
            raise RunError("; ".join(map(str, error.problems))) from None
        if not accept_changed_data:
            self.check_task(task, i, arm, seed)
        return task

    def check_task(
        self, task: Task, stage: int, arm: str = "pathnet", seed: int | None = None
    ) -> None:
        """Compare what a task gives with what a stage was learned on; older runs do not say.

        Raises:
            RunError: it gives other data, and in what they differ.
        """
        seed = self.seeds[0] if seed is None else seed
        found, known = Fingerprint.of(task), self._learned_on(arm, seed).get(stage, [])
        if known and found.digest != known[-1].digest:
            raise RunError(
                f"stage {self.stages[stage]!r}: {found.difference(known[-1])}. Restore the old "
                "data, or accept the new data (--accept-changed-data)"
            )

    def _learned_on(self, arm: str, seed: int) -> dict[int, list[Fingerprint]]:
        """The fingerprints of a trial's data, by stage."""
        try:
            with reading(self.folder, ("trials", "data")) as db:
                trial = db.execute(
                    "SELECT trial FROM trials WHERE arm = ? AND seed = ?", (arm, seed)
                ).fetchone()
                return {} if trial is None else of_trial(db, trial["trial"])
        except LineageError as error:
            raise RunError(str(error)) from None

    def logbook(
        self, arm: str = "pathnet", seed: int | None = None, stage: int | str = 0
    ) -> tools.Logbook:
        """DEAP's logbook of a stage, as the strategy kept it, rebuilt from the lineage.

        One record for each of the latest 10,000 generations: gen, nevals, min, avg, max.

        Args:
            arm: name of the arm.
            seed: the seed; None for the first.
            stage: name or index of the stage, which need not be finished.

        Raises:
            RunError: there is no such stage, arm or seed, it has not begun, or it is damaged.
        """
        return self._record(arm, seed, stage).logbook

    def halloffame(
        self, arm: str = "pathnet", seed: int | None = None, stage: int | str = 0
    ) -> tools.HallOfFame:
        """DEAP's hall of fame of a stage: the ten fittest paths ever evaluated; see ``logbook``."""
        return self._record(arm, seed, stage).halloffame

    def _record(self, arm: str, seed: int | None, stage: int | str) -> EvolutionRecord:
        number = self._seed(arm, seed)
        return evolution_record(self.folder, self._plan(), arm, number, self.index(stage))

    def _seed(self, arm: str, seed: int | None) -> int:
        """The seed of a trial of the run; None is the first."""
        if arm not in self.arms:
            guess = nearest(arm, self.arms)
            raise RunError(f"no arm {arm!r}{guess} (have: {', '.join(self.arms)})")
        seed = self.seeds[0] if seed is None else seed
        if seed not in self.seeds:
            raise RunError(f"no seed {seed} (have: {', '.join(map(str, self.seeds))})")
        return seed

    def index(self, stage: int | str) -> int:
        """The index of a stage that is given by its index or its name.

        Raises:
            RunError: there is no such stage, or several are called so.
        """
        have = ", ".join(self.stages)
        if isinstance(stage, int):
            if not 0 <= stage < len(self.stages):
                raise RunError(f"no stage {stage} (have: 0 to {len(self.stages) - 1}: {have})")
            return stage
        found = [i for i, name in enumerate(self.stages) if name == stage]
        if len(found) > 1:
            raise RunError(f"stages {found} are all called {stage!r}: use an index")
        if not found:
            raise RunError(f"no stage {stage!r}{nearest(stage, self.stages)} (have: {have})")
        return found[0]

    def stage_of(self, text: str) -> int:
        """The index of a stage as people give it: its name, or its number from 1.

        Raises:
            RunError: there is no such stage.
        """
        if len(found := [i for i, name in enumerate(self.stages, 1) if name == text]) > 1:
            raise RunError(
                f"stages {' and '.join(map(str, found))} are all called {text!r}: use the number"
            )
        if found or not text.isdecimal():
            return self.index(text)
        if not 1 <= int(text) <= len(self.stages):
            have = ", ".join(f"{i} {name}" for i, name in enumerate(self.stages, 1))
            raise RunError(f"no stage {int(text)} (have: {have})")
        return int(text) - 1

    def finished(self, arm: str = "pathnet", seed: int | None = None) -> list[int]:
        """The indices of the stages that a trial has finished.

        Args:
            arm: name of the arm.
            seed: the seed; None for the first.

        Raises:
            RunError: there is no such arm or seed, or the lineage is damaged.
        """
        seed = self._seed(arm, seed)
        try:
            with reading(self.folder, ("trials", "stages")) as db:
                rows = db.execute(
                    "SELECT s.stage FROM stages s JOIN trials t USING (trial) WHERE t.arm = ? "
                    "AND t.seed = ? AND s.checkpoint IS NOT NULL ORDER BY s.stage",
                    (arm, seed),
                ).fetchall()
        except LineageError as error:
            raise RunError(str(error)) from None
        return [stage for (stage,) in rows]

    def _checkpoint(self, arm: str, seed: int, stage: int) -> Path:
        """The folder of a stage's checkpoint, every byte checked."""
        try:
            with reading(self.folder, ("trials", "stages")) as db:
                row = db.execute(
                    "SELECT s.checkpoint, s.manifest FROM stages s JOIN trials t USING (trial) "
                    "WHERE t.arm = ? AND t.seed = ? AND s.stage = ?",
                    (arm, seed, stage),
                ).fetchone()
        except LineageError as error:
            raise RunError(str(error)) from None
        if row is None or row["checkpoint"] is None or row["manifest"] is None:
            raise RunError(
                f"stage {self.stages[stage]!r} of arm {arm!r}, seed {seed}, is not finished: "
                "it has no checkpoint"
            )
        try:
            folder = checkpoint_folder(self.folder, row["checkpoint"])
            about = checkpoint.verify(folder, row["manifest"])
            learned_on(folder, self._learned_on(arm, seed))
        except (PlaceError, CheckpointError) as error:
            raise RunError(str(error)) from None
        if (about.get("arm", arm), about.get("seed", seed)) != (arm, seed):
            raise RunError(f"{folder}: a checkpoint of another trial")
        files = about["files"]
        for name in ("state.json", "weights.safetensors"):
            if name not in files:
                raise RunError(f"{folder / checkpoint.MANIFEST}: does not name {name}")
        return folder

    def _plan(self) -> Plan:
        try:
            return resolve(self.config, self.registry or Registry())
        except ConfigError as error:
            raise RunError("; ".join(map(str, error.problems))) from None
