"""Operators by name: what a configuration may call, and what happens when it makes no path."""

from __future__ import annotations

import random
from typing import Any

import pytest
from pydantic import ValidationError

from pathnet_evo.core.genotype import Genotype, PathShape
from pathnet_evo.interfaces.evaluations import Evaluation
from pathnet_evo.interfaces.operators import operator
from pathnet_evo.interfaces.population import StrategyError
from pathnet_evo.interfaces.strategies import Strategy
from pathnet_evo.interfaces.strategy_settings import StrategySettings
from pathnet_evo.setup.problems import problems
from pathnet_evo.strategies.binary_tournament import BinaryTournament
from pathnet_evo.strategies.mu_plus_lambda import MuPlusLambda, MuPlusLambdaSettings
from pathnet_evo.testing.strategies import Referee

SHAPE = PathShape(3, 10, 3)


def reversed_layers(genotype: Genotype, times: int = 1) -> tuple[Genotype]:
    """What a plugin might register."""
    for row in genotype:
        row.reverse()
    return (genotype,)


def play(strategy_class: type[Strategy], evaluations: int = 60, **options: Any) -> Strategy:
    strategy = strategy_class(SHAPE, random.Random(0), population=8, **options)
    Referee(strategy, 3).play(evaluations)
    return strategy


@pytest.mark.parametrize(
    "options",
    [
        {"select": {"name": "selTournament", "tournsize": 3}},
        {"select": "selRandom"},
        {"select": "selWorst"},
        {"mutate": {"name": "mutUniformInt", "low": 0, "up": 9, "indpb": 0.1}},
        {"mutate": {"name": "mutShuffleIndexes", "indpb": 0.5}},
        {"mutate": "mutInversion"},
        {"mate": "cxTwoPoint"},
        {"mate": {"name": "cxUniform", "indpb": 0.3}},
    ],
    ids=str,
)
def test_deaps_operators_work_by_their_names(options: dict[str, Any]):
    """A published variant could not be written in a configuration."""
    play(MuPlusLambda, **options)
    play(BinaryTournament, **options)


def test_a_named_operator_is_the_one_that_is_used():
    """The configuration would be accepted and ignored."""
    strategy = BinaryTournament(
        SHAPE, random.Random(0), population=2, select="selWorst", mutation_rate=0
    )
    for candidate in strategy.ask(2):
        strategy.tell(Evaluation(candidate, float(candidate.slot)))
    assert [replacement.winner for replacement in strategy.take_replacements()] == [0]


def test_crossover_exchanges_whole_layers():
    """A child would have layers that no parent has, though it was only crossed."""
    strategy = MuPlusLambda(SHAPE, random.Random(0), population=8, cxpb=1.0, mutpb=0.0)
    layers = [{tuple(g[layer]) for g in strategy.population} for layer in range(3)]
    mixed = 0
    first = {tuple(map(tuple, g)) for g in strategy.population}
    for _ in range(80):
        (candidate,) = strategy.ask(1)
        mixed += candidate.genotype not in first
        assert all(tuple(row) in layers[i] for i, row in enumerate(candidate.genotype))
        strategy.tell(Evaluation(candidate, random.Random(candidate.id).random()))
    assert mixed > 10


def test_a_plugins_operator_works_by_its_name():
    """A plugin's operator could be registered, but not used."""
    options = {"mutate": {"name": "reversed-layers", "times": 2}, "population": 8}
    with pytest.raises(ValidationError, match="reversed-layers"):
        StrategySettings.model_validate(options)
    settings = MuPlusLambdaSettings.model_validate(
        options, context={"operators": {"reversed-layers": reversed_layers}}
    )
    strategy = MuPlusLambda(SHAPE, random.Random(0), settings)
    Referee(strategy).play(40)
    again = MuPlusLambdaSettings.model_validate({"mutate": settings.mutate})
    assert again.mutate is settings.mutate


