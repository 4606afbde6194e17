"""What a run measured that is not finite: no mean, curve or test has it, so it is listed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pathnet_evo.analysis.results import StageResult, TrialResult
from pathnet_evo.values.stage_numbers import stage_number


def not_finite(trials: Iterable[TrialResult]) -> list[dict[str, Any]]:
    """All that is not finite, as plain data.

    Returns:
        For each kind of value of a trial's stage ``stage``, ``arm``, ``seed``, ``what`` it is
        (``chance``, ``fitness``, ``episode scores``, ``seconds`` or the name of a score), how many
        are not finite (``count``) and which there are (``values``: ``inf``, ``-inf``, ``nan``).
    """
    return [
        {
            "stage": stage.stage,
            "arm": trial.arm,
            "seed": trial.seed,
            "what": what,
            "count": len(bad),
            "values": sorted({str(value) for value in bad}),
        }
        for trial in trials
        for stage in trial.stages.values()
        for what, values in _measured(stage)
        if (bad := _bad(values))
    ]


def _measured(stage: StageResult) -> Iterator[tuple[str, Sequence[float | None]]]:
    yield "chance", [stage.random_baseline]
    yield "fitness", [stage.fitness, *stage.fitnesses]
    yield "episode scores", [score for _, score in stage.episodes]
    yield "seconds", [stage.seconds]
    for of, scores in stage.scores.items():
        for name, value in scores.items():
            yield name if of == stage.stage else f"{name} of stage {stage_number(of)}", [value]


def _bad(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None and not math.isfinite(value)]
