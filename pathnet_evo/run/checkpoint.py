"""Checkpoints: a trial's state as safetensors and JSON under SHA-256 sums; nothing is unpickled."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from pathnet_evo.aggregate import AGGREGATES
from pathnet_evo.columns import Columns
from pathnet_evo.errors import UserError
from pathnet_evo.learned import Learned
from pathnet_evo.modules import Affine, ModuleKind
from pathnet_evo.network import PathNetwork
from pathnet_evo.numbers import simple
from pathnet_evo.pool import ModulePool
from pathnet_evo.run.places import open_plain
from pathnet_evo.session import Session
from pathnet_evo.transfer import state

MANIFEST = "MANIFEST.json"
TENSOR = "$tensor"
"""The one key of the table that stands for a tensor in ``state.json``."""
NUMBER = "$number"
"""The same for a number that is not finite, which JSON does not have."""
Base: TypeAlias = tuple[str, str]
"""The folder's name of the checkpoint that another stands on, and its manifest's SHA-256."""


class CheckpointError(UserError):
    """A checkpoint that is missing, damaged, or cannot be written; the message names the file."""


def snapshot(
    pool: ModulePool, learned: list[Learned], session: Session | None = None
) -> dict[str, Any]:
    """Copies of all that a checkpoint holds, so that training can go on while it is written."""
    taken = state(pool, learned, session)
    if session is not None:
        taken["session"] = _copied(taken["session"])
    return {
        **taken,
        "aggregate": pool.aggregate.name,
        "kinds": [layer.kind.model_dump(mode="json") for layer in pool.layers],
        "normalisation": [
            (_copied(stage.task.shift), _copied(stage.task.scale)) for stage in learned
        ],
    }


def save(folder: Path, about: dict[str, Any], pool: ModulePool, learned: list[Learned]) -> str:
    """Write the checkpoint of the end of a stage; see ``write``."""
    return write(folder, about, snapshot(pool, learned))


def write(
    folder: Path, about: dict[str, Any], taken: dict[str, Any], base: Base | None = None
) -> str:
    """Write a checkpoint so that it is whole or not there.

    Every file is written to ``folder.tmp-PID`` and fsynced, the manifest last, then the folder is
    renamed and its parent fsynced.

    Args:
        folder: where it shall lie.
        about: run, trial and stage, for the manifest.
        taken: what ``snapshot`` gave.
        base: the checkpoint of the stage before, beside this one: what is frozen and the earlier
            readouts lie there, and are not written again.

    Returns:
        SHA-256 of the manifest.

    Raises:
        CheckpointError: it cannot be written; nothing of it is left.
    """
    temporary = folder.with_name(f"{folder.name}.tmp-{os.getpid()}")
    renamed = False
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        tensors, plain = _split(taken, whole=base is None)
        save_file(tensors, temporary / "weights.safetensors")
        text = json.dumps(plain, default=simple)
        (temporary / "state.json").write_text(text, encoding="utf-8")
        files = {f.name: _sum(f) for f in sorted(temporary.iterdir())}
        standing = {} if base is None else {"base": {"folder": base[0], "manifest": base[1]}}
        text = json.dumps({**about, **standing, "files": files}, indent=1)
        _sync(temporary.iterdir())
        (temporary / MANIFEST).write_text(text, encoding="utf-8")
        _sync([temporary / MANIFEST, temporary])
        os.replace(temporary, folder)
        renamed = True
        _sync([folder.parent, folder.parent.parent])
    except (OSError, SafetensorError, TypeError) as error:
        if renamed:
            shutil.rmtree(folder, ignore_errors=True)
        reason = getattr(error, "strerror", None) or str(error)
        raise CheckpointError(f"{folder}: cannot be written ({reason})") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return hashlib.sha256(text.encode()).hexdigest()


def verify(folder: Path, manifest: str) -> dict[str, Any]:
    """Check every byte of a checkpoint, and of the one that it stands on.

    Returns:
        The manifest.

    Raises:
        CheckpointError: a file is missing, or is not what was written.
    """
    try:
        with open_plain(folder / MANIFEST) as file:
            text = file.read()
        if hashlib.sha256(text).hexdigest() != manifest:
            raise CheckpointError(f"{folder / MANIFEST}: not the manifest that the lineage names")
        found: dict[str, Any] = json.loads(text)
        for name, wanted in found["files"].items():
            if _sum(folder / _plain_name(name)) != wanted:
                raise CheckpointError(
                    f"{folder / name}: damaged (its SHA-256 is not the manifest's)"
                )
        if "base" in found:
            base = found["base"]
            verify(folder.parent / _plain_name(base["folder"]), base["manifest"])
    except OSError as error:
        raise CheckpointError(f"{error.filename}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{folder / MANIFEST}: damaged ({error!r})") from None
    return found


def load(folder: Path, manifest: str) -> dict[str, Any]:
    """A checkpoint, every byte checked, as ``learn_sequence`` goes on from it.

    Raises:
        CheckpointError: it is damaged, or of a version that did not keep enough.
    """
    about = verify(folder, manifest)
    base = about.get("base")
    under = None if base is None else load(folder.parent / base["folder"], base["manifest"])
    try:
        tensors = {
            name: values.clone()
            for name, values in load_file(folder / "weights.safetensors").items()
        }
        plain = read_state(folder)
        if "input_shape" not in plain:
            raise CheckpointError(f"{folder}: written before trials could be gone on with")
        return {
            "input_shape": plain["input_shape"],
            "layers": [
                _layer(tensors, i, None if under is None else under["layers"][i])
                for i in range(len(plain["layers"]))
            ],
            "learned": [
                {
                    **stage,
                    "head": _head(tensors, i, stage, len(plain["layers"]))
                    if under is None
                    else under["learned"][i]["head"],
                }
                for i, stage in enumerate(plain["stages"])
            ],
            "session": _joined(plain["session"], tensors),
            "seconds": float(about["seconds"]),
        }
    except (OSError, SafetensorError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{folder}: not a checkpoint of this version ({error!r})") from None


def read_state(folder: Path) -> dict[str, Any]:
    """A checkpoint's plain data.

    Raises:
        OSError, ValueError: it cannot be read, or is none.
    """
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    if not isinstance(state, dict):
        raise ValueError("state.json is not a table")
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


def read_network(
    folder: Path, kinds: Sequence[ModuleKind], stage: int, normalised: bool = True
) -> PathNetwork:
    """The network of a stage's best path, and those of the paths that it listens to.

    Args:
        folder: the checkpoint.
        kinds: the module kind of each layer of the pool.
        stage: which stage.
        normalised: whether it shifts and scales its inputs.

    Raises:
        CheckpointError: the file does not hold them.
        ValueError: what it holds is no network.
    """
    state = read_state(folder)
    about = state["stages"][stage]
    path = tuple(tuple(int(m) for m in layer) for layer in about["path"])
    if len(path) != len(kinds) or any(min(layer) < 0 for layer in path):
        raise ValueError(f"path {path} in a pool of {len(kinds)} layers")
    layers = [read_layer(folder, f"layer-{i}", path[i]) for i in range(len(path))]
    layers.append(read_layer(folder, f"readout-{stage}", (0,)))
    kinds = [*kinds, Affine(outputs=layers[-1]["bias"].shape[-1])]
    columns = None
    if heard := about.get("columns"):
        if not all(0 <= j < stage for j in heard):
            raise ValueError(f"stage {stage} cannot listen to stages {heard}")
        columns = Columns(heard, [read_network(folder, kinds[:-1], j, False) for j in heard])
        with safe_open(folder / "weights.safetensors", framework="pt") as weights:
            names = [n for n in weights.keys() if n.startswith("column-")]  # noqa: SIM118
            tensors = {name: weights.get_tensor(name) for name in names}
        columns.restore(read_columns(tensors, stage, len(path)))
        for i, modules in enumerate([*path, (0,)]):
            lateral = read_layer(folder, f"lateral-{stage}-{i}", modules)
            if lateral:
                layers[i] = kinds[i].widen(layers[i], lateral["weight"])
    shift, scale = read_normalisation(folder, stage) if normalised else (None, None)
    aggregate = AGGREGATES[state.get("aggregate") or ("mean" if state["mean"] else "sum")]
    return PathNetwork(
        kinds,
        layers,
        path=path,
        input_shape=state.get("input_shape"),
        aggregate=aggregate,
        shift=shift,
        scale=scale,
        columns=columns,
    )


def read_normalisation(folder: Path, stage: int) -> tuple[Tensor | None, Tensor | None]:
    """A stage's shift and scale of its inputs."""
    with safe_open(folder / "weights.safetensors", framework="pt") as weights:
        names = set(weights.keys())
        shift, scale = (
            weights.get_tensor(f"{part}-{stage}") if f"{part}-{stage}" in names else None
            for part in ("shift", "scale")
        )
    return shift, scale


