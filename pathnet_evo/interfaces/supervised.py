"""Labelled examples as a task."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from pathnet_evo.core.modules import Shape
from pathnet_evo.interfaces.inputs import TaskError, check_normalisation, finite, prepared, type_of
from pathnet_evo.values.numbers import whole

MOST_ROWS = 5
"""Rows that an error names."""


@dataclass(frozen=True, eq=False)
class SupervisedTask:
    """Labelled examples, held in full on one device; a minibatch is an index.

    Args:
        name: name of the task in reports.
        inputs: ``(examples, *shape)`` uint8 or float32, to train on.
        labels: ``(examples,)`` int64 in ``[0, n_classes)``.
        test_inputs: ``(test examples, *shape)``, never trained on.
        test_labels: ``(test examples,)``.
        n_classes: number of classes.
        shift: subtracted from the inputs on use; broadcasts against ``shape``.
        scale: factor on the shifted inputs.
        class_names: a name per class, or empty.
        sources: ``(examples,)`` int64, equal for training examples with a common source, such as
            noisy copies of one image; None if all sources are distinct.
        facts: anything else that identifies the task, such as a version; part of its fingerprint.
        reading: plain data that ``TaskSettings.read_input`` needs to read another input the same
            way; kept in saved networks.

    Raises:
        TaskError: inconsistent shapes, types or labels, or non-finite values; the message names the
            rows.
    """

    name: str
    inputs: Tensor
    labels: Tensor
    test_inputs: Tensor
    test_labels: Tensor
    n_classes: int
    shift: Tensor | None = None
    scale: Tensor | None = None
    class_names: tuple[str, ...] = ()
    sources: Tensor | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    reading: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_classes", whole(self.n_classes))
        for part, inputs, labels in (
            ("training", self.inputs, self.labels),
            ("test", self.test_inputs, self.test_labels),
        ):
            if len(inputs) == 0 or len(inputs) != len(labels):
                raise TaskError(f"{self.name}: {len(inputs)} {part} inputs, {len(labels)} labels")
            if inputs.dtype not in (torch.uint8, torch.float32):
                raise TaskError(f"{self.name}: {part} inputs must be uint8 or float32")
            if inputs.dim() < 2:
                raise TaskError(f"{self.name}: {part} inputs must be (examples, *shape)")
            if labels.dtype != torch.int64 or labels.dim() != 1:
                raise TaskError(f"{self.name}: {part} labels must be one int64 an example")
            if not 0 <= int(labels.min()) <= int(labels.max()) < self.n_classes:
                outside = (labels < 0) | (labels >= self.n_classes)
                raise TaskError(
                    f"{self.name}: {part} labels are outside 0 to {self.n_classes - 1} "
                    f"in {_rows(outside)}"
                )
            if not finite(inputs):
                wrong = ~torch.isfinite(inputs).flatten(1).all(1)
                raise TaskError(
                    f"{self.name}: {part} inputs are not finite (NaN or infinite) in "
                    f"{_rows(wrong)}. Leave those examples out, or replace the values"
                )
        if self.inputs.shape[1:] != self.test_inputs.shape[1:]:
            raise TaskError(
                f"{self.name}: training inputs are {tuple(self.inputs.shape[1:])}, "
                f"test inputs {tuple(self.test_inputs.shape[1:])}"
            )
        if self.inputs.dtype != self.test_inputs.dtype:
            raise TaskError(
                f"{self.name}: training inputs are {type_of(self.inputs)}, test inputs "
                f"{type_of(self.test_inputs)}: use the same type and scale for both"
            )
        if self.class_names and len(self.class_names) != self.n_classes:
            raise TaskError(
                f"{self.name}: {len(self.class_names)} class names, {self.n_classes} classes"
            )
        sources = self.sources
        if sources is not None and (
            sources.dtype != torch.int64 or tuple(sources.shape) != (len(self.inputs),)
        ):
            raise TaskError(f"{self.name}: sources must be one int64 a training example")
        check_normalisation(self.name, self.shift, self.scale, self.input_shape)
        try:
            plain = json.loads(json.dumps(dict(self.reading), allow_nan=False))
        except (TypeError, ValueError) as error:
            raise TaskError(f"{self.name}: reading must be plain data ({error})") from None
        object.__setattr__(self, "reading", plain)

    @property
    def input_shape(self) -> Shape:
        """Shape of one example."""
        return tuple(self.inputs.shape[1:])

    def split(self, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A random split of the training examples into a training and a validation part.

        No source has examples in both parts, so validation never uses a copy of a training example.

        Args:
            share: share of the sources for validation, in [0, 1).
            generator: a CPU generator.

        Returns:
            Two tensors of indices into ``inputs``, int64, on the CPU; the first ascending.

        Raises:
            TaskError: one of the parts would be empty.
        """
        n, of_source = len(self.inputs), None
        if self.sources is not None:
            kinds, of_source = torch.unique(self.sources.cpu(), return_inverse=True)
            n = len(kinds)
        order = torch.randperm(n, generator=generator)
        n_held = round(share * n)
        if n_held >= n or (share and not n_held):
            what = "examples" if of_source is None else "sources of examples"
            raise TaskError(f"{self.name}: a share of {share} of {n} {what} leaves none")
        held, kept = order[:n_held], order[n_held:].sort().values
        if of_source is None:
            return kept, held
        out = torch.isin(of_source, held)
        return (~out).nonzero().flatten(), out.nonzero().flatten()

    def only(self, rows: Tensor) -> SupervisedTask:
        """The same task with some of its training examples.

        Args:
            rows: indices into ``inputs``, int64.
        """
        sources = None if self.sources is None else self.sources[rows]
        return replace(self, inputs=self.inputs[rows], labels=self.labels[rows], sources=sources)

    def to(self, device: torch.device | str) -> SupervisedTask:
        """The same task on another device; moved once, before training."""
        moved: dict[str, Any] = {
            name: value.to(device)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        return replace(self, **moved)

    def prepare(self, inputs: Tensor) -> Tensor:
        """Inputs prepared for the network: float32, shifted and scaled."""
        return prepared(inputs, self.shift, self.scale)


def _rows(wrong: Tensor) -> str:
    """The rows that are marked, for a message."""
    rows = wrong.nonzero().flatten().tolist()
    named = ", ".join(map(str, rows[:MOST_ROWS]))
    more = f" and {len(rows) - MOST_ROWS:,} more" if len(rows) > MOST_ROWS else ""
    return f"row{'s' * (len(rows) > 1)} {named}{more} of {len(wrong):,}"
