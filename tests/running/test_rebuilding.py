"""DEAP's objects of a stage, rebuilt from the lineage, compared with the strategy's own."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from deap import tools

from pathnet_evo import launch
from pathnet_evo.core.genotype import PathShape
from pathnet_evo.interfaces.evaluations import Evaluation
from pathnet_evo.interfaces.records import Evaluated, StageStarted, TrialStarted
from pathnet_evo.interfaces.strategies import Strategy
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.running.loading import RunError, load_run
from pathnet_evo.running.rebuilding import evolution_record
from pathnet_evo.setup.plan import Plan
from pathnet_evo.store.lineage import Lineage
from pathnet_evo.trial.stage import StageRun

FROZEN = ((0, 1), (2,))
STRATEGIES = Registry().names("strategies")


def hall(found: tools.HallOfFame) -> list[tuple[list[list[int]], Any, Any]]:
    """What a hall of fame holds."""
    return [([*map(list, g)], g.fitness.values, g.fitness.wvalues) for g in found]


def same(rebuilt: Any, live: Any) -> None:
    """Logbook and hall of fame are equal, of DEAP's own types."""
    assert type(rebuilt.logbook) is tools.Logbook
    assert type(rebuilt.halloffame) is tools.HallOfFame
    assert list(rebuilt.logbook) == list(live.logbook)
    assert str(rebuilt.logbook) == str(live.logbook)
    assert hall(rebuilt.halloffame) == hall(live.halloffame)


def lived(strategy: Strategy, folder: Path, rounds: int = 60) -> None:
    """Let a strategy evolve for some rounds, some evaluations failing, and keep a lineage."""
    rng, number = random.Random(7), 0
    lineage = Lineage(folder / "lineage.sqlite")
    first = tuple(tuple(map(tuple, genotype)) for genotype in strategy.population)
    begun = (40, False, None, first, FROZEN, (6, 6), "fitness", "examples")
    for record in (TrialStarted(0, "pathnet", 0), StageStarted(0, 0, "blobs", *begun)):
        lineage.write(record)
    for _ in range(rounds):
        for candidate in strategy.ask(2):
            fitness = None if rng.random() < 0.15 else round(rng.random(), 1)
            done = Evaluation(candidate, fitness, None if fitness is not None else "it broke")
            strategy.tell(done)
            lineage.write(Evaluated(0, 0, number, number // strategy.generation_size, done, ()))
            number += 1
    lineage.close()


@pytest.mark.parametrize("name", STRATEGIES)
def test_they_equal_the_strategys(
    name: str, make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    """A plot from DEAP's logbook would show another evolution than took place."""
    plan = make_plan(strategy={"name": name, "population": 4}, arms=["pathnet"])
    arm = plan.arms["pathnet"]
    shape = PathShape(2, (6, 6), plan.config.pool.width)
    strategy = arm.strategy(shape, random.Random(3), arm.settings, frozen=FROZEN)
    lived(strategy, tmp_path)
    assert strategy.halloffame
    assert len(strategy.logbook) > 3
    same(evolution_record(tmp_path, plan, "pathnet", 0, 0), strategy)


@pytest.mark.slow
def test_of_a_real_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lineage would not keep what the logbook of a run is made of."""
    live: dict[tuple[int, int], Strategy] = {}
    real = StageRun.run

    def run_stage(stage: StageRun, *given: Any, **options: Any) -> Any:
        live[stage.started.trial, stage.started.stage] = stage.strategy
        return real(stage, *given, **options)

    monkeypatch.setattr(StageRun, "run", run_stage)
    short = ["stages.*.generations=4", "seed=5", "seeds=1", 'arms=["pathnet", "independent"]']
    run = launch("digits", [*short, "strategy={name='nsga2', population=4}"], runs_dir=tmp_path)
    assert len(live) == 4
    for (trial, stage), strategy in live.items():
        arm = run.arms[trial]
        rebuilt = {
            "logbook": run.logbook(arm, 5, stage),
            "halloffame": run.halloffame(arm, 5, stage),
        }
        same(type("Rebuilt", (), rebuilt), strategy)
    assert list(run.logbook(stage=run.stages[1])) == list(live[0, 1].logbook)


def test_what_is_not_there(make_plan: Callable[..., Plan], tmp_path: Path, made_up: Any) -> None:
    """A mistyped arm, or a stage that has not begun, would end in a traceback."""
    made_up.toml(tmp_path, 1, ["pathnet"])
    made_up.lineage(tmp_path, [TrialStarted(0, "pathnet", 0)])
    run = load_run(tmp_path)
    asked: Sequence[tuple[dict[str, Any], str]] = (
        ({"arm": "pathnt"}, 'Did you mean "pathnet"'),
        ({"seed": 9}, "no seed 9"),
    )
    for options, message in asked:
        with pytest.raises(RunError, match=message):
            run.logbook(**options)
    with pytest.raises(RunError, match="stage 0 of arm 'pathnet', seed 0, has not begun"):
        evolution_record(tmp_path, make_plan(), "pathnet", 0, 0)
