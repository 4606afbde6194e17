"""What came out of a run: ``summary.json``, computed from its lineage, finished or not."""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import accumulate, combinations
from pathlib import Path
from typing import Any

from scipy.special import stdtr, stdtrit

from pathnet_evo.config import RunConfig, parse, validate
from pathnet_evo.errors import UserError
from pathnet_evo.genotype import distinct, n_modules
from pathnet_evo.run.curves import area_speed_up, learning_curve
from pathnet_evo.run.lineage import digest, never_begun, open_lineage
from pathnet_evo.run.lock import holder

VERSION = 1
"""Version of the summary's shape."""

CONTROL = "independent"
"""The arm that speed-up is measured against."""


class RunError(UserError):
    """A run that cannot be read; the message is one line that says why."""


@dataclass(frozen=True)
class StageResult:
    """One stage of one trial, as the lineage has it.

    Args:
        stage: index in the sequence.
        name: the name of stage or task.
        budget: evaluations at the most, or frames where ``by_frames``.
        by_frames: whether the budget counts examples or frames.
        chance: the chief score of who has learned nothing, or None.
        counts: modules of each layer.
        fitness_name: what the fitness is.
        unit: what its evaluations count.
        finished: whether its best path was found and scored.
        generations: how many are over.
        examples: examples or frames used.
        episodes: the frames used when each ended, and its score.
        failed: evaluations without a fitness.
        fitnesses: each evaluation's fitness in the order told; None where it failed.
        fitness: the fitness of the best path; None until the stage is over.
        reused: modules of the best path that an earlier stage froze.
        scores: for each stage so far, its held-out scores right after this one.
        seconds: how long it took; None until the stage is over.
        frozen: modules that are frozen after it; None until the stage is over.
        front: of a strategy with several objectives, what there was to choose from.
    """

    stage: int
    name: str
    budget: int
    by_frames: bool
    chance: float | None
    counts: tuple[int, ...]
    fitness_name: str
    unit: str
    finished: bool
    generations: int
    examples: int
    episodes: tuple[tuple[int, float], ...]
    failed: int
    fitnesses: tuple[float | None, ...]
    fitness: float | None
    reused: int | None
    scores: dict[int, dict[str, float]]
    seconds: float | None
    frozen: int | None = None
    front: dict[str, Any] | None = None


@dataclass(frozen=True)
class TrialResult:
    """One arm and one seed, as far as they came."""

    trial: int
    arm: str
    seed: int
    state: str
    error: str | None
    stages: dict[int, StageResult]

    def finished(self, stage: int) -> StageResult | None:
        """A stage that was learned to its end, or None."""
        result = self.stages.get(stage)
        return result if result is not None and result.finished else None


def summarise(folder: Path, running: bool | None = None, digested: bool = True) -> dict[str, Any]:
    """The content of ``summary.json``: plain data that is equal for equal runs.

    Only what lies under ``times`` and ``about`` differs between a run and its repetition.

    Args:
        folder: a run's folder, with ``run.toml`` and ``lineage.sqlite``.
        running: whether somebody is writing it; None asks its lock.
        digested: read the whole lineage for its digest; else that is None.

    Raises:
        RunError: no such run, or its ``about.json`` is damaged.
        ConfigError: ``run.toml`` is damaged.
        LineageError: ``lineage.sqlite`` is damaged.
    """
    config = read_config(folder)
    about = read_about(folder)
    lineage = folder / "lineage.sqlite"
    held = holder(folder)
    with closing(open_lineage(lineage)) as db, intact(lineage):
        trials = read_trials(db)
    arms = [arm.name for arm in config.arms]
    of_arm = {arm: {t.seed: t for t in trials if t.arm == arm} for arm in arms}
    stages = [_stage(i, config, trials) for i in range(len(config.stages))]
    return {
        "version": VERSION,
        "name": config.name,
        "state": run_state(
            [t.state for t in trials],
            len(arms) * config.seeds,
            running=held is not None and held.alive if running is None else running,
            killed=running is None and held is not None,
        ),
        "deterministic": about.get("deterministic"),
        "digest": digest(lineage) if digested else None,
        "seeds": list(range(config.seed, config.seed + config.seeds)),
        "stages": stages,
        "arms": {arm: _arm(of_arm[arm], len(stages)) for arm in arms},
        "speed_up": _speed_ups(config, of_arm, stages),
        "comparisons": list(_comparisons(config, of_arm, len(stages))),
        "times": {arm: _times(of_arm[arm], len(stages)) for arm in arms},
        "about": about,
    }


