"""Mu plus lambda: the best of parents and offspring survive (DEAP's ``eaMuPlusLambda``)."""

from __future__ import annotations

import random
from typing import Any, ClassVar

from deap import tools
from pydantic import Field, model_validator

from pathnet_evo.core.streams import lend
from pathnet_evo.interfaces.population import Child
from pathnet_evo.interfaces.strategy_settings import StrategySettings
from pathnet_evo.strategies.generational import Generational


class MuPlusLambdaSettings(StrategySettings):
    """Options of ``mu-plus-lambda``."""

    population: int = Field(64, ge=2)
    """Number of genotypes, mu."""
    offspring: int | None = Field(None, ge=1)
    """Children per generation, lambda. Default: the population."""
    cxpb: float = Field(0.5, ge=0, le=1)
    """Probability that a child is the crossover of two parents."""
    mutpb: float = Field(0.5, ge=0, le=1)
    """Probability that a child is a mutated copy of one parent; otherwise it is a plain copy."""

    @model_validator(mode="after")
    def _is_a_chance(self) -> MuPlusLambdaSettings:
        if self.cxpb + self.mutpb > 1:
            raise ValueError(
                f"a child is crossed or mutated, so cxpb + mutpb must be at most 1, "
                f"got {self.cxpb} + {self.mutpb}"
            )
        return self

    @property
    def generation_size(self) -> int:
        """The offspring."""
        return self.offspring or self.population


class MuPlusLambda(Generational):
    """Children are crossed, mutated or copied; the best of parents and children survive.

    A parent's fitness is that of its only evaluation. ``select`` selects the survivors, by default
    the best; parents are drawn uniformly. Crossover exchanges whole layers of two paths.
    """

    Settings: ClassVar[type[StrategySettings]] = MuPlusLambdaSettings

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.provide("select", tools.selBest)

    def _breed(self) -> list[Child]:
        with lend(self.rng):
            return [self._child() for _ in range(self.generation_size)]

    def _child(self) -> Child:
        """DEAP's ``varOr``, which also tells where a child came from."""
        settings = self.settings
        assert isinstance(settings, MuPlusLambdaSettings)
        slots = range(len(self.members))
        chance = random.random()
        if chance < settings.cxpb:
            source, other = random.sample(slots, 2)
            genotype = self.mated(self.members[source].genotype, self.members[other].genotype)[0]
        else:
            source = random.choice(slots)
            genotype = self.members[source].genotype
            if chance < settings.cxpb + settings.mutpb:
                genotype = self.mutated(genotype)
            else:
                genotype = self.genotype(genotype)
        return self.child(source, genotype)
