"""Parts of image data sets as tasks, and one more control: a plugin for benchmarks of transfer.

A part has some classes and some training examples of another image task, and keeps 1,000 training
examples aside on which learning curves are measured. With ``choosing`` the test examples are
training examples as well, so that settings can be chosen without a look at the test set.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from pathnet_evo import Beginning, Grown, Start, SupervisedTask, TaskContext, TaskSettings, hookimpl
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.policies.keep import Keep

WATCHED = 1000
"""Training examples of every part that are kept aside to draw learning curves, at the most."""
CHOSEN_BY = 4000
"""Training examples that stand in for the test set, at the most, where settings are chosen."""


@dataclass(frozen=True, eq=False)
class PartTask(SupervisedTask):
    """A part, with training examples that are kept aside.

    Args:
        watched_inputs: ``(n, *shape)``, neither trained on nor tested on.
        watched_labels: ``(n,)``.
    """

    watched_inputs: Tensor = field(default_factory=lambda: torch.empty(0))
    watched_labels: Tensor = field(default_factory=lambda: torch.empty(0))


class Part(TaskSettings):
    """Some training examples of an image task."""

    of: dict[str, Any]
    """The image task."""
    examples: int | None = None
    """How many training examples, drawn by the seed; None for all but those kept aside."""
    choosing: bool = False
    """Whether training examples stand in for the test set."""

    def make(self, context: TaskContext) -> SupervisedTask:
        """The part."""
        options = {key: value for key, value in self.of.items() if key != "name"}
        whole = Registry().get("tasks", self.of["name"]).model_validate(options).make(context)
        order = torch.randperm(len(whole.labels), generator=context.generator("part"))
        few = len(order) < 5 * WATCHED
        watched, rest = order.split([n := len(order) // 5 if few else WATCHED, len(order) - n])
        test_inputs, test_labels = whole.test_inputs, whole.test_labels
        if self.choosing:
            n = len(rest) // 4 if few else CHOSEN_BY
            test, rest = rest.split([n, len(rest) - n])
            test_inputs, test_labels = whole.inputs[test], whole.labels[test]
        kept = rest[: self.examples] if self.examples else rest
        return PartTask(
            **{
                **vars(whole),
                "inputs": whole.inputs[kept],
                "labels": whole.labels[kept],
                "test_inputs": test_inputs,
                "test_labels": test_labels,
                "watched_inputs": whole.inputs[watched],
                "watched_labels": whole.labels[watched],
            }
        )


class KeepBySubPaths(Keep):
    """Fine-tuning whose evaluations train random sub-paths, as those of copies do."""

    def begin(self, beginning: Beginning) -> tuple[list[Start], list[Grown]]:
        """Leave every module as it is; the path is the one that fine-tuning has."""
        row = tuple(range(beginning.width))
        return [Start((row,) * len(beginning.pool.layers), beginning.ranked[0], retrain=True)], []


@hookimpl
def register_policies(register: Any) -> None:
    """The policy ``keep-by-sub-paths``."""
    register("keep-by-sub-paths", KeepBySubPaths)


@hookimpl
def register_tasks(register: Any) -> None:
    """The task ``part``."""
    register("part", Part)
