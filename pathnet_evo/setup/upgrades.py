"""How a configuration that an earlier version resolved becomes one of this version.

A run's ``run.toml`` names every option that its version had, so what is missing tells the version;
a configuration that a user wrote is of this version, and stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

RESOLVED = {
    "name", "arms", "seed", "seeds", "jobs", "device", "pool", "strategy", "learner", "transfer",
    "stages",
}  # fmt: skip
"""Keys that every version wrote into ``run.toml``."""


def upgraded(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same configuration, as this version writes it."""
    transfer = data.get("transfer")
    if not (data.keys() >= RESOLVED and isinstance(transfer, dict)):
        return data
    if "initial_modules" in transfer or not transfer.keys() >= {"reinitialise", "grow"}:
        return data
    return _before_columns(data)


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
