"""How a configuration that an earlier version resolved becomes one of this version.

A run's ``run.toml`` names every option that its version had, so what is missing tells the version;
a configuration that a user wrote is of this version, and stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

RESOLVED = {
    "name", "arms", "seed", "seeds", "jobs", "device", "pool", "strategy", "learner", "transfer",
    "stages",
}  # fmt: skip
"""Keys that every version wrote into ``run.toml``."""

Names: TypeAlias = Mapping[str, str]
"""What keys were called, and are now."""

POOL: Names = {"input": "input_shape"}
LEARNERS: Mapping[str, Names] = {
    "sgd": {
        "minibatches": "n_batches",
        "batch": "batch_size",
        "held_out": "validation_fraction",
        "options": "optimizer_kwargs",
        "places": "slots",
    },
    "a3c": {
        "lanes": "num_envs",
        "steps": "rollout_length",
        "entropy_cost": "entropy_coef",
        "value_cost": "value_coef",
        "max_gradient_norm": "max_grad_norm",
        "restarts": "max_restarts",
        "limit": "timeout",
    },
}
ENGINE: Names = {"limit": "timeout", "start_limit": "start_timeout", "restarts": "max_restarts"}
TASKS: Mapping[str, Names] = {
    "atari": {"skip": "frame_skip", "frames": "frame_stack"},
    "gym": {"max_steps": "max_episode_steps"},
}
ATARI = {
    "noop_max", "fire_on_reset", "episodic_life", "full_action_space", "repeat_action_probability",
    "max_episode_frames", "threads",
}  # fmt: skip
"""Options of a game that every version wrote into ``run.toml``."""
RENAMED: Sequence[Names] = (POOL, *LEARNERS.values(), *TASKS.values(), ENGINE)


def renamed(key: str, known: Collection[str]) -> str | None:
    """Which of the known keys one was called before; None where it is none of them."""
    now = (names[key] for names in RENAMED if key in names)
    return next((name for name in now if name in known), None)


def upgraded(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same configuration, as this version writes it."""
    data, transfer = _before_quick_resets(data), data.get("transfer")
    if not (data.keys() >= RESOLVED and isinstance(transfer, dict)):
        return data
    if "initial_modules" not in transfer and transfer.keys() >= {"reinitialise", "grow"}:
        data = _before_columns(data)
    return _before_the_fields_words(data)


def _before_quick_resets(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Before episodes of Atari games could start without loading the game again."""
    stages = data.get("stages")
    if not isinstance(stages, list):
        return data
    return {**data, "stages": [_reloading(stage) for stage in stages]}


def _reloading(stage: Any) -> Any:
    task = stage.get("task") if isinstance(stage, dict) else None
    if not isinstance(task, dict) or task.get("name") != "atari":
        return stage
    old = task.keys() >= ATARI and "resets" not in task
    return {**stage, "task": {**task, "resets": "reload"}} if old else stage


def _before_the_fields_words(data: Mapping[str, Any]) -> dict[str, Any]:
    """Before keys were called as other libraries call them."""
    new = {**data, "pool": _called(data["pool"], POOL), "learner": _learner_called(data["learner"])}
    if "engine" in data:
        new["engine"] = _called(data["engine"], ENGINE)
    if isinstance(data["stages"], list):
        new["stages"] = [_stage_called(stage) for stage in data["stages"]]
    return new


def _stage_called(stage: Any) -> Any:
    if not isinstance(stage, dict):
        return stage
    task = stage.get("task")
    names = TASKS.get(str(task.get("name")), {}) if isinstance(task, dict) else {}
    parts = {"task": _called(task, names), "learner": _learner_called(stage.get("learner"))}
    return {key: parts.get(key, value) for key, value in stage.items()}


def _learner_called(section: Any) -> Any:
    if not isinstance(section, dict):
        return section
    new = _called(section, LEARNERS.get(str(section.get("name")), {}))
    if new.get("name") == "a3c" and new.get("divide") == "lanes":
        new["divide"] = "envs"
    return new


def _called(section: Any, names: Names) -> Any:
    """A section with its keys as they are called now; one that has both is left to be refused."""
    if not isinstance(section, dict):
        return section
    return {
        key if names.get(key, key) in section else names[key]: value
        for key, value in section.items()
    }


def _before_columns(data: Mapping[str, Any]) -> dict[str, Any]:
    """Before tasks could listen to columns, and optimizers kept their state."""
    transfer = dict(data["transfer"])
    always = transfer.pop("always_active", None)
    transfer["connect"] = {None: "published", True: "sum", False: "named"}.get(always, always)
    transfer["initial_modules"] = "fresh"
    new = {**data, "transfer": transfer, "learner": _learner(data["learner"])}
    if isinstance(data["stages"], list):
        new["stages"] = [dict(_stage(stage)) for stage in data["stages"]]
    return new


def _stage(stage: Any) -> Iterator[tuple[str, Any]]:
    for key, value in stage.items() if isinstance(stage, dict) else ():
        yield key, _learner(value) if key == "learner" else value


def _learner(section: Any) -> Any:
    """A learner's section; what is none is left to be refused where all else is."""
    if not isinstance(section, dict):
        return section
    learner = dict(section)
    if learner.get("name") == "sgd":
        learner["optimizer_state"] = "fresh"
    if learner.get("name") == "a3c":
        annealing = learner.pop("annealing", True)
        learner["schedule"] = "linear" if annealing else "constant"
    return learner
