"""The contract of strategies as tests that a plugin's author subclasses.

::

    class TestMine(StrategyContract):
        def strategy(self, shape, rng, **options):
            return Mine(shape, rng, **options)
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any, NoReturn

from pathnet_evo.core.genotype import Genotype, PathError, PathShape, Rows
from pathnet_evo.interfaces.evaluations import Candidate, Evaluation
from pathnet_evo.interfaces.population import StrategyError
from pathnet_evo.interfaces.strategies import Strategy


def broken(message: str) -> NoReturn:
    """Fail with what the contract wants: pytest explains the asserts of test files alone."""
    raise AssertionError(f"strategy contract: {message}")


@dataclass
class Referee:
    """Plays the evaluators' part: any number in flight, over in any order, some of them failing.

    Every ``ask`` and ``tell`` is checked against the contract.

    Args:
        strategy: who is asked and told.
        lanes: how many candidates may be in flight.
        failing: chance that an evaluation fails.
        seed: of the order, the failures and the fitnesses.
        story: what happened to the strategy before, for messages.
    """

    strategy: Strategy
    lanes: int = 1
    failing: float = 0.0
    seed: int = 0
    flight: dict[int, Candidate] = field(default_factory=dict)
    seen: dict[int, Candidate] = field(default_factory=dict)
    failed: set[int] = field(default_factory=set)
    last: int = -1
    story: str = ""

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.size = len(self.strategy.members)

    def play(self, evaluations: int) -> None:
        """Ask for, and tell, a number of evaluations."""
        for _ in range(evaluations):
            self.ask()
            self.tell()

    def ask(self) -> list[Candidate]:
        """Ask for as many candidates as there are free lanes."""
        free = self.lanes - len(self.flight)
        asked: list[Candidate] = self._call("ask", free)
        if len(asked) > free:
            broken(f"ask({free}) must return at most {free} candidates, got {len(asked)}")
        for candidate in asked:
            self._check(candidate)
            self.flight[candidate.id] = self.seen[candidate.id] = candidate
        if not self.flight:
            broken(
                f"ask({free}) must yield a candidate when nothing is in flight, or evolution "
                f"stands still; got none after {len(self.seen)} candidates, "
                f"{len(self.failed)} of which "
                "failed (is a slot whose evaluation failed forgotten?)"
            )
        return asked

    def tell(self) -> Evaluation:
        """Tell one of those in flight."""
        candidate = self.flight.pop(self.rng.choice(list(self.flight)))
        fitness = None if self.rng.random() < self.failing else self.rng.uniform(-1, 1)
        if fitness is None:
            self.failed.add(candidate.id)
        evaluation = Evaluation(candidate, fitness, None if fitness is not None else "made to fail")
        self._call("tell", evaluation)
        self._check_population()
        return evaluation

    def _call(self, method: str, argument: object) -> Any:
        try:
            return getattr(self.strategy, method)(argument)
        except Exception as error:
            told = f"after {self.strategy.told} evaluations, {len(self.failed)} of which failed"
            reason = f"{type(error).__name__}: {error}"
            message = f"{method} must not raise, but did {told}{self.story}: {reason}"
            raise AssertionError(f"strategy contract: {message}") from error

    def _check(self, candidate: Candidate) -> None:
        who = f"candidate {candidate.id}"
        if candidate.id in self.seen:
            broken(f"candidate ids must be unique, got {candidate.id} twice")
        if candidate.id < self.last:
            broken(f"candidate ids must ascend, got {candidate.id} after {self.last}")
        self.last = candidate.id
        if not 0 <= candidate.slot < self.size:
            broken(f"a slot must be from 0 to {self.size - 1}, {who} has {candidate.slot}")
        for other in self.flight.values():
            if other.slot == candidate.slot:
                broken(
                    f"no two candidates of one slot may be in flight, got {other.id} and "
                    f"{candidate.id} of slot {candidate.slot}"
                )
        self._check_genes(candidate.genotype, who)
        if candidate.parent in self.failed:
            broken(
                f"a failed evaluation must never be selected, but {who} has the failed candidate "
                f"{candidate.parent} as its parent"
            )
        if candidate.parent is not None and candidate.parent not in self.seen:
            broken(f"a parent must have been evaluated, {who} has {candidate.parent}")

    def _check_population(self) -> None:
        size = len(self.strategy.members)
        if size != self.size:
            broken(f"the population must keep its size of {self.size}, got {size} after a tell")
        for slot, member in enumerate(self.strategy.members):
            self._check_genes(member.genotype, f"slot {slot}")
            if member.candidate in self.failed:
                broken(
                    f"slot {slot} must not have its fitness from candidate {member.candidate}, "
                    "for that failed"
                )

    def _check_genes(self, rows: Rows, who: str) -> None:
        try:
            self.strategy.shape.check(rows)
        except PathError as error:
            broken(f"genes must be modules of the network, {who} has others: {error}")


class StrategyContract:
    """What every strategy keeps to; subclass it and override ``strategy``.

    Attributes:
        shape: the space of paths that the tests use.
        population: how many genotypes; raise it where a strategy needs more.
        evaluations: how many each test plays.
    """

    shape = PathShape(layers=3, modules=(6, 4, 9), width=3)
    population = 8
    evaluations = 60

    def strategy(self, shape: PathShape, rng: random.Random, **options: Any) -> Strategy:
        """Make the strategy under test; ``options`` are fields of its ``Settings``."""
        raise NotImplementedError(f"{type(self).__name__} must override strategy(shape, rng, ...)")

    def make(self, seed: int = 0) -> Strategy:
        """The strategy with the kit's shape and population."""
        return self.strategy(self.shape, random.Random(seed), population=self.population)

    def matches(self) -> list[Referee]:
        """A match with one, some, and as many lanes as slots; without and with failures."""
        return [
            Referee(self.make(seed), lanes, failing, seed)
            for lanes in (1, 3, self.population, 2 * self.population)
            for failing, seed in ((0.0, 1), (0.3, 2))
        ]

    def test_starts_with_the_population_of_its_settings(self) -> None:
        """Else budgets, which count generations of P evaluations, mean something else."""
        size = len(self.make().members)
        if size != self.population:
            broken(f"the population must have {self.population} members, got {size}")

    def test_plays_by_the_rules(self) -> None:
        """Else lanes starve, slots are trained twice at once, or the lineage has holes.

        Held against the rules: the number asked for, unique ascending ids, one candidate a slot
        in flight, genes within their range, a population that keeps its size, parents that were
        evaluated, and progress.
        """
        for referee in self.matches():
            referee.play(self.evaluations)

    def test_asks_for_nothing_where_nothing_may_be_asked(self) -> None:
        """Else an evaluator whose lanes are all taken is given more."""
        asked = self.make().ask(0)
        if asked:
            broken(f"ask(0) must return no candidate, got {len(asked)}")

    def test_takes_each_evaluation_once(self) -> None:
        """Else an evaluation reported twice counts twice against the budget."""
        for failing in (0.0, 1.0):
            referee = Referee(self.make(), failing=failing)
            referee.ask()
            evaluation = referee.tell()
            told = referee.strategy.told
            if told != 1:
                broken(f"told must count every evaluation, failed ones too: expected 1, got {told}")
            try:
                referee.strategy.tell(evaluation)
            except StrategyError:
                continue
            broken("tell must raise StrategyError for a candidate that was told already")

    def test_refuses_a_stranger(self) -> None:
        """Else the evaluation of another stage changes this one."""
        stranger = Candidate(10**9, 0, self.make().members[0].genotype, None, 0)
        try:
            self.make().tell(Evaluation(stranger, 0.5))
        except StrategyError:
            return
        broken("tell must raise StrategyError for a candidate that was never asked for")

    def test_repeats_with_equal_seeds(self) -> None:
        """Else a run cannot be repeated: some randomness is not from ``rng``."""
        plays = []
        for disturbance in (3, 4):
            random.seed(disturbance)
            referee = Referee(self.make(5), 3, 0.2, 5)
            referee.play(self.evaluations)
            plays.append(_picture(referee.strategy) | {"seen": referee.seen})
        if plays[0] != plays[1]:
            broken("equal seeds must give equal candidates: draw from rng alone (streams.lend)")

    def test_goes_on_identically_from_saved_state(self) -> None:
        """Else a run that was interrupted is another run."""
        for lanes, failing in ((1, 0.0), (3, 0.3), (self.population, 0.3)):
            for evaluations in (0, 1, self.population + 3, self.evaluations):
                one = Referee(self.make(1), lanes, failing, 7)
                one.play(evaluations)
                one.ask()
                one.strategy.take_replacements()
                other = self.make(2)
                other.restore(_through_json(one.strategy.state()))
                two = Referee(other, lanes, failing, flight=dict(one.flight), seen=dict(one.seen))
                two.rng.setstate(one.rng.getstate())
                two.failed, two.last = set(one.failed), one.last
                two.story = ", of a strategy restored from state() (is something left out of it?)"
                for _ in range(self.evaluations):
                    same = one.ask() == two.ask()
                    one.tell(), two.tell()
                    if not same or _picture(one.strategy) != _picture(two.strategy):
                        broken(
                            "a strategy restored from state() must go on identically, but it "
                            f"differs after {two.strategy.told} evaluations with {lanes} in flight "
                            f"(saved after {evaluations}): is something left out of state()?"
                        )

    def test_saves_state_without_changing(self) -> None:
        """Else a run with checkpoints differs from one without."""
        referee = Referee(self.make(), 3, 0.2)
        referee.play(self.evaluations)
        if referee.strategy.state() != referee.strategy.state():
            broken("state() must change nothing: two in a row differ")

    def test_never_takes_a_failed_evaluation_for_the_best(self) -> None:
        """Else a path that never trained is frozen into the network."""
        for referee in self.matches():
            succeeded: list[Rows] = []
            for _ in range(self.evaluations):
                referee.ask()
                evaluation = referee.tell()
                if not evaluation.failed:
                    succeeded.append([list(row) for row in evaluation.candidate.genotype])
                self._check_best(referee.strategy.best(), succeeded)

    def _check_best(self, best: Genotype | None, succeeded: list[Rows]) -> None:
        if best is None:
            return
        if not best.fitness.valid:
            broken("best() must have a fitness, or be None where no evaluation has one")
        if list(best) not in succeeded:
            broken(f"best() must be a path whose evaluation succeeded, got {list(best)}")

    def test_has_a_best_as_soon_as_anything_succeeded(self) -> None:
        """Else a stage whose budget is short ends without a path to freeze."""
        referee = Referee(self.make(), self.population)
        referee.play(2 * self.population)
        if referee.strategy.best() is None:
            broken(f"best() must not be None after {2 * self.population} evaluations, none failed")

    def test_survives_when_all_fail(self) -> None:
        """Else the error that names the cause is never reached."""
        for lanes in (1, self.population):
            referee = Referee(self.make(), lanes, failing=1.0)
            referee.play(2 * self.population)
            if referee.strategy.best() is not None:
                broken("best() must be None where all evaluations failed")

    def test_takes_what_is_not_finite_for_failed(self) -> None:
        """Else DEAP, which accepts NaN, selects at random from then on."""
        for fitness in (float("nan"), float("inf"), float("-inf")):
            strategy = self.make()
            for _ in range(2 * self.population):
                for candidate in strategy.ask(1):
                    strategy.tell(Evaluation(candidate, fitness))
            if strategy.best() is not None or any(g.fitness.valid for g in strategy.population):
                broken(f"a fitness of {fitness} is a failed evaluation and must not be kept")


def _through_json(state: dict[str, Any]) -> Any:
    try:
        return json.loads(json.dumps(state, allow_nan=False))
    except (TypeError, ValueError) as error:
        broken(f"state() must be plain data that JSON can hold: {error}")


def _picture(strategy: Strategy) -> dict[str, Any]:
    """All that can be seen of a strategy from outside."""
    best = strategy.best()
    return {
        "told": strategy.told,
        "members": [
            (list(m.genotype), m.genotype.fitness.wvalues, m.parent, m.candidate)
            for m in strategy.members
        ],
        "best": None if best is None else (list(best), best.fitness.wvalues),
        "replacements": strategy.take_replacements(),
        "logbook": list(strategy.logbook),
        "halloffame": [(list(g), g.fitness.wvalues) for g in strategy.halloffame],
    }
