"""The results of a run: ``summary.json``, computed from its lineage, finished or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from pathnet_evo.analysis.arms import compared_order
from pathnet_evo.analysis.continual import accuracy_of, continual
from pathnet_evo.analysis.not_finite import not_finite
from pathnet_evo.analysis.results import StageResult, TrialResult, read_trials, returned
from pathnet_evo.analysis.significance import correct
from pathnet_evo.analysis.speed_up import curve_of, frames_of, speed_ups
from pathnet_evo.analysis.statistics import (
    AMOUNT,
    ANY,
    Range,
    difference_statistic,
    paired_p,
    score_range,
    statistic,
)
from pathnet_evo.interfaces.summary import Summary, checked
from pathnet_evo.setup.config import RunConfig
from pathnet_evo.store.lineage import digest
from pathnet_evo.store.lock import Holder, holder, run_state
from pathnet_evo.store.reading import intact, read_about, read_config, reading
from pathnet_evo.values.numbers import plain_numbers

VERSION = 1
"""Version of the summary's schema."""


def summarise(
    folder: Path, held_by: Callable[[Path], Holder | None] = holder, digested: bool = True
) -> Summary:
    """The content of ``summary.json``: plain data that is equal for equal runs.

    Only what lies under ``times`` and ``about`` differs between a run and its repetition.

    Args:
        folder: a run's folder, with ``run.toml`` and ``lineage.sqlite``.
        held_by: says which process holds the run; ``nobody`` where this one does and is ending it.
        digested: read the whole lineage for its digest; else that is None.

    Raises:
        RunError: no such run, or its ``about.json`` is damaged.
        ConfigError: ``run.toml`` is damaged.
        LineageError: ``lineage.sqlite`` is damaged.
    """
    config = read_config(folder)
    about = read_about(folder)
    lineage = folder / "lineage.sqlite"
    held = held_by(folder)
    with reading(folder) as db:
        trials = read_trials(db)
    with intact(lineage):
        found = _summary(config, trials)
    summary = plain_numbers(
        {
            "version": VERSION,
            "name": config.name,
            "state": run_state(held, [t.state for t in trials], config.n_trials),
            "deterministic": about.get("deterministic"),
            "digest": digest(lineage) if digested else None,
            "seeds": list(range(config.seed, config.seed + config.seeds)),
            **found,
            "about": about,
        }
    )
    return checked(summary)


def _summary(config: RunConfig, trials: Sequence[TrialResult]) -> dict[str, Any]:
    """The results of the trials."""
    arms = [arm.name for arm in config.arms]
    of_arm = {arm: {t.seed: t for t in trials if t.arm == arm} for arm in arms}
    stages = [_stage(i, config, trials) for i in range(len(config.stages))]
    ranges = [returned(trials, i) for i in range(len(config.stages))]
    return {
        "stages": stages,
        "arms": {
            arm.name: {
                **_arm(of_arm[arm.name], ranges),
                "continual": continual(
                    of_arm[arm.name], accuracy_of(trials), len(stages), arm.keeps_separate
                ),
            }
            for arm in config.arms
        },
        "speed_up": speed_ups(config, of_arm, stages),
        "comparisons": _corrected([*_comparisons(config, of_arm)]),
        "not_finite": not_finite(trials),
        "times": {arm: _times(of_arm[arm], len(stages)) for arm in arms},
    }


def _stage(i: int, config: RunConfig, trials: Sequence[TrialResult]) -> dict[str, Any]:
    """Properties of a stage that all trials share; partly None if no trial has started it."""
    begun = next((t.stages[i] for t in trials if i in t.stages), None)
    wanted = config.stages[i]
    scored = (t.stages[i].scores.get(i) for t in trials if i in t.stages)
    score = next((next(iter(scores)) for scores in scored if scores), None)
    return {
        "stage": i,
        "name": wanted.called(t.stages[i].name for t in trials if i in t.stages),
        "threshold": wanted.threshold,
        "fitness_name": begun.fitness_name if begun else None,
        "unit": begun.unit if begun else None,
        "budget": begun.budget if begun else None,
        "by_frames": begun.by_frames if begun else None,
        "chance": _chance(i, trials),
        "counts": list(begun.counts) if begun else None,
        "score": score,
    }


def _chance(i: int, trials: Sequence[TrialResult]) -> dict[str, Any] | None:
    """The untrained baseline score by seed, or None if the learner has none."""
    begun = {t.seed: t.stages[i].random_baseline for t in trials if i in t.stages}
    if all(value is None for value in begun.values()):
        return None
    return statistic(begun, returned(trials, i))


def _arm(trials: Mapping[int, TrialResult], ranges: Sequence[Range]) -> dict[str, Any]:
    return {
        "trials": [
            {"trial": t.trial, "seed": t.seed, "state": t.state, "error": t.error}
            for t in trials.values()
        ],
        "stages": [_arm_stage(trials, i, len(ranges) - 1, found) for i, found in enumerate(ranges)],
    }


