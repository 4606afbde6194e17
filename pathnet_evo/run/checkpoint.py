"""Checkpoints: weights as safetensors under a manifest of SHA-256 sums; nothing is unpickled."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pathnet_evo.errors import UserError
from pathnet_evo.pool import ModulePool
from pathnet_evo.transfer import Learned

MANIFEST = "MANIFEST.json"


class CheckpointError(UserError):
    """A checkpoint that is missing or damaged; the message names the file."""


def save(folder: Path, about: dict[str, Any], pool: ModulePool, learned: list[Learned]) -> str:
    """Write a checkpoint so that it is whole or not there.

    Every file is written to ``folder.tmp-PID`` and fsynced, the manifest last, then the folder is
    renamed and its parent fsynced.

    Args:
        folder: where it shall lie.
        about: run, trial and stage, for the manifest.
        pool: all modules.
        learned: the stages so far, with their readouts.

    Returns:
        SHA-256 of the manifest.
    """
    temporary = folder.with_name(f"{folder.name}.tmp-{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        save_file(_tensors(pool, learned), temporary / "weights.safetensors")
        stages = [{"name": stage.name, "path": stage.path} for stage in learned]
        layers = [layer.kind.model_dump(mode="json") for layer in pool.layers]
        state = {"stages": stages, "mean": pool.mean, "layers": layers}
        (temporary / "state.json").write_text(json.dumps(state, indent=1))
        files = {f.name: _sum(f) for f in sorted(temporary.iterdir())}
        text = json.dumps({**about, "files": files}, indent=1)
        (temporary / MANIFEST).write_text(text)
        _sync([*temporary.iterdir(), temporary])
        os.replace(temporary, folder)
        _sync([folder.parent])
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return hashlib.sha256(text.encode()).hexdigest()


def verify(folder: Path, manifest: str) -> None:
    """Check a checkpoint's every byte.

    Raises:
        CheckpointError: a file is missing, or is not what was written.
    """
    try:
        text = (folder / MANIFEST).read_bytes()
        if hashlib.sha256(text).hexdigest() != manifest:
            raise CheckpointError(f"{folder / MANIFEST}: not the manifest that the lineage names")
        for name, wanted in json.loads(text)["files"].items():
            if _sum(folder / name) != wanted:
                raise CheckpointError(
                    f"{folder / name}: damaged (its SHA-256 is not the manifest's)"
                )
    except OSError as error:
        raise CheckpointError(f"{error.filename}: {error.strerror}") from None


def read_state(folder: Path) -> dict[str, Any]:
    """A checkpoint's plain data."""
    state = json.loads((folder / "state.json").read_text())
    assert isinstance(state, dict)
    return state


def read_layer(folder: Path, prefix: str, modules: Iterable[int]) -> dict[str, Tensor]:
    """Some modules of a layer (``layer-0``) or readout (``readout-0``), by parameter name.

    Reads no more of the file than these modules.

    Raises:
        CheckpointError: the file does not hold them.
    """
    try:
        with safe_open(folder / "weights.safetensors", framework="pt") as weights:
            return {
                name.removeprefix(f"{prefix}."): torch.stack(
                    [weights.get_slice(name)[m] for m in modules]
                )
                for name in weights.keys()  # noqa: SIM118 - not a mapping
                if name.startswith(f"{prefix}.")
            }
    except (SafetensorError, OSError, IndexError) as error:
        raise CheckpointError(f"{folder / 'weights.safetensors'}: {error}") from None


def read_normalisation(folder: Path, stage: int) -> tuple[Tensor | None, Tensor | None]:
    """A stage's shift and scale of its inputs."""
    with safe_open(folder / "weights.safetensors", framework="pt") as weights:
        names = set(weights.keys())
        shift, scale = (
            weights.get_tensor(f"{part}-{stage}") if f"{part}-{stage}" in names else None
            for part in ("shift", "scale")
        )
    return shift, scale


def _tensors(pool: ModulePool, learned: list[Learned]) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for i, layer in enumerate(pool.layers):
        tensors |= {f"layer-{i}.{name}": values for name, values in layer.parameters.items()}
        tensors[f"frozen-{i}"] = layer.frozen
    for i, stage in enumerate(learned):
        tensors |= {f"readout-{i}.{name}": v for name, v in stage.readout.parameters.items()}
        for part in ("shift", "scale"):
            values = getattr(stage.task, part, None)
            if values is not None:
                tensors[f"{part}-{i}"] = values
    return {name: values.detach().cpu().contiguous() for name, values in tensors.items()}


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(paths: Iterable[Path]) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
