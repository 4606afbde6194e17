"""Every registered strategy keeps the contract, and the kit catches those that do not."""

from __future__ import annotations

import random
import re
from importlib import import_module
from typing import Any

import pytest

from pathnet_evo.core.genotype import PathShape
from pathnet_evo.interfaces.evaluations import Candidate, Evaluation
from pathnet_evo.interfaces.population import Member
from pathnet_evo.interfaces.strategies import Strategy
from pathnet_evo.plugins import builtin
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.strategies.binary_tournament import BinaryTournament
from pathnet_evo.strategies.fixed_path import FixedPath
from pathnet_evo.testing.strategies import StrategyContract


def registered() -> dict[str, Any]:
    found: dict[str, Any] = {}
    builtin.register_strategies(found.__setitem__)
    return found


NAMES = sorted(registered())


def strategy_class(name: str) -> type[Strategy]:
    module, _, cls = registered()[name].partition(":")
    found: type[Strategy] = getattr(import_module(module), cls)
    return found


def test_every_registered_strategy_is_put_to_the_contract():
    """A strategy that is registered but missing below would be shipped untested."""
    registry = Registry()
    if not registry.names("strategies"):
        pytest.skip("the package is not installed, so that nothing is registered")
    assert set(registry.names("strategies")) >= set(NAMES)


@pytest.mark.parametrize("start", ["random", "mutants"])
@pytest.mark.parametrize("name", NAMES)
class TestRegistered(StrategyContract):
    """A shipped strategy that breaks the contract would lose or repeat evaluations."""

    @pytest.fixture(autouse=True)
    def _named(self, name: str, start: str) -> None:
        self.name, self.start = name, start

    def strategy(self, shape: PathShape, rng: random.Random, **options: Any) -> Strategy:
        return strategy_class(self.name)(shape, rng, start=self.start, **options)


class AsksTwice(FixedPath):
    def ask(self, n: int) -> list[Candidate]:
        return super().ask(n)[:1] * n


class AsksTooMuch(FixedPath):
    def ask(self, n: int) -> list[Candidate]:
        return super().ask(n + 1)


class ForgetsFailures(FixedPath):
    def tell(self, evaluation: Evaluation) -> None:
        if not evaluation.failed:
            super().tell(evaluation)

    def ask(self, n: int) -> list[Candidate]:
        busy = {candidate.slot for candidate in self.in_flight.values()}
        return [c for c in super().ask(n) if c.slot not in busy]


class Grows(FixedPath):
    def learn(self, candidate: Candidate, fitness: float | None) -> None:
        super().learn(candidate, fitness)
        self.members.append(Member(self.members[0].genotype.copy()))


class LeavesTheRange(FixedPath):
    def learn(self, candidate: Candidate, fitness: float | None) -> None:
        super().learn(candidate, fitness)
        self.members[0].genotype[0][0] += 1


class SharesASlot(FixedPath):
    def ask(self, n: int) -> list[Candidate]:
        return [self._again() for _ in range(n)]

    def _again(self) -> Candidate:
        self.idle[0] = None
        return self.issue(0)


class LosesState(BinaryTournament):
    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.saved.tournaments.clear()


class SelectsFailures(FixedPath):
    def learn(self, candidate: Candidate, fitness: float | None) -> None:
        self.give_fitness(candidate, -1.0 if fitness is None else fitness)


class IsRandomElsewhere(FixedPath):
    def learn(self, candidate: Candidate, fitness: float | None) -> None:
        super().learn(candidate, fitness)
        self.members[candidate.slot].genotype[0][0] = random.randrange(4)


class TakesTwice(FixedPath):
    def tell(self, evaluation: Evaluation) -> None:
        if evaluation.candidate.id in self.in_flight:
            super().tell(evaluation)


WRONG = {
    AsksTwice: "ids must be unique",
    AsksTooMuch: "at most",
    ForgetsFailures: "when nothing is in flight.*forgotten",
    Grows: "keep its size of 8, got 9",
    LeavesTheRange: "genes must be modules of the network, slot 0",
    SharesASlot: "no two candidates of one slot",
    LosesState: "restored from state.*left out",
    SelectsFailures: "failed",
    IsRandomElsewhere: "draw from rng alone",
    TakesTwice: "told already",
}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda cls: cls.__name__)
def test_the_kit_says_what_a_wrong_strategy_does_wrong(wrong: type[Strategy]):
    """An author whose strategy is wrong would get no message, or one that does not help."""

    class TestWrong(StrategyContract):
        def strategy(self, shape: PathShape, rng: random.Random, **options: Any) -> Strategy:
            return wrong(shape, rng, **options)

    messages = []
    for name in dir(TestWrong):
        if name.startswith("test_"):
            try:
                getattr(TestWrong(), name)()
            except Exception as error:
                messages.append(f"{type(error).__name__}: {error}")
    matched = [m for m in messages if m.startswith("AssertionError: strategy contract")]
    assert any(re.search(WRONG[wrong], message) for message in matched), messages
