"""Choosing classes: by name, by number, and drawn without overlap."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.tasks import TaskContext, TaskError
from pathnet_evo_images.digits import Digits
from pathnet_evo_images.folder import Folder


def classes(sequence: list[Digits], seed: int) -> list[tuple[str, ...]]:
    """The classes of every stage, each made on its own."""
    return [
        task.make(TaskContext(Streams(seed), stage, sequence)).class_names
        for stage, task in enumerate(sequence)
    ]


@settings(deadline=None)  # the first example decodes the digits
@given(st.integers(0, 2**32), st.lists(st.integers(2, 4), min_size=1, max_size=3))
def test_drawn_classes_never_overlap(seed: int, draws: list[int]) -> None:
    """A second task would repeat digits of the first, and transfer look better than it is."""
    while sum(draws) > 10:
        draws.pop()
    drawn = classes([Digits(classes={"draw": k}, examples=20) for k in draws], seed)
    assert [len(names) for names in drawn] == draws
    assert len({name for names in drawn for name in names}) == sum(draws)


@settings(deadline=None)  # the first example decodes the digits
@given(st.integers(0, 2**32))
def test_named_classes_are_taken_first(seed: int) -> None:
    """A drawn stage would take what a later stage names."""
    sequence = [
        Digits(classes={"draw": 4}, examples=20),
        Digits(classes=("3", "8"), examples=20),
        Digits(classes={"draw": 4}, examples=20),
    ]
    first, named, last = classes(sequence, seed)
    assert named == ("3", "8")
    assert sorted(first + named + last) == list("0123456789")


def test_all_pairs_are_drawn() -> None:
    """Some digit pairs would never be seen, whatever the seed."""
    pairs = {classes([Digits(classes={"draw": 2}, examples=2)], seed)[0] for seed in range(300)}
    assert len(pairs) == 45


def test_drawing_does_not_depend_on_the_stage_that_asks(context) -> None:
    """A resumed run would go on with other classes than it began with."""
    sequence = [Digits(classes={"draw": 2}) for _ in range(3)]
    alone = [sequence[s].make(context(3, s, sequence)).class_names for s in (2, 0, 1)]
    assert alone == [classes(sequence, 3)[s] for s in (2, 0, 1)]


def test_other_data_do_not_take_classes(tmp_path, context, write_tree) -> None:
    """A folder of images would leave fewer digits to draw from."""
    for name in ("one", "two"):
        write_tree(tmp_path / name, ["a", "b"], n=1)
    one, two = (Folder(root=tmp_path / n, classes={"draw": 2}) for n in ("one", "two"))
    sequence = [one, Digits(classes={"draw": 9}), two]
    made = [task.make(context(0, s, sequence)) for s, task in enumerate(sequence)]
    assert [task.n_classes for task in made] == [2, 9, 2]
    assert made[0].name == "one"


@pytest.mark.parametrize("other", [{"draw": 7}, None, tuple(range(7))], ids=str)
def test_too_few_classes_left(context, other) -> None:
    """A draw that cannot be would repeat classes, or crash without saying why."""
    sequence = [Digits(classes=other), Digits(classes={"draw": 4})]
    with pytest.raises(
        TaskError, match=r"^digits: stages\.1\.task\.classes: cannot draw 4 .* leave"
    ):
        sequence[1].make(context(0, 1, sequence))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("cat", "dgo"), r'no class "dgo"\. Did you mean "dog"\? \(have: 7, cat, dog\)'),
        (("cat", 3), r"no class 3\. \(have"),
        (("cat", -1), r"no class -1\. \(have"),
        (("dog", 2), r'"dog" is named twice'),
    ],
)
def test_classes_that_do_not_exist(tmp_path, context, write_tree, asked, message) -> None:
    """A misspelt class would be left out, or crash without naming the right one."""
    write_tree(tmp_path / "d", ["cat", "dog", "7"], n=1)
    with pytest.raises(TaskError, match=r"^folder: stages\.4\.task\.classes: " + message):
        Folder(root=tmp_path / "d", classes=asked).make(context(stage=4))


def test_a_number_is_a_name_before_it_is_a_position(tmp_path, context, write_tree) -> None:
    """``classes = [7]`` would give another digit than 7 where not all digits are there."""
    write_tree(tmp_path / "d", ["1", "3", "7"], n=1)
    made = Folder(root=tmp_path / "d", classes=(7, 1)).make(context())
    assert made.class_names == ("7", "1")
    made = Folder(root=tmp_path / "d", classes=(0, 7)).make(context())
    assert made.class_names == ("1", "7")


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("parts", [1, 2, 3, 5])
def test_parts_divide_the_classes(parts, shuffle) -> None:
    """A split stream would learn a class twice, or never, or parts of one class."""
    sequence = [Digits(classes={"part": i, "of": parts, "shuffle": shuffle}) for i in range(parts)]
    found = classes(sequence, 3)
    assert sorted(name for names in found for name in names) == list("0123456789")
    sizes = [len(names) for names in found]
    assert max(sizes) - min(sizes) <= 1
    in_order = [name for names in found for name in names] == list("0123456789")
    assert in_order is not shuffle


def test_shuffled_parts_depend_on_the_seed() -> None:
    """All seeds would divide the classes in the same way."""
    sequence = [Digits(classes={"part": i, "of": 5, "shuffle": True}) for i in range(5)]
    assert classes(sequence, 0) != classes(sequence, 1)
    assert classes(sequence, 0) == classes(sequence, 0)


def test_drawn_classes_avoid_parts() -> None:
    """A class of a part would be drawn again by another stage."""
    first, second = classes([Digits(classes={"part": 0, "of": 2}), Digits(classes={"draw": 5})], 0)
    assert set(first).isdisjoint(second)


def test_more_parts_than_pairs_of_classes(context) -> None:
    """A stage of one class is learned by always naming it."""
    task = Digits(classes={"part": 5, "of": 6})
    with pytest.raises(TaskError, match=r"6 parts of 10 classes .* Use at most 5 parts\.$"):
        task.make(context(sequence=[task]))
