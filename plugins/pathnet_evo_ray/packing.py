"""Messages as bytes: tensors by value, functions of scripts as well."""

from __future__ import annotations

import io
import pickle
from typing import Any

import torch
from ray.cloudpickle import CloudPickler
from torch import Tensor

from pathnet_evo import UnsendableError


def packed(message: Any) -> bytes:
    """A message as bytes.

    Raises:
        UnsendableError: a part of it cannot leave this process.
    """
    buffer = io.BytesIO()
    try:
        _Packer(buffer, protocol=5).dump(message)
    except Exception as error:  # whatever the message's own parts raise
        raise UnsendableError(str(error)) from None
    return buffer.getvalue()


def unpacked(content: bytes) -> Any:
    """The message that was packed; only bytes of the own cluster are unpacked."""
    return pickle.loads(content)  # noqa: S301 - Ray itself sends its calls in this way


class _Packer(CloudPickler):
    """Copies a tensor's own numbers once; torch would take its whole storage, several times."""

    def reducer_override(self, value: Any) -> Any:
        if type(value) is Tensor and _is_plain(value):
            return torch.from_numpy, (value.numpy(),)
        return super().reducer_override(value)


def _is_plain(tensor: Tensor) -> bool:
    return (
        tensor.device.type == "cpu"
        and tensor.layout is torch.strided
        and tensor.dtype in PLAIN
        and not tensor.requires_grad
        and not tensor.is_conj()
        and not tensor.is_neg()
    )


PLAIN = {
    torch.bool,
    torch.uint8,
    torch.int8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.float16,
    torch.float32,
    torch.float64,
}
"""Kinds of numbers that NumPy has as well."""
