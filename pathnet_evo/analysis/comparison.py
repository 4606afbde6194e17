"""Comparison of runs: scores and costs of their arms, and tests over seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from pathnet_evo.analysis.compared import Comparison
from pathnet_evo.analysis.continual import accuracy_of, continual
from pathnet_evo.analysis.not_finite import not_finite
from pathnet_evo.analysis.results import StageResult, TrialResult, read_trials, returned
from pathnet_evo.analysis.significance import correct, difference, skewed_statistic
from pathnet_evo.analysis.statistics import AMOUNT, Range, score_range
from pathnet_evo.setup.config import RunConfig
from pathnet_evo.setup.problems import ConfigError
from pathnet_evo.store.lineage import LineageError
from pathnet_evo.store.lock import holder, run_state
from pathnet_evo.store.reading import RunError, intact, read_config, reading
from pathnet_evo.values.numbers import plain_numbers
from pathnet_evo.values.stage_numbers import stage_number

VERSION = 2
"""Version of the comparison's schema."""

ASIDE = ("name", "executor", "device", "observers", "plugins")
"""Configuration keys that do not affect what is learned."""


@dataclass(frozen=True)
class _Entry:
    """An arm of a run, and its trials by seed."""

    name: str
    run: str
    arm: str
    strategy: str
    transfer: str
    separate: bool
    trials: Mapping[int, TrialResult]

    def finished(self, stage: int) -> dict[int, StageResult]:
        """A stage's results by seed, for seeds that finished it."""
        return {seed: found for seed, t in self.trials.items() if (found := t.finished(stage))}

    def scores(self, stage: int) -> dict[str, dict[int, float]]:
        """The stage's test scores right after it, by name and seed."""
        found: dict[str, dict[int, float]] = {}
        for seed, result in self.finished(stage).items():
            for name, value in result.scores.get(stage, {}).items():
                found.setdefault(name, {})[seed] = value
        return found


def compare_runs(runs: Sequence[Path | str]) -> Comparison:
    """Compare all arms of some runs, as plain data; runs need not be finished.

    Stages are compared one by one, in order, where all runs learn a task of the same name and
    count the same. Interrupted trials count for the stages that they finished.

    Args:
        runs: the runs' folders.

    Returns:
        - ``version``: 2.
        - ``runs``: for each run its ``run`` (what it is called here), ``folder``, ``state``,
          ``seeds``, and ``not_finite``: what it measured that is in no mean and no test, as in
          ``summary.json``.
        - ``entries``: for each arm of each run its ``entry`` (what it is called here), ``run``,
          ``arm``, ``strategy``, ``transfer`` and ``reference``: the entry to compare it with,
          which is the same arm of the first run, else the first entry.
        - ``differences``: keys in which the runs' configurations differ, each with ``key`` and
          ``values``, one a run; None where a run does not have it.
        - ``not_compared``: a sentence for each stage that cannot be compared, and why.
        - ``stages``: those that can, each with

          - ``stage``, ``name``, ``unit`` (what ``examples`` are), and ``same_budget``: whether
            all entries had the same budget;
          - ``results``: for each entry ``evaluations``, ``examples``, ``seconds`` and ``scores``
            (by name), each with ``seeds``, ``n``, ``mean``, its 95 % ``interval``, and
            ``interval_from``: ``bootstrap`` from five seeds on, unless it is an accuracy, else
            ``t``;
          - ``tests``: for each score and pair of entries ``score``, ``a``, ``b``, and of a minus b

            - ``paired``: whether it is paired by seed, as it is where two seeds or more are shared,
              on these alone; ``n``, pairs of seeds, else a pair of numbers; ``seeds``, the
              differences by seed, if paired;
            - ``mean`` and its 95 % ``interval``; ``interval_from``: ``bootstrap`` as above,
              ``paired t`` or ``Welch's t``;
            - ``test``: ``Wilcoxon signed-rank`` or ``Mann-Whitney U``; its two-sided ``p``;
              ``p_holm``, corrected for all tests of the score in the stage; ``least_p``, the least
              that so few seeds can have;
            - ``effect``: Vargha and Delaney's A, the chance that a seed's score of a exceeds one
              of b, 0.5 if neither is better;
            - ``t_test`` and ``t_p``: the t test, which assumes normality, and its p value.

            What too few seeds do not give is None.

        - ``continual``: for each entry the metrics over all tasks, as in ``summary.json``; empty
          unless all stages of all runs are compared and have one accuracy in common.
        - ``continual_tests``: the same tests as above, of ACC alone.

    Raises:
        RunError: a run that is not there, is damaged or is named twice; no stage can be compared.
    """
    folders = [*map(Path, runs)]
    names = _names(folders)
    configs, trials, states = zip(*map(_read, folders), strict=True)
    stages, reasons = _comparable(names, configs, trials)
    if not stages:
        raise RunError("; ".join(reasons))
    entries = [
        entry
        for name, config, found in zip(names, configs, trials, strict=True)
        for entry in _entries(name, config, found, alone=len(names) == 1)
    ]
    with intact(", ".join(map(str, folders))):
        results = [_stage(i, configs[0], trials[0], entries) for i in stages]
        over_all = {} if reasons else _over_all_tasks(entries, len(stages))
    found: dict[str, Any] = plain_numbers(
        {
            "version": VERSION,
            "runs": [
                {
                    "run": name,
                    "folder": str(folder),
                    "state": state,
                    "seeds": list(range(config.seed, config.seed + config.seeds)),
                    "not_finite": not_finite(found),
                }
                for name, folder, config, state, found in zip(
                    names, folders, configs, states, trials, strict=True
                )
            ],
            "entries": [
                {
                    "entry": entry.name,
                    "run": entry.run,
                    "arm": entry.arm,
                    "strategy": entry.strategy,
                    "transfer": entry.transfer,
                    "reference": _reference(entry, entries),
                }
                for entry in entries
            ],
            "differences": list(_differences(configs)),
            "not_compared": reasons,
            "stages": results,
            "continual": over_all,
            "continual_tests": _acc_tests(over_all, entries),
        }
    )
    return Comparison(found)


