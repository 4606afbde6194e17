"""The options of every strategy."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field, field_validator

from pathnet_evo.interfaces.operators import Kind, OperatorSettings
from pathnet_evo.values.options import OPTIONS


class StrategySettings(BaseModel):
    """Options of every strategy (``[strategy]``)."""

    model_config = OPTIONS

    population: int = Field(64, ge=1)
    """Number of genotypes, P."""
    mutation_rate: float | None = Field(None, ge=0, le=1)
    """Probability that a gene mutates. Default: the paper's 1 / (N * L)."""
    mutation_reach: int = Field(2, ge=0)
    """Largest change of a gene: it moves by -reach to +reach, inclusive."""
    wrap: bool = False
    """Wrap genes around their range instead of clamping them."""
    repeats: bool = True
    """Whether a row of a genotype may name a module twice; where not, another module takes the
    place of the second."""
    inherit: bool = False
    """Function-preserving mutation: a module that mutation brings into a path begins as a copy of
    the one that it replaces, where no other genotype uses it. Not for ``aging``, ``mu-plus-lambda``
    and ``nsga2``, whose children enter the population after their evaluation."""
    same_batches: bool = False
    """Train all candidates of a generation on the same minibatches. Ignored while all slots hold
    one path, which would learn the same minibatches again and again."""
    start: Literal["random", "mutants"] = "random"
    """Initial population: random paths, or one full-width path and mutated copies of it."""
    select: OperatorSettings | None = None
    """Selection operator, if the strategy selects: any function of ``deap.tools`` or of a plugin,
    such as ``{name = "selTournament", tournsize = 3}``. Default: the strategy's own."""
    mutate: OperatorSettings | None = None
    """Mutation operator. Default: the paper's, with the rate and reach above."""
    mate: OperatorSettings | None = None
    """Crossover operator, if the strategy recombines. Default: exchange whole layers of two
    paths."""

    @field_validator(
        "select",
        "mutate",
        "mate",
        mode="before",
        json_schema_input_type=str | OperatorSettings | None,
    )
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
        """Evaluations per generation: P, or two for a tournament of two and the controls."""
        return self.population


def _checked(value: OperatorSettings | None, kind: Kind) -> OperatorSettings | None:
    if value is not None:
        value.resolve(kind)
    return value