# Tensors and plain data -------------------------------------------------------------------


def _split(taken: dict[str, Any], whole: bool) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A snapshot as the tensors of one file, and what is left of it."""
    tensors: dict[str, Tensor] = {}
    for i, layer in enumerate(taken["layers"]):
        for part, prefix in (("parameters", "layer"), ("statistics", "statistics")):
            for name, values in layer[part].items():
                tensors[f"{prefix}-{i}.{name}"] = values if whole else values[~layer["frozen"]]
        for part in ("frozen", "versions", "incarnations"):
            tensors[f"{part}-{i}"] = layer[part]
    if whole:
        for i, stage in enumerate(taken["learned"]):
            tensors |= _of_head(i, stage["head"])
            for part, values in zip(("shift", "scale"), taken["normalisation"][i], strict=True):
                if values is not None:
                    tensors[f"{part}-{i}"] = values
    plain = {
        "stages": [
            {"name": s["name"], "path": s["path"], "columns": _listened(s["head"])}
            for s in taken["learned"]
        ],
        "aggregate": taken["aggregate"],
        "layers": taken["kinds"],
        "input_shape": taken["input_shape"],
        "session": _apart(taken["session"], tensors),
        "data": taken["data"],
    }
    return {n: values.detach().cpu().contiguous() for n, values in tensors.items()}, plain


def _layer(tensors: dict[str, Tensor], i: int, under: dict[str, Any] | None) -> dict[str, Any]:
    """A layer's state, with what is frozen from the checkpoint under this one."""
    frozen = tensors[f"frozen-{i}"]
    layer: dict[str, Any] = {"frozen": frozen}
    for part in ("versions", "incarnations"):
        layer[part] = tensors[f"{part}-{i}"]
    for part, prefix in (("parameters", f"layer-{i}."), ("statistics", f"statistics-{i}.")):
        layer[part] = {
            name.removeprefix(prefix): values
            for name, values in tensors.items()
            if name.startswith(prefix)
        }
        if under is None:
            continue
        for name, rows in layer[part].items():
            values = rows.new_zeros(len(frozen), *rows.shape[1:])
            if name in under[part]:
                values[: len(under[part][name])] = under[part][name]
            values[~frozen] = rows
            layer[part][name] = values
    return layer


