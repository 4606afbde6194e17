"""A run's folder, created atomically."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tomli_w

from pathnet_evo.errors import UserError
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup.config import RunConfig
from pathnet_evo.setup.json_schema import SCHEMA_COMMENT
from pathnet_evo.setup.plan import Plan
from pathnet_evo.store.places import read_plain
from pathnet_evo.system.replacing import replace
from pathnet_evo.values.encodings import in_words
from pathnet_evo.values.names import folder_name

LEFT = re.compile(
    r"\.(run\.toml|about\.json|summary\.json|pictures\.json|report(\.html)?"
    r"|sweep\.(toml|json|csv|html)|matrix\.(toml|json|html))\.tmp-\d+"
)
"""Names of files that ``replace`` was writing when its process was killed."""
LEFT_WITHIN = {
    "metrics": re.compile(r"\..+\.csv\.tmp-\d+"),
    "figures": re.compile(r"\..+\.(png|pdf|svg)\.tmp-\d+"),
}
"""The same in folders of a run."""


class DirectoryError(UserError):
    """A run's folder cannot be created."""


def create(
    plan: Plan, registry: Registry, runs: Path, name: str | None, device: str, command: str
) -> Path:
    """Create ``runs/NAME`` with ``run.toml`` and ``about.json``.

    Args:
        plan: what will be run.
        registry: the plugins it was resolved with.
        runs: the folder of all runs.
        name: what to call it; None is the configuration's name, numbered from its second run.
        device: where it will compute.
        command: what repeats it.

    Raises:
        DirectoryError: a bad name, a name that exists, or a folder that cannot be written.
    """
    try:
        for arm in plan.arms:
            os.fsencode(arm)  # it names folders of checkpoints, once there are any
    except UnicodeEncodeError as error:
        raise DirectoryError(in_words(error)) from None
    with claimed(runs, plan.config.name, name) as folder:
        known = about(registry, device, command, plan.deterministic)
        replace(folder / "about.json", json.dumps(known, indent=1))
        replace(folder / "run.toml", resolved(plan))
    return folder


@contextmanager
def claimed(runs: Path, default: str, name: str | None) -> Iterator[Path]:
    """Create a new folder with this name, or with the default name and a number.

    If the first files cannot be written into it, it is removed.

    Raises:
        DirectoryError: a bad name, one that exists, or a folder that cannot be written.
    """
    try:
        folder = _claim(runs, default, name)
        try:
            yield folder
        except BaseException:
            with suppress(DirectoryError, OSError):
                remove_unbegun(folder)
            raise
    except OSError as error:
        raise DirectoryError(
            f"{error.filename or runs}: cannot be written ({error.strerror})"
        ) from None
    except UnicodeEncodeError as error:
        raise DirectoryError(in_words(error)) from None


