"""What a strategy knows is saved whole."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field

import pytest

from pathnet_evo.core.genotype import Genotype, PathFitness
from pathnet_evo.interfaces.population import Child, Member
from pathnet_evo.interfaces.saved_state import packed, packed_fields, unpacked_fields


@dataclass
class Duel:
    slots: list[int]
    told: dict[int, float | None] = field(default_factory=dict)


@dataclass
class Knows:
    best: Member | None
    queue: deque[int]
    duels: list[Duel]
    children: dict[int, Child]
    pair: tuple[int, ...]
    turn: int = 0


def member(fitness=None):
    genotype = Genotype([[1, 2], [0, 0]], PathFitness())
    if fitness is not None:
        genotype.fitness.values = (fitness,)
    return Member(genotype, 3, None if fitness is None else 4)


def test_it_comes_back_as_it_was():
    """A resumed run would evolve otherwise than one that was never interrupted."""
    known = Knows(
        best=member(0.1),
        queue=deque([3, 1]),
        duels=[Duel([1, 2], {2: None, 1: 0.5})],
        children={7: Child(2, member())},
        pair=(4, 5),
        turn=9,
    )
    text = json.dumps(packed_fields(known))
    again = unpacked_fields(Knows, json.loads(text), PathFitness)
    assert again == known
    assert again.best.genotype.fitness.values == (0.1,)
    assert isinstance(again.queue, deque)
    assert json.dumps(packed_fields(again)) == text


def test_it_is_written_as_earlier_versions_wrote_it():
    """Runs that were interrupted before could not be resumed."""
    child = Child(2, member(), ((1, 2), (0, 0)))
    assert packed({7: child}) == [[7, 2, packed(child.member), [[1, 2], [0, 0]]]]
    assert packed([Duel([1, 2], {1: 0.5})]) == [[[1, 2], [[1, 0.5]]]]


def test_what_earlier_versions_wrote_is_read():
    """An interrupted run whose children were saved without their parent's rows would be lost."""
    known = Knows(None, deque(), [], {7: Child(2, member(), ((1, 2),))}, ())
    data = packed_fields(known)
    assert unpacked_fields(Knows, data, PathFitness) == known
    data["children"] = [[7, 2, packed(member())]]
    assert unpacked_fields(Knows, data, PathFitness).children == {7: Child(2, member())}


def test_what_is_no_plain_data_is_refused():
    """A generator or a tensor would be lost, and the author not told."""
    with pytest.raises(TypeError, match="a set is no plain data"):
        packed(Duel({1}))