def _listened(head: dict[str, Any]) -> list[int]:
    """The stages that a head listens to."""
    return [] if head["columns"] is None else list(head["columns"]["stages"])


def _of_head(i: int, head: dict[str, Any]) -> dict[str, Tensor]:
    """The tensors of a stage's head, by name: its readout, its maps, what its columns are like."""
    found = {f"readout-{i}.{n}": values for n, values in head["readout"]["parameters"].items()}
    for layer, lateral in enumerate(head["laterals"]):
        if lateral is not None:
            found[f"lateral-{i}-{layer}.weight"] = lateral["parameters"]["weight"]
    for part in ("shift", "scale") if head["columns"] is not None else ():
        for layer, values in enumerate(head["columns"][part]):
            found[f"column-{part}-{i}-{layer}"] = values
    return found


def _head(tensors: dict[str, Tensor], i: int, stage: dict[str, Any], layers: int) -> dict[str, Any]:
    """The state of a stage's head, from its tensors and the plain data of its stage."""
    head: dict[str, Any] = {
        "readout": _of_stack(tensors, f"readout-{i}"),
        "laterals": [],
        "columns": None,
    }
    if stage.get("columns"):
        names = [f"lateral-{i}-{layer}" for layer in range(layers + 1)]
        head["laterals"] = [
            _of_stack(tensors, name) if f"{name}.weight" in tensors else None for name in names
        ]
        head["columns"] = {"stages": stage["columns"], **read_columns(tensors, i, layers)}
    return head


def read_columns(tensors: Mapping[str, Tensor], i: int, layers: int) -> dict[str, list[Tensor]]:
    """How a stage's head standardises what its columns say: shift and scale of each layer."""
    return {
        part: [tensors[f"column-{part}-{i}-{layer}"] for layer in range(layers)]
        for part in ("shift", "scale")
    }


def _of_stack(tensors: dict[str, Tensor], prefix: str) -> dict[str, Any]:
    """The state of a stack of which only the parameters were kept."""
    parameters = {
        name.removeprefix(f"{prefix}."): values
        for name, values in tensors.items()
        if name.startswith(f"{prefix}.")
    }
    modules = len(next(iter(parameters.values())))
    nothing = torch.zeros(modules, dtype=torch.int64)
    return {
        "parameters": parameters,
        "statistics": {},
        "frozen": nothing.bool(),
        "versions": nothing,
        "incarnations": nothing,
    }


def _copied(value: Any) -> Any:
    """Plain data and tensors, independent of what they were taken of."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: _copied(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(part) for part in value]
    return value


def _apart(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Plain data as JSON has it, with names in place of tensors, which are added to ``tensors``."""
    if isinstance(value, Tensor):
        name = f"session.{len(tensors)}"
        tensors[name] = value
        return {TENSOR: name}
    if isinstance(value, float) and not math.isfinite(value):
        return {NUMBER: str(float(value))}
    if isinstance(value, dict):
        return {key: _apart(part, tensors) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_apart(part, tensors) for part in value]
    return value


def _joined(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Plain data with its tensors in their places again."""
    if isinstance(value, dict) and set(value) == {TENSOR}:
        return tensors[value[TENSOR]]
    if isinstance(value, dict) and set(value) == {NUMBER}:
        return float(value[NUMBER])
    if isinstance(value, dict):
        return {key: _joined(part, tensors) for key, part in value.items()}
    if isinstance(value, list):
        return [_joined(part, tensors) for part in value]
    return value


# Files ------------------------------------------------------------------------------------


def _plain_name(name: str) -> str:
    """A name of something that lies right here, whoever wrote it."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise ValueError(f"not a plain name: {name!r}")
    return name


def _sum(path: Path) -> str:
    with open_plain(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(paths: Iterable[Path]) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