def _claim(runs: Path, default: str, name: str | None) -> Path:
    wanted = default if name is None else name
    try:
        folder_name(wanted)
    except ValueError as error:
        raise DirectoryError(f"--name {wanted!r}: {error}") from None
    runs.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        folder = runs / (wanted if number == 1 else f"{wanted}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            if name is not None:
                raise DirectoryError(_taken(name, folder)) from None
            number += 1
            continue
        return folder


def _taken(name: str, folder: Path) -> str:
    text = f"--name {name}: {folder} exists; choose another name"
    if is_unbegun(folder):
        return f"{text}, or remove it with `pathnet-evo rm {folder}`: it holds no run"
    return text


def resolved(plan: Plan) -> str:
    """The content of ``run.toml``."""
    about = "# Resolved configuration; `pathnet-evo run run.toml` repeats it."
    return f"{SCHEMA_COMMENT}\n{about}\n\n{toml(plan)}"


def clear(folder: Path) -> None:
    """Remove partial files of a killed process."""
    for place, left in {".": LEFT, **LEFT_WITHIN}.items():
        for path in (folder / place).glob(".*.tmp-*"):
            if left.fullmatch(path.name):
                path.unlink(missing_ok=True)


def remove_unbegun(home: Path) -> None:
    """Remove a run's folder that only holds files written before ``run.toml``.

    Raises:
        DirectoryError: it holds something else, which is nobody's to remove.
    """
    if home.is_symlink():
        raise DirectoryError(f"{home}: a link in place of a run; remove it")
    if not home.is_dir():
        return
    found = sorted(home.iterdir())
    if others := _begun(found):
        raise DirectoryError(
            f"{home}: this folder is needed for a run, but it contains "
            f"{others[0].name}; move it away"
        )
    try:
        for path in found:
            path.unlink()
        home.rmdir()
    except OSError as error:
        raise DirectoryError(f"{home}: cannot be removed ({error.strerror})") from None


def is_unbegun(home: Path) -> bool:
    """Whether ``remove_unbegun`` would remove a folder; what cannot be listed is not."""
    try:
        return not home.is_symlink() and not _begun(home.iterdir())
    except OSError:
        return False


def _begun(found: Iterable[Path]) -> list[Path]:
    """What is not written before ``run.toml``."""
    return [path for path in found if path.name != "about.json" and not LEFT.fullmatch(path.name)]


def toml(plan: Plan) -> str:
    """The configuration with all defaults, as TOML."""
    config: RunConfig = plan.config
    data = config.model_dump(mode="json")
    data["strategy"] = {**config.strategy, **_base_settings(plan)}
    data["engine"] = {"name": config.engine["name"], **plan.engine.model_dump(mode="json")}
    for section, stage in zip(data["stages"], plan.stages, strict=True):
        section["task"] = {"name": section["task"]["name"], **stage.task.model_dump(mode="json")}
        learner = section["learner"] or data["learner"]
        section["learner"] = {"name": learner["name"], **stage.learner.model_dump(mode="json")}
    return tomli_w.dumps(without_nothing(data))


def _base_settings(plan: Plan) -> dict[str, Any]:
    for arm, wanted in zip(plan.arms.values(), plan.config.arms, strict=True):
        if wanted.strategy is None:
            return arm.settings.model_dump(mode="json")
    return {}


def without_nothing(value: Any) -> Any:
    """TOML has no null; missing keys represent it."""
    if isinstance(value, dict):
        return {k: without_nothing(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [without_nothing(v) for v in value]
    return value


def about(
    registry: Registry, device: str, command: str, deterministic: bool = True
) -> dict[str, Any]:
    """Versions and machine, for repeating the run."""
    import torch

    return {
        "version": version("pathnet-evo"),
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "machine": f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores",
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "deterministic": deterministic,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "plugins": {
            p.name: f"{p.distribution} {p.version}".strip() or p.value for p in registry.plugins
        },
    }


def same_machine(one: Path, other: Path) -> bool:
    """Whether two runs were begun with the same versions on the same kind of machine."""
    what = ("version", "python", "torch", "machine", "device", "plugins")
    about, there = _known(one), _known(other)
    return all(about.get(key) == there.get(key) for key in what)


def took_over(folder: Path, places: Mapping[str, str], again: Collection[str] = ()) -> None:
    """Record in ``about.json`` which stages were learned by another run.

    Args:
        folder: the run's folder.
        places: by the place of a checkpoint, the name of the run that it was taken over from.
        again: homes of the checkpoints of trials that start over; theirs are forgotten.
    """
    known = _known(folder)
    before = known.get("taken_over")
    kept = before if isinstance(before, dict) else {}
    kept = {place: run for place, run in kept.items() if place.rpartition("/")[0] not in again}
    if places or kept != (before or {}):
        taken = {**kept, **places}
        replace(folder / "about.json", json.dumps({**known, "taken_over": taken}, indent=1))


def _known(folder: Path) -> dict[str, Any]:
    """The content of ``about.json``; nothing if it is damaged."""
    try:
        known = json.loads(read_plain(folder / "about.json"))
    except (OSError, ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}


def set_aside_about(folder: Path) -> Path:
    """Keep a damaged ``about.json`` under another name; the place."""
    return (folder / "about.json").replace(folder / "about.json.damaged")


def went_on(
    folder: Path, command: str, places: dict[str, str], accepted: Sequence[str] = ()
) -> None:
    """Record in ``about.json`` that a run resumed, and where each trial was cut.

    Args:
        folder: the run's folder.
        command: what was typed.
        places: the checkpoint that each trial goes on from, by the trial's name.
        accepted: changes of the data that were accepted.
    """
    known = _known(folder)
    before = known.get("resumed")
    resumed = [*before] if isinstance(before, list) else []
    now = datetime.now(UTC).isoformat(timespec="seconds")
    made = version("pathnet-evo")
    sitting: dict[str, Any] = {"at": now, "version": made, "command": command, "from": places}
    if accepted:
        sitting["accepted"] = list(accepted)
    resumed.append(sitting)
    replace(folder / "about.json", json.dumps({**known, "resumed": resumed}, indent=1))