def _over_all_tasks(entries: Sequence[_Entry], tasks: int) -> dict[str, dict[str, Any]]:
    """The metrics of continual learning of each entry that has them."""
    score = accuracy_of(t for entry in entries for t in entry.trials.values())
    found = {entry.name: continual(entry.trials, score, tasks, entry.separate) for entry in entries}
    return {name: metrics for name, metrics in found.items() if metrics is not None}


def _acc_tests(over_all: Mapping[str, Mapping[str, Any]], entries: Sequence[_Entry]) -> Any:
    """All pairs of entries on ACC, corrected for their number."""
    name = "average_accuracy"
    scores = {entry: {name: _acc(metrics)} for entry, metrics in over_all.items()}
    return _tests(name, scores, entries) if over_all else []


def _acc(metrics: Mapping[str, Any]) -> dict[int, float]:
    """ACC by seed."""
    seeds = metrics["acc"]["seeds"]
    return {int(seed): value for seed, value in seeds.items() if value is not None}


def _names(folders: Sequence[Path]) -> list[str]:
    """Names of the runs: their folders, with enough of the path to be unique."""
    whole = [folder.resolve() for folder in folders]
    for i, folder in enumerate(whole):
        if folder in whole[:i]:
            raise RunError(f"{folders[i]}: this run is listed twice")
    last = [folder.name for folder in whole]
    return [
        name if last.count(name) == 1 else str(folder)
        for name, folder in zip(last, folders, strict=True)
    ]


def _read(folder: Path) -> tuple[RunConfig, list[TrialResult], str]:
    """A run's configuration, its trials, and its state."""
    if not folder.is_dir():
        raise RunError(f"{folder}: no such run")
    try:
        config = read_config(folder)
        held = holder(folder)
        with reading(folder) as db:
            trials = read_trials(db)
        return config, trials, run_state(held, [t.state for t in trials], config.n_trials)
    except (ConfigError, LineageError) as error:
        raise RunError(" ".join(str(error).splitlines())) from None


def _entries(
    run: str, config: RunConfig, trials: Sequence[TrialResult], alone: bool
) -> Iterator[_Entry]:
    for arm in config.arms:
        section = config.strategy if arm.strategy is None else arm.strategy
        yield _Entry(
            name=arm.name if alone else f"{run}: {arm.name}",
            run=run,
            arm=arm.name,
            strategy=str(section.get("name")),
            transfer=str(arm.transfer["name"]),
            separate=arm.keeps_separate,
            trials={t.seed: t for t in trials if t.arm == arm.name},
        )


def _reference(entry: _Entry, entries: Sequence[_Entry]) -> str | None:
    """The name of the entry to compare with; None for the first."""
    first = entries[0]
    if entry is first:
        return None
    same = (e for e in entries if e.run == first.run and e.arm == entry.arm and e is not entry)
    return next(same, first).name


