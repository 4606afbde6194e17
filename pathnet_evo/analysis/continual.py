"""The accuracy matrix of continual learning, and the metrics that follow from it.

``R[i, j]`` is the test accuracy on task j after task i was learned, with T tasks (Lopez-Paz and
Ranzato, "Gradient Episodic Memory for Continual Learning", 2017, section 2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pathnet_evo.analysis.curves import evaluations_within, mean_over_budget, smoothing_window
from pathnet_evo.analysis.results import StageResult, TrialResult
from pathnet_evo.analysis.statistics import ANY, SHARE, Range, average, statistic

Matrix = npt.NDArray[np.float64]
"""``(T, T)``; NaN where nothing was measured."""

DIFFERENCE: Range = (-1.0, 1.0)
"""Differences of accuracies."""


def accuracy_matrix(trial: TrialResult, score: str, tasks: int, separate: bool) -> Matrix:
    """R of one trial.

    The part above the diagonal has ``R[j - 1, j]`` alone: the features of the task before, with the
    untrained readout of task j.

    Args:
        trial: the trial.
        score: name of the accuracy.
        tasks: number of tasks, T.
        separate: whether each task has a network of its own, which is not scored again since it
            never changes.
    """
    matrix = np.full((tasks, tasks), math.nan)
    for i in range(tasks):
        stage = trial.stages.get(i)
        if stage is None:
            continue
        if i and score in stage.before:
            matrix[i - 1, i] = stage.before[score]
        for j in range(i + 1) if stage.finished else ():
            if separate and j < i:
                matrix[i, j] = matrix[i - 1, j]
            elif score in (found := stage.scores.get(j, {})):
                matrix[i, j] = found[score]
    return matrix


def acc(matrix: Matrix) -> float:
    """Average accuracy, ACC = 1/T sum_i R[T, i] (Lopez-Paz and Ranzato 2017, equation 2)."""
    return float(np.mean(matrix[-1]))


def bwt(matrix: Matrix) -> float:
    """Backward transfer, BWT = 1/(T-1) sum_{i<T} R[T, i] - R[i, i] (the same, equation 3)."""
    return float(np.mean(matrix[-1, :-1] - np.diag(matrix)[:-1]))


def fwt(matrix: Matrix, untrained: Sequence[float]) -> float:
    """Forward transfer, FWT = 1/(T-1) sum_{i>1} R[i-1, i] - b[i] (the same, equation 4).

    Args:
        matrix: R.
        untrained: b, the accuracy of randomly initialised networks; ``untrained[0]`` is not used.
    """
    return float(np.mean(np.diag(matrix, 1) - np.asarray(untrained)[1:]))


def forgetting(matrix: Matrix) -> float:
    """Forgetting, 1/(T-1) sum_{j<T} max_{j<=i<T} R[i, j] - R[T, j] (Chaudhry et al. 2018)."""
    last = len(matrix) - 1
    lost = [float(np.max(matrix[j:last, j]) - matrix[last, j]) for j in range(last)]
    return average(lost)


def learning_area(trial: TrialResult, tasks: int) -> float:
    """Area under the learning curves: the mean fitness over each task's budget, then over tasks.

    In the spirit of the learning curve area of Chaudhry et al. (2019), but of the fitness, which is
    what a run measures as it learns, and over the whole budget: a stage that ends early keeps its
    last smoothed fitness for the rest.
    """
    stages = (trial.finished(i) for i in range(tasks))
    return average([math.nan if stage is None else _area(stage) for stage in stages])


def _area(stage: StageResult) -> float:
    evaluations = evaluations_within(stage.budget, stage.by_frames, stage.sizes)
    return mean_over_budget(
        stage.fitnesses,
        stage.sizes if stage.by_frames else [1] * len(stage.fitnesses),
        stage.budget,
        smoothing_window(evaluations),
        stage.random_baseline,
    )


def accuracy_of(trials: Iterable[TrialResult]) -> str | None:
    """The accuracy that is the main score of every stage that was scored, or None."""
    stages = (stage for trial in trials for stage in trial.stages.values())
    own = (stage.scores.get(stage.stage) for stage in stages)
    names = {next(iter(scores)) for scores in own if scores}
    name = names.pop() if len(names) == 1 else None
    return name if name is not None and "accuracy" in name else None


def continual(
    trials: Mapping[int, TrialResult], score: str | None, tasks: int, separate: bool
) -> dict[str, Any] | None:
    """R and its metrics over seeds, as ``summary.json`` has them.

    Args:
        trials: an arm's trials by seed.
        score: the accuracy that all stages have in common; None if there is none.
        tasks: number of stages.
        separate: see ``accuracy_matrix``.

    Returns:
        None for a single task, or without a common accuracy.
    """
    if score is None or tasks < 2:
        return None
    matrices = {s: accuracy_matrix(t, score, tasks, separate) for s, t in trials.items()}
    matrices = {seed: matrix for seed, matrix in matrices.items() if not np.isnan(matrix).all()}
    whole = {seed: m for seed, m in matrices.items() if trials[seed].finished(tasks - 1)}

    def over_seeds(metric: Callable[[int, Matrix], float], within: Range) -> dict[str, Any]:
        return statistic({seed: metric(seed, m) for seed, m in whole.items()}, within)

    def forward(seed: int, matrix: Matrix) -> float:
        stages = trials[seed].stages
        return fwt(matrix, [stages[i].untrained.get(score, math.nan) for i in range(tasks)])

    return {
        "score": score,
        "matrix": _mean([*matrices.values()], tasks),
        "matrices": {str(seed): matrix.tolist() for seed, matrix in matrices.items()},
        "acc": over_seeds(lambda _, m: acc(m), SHARE),
        "bwt": over_seeds(lambda _, m: bwt(m), DIFFERENCE),
        "fwt": over_seeds(forward, DIFFERENCE),
        "forgetting": over_seeds(lambda _, m: forgetting(m), DIFFERENCE),
        "learning_area": over_seeds(lambda seed, _: learning_area(trials[seed], tasks), ANY),
    }


def _mean(matrices: Sequence[Matrix], tasks: int) -> list[list[float]]:
    """The mean over seeds of what every one of them measured."""
    if not matrices:
        return [[math.nan] * tasks] * tasks
    found: list[list[float]] = np.mean(np.stack(matrices), axis=0).tolist()
    return found
