"""The transfer matrix: every source followed by every target, each pair a run of its own."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w

from pathnet_evo.analysis.arms import CONTROL
from pathnet_evo.analysis.summary import summarise
from pathnet_evo.errors import UserError
from pathnet_evo.setup.config import RunConfig, StageConfig, parse, validate
from pathnet_evo.setup.problems import ConfigError, Problem
from pathnet_evo.store.directory import claimed, remove_unbegun, without_nothing
from pathnet_evo.store.places import read_plain
from pathnet_evo.store.reading import RunError, read_summary
from pathnet_evo.system.replacing import replace

VERSION = 1
"""Version of the matrix's schema."""
FILE = "matrix.toml"
"""The file in a matrix's folder with the configuration of all its runs."""
RESULTS, PAGE = "matrix.json", "matrix.html"
"""The files with its speed-ups: for programs, and for readers."""


def pairs(config: RunConfig) -> dict[tuple[str, str], RunConfig]:
    """The run for each source and target, which learns one and then the other.

    Args:
        config: with ``sources``: how many of its stages, the first ones, are sources.

    Raises:
        ConfigError: no stage is left as a target, or two sources or targets have one name.
    """
    count = config.sources
    assert count is not None
    if count >= len(config.stages):
        raise ConfigError(
            [
                Problem(
                    "sources",
                    f"{count} of {len(config.stages)} stages leave no target",
                )
            ]
        )
    sources, targets = _named(config.stages, 0, count), _named(config.stages, count)
    found = {}
    for source, first in sources.items():
        for target, second in targets.items():
            update = {
                "name": f"{source}-{target}",
                "sources": None,
                "stages": [first, second],
            }
            found[source, target] = config.model_copy(update=update)
    return found


def _named(stages: Sequence[StageConfig], start: int, end: int | None = None) -> dict[str, Any]:
    """Stages by names that are valid folder names."""
    found: dict[str, StageConfig] = {}
    for i, stage in enumerate(stages[start:end], start):
        task = stage.task
        said = stage.name or task.get("game") or task.get("id") or task.get("name") or "task"
        name = re.sub(r"[^a-z0-9_.]+", "-", str(said).lower()).strip("-.") or "task"
        if name in found:
            problem = f"another stage's run would also be called {name!r}; name the stage"
            raise ConfigError([Problem(f"stages.{i}.name", problem)])
        found[name] = stage
    return found


def add_seeds(folder: Path, seeds: int) -> None:
    """Record that a matrix is to have more seeds, so that every later ``resume`` learns them.

    Raises:
        UserError: it has more already, or is no matrix.
        OSError: ``matrix.toml`` cannot be written.
    """
    config = recorded(folder)
    if seeds < config.seeds:
        raise UserError(f"{folder}: has {config.seeds} seeds; seeds can be added, not removed")
    if seeds > config.seeds:
        replace(folder / FILE, _toml(config.model_copy(update={"seeds": seeds})))


def others(folder: Path, config: RunConfig, name: str) -> list[Path]:
    """The folders of the other runs with the same source, which learn the same first stage."""
    by_source: dict[str, list[str]] = {}
    for (source, _), run in pairs(config).items():
        by_source.setdefault(source, []).append(run.name)
    (same,) = (names for names in by_source.values() if name in names)
    return [folder / other for other in same if other != name]


def create(config: RunConfig, runs: Path, name: str | None) -> Path:
    """Create the folder of a matrix, with ``matrix.toml``, which repeats its runs.

    Raises:
        DirectoryError: a bad name, a name that exists, or a folder that cannot be written.
    """
    with claimed(runs, config.name, name) as folder:
        replace(folder / FILE, _toml(config))
    return folder


def _toml(config: RunConfig) -> str:
    """The content of ``matrix.toml``."""
    toml = tomli_w.dumps(without_nothing(config.model_dump(mode="json")))
    return f"# `pathnet-evo run {FILE}` repeats all runs of this matrix.\n\n{toml}"


def unfinished(folder: Path, config: RunConfig) -> Iterator[RunConfig]:
    """The runs of a matrix that are unfinished, or have fewer seeds than wanted, evaluated lazily.

    What is left of one that was killed before it had a ``run.toml`` is removed.
    """
    for run in pairs(config).values():
        home = folder / run.name
        try:
            summary = read_summary(home)
        except RunError:
            over = False
        else:
            fewest = min((len(arm["trials"]) for arm in summary["arms"].values()), default=0)
            over = summary["state"] == "finished" and fewest >= config.seeds
        if over:
            continue
        if not (home / "run.toml").exists() and not (home / "lineage.sqlite").exists():
            remove_unbegun(home)
        yield run


def recorded(folder: Path) -> RunConfig:
    """The configuration of all runs of a matrix; nothing that it names is imported.

    Raises:
        UserError: not the folder of a matrix.
    """
    path = folder / FILE
    try:
        return validate(parse(read_plain(path), str(path)), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{folder}: not the folder of a matrix ({FILE}: {error})") from None


def write_matrix(folder: Path) -> dict[str, Any]:
    """Write ``matrix.json`` from the existing runs, finished or not, and return it."""
    matrix = transfer_matrix(folder)
    replace(folder / RESULTS, text(matrix))
    return matrix


def text(matrix: Mapping[str, Any]) -> str:
    """The content of ``matrix.json``."""
    return json.dumps(matrix, indent=1) + "\n"


def transfer_matrix(folder: Path) -> dict[str, Any]:
    """The speed-up of every arm on every target after every source.

    Returns:
        Plain data: ``sources`` and ``targets`` by name, ``arms``, and for each arm ``speed_up``, a
        list a source of what each run's summary says of the arm on its second stage, or None
        where there is nothing yet, and ``mean``, the geometric mean of those that have a ratio.

    Raises:
        UserError: not the folder of a matrix.
    """
    config = recorded(folder)
    found = pairs(config)
    summaries = {
        pair: summarise(folder / run.name)
        for pair, run in found.items()
        if (folder / run.name / "lineage.sqlite").is_file()
    }
    sources, targets = (list(dict.fromkeys(names)) for names in zip(*found, strict=True))
    arms = [arm.name for arm in config.arms if arm.name != CONTROL]
    cells = {
        arm: [[_cell(summaries.get((s, t)), arm) for t in targets] for s in sources] for arm in arms
    }
    return {
        "version": VERSION,
        "name": config.name,
        "sources": sources,
        "targets": targets,
        "arms": {arm: {"speed_up": rows, "mean": _mean(rows)} for arm, rows in cells.items()},
    }


def _cell(summary: Mapping[str, Any] | None, arm: str) -> dict[str, Any] | None:
    speeds = [] if summary is None else summary["speed_up"].get(arm, [])
    return next((speed for speed in speeds if speed["stage"] == 1 and speed["seeds"]), None)


def _mean(rows: Sequence[Sequence[Mapping[str, Any] | None]]) -> float | None:
    """Geometric mean of the cells with a ratio."""
    logs = [math.log(c["mean"]) for row in rows for c in row if c and c["mean"] is not None]
    return math.exp(math.fsum(logs) / len(logs)) if logs else None