def _comparable(
    names: Sequence[str], configs: Sequence[RunConfig], trials: Sequence[Sequence[TrialResult]]
) -> tuple[list[int], list[str]]:
    """The stages common to all runs, and why others cannot be compared."""
    stages: list[int] = []
    reasons: list[str] = []
    for i in range(max(len(config.stages) for config in configs)):
        without = [n for n, c in zip(names, configs, strict=True) if i >= len(c.stages)]
        if without:
            reasons.append(
                f"stage {stage_number(i)} is not compared: {', '.join(without)} has no such stage"
            )
            continue
        tasks = _different(i, configs, trials)
        units = [_unit(found, i) for found in trials]
        if tasks:
            reasons.append(
                f"stage {stage_number(i)} is not compared: its task is {_each(names, tasks)}"
            )
        elif len({unit for unit in units if unit}) > 1:
            counted = [unit or "nothing yet" for unit in units]
            reasons.append(
                f"stage {stage_number(i)} is not compared: it counts {_each(names, counted)}"
            )
        else:
            stages.append(i)
    return stages, reasons


def _name(stage: int, config: RunConfig, trials: Sequence[TrialResult]) -> str:
    """What a run calls a stage."""
    return config.stages[stage].called(t.stages[stage].name for t in trials if stage in t.stages)


def _different(
    stage: int, configs: Sequence[RunConfig], trials: Sequence[Sequence[TrialResult]]
) -> list[str]:
    """The tasks of all runs at a stage, if they are not the same: by what they are called."""
    tasks = [config.stages[stage].task for config in configs]
    kinds = [str(task.get("name")) for task in tasks]
    if len(set(kinds)) > 1:
        return kinds
    names = [_name(stage, *run) for run in zip(configs, trials, strict=True)]
    same = len(set(names)) == 1 or all(task == tasks[0] for task in tasks)
    return [] if same else names


def _each(names: Sequence[str], values: Sequence[str]) -> str:
    return ", ".join(f"{v} in {n}" for n, v in zip(names, values, strict=True))


def _unit(trials: Sequence[TrialResult], stage: int) -> str | None:
    return next((t.stages[stage].unit for t in trials if stage in t.stages), None)


def _differences(configs: Sequence[RunConfig]) -> Iterator[dict[str, Any]]:
    """Keys whose values differ between runs."""
    flat = [
        dict(_flat({k: v for k, v in config.model_dump(mode="json").items() if k not in ASIDE}))
        for config in configs
    ]
    for key in dict.fromkeys(key for values in flat for key in values):
        values = [plain_numbers(found.get(key)) for found in flat]
        if any(value != values[0] for value in values):
            yield {"key": key, "values": values}


def _flat(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    below = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in below:
        where = f"{place}.{key}" if place else str(key)
        if isinstance(inner, dict | list) and inner:
            yield from _flat(inner, where)
        else:
            yield where, inner


def _stage(
    i: int, config: RunConfig, trials: Sequence[TrialResult], entries: Sequence[_Entry]
) -> dict[str, Any]:
    scores = {entry.name: entry.scores(i) for entry in entries}
    names = dict.fromkeys(name for found in scores.values() for name in found)
    begun = next((t.stages[i] for t in trials if i in t.stages), None)
    episodes = returned((t for entry in entries for t in entry.trials.values()), i)
    ranges = {name: score_range(name, episodes) for name in names}
    return {
        "stage": i,
        "name": _name(i, config, trials),
        "unit": begun.unit if begun else None,
        "same_budget": len(_budgets(i, entries)) < 2,
        "results": {entry.name: _result(entry, i, scores[entry.name], ranges) for entry in entries},
        "tests": [test for name in names for test in _tests(name, scores, entries)],
    }


def _tests(
    score: str,
    scores: Mapping[str, Mapping[str, Mapping[int, float]]],
    entries: Sequence[_Entry],
) -> list[dict[str, Any]]:
    """All pairs of entries on one score, corrected for their number."""
    within = score_range(score)
    found = [
        {
            "score": score,
            "a": a.name,
            "b": b.name,
            **difference(scores[a.name].get(score, {}), scores[b.name].get(score, {}), within),
        }
        for a, b in combinations(entries, 2)
    ]
    correct(found)
    return found


def _budgets(stage: int, entries: Sequence[_Entry]) -> set[int]:
    return {t.stages[stage].budget for e in entries for t in e.trials.values() if stage in t.stages}


def _result(
    entry: _Entry,
    stage: int,
    scores: Mapping[str, Mapping[int, float]],
    ranges: Mapping[str, Range],
) -> dict[str, Any]:
    done = entry.finished(stage)
    return {
        "evaluations": skewed_statistic({k: len(s.fitnesses) for k, s in done.items()}, AMOUNT),
        "examples": skewed_statistic({k: s.examples for k, s in done.items()}, AMOUNT),
        "seconds": skewed_statistic({k: s.seconds for k, s in done.items()}, AMOUNT),
        "scores": {name: skewed_statistic(dict(v), ranges[name]) for name, v in scores.items()},
    }
