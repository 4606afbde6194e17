"""Inputs from a user's hands: tensors, arrays, lists, pictures and files as one batch."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from pathnet_evo.core.modules import Shape
from pathnet_evo.errors import UserError
from pathnet_evo.interfaces.tasks import TaskError

Reader: TypeAlias = Callable[[Any], Tensor]
"""Reads one input from a file name or a picture; raises ``TaskError``."""


class ModelError(UserError, ValueError):
    """A model's file, or an input for it, that cannot be used; the message says the way out."""


def batch(inputs: Any, shape: Shape, input_type: str | None, read: Reader) -> tuple[Tensor, bool]:
    """Inputs as one batch for a network.

    Args:
        inputs: one input or many: a tensor, an array, numbers in lists, a file name, a picture, or
            a list of these.
        shape: shape of one input.
        input_type: ``uint8``, ``float32``, or None for either.
        read: reads files and pictures.

    Returns:
        ``(n, *shape)``, and whether ``inputs`` was a single input.

    Raises:
        ModelError: an input of another shape, type or range, or one that cannot be read.
    """
    if _is_source(inputs):
        return _read(inputs, read).unsqueeze(0), True
    if isinstance(inputs, Sequence) and any(map(_is_source, inputs)):
        return torch.stack([_one(source, shape, input_type, read) for source in inputs]), False
    values = _tensor(inputs)
    single = tuple(values.shape) == tuple(shape)
    values = values.unsqueeze(0) if single else values
    if tuple(values.shape[1:]) != tuple(shape) or values.dim() != len(shape) + 1:
        raise ModelError(_wrong_shape(tuple(values.shape), tuple(shape)))
    if not len(values):
        raise ModelError("no inputs: give at least one")
    return _typed(values, input_type), single


def _one(source: Any, shape: Shape, input_type: str | None, read: Reader) -> Tensor:
    """One element of a list that has files or pictures in it."""
    found, _ = batch(source, shape, input_type, read)
    if len(found) != 1:
        raise ModelError(f"a list of files and arrays needs arrays of one input, {tuple(shape)}")
    return found[0]


def _is_source(value: Any) -> bool:
    """Whether a value is a file name, or a picture of Pillow's, rather than numbers."""
    return isinstance(value, str | os.PathLike) or type(value).__module__.startswith("PIL.")


def _read(source: Any, read: Reader) -> Tensor:
    try:
        return read(source)
    except TaskError as error:
        raise ModelError(str(error)) from None


def _tensor(values: Any) -> Tensor:
    """Numbers of any library as a tensor on the CPU, of their own type."""
    if isinstance(values, Tensor):
        return values.detach().cpu()
    try:
        if isinstance(values, Sequence) and any(isinstance(v, Tensor) for v in values):
            return torch.stack([torch.as_tensor(v).detach().cpu() for v in values])
        return torch.from_numpy(np.array(values))
    except (TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"inputs are not numbers of one shape ({error})") from None


def _wrong_shape(found: Shape, wanted: Shape) -> str:
    """What to say of inputs of another shape, with the likely cause."""
    text = f"the network takes inputs of shape {wanted}, or (n, *{wanted}); got {found}. "
    for one in (found, found[1:]):
        if len(wanted) == 3 and one == (*wanted[1:], wanted[0]):
            axes = "(2, 0, 1)" if one is found else "(0, 3, 1, 2)"
            return text + f"The channels come last: x.transpose{axes}, or x.permute{axes}"
        if len(wanted) == 3 and wanted[0] == 1 and one == wanted[1:]:
            return text + "The channel is missing: x[None] for one input, x[:, None] for many"
    if len(wanted) == 3 and len(found) in (3, 4):
        channels = f"{wanted[0]} channel{'s' * (wanted[0] > 1)}"
        return text + f"Bring them to {wanted[1]}x{wanted[2]} pixels and {channels}"
    return text + "Reshape them as in training"


def _typed(values: Tensor, input_type: str | None) -> Tensor:
    """Inputs of the network's type.

    Raises:
        ModelError: numbers that this type cannot hold, or that are not finite.
    """
    if values.is_complex():
        raise ModelError("inputs are complex numbers: the network takes real ones")
    if input_type == "uint8" and values.dtype != torch.uint8:
        if values.is_floating_point() or values.dtype == torch.bool:
            name = str(values.dtype).removeprefix("torch.")
            raise ModelError(
                f"the network takes whole numbers from 0 to 255 (uint8), got {name}. If yours go "
                "from 0 to 1: (255 * x).round(), as uint8"
            )
        low, high = (int(end) for end in values.long().aminmax())  # torch has none of uint16
        if low < 0 or high > 255:
            raise ModelError(
                f"the network takes numbers from 0 to 255 (uint8), got {low} to {high}"
            )
        return values.to(torch.uint8)
    if values.dtype == torch.uint8 and input_type != "float32":
        return values
    values = values.float()
    if not bool(torch.isfinite(values).all()):
        raise ModelError("inputs are not finite (NaN or infinite): replace those values")
    return values
