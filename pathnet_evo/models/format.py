"""The file of a trained network: safetensors whose header says what the tensors are.

Tensors are called ``I.J.NAME``: path I of the header's ``networks``, layer J, parameter NAME, the
module as first dimension. ``I.J.shift`` and ``I.J.scale`` standardise what layer J hears of other
paths; ``shift`` and ``scale`` prepare the input. ``encoder.NAME`` is a tensor of the encoder's
state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

HEADER = "pathnet_evo"
"""The one key of the header, whose value is the JSON of ``NetworkInfo``."""
ENCODER = "encoder."
"""Begins the names of an encoder's tensors."""
READOUT = "affine"
"""The kind of a readout, which no plugin registers."""


def checksum(text: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of a file's content.

    Args:
        text: the header's JSON, in which ``sha256`` is null.
        tensors: all of them, on the CPU and contiguous.
    """
    hashed = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        values = tensors[name]
        hashed.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        hashed.update(values.reshape(-1).view(torch.uint8).numpy().data)
    return hashed.hexdigest()
