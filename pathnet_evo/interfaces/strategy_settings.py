"""The options that every strategy has."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pathnet_evo.interfaces.operators import Kind, OperatorSettings


class StrategySettings(BaseModel):
    """Options of every strategy (``[strategy]``)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    population: int = Field(64, ge=1)
    """Number of genotypes, P."""
    mutation_rate: float | None = Field(None, ge=0, le=1)
    """Chance that a gene is drawn for mutation; nothing is the paper's 1 / (N * L)."""
    mutation_reach: int = Field(2, ge=0)
    """The largest change of a gene: it moves by -reach to +reach, inclusive."""
    wrap: bool = False
    """Wrap genes around the ends of their range instead of clamping them."""
    repeats: bool = True
    """Whether a row of a genotype may name a module twice; where not, another module takes the
    place of the second."""
    inherit: bool = False
    """Function-preserving mutation: a module that mutation brings into a path begins as a copy of
    the one that it replaces, where no other genotype uses it."""
    same_batches: bool = False
    """Show equal minibatches to all candidates of a generation."""
    start: Literal["random", "mutants"] = "random"
    """The first population: random paths, or one full-width path and mutated copies of it."""
    select: OperatorSettings | None = None
    """Selection, for strategies that select: ``{name = "selTournament", tournsize = 3}`` or any
    function of ``deap.tools`` or of a plugin; nothing is the strategy's own."""
    mutate: OperatorSettings | None = None
    """Mutation; nothing is the paper's, with the rate and reach above."""
    mate: OperatorSettings | None = None
    """Crossover, for strategies that cross over: it exchanges whole layers of two paths."""

    @field_validator("select", "mutate", "mate", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @field_validator("select")
    @classmethod
    def _selects(cls, value: OperatorSettings | None) -> OperatorSettings | None:
        return _checked(value, "select")

    @field_validator("mutate")
    @classmethod
    def _mutates(cls, value: OperatorSettings | None) -> OperatorSettings | None:
        return _checked(value, "mutate")

    @field_validator("mate")
    @classmethod
    def _mates(cls, value: OperatorSettings | None) -> OperatorSettings | None:
        return _checked(value, "mate")

    @property
    def generation_size(self) -> int:
        """Evaluations in a generation: P, but two for a tournament of two and the controls."""
        return self.population


def _checked(value: OperatorSettings | None, kind: Kind) -> OperatorSettings | None:
    if value is not None:
        value.resolve(kind)
    return value
