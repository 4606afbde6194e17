"""The contract of evolutionary strategies: ask for candidates, tell their evaluations."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

from deap import base, tools

from pathnet_evo.core.genotype import (
    Genotype,
    Path,
    PathError,
    PathFitness,
    PathShape,
    Rows,
    mutate_step,
)
from pathnet_evo.core.streams import lend, put_at, state_of
from pathnet_evo.interfaces.budget import Budget
from pathnet_evo.interfaces.evaluations import Candidate, Evaluation
from pathnet_evo.interfaces.evolution_record import EvolutionRecord
from pathnet_evo.interfaces.operators import Kind, OperatorSettings
from pathnet_evo.interfaces.policies import Start
from pathnet_evo.interfaces.population import (
    Child,
    Front,
    Member,
    Replacement,
    StrategyError,
    changes_between,
    member_from,
    member_state,
)
from pathnet_evo.interfaces.saved_state import packed_fields, unpacked_fields
from pathnet_evo.interfaces.strategy_settings import StrategySettings as StrategySettings


@dataclass
class NothingMore:
    """The state of a strategy that needs nothing besides its population."""


class Strategy(ABC):
    """Evolves a population of genotypes by ``ask`` and ``tell`` over a DEAP toolbox.

    The toolbox holds ``genotype`` (a random one), ``clone``, ``mutate`` and the strategy's own
    operators. Operators run while the global ``random`` has the trial's generator
    (``streams.lend``). A non-finite fitness is a failed evaluation and never reaches DEAP.

    Args:
        shape: the space of paths.
        rng: the only source of randomness.
        settings: options; by default created from ``options``.
        frozen: modules that earlier stages froze; by default none.
        starts: paths on free modules that the transfer policy prepared; by default none.
        budget: the stage's budget, and how much of it is used.
        options: fields of ``Settings``.

    Attributes:
        inherits: whether children enter the population before they are evaluated, so that modules
            can still be prepared for them (option ``inherit``).
        told: number of evaluations received.
        failures: number of most recent evaluations that failed in a row.
        logbook: DEAP's, one record for each of the latest 10,000 generations: gen, nevals, and min,
            avg and max of its fitnesses.
        halloffame: DEAP's, the fittest paths ever evaluated.
        saved: the current state, initially from ``begun``.
    """

    Settings: ClassVar[type[StrategySettings]] = StrategySettings
    Fitness: ClassVar[type[base.Fitness]] = PathFitness
    inherits: ClassVar[bool] = True

    def __init__(
        self,
        shape: PathShape,
        rng: random.Random,
        settings: StrategySettings | None = None,
        *,
        frozen: Path | None = None,
        starts: Sequence[Start] = (),
        budget: Budget | None = None,
        **options: Any,
    ) -> None:
        self.shape = shape
        self.rng = rng
        self.settings = self.Settings(**options) if settings is None else settings
        self.frozen: Path = ((),) * shape.layers if frozen is None else frozen
        self.starts = list(starts)
        self.budget = Budget() if budget is None else budget
        self.in_flight: dict[int, Candidate] = {}
        self.told = 0
        self.failures = 0
        self.next_id = 0
        self._replacements: list[Replacement] = []
        rate = self.settings.mutation_rate
        self.toolbox = base.Toolbox()
        self.toolbox.register("clone", Genotype.copy)
        self.toolbox.register("genotype", lambda: self.genotype(self._random_rows()))
        self.provide(
            "mutate",
            mutate_step,
            counts=shape.counts,
            rate=1 / (shape.layers * shape.width) if rate is None else rate,
            reach=self.settings.mutation_reach,
            wrap=self.settings.wrap,
        )
        self.record = EvolutionRecord(self.Fitness)
        with lend(rng):
            self.members = [Member(genotype) for genotype in self.first_population()]
        self.idle = OrderedDict.fromkeys(range(len(self.members)))
        self.saved = self.begun()

    # What a strategy is made of ------------------------------------------------------------

    @abstractmethod
    def ask(self, n: int) -> list[Candidate]:
        """At most ``n`` candidates to evaluate, never two of one slot in flight."""

    @abstractmethod
    def learn(self, candidate: Candidate, fitness: float | None) -> None:
        """Update the population after an evaluation; ``fitness`` is None if it failed."""

    def begun(self) -> Any:
        """The strategy's initial state besides its population: a dataclass of plain data.

        It becomes ``saved``; checkpoints store and restore it, so all mutable state must live in
        it. Fields hold numbers, text, members, and lists, deques, tuples, dicts and dataclasses of
        these.
        """
        return NothingMore()

    @property
    def generation_size(self) -> int:
        """Evaluations per generation, from the settings."""
        return self.settings.generation_size

    @property
    def compares(self) -> bool:
        """Whether candidates are compared now, so that they can share minibatches; by default true.

        Where all slots hold one path there is nothing to compare.
        """
        return True

    # What every strategy shares ------------------------------------------------------------

    def tell(self, evaluation: Evaluation) -> None:
        """Receive an evaluation; each issued candidate returns exactly once, in any order.

        Raises:
            StrategyError: the candidate is not in flight.
        """
        candidate = self.in_flight.pop(evaluation.candidate.id, None)
        if candidate is None:
            raise StrategyError(
                f"candidate {evaluation.candidate.id} was not issued, or was told twice"
            )
        self.idle[candidate.slot] = None
        fitness = evaluation.checked().fitness
        self.failures = self.failures + 1 if fitness is None else 0
        self.log(candidate.genotype, fitness)
        self.learn(candidate, fitness)

    def log(self, rows: Rows, fitness: float | None) -> None:
        """Count an evaluation in ``told``, ``logbook`` and ``halloffame``; None if it failed."""
        self.told += 1
        self.record.on_evaluation(rows, None if fitness is None else self.values(rows, fitness))
        if self.told % self.generation_size == 0:
            self.record.close_generation(self.generation - 1, self.generation_size)

    @property
    def generation(self) -> int:
        """Number of finished generations."""
        return self.told // self.generation_size

    @property
    def population(self) -> list[Genotype]:
        """The genotypes, by slot."""
        return [member.genotype for member in self.members]

    def best(self) -> Genotype | None:
        """The path to freeze: the fittest of the population, or None without any fitness.

        A fitness comes from the genotype's latest evaluation; its weights may have been trained
        since. Ties go to the latest evaluation.
        """
        known = self.evaluated()
        if not known:
            return None
        return max(
            known, key=lambda m: (m.genotype.fitness.wvalues, m.candidate or 0)
        ).genotype.copy()

    def front(self) -> Front | None:
        """The Pareto front that ``best`` is chosen from; None with a single objective."""
        return None

    @property
    def logbook(self) -> tools.Logbook:
        """One record per generation."""
        return self.record.logbook

    @property
    def halloffame(self) -> tools.HallOfFame:
        """The fittest paths ever evaluated, the best first."""
        return self.record.halloffame

    def take_replacements(self) -> list[Replacement]:
        """Replacements since the last call."""
        taken, self._replacements = self._replacements, []
        return taken

    def state(self) -> dict[str, Any]:
        """Plain data from which ``restore`` resumes identically."""
        return {
            "members": [member_state(member) for member in self.members],
            "in_flight": [candidate.state() for candidate in self.in_flight.values()],
            "told": self.told,
            "failures": self.failures,
            "next_id": self.next_id,
            "idle": list(self.idle),
            "record": self.record.state(),
            "rng": state_of(self.rng),
            **packed_fields(self.saved),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from ``state`` of a strategy with the same shape and settings."""
        self.members = [member_from(member, self.Fitness) for member in state["members"]]
        candidates = [Candidate.of(candidate) for candidate in state["in_flight"]]
        self.in_flight = {candidate.id: candidate for candidate in candidates}
        self.told = state["told"]
        self.failures = state["failures"]
        self.next_id = state["next_id"]
        self.idle = OrderedDict.fromkeys(state["idle"])
        self.record.restore(state["record"])
        put_at(self.rng, state["rng"])
        self.saved = unpacked_fields(type(self.saved), state, self.Fitness)

    # What strategies are made with ---------------------------------------------------------

    def genotype(self, rows: Sequence[Sequence[int]]) -> Genotype:
        """A genotype without a fitness."""
        return Genotype(rows, self.Fitness())

    def _random_rows(self) -> Rows:
        rows = self.shape.random()
        return rows if self.settings.repeats else self.shape.without_repeats(rows)

    def first_population(self) -> list[Genotype]:
        """The initial genotypes of the slots."""
        size = self.settings.population
        if self.settings.start == "random":
            return [self.toolbox.genotype() for _ in range(size)]
        first = self.genotype(self.shape.full_width())
        return [first, *(self.mutated(first) for _ in range(size - 1))]

    def values(self, rows: Sequence[Sequence[int]], fitness: float) -> tuple[float, ...]:
        """The fitness values for DEAP, in the order of ``Fitness.weights``."""
        return (float(fitness),)

    def evaluated(self) -> list[Member]:
        """The members with a fitness, from which ``best`` is taken."""
        return [member for member in self.members if member.candidate is not None]

    def idle_in_turn(self, n: int) -> list[int]:
        """Up to ``n`` idle slots, the longest idle first."""
        return list(islice(self.idle, max(n, 0)))

    def provide(self, kind: Kind, own: Callable[..., Any], **arguments: Any) -> None:
        """Register an operator in the toolbox: the configured one, or the strategy's own."""
        named: OperatorSettings | None = getattr(self.settings, kind)
        if named is None:
            self.toolbox.register(kind, own, **arguments)
        else:
            self.toolbox.register(kind, named.resolve(kind), **named.arguments)

    def _operate(self, kind: Kind, *individuals: Any) -> Any:
        """Call an operator of the toolbox; errors name it."""
        try:
            return getattr(self.toolbox, kind)(*individuals)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise StrategyError(f"{kind} operator {self._name(kind)} failed: {reason}") from error

    def mutated(self, genotype: Genotype) -> Genotype:
        """A mutated copy without a fitness; call it while the generator is lent."""
        return self._children("mutate", genotype)[0]

    def mated(self, a: Genotype, b: Genotype) -> list[Genotype]:
        """Two crossed copies without a fitness; call it while the generator is lent."""
        return self._children("mate", a, b)

    def _children(self, kind: Kind, *parents: Genotype) -> list[Genotype]:
        made = self._operate(kind, *map(self.toolbox.clone, parents))
        try:
            checked = [self.shape.check(rows) for rows in made]
        except (PathError, TypeError) as error:
            reason = f"returned an invalid path: {error}"
            raise StrategyError(f"{kind} operator {self._name(kind)} {reason}") from None
        if len(checked) != len(parents):
            reason = f"made {len(checked)} genotypes, expected a tuple of {len(parents)}"
            raise StrategyError(f"{kind} operator {self._name(kind)} {reason}")
        if not self.settings.repeats:
            checked = [self.shape.without_repeats(rows) for rows in checked]
        return [self.genotype(rows) for rows in checked]

    def select(self, genotypes: Sequence[Genotype], n: int) -> list[int]:
        """Indices of the ``n`` genotypes that the toolbox selects; all must have a fitness."""
        index = {id(genotype): i for i, genotype in enumerate(genotypes)}
        with lend(self.rng):
            chosen = self._operate("select", genotypes, n)
        if len(chosen) != n or any(id(genotype) not in index for genotype in chosen):
            wanted = f"must return {n} of the {len(genotypes)} genotypes it was given"
            raise StrategyError(f"select operator {self._name('select')} {wanted}, got {chosen!r}")
        return [index[id(genotype)] for genotype in chosen]

    def _name(self, kind: Kind) -> str:
        return str(getattr(self.toolbox, kind).func.__name__)

    def issue(self, slot: int, newborn: Member | None = None) -> Candidate:
        """Put a slot's genotype in flight, or a newborn that may get the slot."""
        member = self.members[slot] if newborn is None else newborn
        number = self.next_id
        shared = self.settings.same_batches and self.compares
        batches = self.generation_of(number) if shared else number
        rows = self._checked(member.genotype)
        candidate = Candidate(number, slot, rows, member.parent, batches)
        self.in_flight[number] = candidate
        del self.idle[slot]
        self.next_id += 1
        return candidate

    def _checked(self, genotype: Genotype) -> tuple[tuple[int, ...], ...]:
        """The validated rows of a genotype."""
        try:
            rows = self.shape.check(genotype)
        except (PathError, TypeError) as error:
            reason = f"{type(self).__name__} returned an invalid path: {error}"
            raise StrategyError(reason) from None
        genotype[:] = map(list, rows)
        return rows

    def generation_of(self, number: int) -> int:
        """The generation of a candidate; a generation can share minibatches."""
        return number // self.generation_size

    def give_fitness(
        self, candidate: Candidate, fitness: float, newborn: Member | None = None
    ) -> None:
        """Give a slot, or a newborn, the fitness of its evaluation."""
        member = self.members[candidate.slot] if newborn is None else newborn
        member.genotype.fitness.values = self.values(candidate.genotype, fitness)
        member.candidate = candidate.id

    def redraw(self, slot: int) -> None:
        """Put a fresh random genotype at a slot."""
        with lend(self.rng):
            self.members[slot] = Member(self.toolbox.genotype())
        self._replacements.append(Replacement(None, slot, None))

    def overwrite(self, winner: int, loser: int) -> None:
        """Overwrite the loser with a mutated copy of the winner, not yet evaluated."""
        source = self.members[winner]
        with lend(self.rng):
            child = self.mutated(source.genotype)
        self.settle(Member(child, parent=source.candidate), winner, loser)

    def child(self, source: int, genotype: Genotype) -> Child:
        """A descendant of the member at a slot that has no slot of its own yet."""
        parent = self.members[source]
        return Child(source, Member(genotype, parent.candidate), _rows(parent.genotype))

    def settle(self, member: Member, winner: int, loser: int, origin: Rows = ()) -> None:
        """Put a descendant of the winner at the loser's slot.

        Args:
            member: the descendant.
            winner: its parent's slot.
            loser: the slot to overwrite.
            origin: the parent's rows, if its slot can have been overwritten since.
        """
        there = _rows(self.members[winner].genotype)
        copied = _rows(origin) or there
        changes = changes_between(copied, member.genotype)
        gone = None if copied == there else copied
        self.members[loser] = member
        self._replacements.append(Replacement(winner, loser, member.parent, changes, gone))


def _rows(genotype: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(map(tuple, genotype))
