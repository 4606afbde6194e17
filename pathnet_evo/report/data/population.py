"""A population through a stage as differences: small enough to send, quick to replay."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from pathnet_evo.report.data.history import History, Replaced, finite

Step: TypeAlias = tuple[list[float | None], list[int]]
"""A generation: ``slot, fitness`` of each evaluation, then each replacement.

A replacement is ``winner, loser, n`` and n times ``gene, value``: the loser becomes a copy of the
winner with these genes changed. Where it was drawn anew, winner is -1, n is 0 and all L * N genes
follow; where these are not known, since it was not evaluated yet, winner is -2. Genes are
numbered layer by layer.
"""


def steps(history: History) -> list[Step]:
    """One step a generation, in order; none where nothing was ever replaced."""
    if not history.replaced:
        return []
    drawn = _drawn(history)
    slots = [flat(rows) for rows in history.initial]
    found: list[Step] = []
    for number, told in enumerate(history.told):
        while len(found) <= told.generation:
            found.append(([], []))
        fitnesses, changes = found[told.generation]
        fitnesses += [told.slot, rounded(told.fitness)]
        for index, replaced in enumerate(history.replaced.get(number, [])):
            if replaced.winner is not None:
                changes += _copied(replaced, slots, history.width)
            elif (genes := drawn.get((number, index))) is not None:
                slots[replaced.loser] = genes
                changes += [-1, replaced.loser, 0, *genes]
            else:
                changes += [-2, replaced.loser, 0]
    return found


def _copied(replaced: Replaced, slots: list[list[int]], width: int) -> list[int]:
    """A replacement, which also takes place in ``slots``."""
    assert replaced.winner is not None
    there = slots[replaced.winner]
    made = list(there) if replaced.origin is None else flat(replaced.origin)
    for layer, gene, _, after in replaced.changes:
        made[layer * width + gene] = after
    slots[replaced.loser] = made
    pairs = [
        n for gene, (a, b) in enumerate(zip(there, made, strict=True)) if a != b for n in (gene, b)
    ]
    return [replaced.winner, replaced.loser, len(pairs) // 2, *pairs]


def _drawn(history: History) -> dict[tuple[int, int], list[int]]:
    """The genes of each random replacement: those that its slot evaluated next."""
    following: dict[int, str] = {}
    found: dict[tuple[int, int], list[int]] = {}
    for number in range(len(history.told) - 1, -1, -1):
        for index, replaced in enumerate(history.replaced.get(number, [])):
            if replaced.winner is None and replaced.loser in following:
                found[number, index] = flat(json.loads(following[replaced.loser]))
        told = history.told[number]
        if told.parent is None:
            following[told.slot] = told.genotype
    return found


def flat(rows: Any) -> list[int]:
    """The genes of a genotype, or of a population, layer by layer."""
    return [gene for row in rows for gene in (flat(row) if isinstance(row[0], list) else row)]


def rounded(value: float | None) -> float | None:
    """Four digits: what a picture can show; None for what none can."""
    return None if value is None else finite(float(f"{value:.4g}"))
