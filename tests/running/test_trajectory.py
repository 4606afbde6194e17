"""Scores of a sweep's trial on the way: steps, seeds, and evaluations that are void."""

from __future__ import annotations

import math

import pytest

from pathnet_evo.running.trajectory import Trajectory


def told(course: Trajectory, seed: int, fitnesses: list[float | None], first: int = 0) -> None:
    """Tell evaluations of four examples each."""
    for number, fitness in enumerate(fitnesses, first):
        course.add(seed, number, fitness, 4)


def test_the_best_of_each_tenth() -> None:
    """Trials with other populations would be compared at different shares of their budgets."""
    course = Trajectory([7])
    course.begin(20, by_frames=False)
    told(course, 7, [0.1, 0.3, 0.2])
    assert course.scores() == [0.3]
    told(course, 7, [0.25, None, None, 0.5], first=3)
    assert course.scores() == [0.3, 0.25, 0.25]
    course.end(7, 0.75)
    assert course.scores() == [0.3, 0.25, 0.25, 0.5, *[0.75] * 6]
    assert len(course.scores()) == course.last + 1


def test_budgets_of_frames() -> None:
    """Steps of a game would be counted in evaluations, whose number no budget of frames says."""
    course = Trajectory([0])
    course.begin(80, by_frames=True)
    told(course, 0, [0.1, 0.3, 0.2, 0.5])
    assert course.scores() == [0.3, 0.5]


def test_seeds_count_one_after_another() -> None:
    """Parallel seeds would be compared at steps that depend on which of them is faster."""
    course = Trajectory([0, 1])
    course.begin(10, by_frames=False)
    told(course, 1, [0.8, 0.6])
    told(course, 0, [0.2])
    assert course.scores() == [0.2]
    course.end(0, 0.4)
    assert course.scores()[10:] == [pytest.approx(0.6), pytest.approx(0.5)]


def test_evaluations_of_a_lost_trial_are_void() -> None:
    """A trial whose process was lost would be judged by evaluations that it repeats."""
    course = Trajectory([0])
    course.begin(10, by_frames=False)
    told(course, 0, [0.1, 0.9, 0.9])
    told(course, 0, [0.2, 0.3], first=1)
    assert course.scores() == [0.1, 0.2, 0.3]


def test_no_fitness_yet() -> None:
    """A trial of failed evaluations would have an infinite score."""
    course = Trajectory([0])
    course.begin(10, by_frames=False)
    told(course, 0, [None])
    assert [*map(math.isnan, course.scores())] == [True]
