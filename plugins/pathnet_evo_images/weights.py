"""Weights of a backbone: read from a file without executing anything, fitted, and their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load
from torch import Tensor, nn

from pathnet_evo import TaskError, on_one_line
from pathnet_evo_images.stamps import open_regular

PICKLED = (b"PK", b"\x80\x02")
"""How files of ``torch.save`` begin."""
WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Keys under which training scripts put a network's weights."""
COUNTS = "num_batches_tracked"
"""Counts that old files lack and that evaluation does not use."""


def read(file: Path) -> dict[str, Tensor]:
    """The tensors of a file of safetensors or ``torch.save``, on the CPU.

    Raises:
        TaskError: it cannot be read, or holds more than tensors.
    """
    try:
        with open_regular(file) as opened:
            pickled = opened.read(2) in PICKLED
            opened.seek(0)
            if not pickled:
                return load(opened.read())
            found = torch.load(opened, map_location="cpu", weights_only=True)
    except OSError as error:
        raise TaskError(f"weights {file}: {error.strerror or error}") from None
    except Exception as error:  # torch raises almost anything on damaged files
        if type(error).__name__ == "UnpicklingError":
            raise TaskError(
                f"weights {file}: holds more than tensors, and nothing else is unpickled. Save the "
                "network's state_dict()"
            ) from None
        reason = on_one_line(str(error).partition("\n")[0])[:120]
        raise TaskError(
            f"weights {file}: neither safetensors nor a file of torch.save, or damaged ({reason})"
        ) from None
    return _tensors(file, found)


def fit(
    network: nn.Module, tensors: Mapping[str, Tensor], head: tuple[str, ...], what: str
) -> None:
    """Put weights into a network; those of its classifier are passed over.

    Args:
        network: gets them.
        tensors: by name.
        head: beginnings of the classifier's names.
        what: the weights and the network in an error, such as ``weights FILE do not fit NAME``.

    Raises:
        TaskError: some are missing, unknown or of another shape.
    """
    wanted = network.state_dict()
    own = {name: values for name, values in tensors.items() if not name.startswith(head)}
    lacking = [n for n in wanted if n not in own and not n.endswith(COUNTS)]
    unknown = [n for n in own if n not in wanted]
    for kind, names in (("missing", lacking), ("unknown", unknown)):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise TaskError(f"{what}: {kind} {on_one_line(names[0])}{more}")
    for name, values in own.items():
        odd = values.is_meta or values.is_quantized or values.is_complex()
        if odd or values.layout != torch.strided:
            raise TaskError(f"{what}: {on_one_line(name)} is no plain tensor of numbers")
        if values.shape != wanted[name].shape:
            raise TaskError(
                f"{what}: {name} has shape {tuple(values.shape)}, expected "
                f"{tuple(wanted[name].shape)}"
            )
    network.load_state_dict({n: v.to(wanted[n].dtype) for n, v in own.items()}, strict=False)


def digest(network: nn.Module) -> str:
    """SHA-256 of a network's weights, in hexadecimal."""
    hashed = hashlib.sha256()
    for name, values in sorted(network.state_dict().items()):
        hashed.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        plain = values.detach().cpu().contiguous()
        hashed.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return hashed.hexdigest()


def _tensors(file: Path, found: Any) -> dict[str, Tensor]:
    """The tensors of a loaded file, from within the wrappers of training scripts."""
    for key in WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping):
        raise TaskError(f"weights {file}: holds a {type(found).__name__}, not tensors by name")
    tensors = {
        str(name).removeprefix("module."): values
        for name, values in found.items()
        if isinstance(values, Tensor)
    }
    if not tensors:
        raise TaskError(f"weights {file}: holds no tensors")
    return tensors