def read_config(folder: Path) -> RunConfig:
    """A run's configuration, as far as it concerns the framework alone.

    Raises:
        RunError: there is no such run, or its configuration is not the one it ran with.
        ConfigError: the configuration is damaged.
    """
    path = folder / "run.toml"
    return validate(parse(config_text(folder), str(path)), str(path))


def config_text(folder: Path) -> str:
    """What ``run.toml`` holds, if it is what the lineage says it held.

    Raises:
        RunError: there is no such run, or the file was changed.
    """
    path, lineage = folder / "run.toml", folder / "lineage.sqlite"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{folder}: not a run's folder ({path.name}: {error})") from None
    if not never_begun(lineage):
        with closing(open_lineage(lineage)) as db, intact(lineage):
            known = [row["sha256"] for row in db.execute("SELECT sha256 FROM configurations")]
        if known and hashlib.sha256(text.encode()).hexdigest() not in known:
            raise RunError(
                f"{path}: not the configuration that the run had (damaged, or changed by hand); "
                f"put it back; `pathnet-evo resume {folder} --set` changes what may change"
            )
    return text


@contextmanager
def intact(lineage: Path) -> Iterator[None]:
    """What cannot be made sense of in a lineage, as one line."""
    try:
        yield
    except (sqlite3.Error, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise RunError(f"{lineage}: damaged ({type(error).__name__}: {error})") from None


def read_about(folder: Path) -> dict[str, Any]:
    """What is known of the machine and the command; nothing where nobody wrote it down.

    Raises:
        RunError: the file is damaged.
    """
    path = folder / "about.json"
    if not path.is_file():
        return {}
    try:
        about = plain_numbers(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise RunError(f"{path}: damaged ({error})") from None
    if not isinstance(about, dict):
        raise RunError(f"{path}: damaged (not a table)")
    return about


def read_trials(db: sqlite3.Connection) -> list[TrialResult]:
    """Every trial that has begun, with every stage that has."""
    found = []
    for row in db.execute("SELECT * FROM trials ORDER BY trial").fetchall():
        stages = db.execute(
            "SELECT s.*, t.seconds FROM stages s LEFT JOIN stage_times t USING (trial, stage) "
            "WHERE s.trial = ? ORDER BY s.stage",
            (row["trial"],),
        ).fetchall()
        results = {stage["stage"]: _stage_result(db, stage) for stage in stages}
        found.append(
            TrialResult(row["trial"], row["arm"], row["seed"], row["state"], row["error"], results)
        )
    return found


def _stage_result(db: sqlite3.Connection, row: sqlite3.Row) -> StageResult:
    key = (row["trial"], row["stage"])
    where = "WHERE trial = ? AND stage = ?"
    (generations,) = db.execute(f"SELECT count(*) FROM generations {where}", key).fetchone()  # noqa: S608
    evaluations = db.execute(
        f"SELECT fitness, examples FROM evaluations {where} ORDER BY evaluation",  # noqa: S608
        key,
    ).fetchall()
    episodes = db.execute(f"SELECT at, score FROM episodes {where} ORDER BY episode", key)  # noqa: S608
    fitnesses = tuple(e["fitness"] for e in evaluations)
    used = row["examples"]
    scores = json.loads(row["scores"]) if row["scores"] else {}
    return StageResult(
        stage=row["stage"],
        name=row["task"],
        budget=row["budget"],
        by_frames=bool(row["by_frames"]),
        chance=row["chance"],
        counts=tuple(json.loads(row["counts"])),
        fitness_name=row["fitness_name"],
        unit=row["unit"],
        finished=row["path"] is not None,
        generations=generations,
        examples=sum(e["examples"] for e in evaluations) if used is None else used,
        episodes=tuple((at, score) for at, score in episodes),
        failed=fitnesses.count(None),
        fitnesses=fitnesses,
        fitness=row["fitness"],
        reused=sum(map(len, json.loads(row["reused"]))) if row["reused"] else None,
        scores={int(stage): values for stage, values in scores.items()},
        seconds=row["seconds"],
        frozen=sum(map(len, json.loads(row["frozen"]))) if row["frozen"] else None,
        front=_front(db, key),
    )


def _front(db: sqlite3.Connection, key: tuple[int, int]) -> dict[str, Any] | None:
    row = db.execute(
        "SELECT data FROM events WHERE trial = ? AND stage = ? AND kind = 'front'", key
    ).fetchone()
    if row is None:
        return None
    found = json.loads(row["data"])
    members = [
        {
            "objectives": values,
            "path": distinct(rows),
            "modules": n_modules(distinct(rows)),
            "chosen": i == found["chosen"],
        }
        for i, (rows, values) in enumerate(found["members"])
    ]
    return {"objectives": found["objectives"], "rule": found["rule"], "members": members}


def run_state(
    states: Sequence[str], expected: int, running: bool = False, killed: bool = False
) -> str:
    """What became of a run, from the states of those of its trials that have begun.

    Args:
        states: of the trials that have begun.
        expected: how many trials there are to be.
        running: whether somebody holds it.
        killed: whether it was held when its process ended.
    """
    if running:
        return "running"
    if "running" in states or (killed and set(states) != {"finished"}):
        return "killed"
    if "failed" in states:
        return "failed"
    if "interrupted" in states or len(states) < expected:
        return "interrupted"
    return "finished"


# What arms did ----------------------------------------------------------------------------


def statistic(values: Mapping[int, float | None]) -> dict[str, Any]:
    """Values by seed with their mean and its 95 % interval (Student's t over seeds).

    Args:
        values: by seed; what is None or not finite is shown as None and left out.

    Returns:
        ``seeds``, ``n``, ``mean`` and ``interval``, which is None with fewer than two values.
    """
    finite = [v for v in values.values() if v is not None and math.isfinite(v)]
    mean, interval = mean_interval(finite)
    seeds = {str(seed): plain_numbers(value) for seed, value in values.items()}
    return {"seeds": seeds, "n": len(finite), "mean": mean, "interval": interval}


def mean_interval(values: Sequence[float]) -> tuple[float | None, list[float] | None]:
    """The mean and its 95 % interval; None where there are too few values."""
    n = len(values)
    if n == 0:
        return None, None
    mean = math.fsum(values) / n
    if n == 1:
        return mean, None
    reach = float(stdtrit(n - 1, 0.975)) * _deviation(values, mean) / math.sqrt(n)
    return mean, [mean - reach, mean + reach]


def paired_p(differences: Sequence[float]) -> float | None:
    """Two-sided p value of the paired t test; None with fewer than two pairs or no variance."""
    n = len(differences)
    if n < 2:
        return None
    mean = math.fsum(differences) / n
    deviation = _deviation(differences, mean)
    if deviation <= 1e-12 * max(abs(mean), 1e-300):
        return None
    return float(2 * stdtr(n - 1, -abs(mean) / (deviation / math.sqrt(n))))


def _deviation(values: Sequence[float], mean: float) -> float:
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))