def _arm_stage(
    trials: Mapping[int, TrialResult], i: int, last: int, episodes: Range
) -> dict[str, Any]:
    """A stage of an arm over seeds; ``episodes`` bounds the returns of single episodes."""
    done = {seed: s for seed, t in trials.items() if (s := t.finished(i))}
    after = {
        j: {
            seed: s.scores[i]
            for seed, t in trials.items()
            if (s := t.finished(j)) and i in s.scores
        }
        for j in range(i, last + 1)
    }

    def over_seeds(
        value: Callable[[StageResult], float | None], within: Range = AMOUNT
    ) -> dict[str, Any]:
        return statistic({seed: value(s) for seed, s in done.items()}, within)

    fitness = next((score_range(s.fitness_name, episodes) for s in done.values()), ANY)
    modules = max((sum(s.counts) for s in done.values()), default=0)
    return {
        "stage": i,
        "evaluations": over_seeds(lambda s: len(s.fitnesses)),
        "generations": over_seeds(lambda s: s.generations),
        "examples": over_seeds(lambda s: s.examples),
        "fitness": over_seeds(lambda s: s.fitness, fitness),
        "reused": over_seeds(lambda s: s.reused, (0, modules)),
        "frozen": over_seeds(lambda s: s.frozen, (0, modules)),
        "modules": over_seeds(lambda s: sum(s.counts)),
        "failed": over_seeds(lambda s: s.failed),
        "parameters": over_seeds(lambda s: s.size.get("parameters")),
        "multiply_adds": over_seeds(lambda s: s.size.get("multiply_adds")),
        "stored": over_seeds(lambda s: s.size.get("stored")),
        "growth": statistic(_growth(trials, i)),
        "scores": _by_name(after[i], statistic, episodes),
        "rescores": {
            str(j): _by_name(after[j], statistic, episodes)
            for j in range(i + 1, last + 1)
            if after[j]
        },
        "forgetting": _by_name(_minus(after[i], after[last]), difference_statistic)
        if i < last
        else {},
        "not_scored": {str(seed): list(s.not_scored) for seed, s in done.items() if s.not_scored},
        "fronts": {str(seed): s.front for seed, s in done.items() if s.front},
        "curves": {str(seed): curve for seed, s in done.items() if (curve := _curve(s))},
        "unfinished": {
            str(seed): {"evaluations": len(s.fitnesses), "failed": s.failed}
            for seed, t in trials.items()
            if (s := t.stages.get(i)) and not s.finished
        },
    }


def _growth(trials: Mapping[int, TrialResult], i: int) -> dict[int, float | None]:
    """By how many parameters a stage increased what all networks need together, by seed."""
    found: dict[int, float | None] = {}
    for seed, trial in trials.items():
        stage, before = trial.finished(i), trial.finished(i - 1)
        if stage is not None:
            now, then = (s.size.get("stored") if s else 0 for s in (stage, before))
            found[seed] = None if now is None or then is None else now - then
    return found


def _curve(stage: StageResult) -> dict[str, Any] | None:
    """A stage's learning curve against frames: its points, and the frames that they cover.

    None where there are no episodes, or no score of chance to begin with.
    """
    if not stage.episodes or stage.random_baseline is None:
        return None
    frames = frames_of(stage)
    return {"frames": frames, "scores": curve_of(stage, stage.random_baseline, frames)}


def _by_name(
    scores: Mapping[int, Mapping[str, float]],
    over_seeds: Callable[[Mapping[int, float | None], Range], dict[str, Any]],
    episodes: Range = ANY,
) -> dict[str, Any]:
    """A statistic of each score; differences of returns are not bounded by those observed."""
    names = dict.fromkeys(name for values in scores.values() for name in values)
    return {
        name: over_seeds(
            {seed: v[name] for seed, v in scores.items() if name in v}, score_range(name, episodes)
        )
        for name in names
    }


def _minus(
    a: Mapping[int, Mapping[str, float]], b: Mapping[int, Mapping[str, float]]
) -> dict[int, dict[str, float]]:
    """Differences of scores that both sides have."""
    return {
        seed: {name: a[seed][name] - b[seed][name] for name in a[seed] if name in b[seed]}
        for seed in a
        if seed in b
    }


def _times(trials: Mapping[int, TrialResult], n_stages: int) -> list[dict[str, Any]]:
    done = [
        {seed: s for seed, t in trials.items() if (s := t.finished(i))} for i in range(n_stages)
    ]
    return [
        {
            "stage": i,
            "seconds": statistic({k: s.seconds for k, s in stages.items()}, AMOUNT),
            "usage": _by_name(
                {k: s.usage for k, s in stages.items()},
                lambda values, _: statistic(values, AMOUNT),
                AMOUNT,
            ),
        }
        for i, stages in enumerate(done)
    ]


def _comparisons(
    config: RunConfig, of_arm: Mapping[str, Mapping[int, TrialResult]]
) -> Iterator[dict[str, Any]]:
    """Each arm's test scores minus each control's, paired by seed."""
    order = compared_order(config)
    for i in range(len(config.stages)):
        scores = {
            arm: {seed: s.scores.get(i, {}) for seed, t in trials.items() if (s := t.finished(i))}
            for arm, trials in of_arm.items()
        }
        for arm, control in combinations(order, 2):
            differences = _minus(scores[arm], scores[control])
            for name, found in _by_name(differences, difference_statistic).items():
                values = [v for v in found["seeds"].values() if v is not None]
                what = {"stage": i, "score": name, "arm": arm, "control": control}
                yield {**what, **found, "p": paired_p(values)}


def _corrected(comparisons: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The comparisons with p values corrected for all of one score."""
    for score in {one["score"] for one in comparisons}:
        correct([one for one in comparisons if one["score"] == score])
    return comparisons