@pytest.mark.parametrize(
    ("kind", "name", "arguments", "message"),
    [
        ("select", "selTournamnt", {"tournsize": 3}, 'Did you mean "selTournament"'),
        ("select", "mutGaussian", {}, "is not a select operator"),
        ("select", "selTournament", {}, "selTournament: missing.*tournsize"),
        ("select", "selBest", {"size": 3}, "selBest: .*unexpected keyword argument 'size'"),
        ("select", "selBest", {"k": 3}, "selBest: multiple values for argument 'k'"),
        ("mutate", "os.system", {}, "is not a mutate operator"),
        ("mutate", "deap.tools.mutFlipBit.__globals__", {}, "is not a mutate operator"),
        ("mutate", "mutFlipBit.__call__", {"indpb": 0.1}, "is not a mutate operator"),
        ("mutate", "mutation", {}, "is not a mutate operator"),
        ("mate", "crossover", {}, "is not a mate operator"),
        ("mate", "__class__", {}, "is not a mate operator"),
        ("mate", "", {}, "is not a mate operator"),
    ],
)
def test_a_wrong_name_is_a_wrong_configuration(
    kind: Any, name: str, arguments: dict[str, Any], message: str
):
    """A configuration could call what it likes, or would fail only once the run is under way."""
    with pytest.raises(ValueError, match=message):
        operator(name, arguments, kind)
    with pytest.raises(ValidationError) as raised:
        StrategySettings.model_validate({kind: {"name": name, **arguments}})
    (problem,) = problems(raised.value, StrategySettings, "strategy")
    assert problem.place == f"strategy.{kind}"


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"mutate": {"name": "mutGaussian", "mu": 0, "sigma": 1, "indpb": 1.0}}, "mutGaussian"),
        ({"mutate": {"name": "mutUniformInt", "low": 50, "up": 60, "indpb": 1}}, "mutUniformInt"),
        ({"mutate": {"name": "mutFlipBit", "indpb": "often"}}, "mutFlipBit"),
        ({"mutate": {"name": "mutESLogNormal", "c": 1, "indpb": 1}}, "mutESLogNormal"),
        ({"mate": {"name": "cxBlend", "alpha": 0.5}, "cxpb": 1.0, "mutpb": 0.0}, "cxBlend"),
        ({"mate": "cxMessyOnePoint", "cxpb": 1.0, "mutpb": 0.0}, "cxMessyOnePoint"),
        ({"select": {"name": "selTournament", "tournsize": 0}}, "selTournament"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_operator_that_makes_no_path_is_named(options: dict[str, Any], name: str):
    """A crash deep in the pool would be all that a user learns of an unfit operator."""
    with pytest.raises(StrategyError, match=f"operator {name} "):
        strategy = MuPlusLambda(SHAPE, random.Random(0), population=8, **options)
        for _ in range(200):
            (candidate,) = strategy.ask(1)
            strategy.tell(Evaluation(candidate, 0.5))


def stranger(genotypes: list[Genotype], k: int) -> list[Genotype]:
    return [genotypes[0].copy() for _ in range(k)]


def too_few(genotypes: list[Genotype], k: int) -> list[Genotype]:
    return genotypes[: k - 1]


def childless(genotype: Genotype) -> Genotype:
    return genotype


def short(genotype: Genotype) -> tuple[list[list[int]]]:
    return (genotype[1:],)


def nothing(genotype: Genotype) -> None:
    return None


@pytest.mark.parametrize("function", [stranger, too_few, childless, short, nothing])
def test_a_plugins_operator_that_breaks_its_contract_is_named(function: Any):
    """The author of a plugin would have to look for the fault in the framework."""
    kind = "select" if function in (stranger, too_few) else "mutate"
    settings = MuPlusLambdaSettings.model_validate(
        {"population": 8, kind: "mine"}, context={"operators": {"mine": function}}
    )
    strategy = MuPlusLambda(SHAPE, random.Random(0), settings)
    with pytest.raises(StrategyError, match=f"{kind} operator {function.__name__} "):
        for _ in range(100):
            for candidate in strategy.ask(1):
                strategy.tell(Evaluation(candidate, 0.5))
