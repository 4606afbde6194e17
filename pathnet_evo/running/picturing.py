"""Keeping what a run's report shows of pictures: examples, confusion and the worst mistakes."""

from __future__ import annotations

import base64
import io
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import torch
from PIL import Image
from torch import Tensor

from pathnet_evo.analysis.arms import shown_arm
from pathnet_evo.errors import UserError
from pathnet_evo.interfaces.tasks import SupervisedTask, Task, TaskError
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.report.data.pictured import (
    Mistake,
    PicturedStage,
    Thumbnail,
    read_pictured,
    write_pictured,
)
from pathnet_evo.running.loading import Run, load_run
from pathnet_evo.setup.plan import Plan
from pathnet_evo.store.reading import reading
from pathnet_evo.system.plugin_calls import PluginFailed, calling

SIDE = 64
"""Pixels of a thumbnail's longer side, at most."""
OF_A_CLASS, EXAMPLES = 4, 40
"""Example pictures of a class, and of a stage, at most."""
MISTAKES = 12
"""Mistakes that are shown, at most."""


def picture(folder: Path, plan: Plan, registry: Registry) -> None:
    """Keep pictures of every finished stage of the shown arm's first seed that has none yet.

    Stages whose tasks have no pictures, or whose data or network cannot be read, are left out.

    Raises:
        OSError: the file cannot be written.
    """
    if not any(stage.learner.takes is SupervisedTask for stage in plan.stages):
        return
    arm, seed = shown_arm(plan.config), plan.config.seed
    kept = {stage.checkpoint: stage for stage in read_pictured(folder)}
    run = load_run(folder, registry)
    found = []
    for stage, manifest in _finished(folder, arm, seed):
        if manifest in kept:
            found.append(kept[manifest])
        elif plan.stages[stage].learner.takes is SupervisedTask:
            found += _pictured(run, plan, stage, arm, seed, manifest)
    if found and found != [*kept.values()]:
        write_pictured(folder, found)


def _finished(folder: Path, arm: str, seed: int) -> list[tuple[int, str]]:
    """The finished stages of a trial, each with its checkpoint's manifest."""
    with reading(folder, ("trials", "stages")) as db:
        return [
            (stage, manifest)
            for stage, manifest in db.execute(
                "SELECT stage, manifest FROM stages JOIN trials USING (trial) WHERE arm = ? "
                "AND seed = ? AND manifest IS NOT NULL ORDER BY stage",
                (arm, seed),
            )
        ]


def _pictured(
    run: Run, plan: Plan, stage: int, arm: str, seed: int, manifest: str
) -> Iterator[PicturedStage]:
    """A stage's pictures, if it has any and they can be had."""
    try:
        with warnings.catch_warnings(), calling("task", UserError, TaskError):
            warnings.simplefilter("ignore")  # each was shown when the run made the task
            task = run.task(stage, arm, seed)
            if not isinstance(task, SupervisedTask) or len(task.class_names) < 2:
                return
            shown = task if _has_pictures(task) else plan.pictured_task(stage, seed)
            if not (_has_pictures(shown) and torch.equal(shown.test_labels, task.test_labels)):
                return
            answers = run.network(stage, arm, seed).predict(task.test_inputs)
    except (UserError, PluginFailed, TaskError):
        return
    sure, predicted = answers.probabilities.max(1)
    labels = task.test_labels
    pairs = Counter(zip(labels.tolist(), predicted.tolist(), strict=True))
    wrong = (predicted != labels).nonzero().flatten()
    worst = wrong[sure[wrong].argsort(descending=True, stable=True)[:MISTAKES]].tolist()
    yield PicturedStage(
        stage=stage,
        arm=arm,
        seed=seed,
        checkpoint=manifest,
        classes=task.class_names,
        confusion=tuple((label, taken, n) for (label, taken), n in sorted(pairs.items())),
        examples=tuple(
            Thumbnail(label=int(shown.labels[i]), jpeg=_jpeg(shown.inputs[i])) for i in _some(shown)
        ),
        mistakes=tuple(
            Mistake(
                label=int(labels[i]),
                jpeg=_jpeg(shown.test_inputs[i]),
                predicted=int(predicted[i]),
                confidence=round(float(sure[i]), 3),
            )
            for i in worst
        ),
    )


def _has_pictures(task: Task) -> TypeGuard[SupervisedTask]:
    """Whether the inputs are pixels."""
    if not isinstance(task, SupervisedTask):
        return False
    shape = task.input_shape
    return task.inputs.dtype == torch.uint8 and len(shape) == 3 and shape[0] in (1, 3)


def _some(task: SupervisedTask) -> list[int]:
    """Training pictures of each class, the first ones, as many as there is room for."""
    each = max(min(OF_A_CLASS, EXAMPLES // task.n_classes), 1)
    classes = range(min(task.n_classes, EXAMPLES))
    return [int(i) for label in classes for i in (task.labels == label).nonzero().flatten()[:each]]


def _jpeg(pixels: Tensor) -> str:
    """A picture ``(1 or 3, H, W)`` uint8 as a small JPEG file in base64."""
    rows = pixels.permute(1, 2, 0).contiguous().numpy()
    image = Image.fromarray(rows[..., 0] if rows.shape[2] == 1 else rows)
    image.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=88)
    return base64.b64encode(file.getvalue()).decode()