def plain_numbers(value: Any) -> Any:
    """The same data with None for every number that JSON does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: plain_numbers(v) for key, v in value.items()}
    return [plain_numbers(v) for v in value] if isinstance(value, list) else value


def _stage(i: int, config: RunConfig, trials: Sequence[TrialResult]) -> dict[str, Any]:
    """What is the same of a stage for all trials; partly None where none has begun it."""
    begun = next((t.stages[i] for t in trials if i in t.stages), None)
    wanted = config.stages[i]
    scored = (t.stages[i].scores.get(i) for t in trials if i in t.stages)
    score = next((next(iter(scores)) for scores in scored if scores), None)
    return {
        "stage": i,
        "name": begun.name if begun else wanted.name or str(wanted.task.get("name", i)),
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
    """The chief score of who has learned nothing, by seed; None where learners do not tell it."""
    begun = {t.seed: t.stages[i].chance for t in trials if i in t.stages}
    return None if all(value is None for value in begun.values()) else statistic(begun)


def _arm(trials: Mapping[int, TrialResult], n_stages: int) -> dict[str, Any]:
    return {
        "trials": [
            {"trial": t.trial, "seed": t.seed, "state": t.state, "error": t.error}
            for t in trials.values()
        ],
        "stages": [_arm_stage(trials, i, n_stages - 1) for i in range(n_stages)],
    }


def _arm_stage(trials: Mapping[int, TrialResult], i: int, last: int) -> dict[str, Any]:
    done = {seed: s for seed, t in trials.items() if (s := t.finished(i))}
    after = {
        j: {
            seed: s.scores[i]
            for seed, t in trials.items()
            if (s := t.finished(j)) and i in s.scores
        }
        for j in range(i, last + 1)
    }

    def over_seeds(value: Callable[[StageResult], float | None]) -> dict[str, Any]:
        return statistic({seed: value(s) for seed, s in done.items()})

    return {
        "stage": i,
        "evaluations": over_seeds(lambda s: len(s.fitnesses)),
        "generations": over_seeds(lambda s: s.generations),
        "examples": over_seeds(lambda s: s.examples),
        "fitness": over_seeds(lambda s: s.fitness),
        "reused": over_seeds(lambda s: s.reused),
        "frozen": over_seeds(lambda s: s.frozen),
        "modules": over_seeds(lambda s: sum(s.counts)),
        "failed": over_seeds(lambda s: s.failed),
        "scores": _by_name(after[i]),
        "rescores": {str(j): _by_name(after[j]) for j in range(i + 1, last + 1) if after[j]},
        "forgetting": _by_name(_minus(after[i], after[last])) if i < last else {},
        "fronts": {str(seed): s.front for seed, s in done.items() if s.front},
        "curves": {str(seed): curve for seed, s in done.items() if (curve := _curve(s))},
        "unfinished": {
            str(seed): {"evaluations": len(s.fitnesses), "failed": s.failed}
            for seed, t in trials.items()
            if (s := t.stages.get(i)) and not s.finished
        },
    }


def _curve(stage: StageResult) -> dict[str, Any] | None:
    """A stage's learning curve against frames: its points, and the frames that all of them cover.

    None where there are no episodes, or no score of chance to begin with.
    """
    if not stage.episodes or stage.chance is None:
        return None
    frames = _frames(stage)
    return {"frames": frames, "scores": learning_curve(stage.episodes, stage.chance, frames)}


def _frames(*stages: StageResult) -> int:
    """The frames that the learning curves of all of these cover."""
    return min(stage.budget if stage.by_frames else stage.examples for stage in stages)


def _by_name(scores: Mapping[int, Mapping[str, float]]) -> dict[str, Any]:
    names = dict.fromkeys(name for values in scores.values() for name in values)
    return {
        name: statistic({seed: v[name] for seed, v in scores.items() if name in v})
        for name in names
    }


def _minus(
    a: Mapping[int, Mapping[str, float]], b: Mapping[int, Mapping[str, float]]
) -> dict[int, dict[str, float]]:
    """Scores minus scores, where both are there."""
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
        {"stage": i, "seconds": statistic({seed: s.seconds for seed, s in stages.items()})}
        for i, stages in enumerate(done)
    ]


# Arms against controls --------------------------------------------------------------------


def _comparisons(
    config: RunConfig, of_arm: Mapping[str, Mapping[int, TrialResult]], n_stages: int
) -> Iterator[dict[str, Any]]:
    """Each arm's held-out scores minus each control's, paired by seed."""
    controls = {arm.name for arm in config.arms if arm.strategy is not None}
    order = sorted(of_arm, key=lambda arm: (arm in controls) + (arm == CONTROL))
    for i in range(n_stages):
        scores = {
            arm: {seed: s.scores.get(i, {}) for seed, t in trials.items() if (s := t.finished(i))}
            for arm, trials in of_arm.items()
        }
        for arm, control in combinations(order, 2):
            if control not in controls:
                continue
            for name, found in _by_name(_minus(scores[arm], scores[control])).items():
                values = [v for v in found["seeds"].values() if v is not None]
                what = {"stage": i, "score": name, "arm": arm, "control": control}
                yield {**what, **found, "p": paired_p(values)}


def _speed_ups(
    config: RunConfig,
    of_arm: Mapping[str, Mapping[int, TrialResult]],
    stages: Sequence[Mapping[str, Any]],
) -> dict[str, list[dict[str, Any]]]:
    """Each arm's speed-up over the independent control.

    Stages that count examples are measured by when the arms got somewhere, those that count frames
    by the areas under their learning curves.
    """
    if CONTROL not in of_arm:
        return {}
    found: dict[str, list[dict[str, Any]]] = {}
    for arm in of_arm:
        if arm == CONTROL:
            continue
        found[arm] = []
        for i, stage in enumerate(stages):
            both = {
                seed: (ours, theirs)
                for seed, t in of_arm[arm].items()
                if (ours := t.finished(i))
                and seed in of_arm[CONTROL]
                and (theirs := of_arm[CONTROL][seed].finished(i))
            }
            if stage["unit"] == "examples":
                threshold = config.stages[i].threshold
                measure = "smoothed" if threshold is None else "threshold"
                pairs = {seed: _by_target(*pair, threshold) for seed, pair in both.items()}
            elif stage["unit"] == "frames":
                measure = "area"
                pairs = {seed: _by_area(*pair) for seed, pair in both.items()}
            else:
                continue
            known = {seed: pair for seed, pair in pairs.items() if pair is not None}
            found[arm].append({"stage": i, "measure": measure, **_over_pairs(known)})
    return found


def _by_target(
    arm: StageResult, control: StageResult, threshold: float | None
) -> dict[str, Any] | None:
    return speed_up(arm.fitnesses, control.fitnesses, arm.budget, threshold)


def _by_area(arm: StageResult, control: StageResult) -> dict[str, Any] | None:
    """None where no episode ended, or nobody knows the score of chance."""
    if control.chance is None or not (arm.episodes or control.episodes):
        return None
    return area_speed_up(arm.episodes, control.episodes, control.chance, _frames(arm, control))


def speed_up(
    arm: Sequence[float | None],
    control: Sequence[float | None],
    budget: int,
    threshold: float | None,
) -> dict[str, Any] | None:
    """Evaluations that the control needs to the target over those of the arm.

    The target is the threshold, or without one the final value of the control's smoothed curve.

    Args:
        arm: fitness of each evaluation; None where it failed.
        control: the same of the control.
        budget: evaluations that each of them had.
        threshold: the fitness to reach, or None.

    Returns:
        ``value``, ``censored`` (who never reached the target: ``arm``, then the value is an upper
        bound; ``control``, then a lower one; ``both``, then there is none; or None), ``target``,
        and the evaluations of ``arm`` and ``control``. None where there are too few evaluations
        for a smoothed curve.
    """
    if threshold is None:
        window = smoothing_window(budget)
        curves = [smoothed(arm, window), smoothed(control, window)]
        if not all(curves) or curves[1][-1] is None:
            return None
        target, first = curves[1][-1], window
    else:
        target, first = threshold, 1
        curves = [list(arm), list(control)]
    ours, theirs = (_reached(curve, target, first) for curve in curves)
    censored = {
        (False, False): None,
        (True, False): "arm",
        (False, True): "control",
        (True, True): "both",
    }[ours is None, theirs is None]
    value = None if censored == "both" else (theirs or len(control)) / (ours or len(arm))
    return {"value": value, "censored": censored, "target": target, "arm": ours, "control": theirs}


def smoothing_window(budget: int) -> int:
    """Evaluations that a smoothed learning curve averages: a tenth of the budget, at least 20."""
    return max(20, round(budget / 10))


def smoothed(fitnesses: Sequence[float | None], window: int) -> list[float | None]:
    """Trailing means over ``window`` evaluations, from the first full window on.

    Failed evaluations count as evaluations and are left out of the mean.
    """
    sums = [0.0, *accumulate(0.0 if f is None else f for f in fitnesses)]
    finite = [0, *accumulate(f is not None for f in fitnesses)]
    return [
        (sums[end] - sums[end - window]) / n if (n := finite[end] - finite[end - window]) else None
        for end in range(window, len(fitnesses) + 1)
    ]


def _reached(curve: Sequence[float | None], target: float, first: int) -> int | None:
    """Evaluations until a curve that begins after ``first`` of them reaches its target."""
    enough = target - 1e-12 * max(1.0, abs(target))  # sums are rounded
    return next((i + first for i, v in enumerate(curve) if v is not None and v >= enough), None)


def _over_pairs(pairs: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
    """Geometric mean of the pairs that are not censored, its interval from t on logarithms.

    There is none where one of the values is not positive, or cannot be said; areas have the mean
    of their differences besides.
    """
    told = [p["value"] for p in pairs.values() if p["censored"] is None]
    logs = [math.log(v) for v in told] if all(v is not None and v > 0 for v in told) else []
    mean, interval = mean_interval(logs)
    differences = {seed: p["difference"] for seed, p in pairs.items() if "difference" in p}
    return {
        "seeds": {str(seed): pair for seed, pair in pairs.items()},
        "n": len(logs),
        "censored": len(pairs) - len(told),
        "mean": None if mean is None else math.exp(mean),
        "interval": None if interval is None else [math.exp(end) for end in interval],
        **({"difference": statistic(differences)} if differences else {}),
    }
