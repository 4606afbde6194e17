"""What a population is made of, and what becomes of its slots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deap import base

from pathnet_evo.core.genotype import (
    Genotype,
    PathFitness,
    Rows,
)
from pathnet_evo.interfaces.strategy_settings import StrategySettings as StrategySettings


class StrategyError(RuntimeError):
    """A strategy was used against its contract, or an operator returned an invalid path."""


@dataclass(frozen=True)
class Replacement:
    """A genotype overwrote another: what the lineage keeps of evolution.

    Args:
        winner: slot whose genotype was copied; None where a fresh genotype was drawn.
        loser: slot that was overwritten.
        parent: candidate id of the winner's evaluation.
        changes: ``(layer, gene, before, after)`` of each gene in which the new genotype differs
            from what was copied: what mutation changed, and crossover.
        origin: what was copied, where the winner's slot has been overwritten since; else None.
    """

    winner: int | None
    loser: int
    parent: int | None
    changes: tuple[tuple[int, int, int, int], ...] = ()
    origin: Rows | None = None


@dataclass(frozen=True)
class Front:
    """Paths that do not dominate each other in several objectives.

    Args:
        objectives: what each objective is.
        rule: how the one to freeze is chosen of them.
        members: genotype and value of each objective, the fittest first.
    """

    objectives: tuple[str, ...]
    rule: str
    members: tuple[tuple[Rows, tuple[float, ...]], ...]


@dataclass
class Member:
    """One slot of the population.

    Args:
        genotype: what is at the slot; its DEAP fitness is that of its latest evaluation.
        parent: candidate id that the genotype was copied from.
        candidate: id of its latest finite evaluation; None where it has none.
    """

    genotype: Genotype
    parent: int | None = None
    candidate: int | None = None


def changes_between(
    old: Sequence[Sequence[int]], new: Sequence[Sequence[int]]
) -> tuple[tuple[int, int, int, int], ...]:
    """Each gene that differs, as ``Replacement.changes`` has it."""
    return tuple(
        (layer, gene, before, after)
        for layer, (olds, news) in enumerate(zip(old, new, strict=True))
        for gene, (before, after) in enumerate(zip(olds, news, strict=True))
        if before != after
    )


def member_state(member: Member) -> dict[str, Any]:
    """A member as plain data."""
    return {
        "genotype": [list(row) for row in member.genotype],
        "fitness": list(member.genotype.fitness.values),
        "parent": member.parent,
        "candidate": member.candidate,
    }


def member_from(state: dict[str, Any], fitness: type[base.Fitness] = PathFitness) -> Member:
    """The member that ``member_state`` was taken of."""
    genotype = Genotype(state["genotype"], fitness())
    if state["fitness"]:
        genotype.fitness.values = tuple(state["fitness"])
    return Member(genotype, state["parent"], state["candidate"])


@dataclass
class Child:
    """A genotype made from the population that has no slot yet.

    Args:
        source: the slot of its first parent.
        member: the child; it has a candidate id once it was evaluated.
        origin: the rows of its first parent, whose slot can be overwritten before the child has
            one; empty if an earlier version saved the child.
    """

    source: int
    member: Member
    origin: tuple[tuple[int, ...], ...] = ()
