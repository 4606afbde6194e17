"""DEAP's record of a stage's evolution, rebuilt from the lineage."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from pathnet_evo.core.genotype import PathShape
from pathnet_evo.interfaces.evolution_record import EvolutionRecord
from pathnet_evo.interfaces.population import StrategyError
from pathnet_evo.setup.plan import Plan
from pathnet_evo.store import cells
from pathnet_evo.store.cells import number_or_none
from pathnet_evo.store.lineage import LineageError
from pathnet_evo.store.reading import RunError, reading
from pathnet_evo.system.plugin_calls import PluginFailed, calling


def evolution_record(folder: Path, plan: Plan, arm: str, seed: int, stage: int) -> EvolutionRecord:
    """What a stage's strategy recorded: its evaluations go once more through the same record.

    Args:
        folder: the run's folder.
        plan: the run, with its strategies.
        arm: name of the arm.
        seed: seed of the trial.
        stage: index of the stage, which need not be finished.

    Raises:
        RunError: the stage has not begun, its lineage is damaged, or the strategy fails.
    """
    try:
        with reading(folder, ("trials", "stages", "evaluations")) as db:
            begun = db.execute(
                "SELECT trial, counts, frozen_before FROM stages JOIN trials USING (trial) "
                "WHERE arm = ? AND seed = ? AND stage = ?",
                (arm, seed, stage),
            ).fetchone()
            if begun is None:
                raise RunError(
                    f"{folder}: stage {stage} of arm {arm!r}, seed {seed}, has not begun"
                )
            counts = cells.counts(begun["counts"])
            frozen = cells.path(begun["frozen_before"], counts)
            told = [
                (cells.genotype(genotype, counts), number_or_none(fitness))
                for genotype, fitness in db.execute(
                    "SELECT genotype, fitness FROM evaluations WHERE trial = ? AND stage = ? "
                    "ORDER BY evaluation",
                    (begun["trial"], stage),
                )
            ]
            return _recorded(plan, arm, counts, frozen, told)
    except (LineageError, PluginFailed, StrategyError) as error:
        raise RunError(str(error)) from None


def _recorded(
    plan: Plan,
    arm: str,
    counts: tuple[int, ...],
    frozen: tuple[tuple[int, ...], ...],
    told: Sequence[tuple[list[list[int]], float | None]],
) -> EvolutionRecord:
    """A record that has received all evaluations."""
    wanted = plan.arms[arm]
    shape = PathShape(len(counts), counts, plan.config.pool.width)
    with calling("strategy", StrategyError):
        strategy = wanted.strategy(shape, random.Random(0), wanted.settings, frozen=frozen)
        for rows, fitness in told:
            strategy.log(rows, fitness)
    return strategy.record
