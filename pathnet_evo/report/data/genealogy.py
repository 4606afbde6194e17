"""The genealogy of a stage's winner: which ancestors it was copied from, by which mutations."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pathnet_evo.report.data.history import History, Told


@dataclass(frozen=True)
class Ancestor:
    """An evaluation on the line from a first random genotype to the winner.

    Args:
        evaluation: its number in the stage.
        generation: the generation it belongs to.
        fitness: None where it failed.
        changes: ``(layer, gene, before, after)`` of the genes that differ from its parent's.
    """

    evaluation: int
    generation: int
    fitness: float | None
    changes: list[tuple[int, int, int, int]]


def genealogy(history: History) -> list[Ancestor]:
    """The winner's line, the eldest first; of a stage that is not over, the fittest so far.

    Where two parents were crossed, the lineage names the first, and ``changes`` hold what came
    from the other as well.
    """
    number = _winner(history)
    if number is None:
        return []
    number_of = {told.candidate: i for i, told in enumerate(history.told)}
    line: list[Ancestor] = []
    while number is not None:
        told = history.told[number]
        before = None if told.parent is None else number_of.get(told.parent)
        if before is not None and before >= number:
            before = None
        changes = [] if before is None else _changes(history.told[before], told)
        line.append(Ancestor(number, told.generation, told.fitness, changes))
        number = before
    return line[::-1]


def _winner(history: History) -> int | None:
    """The evaluation that gave the best genotype the fitness it won with."""
    if history.genotype is not None:
        text = json.dumps(history.genotype, separators=(",", ":"))
        for number in range(len(history.told) - 1, -1, -1):
            told = history.told[number]
            if told.genotype == text and told.fitness == history.fitness:
                return number
    finite = [(told.fitness, i) for i, told in enumerate(history.told) if told.fitness is not None]
    return max(finite)[1] if finite else None


def _changes(parent: Told, child: Told) -> list[tuple[int, int, int, int]]:
    rows = zip(json.loads(parent.genotype), json.loads(child.genotype), strict=True)
    return [
        (layer, gene, before, after)
        for layer, (old, new) in enumerate(rows)
        for gene, (before, after) in enumerate(zip(old, new, strict=True))
        if before != after
    ]
