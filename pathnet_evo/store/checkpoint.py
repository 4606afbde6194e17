"""Checkpoints: a trial's state as safetensors and JSON under SHA-256 sums; nothing is unpickled."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any, TypeAlias

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from pathnet_evo.core.aggregate import SUM
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.errors import UserError
from pathnet_evo.interfaces.signature import Signature
from pathnet_evo.interfaces.storage import Store
from pathnet_evo.store.places import open_plain
from pathnet_evo.store.tensors import copied, head_of, joined, layer_of, split
from pathnet_evo.trial.learned import Learned
from pathnet_evo.trial.stage import StageRun
from pathnet_evo.trial.trial import state
from pathnet_evo.values.numbers import simple

MANIFEST = "MANIFEST.json"
Base: TypeAlias = tuple[str, str]
"""Folder name of the checkpoint that another depends on, and its manifest's SHA-256."""


class CheckpointError(UserError):
    """A checkpoint that is missing, damaged, or cannot be written; the message names the file."""


def snapshot(
    pool: ModulePool, learned: list[Learned], stage_run: StageRun | None = None
) -> dict[str, Any]:
    """Copies of a checkpoint's contents, so that training continues while it is written."""
    taken = state(pool, learned, stage_run)
    if stage_run is not None:
        taken["session"] = copied(taken["session"])
    return {
        **taken,
        "aggregate": pool.aggregate.name,
        "kinds": [layer.kind.model_dump(mode="json") for layer in pool.layers],
        "normalisation": [
            (copied(stage.task.shift), copied(stage.task.scale)) for stage in learned
        ],
        "signatures": [Signature.of(stage.task).model_dump(mode="json") for stage in learned],
    }


def without_pool(state: dict[str, Any]) -> dict[str, Any]:
    """The contents of a rival's checkpoint, which has no modules and no heads of ours."""
    nothing: dict[str, Any] = {"kinds": [], "normalisation": [], "signatures": []}
    return {**copied(state), **nothing, "aggregate": SUM.name}


def write(
    store: Store, place: str, about: dict[str, Any], taken: dict[str, Any], base: Base | None = None
) -> str:
    """Write a checkpoint atomically.

    Args:
        store: keeps it.
        place: where it shall lie.
        about: run, trial and stage, for the manifest.
        taken: what ``snapshot`` gave.
        base: the checkpoint of the stage before, beside this one: what is frozen and the earlier
            readouts lie there, and are not written again.

    Returns:
        SHA-256 of the manifest.

    Raises:
        CheckpointError: it cannot be written; nothing of it is left.
    """
    standing = {} if base is None else {"base": {"folder": base[0], "manifest": base[1]}}
    manifest = ""

    def fill(folder: Path) -> None:
        nonlocal manifest
        tensors, plain = split(taken, whole=base is None)
        save_file(tensors, folder / "weights.safetensors")
        text = json.dumps(plain, default=simple)
        (folder / "state.json").write_text(text, encoding="utf-8")
        files = {f.name: _sum(f) for f in sorted(folder.iterdir())}
        manifest = json.dumps({**about, **standing, "files": files}, indent=1)
        (folder / MANIFEST).write_text(manifest, encoding="utf-8")

    try:
        store.put(place, fill)
    except (OSError, SafetensorError, TypeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CheckpointError(f"{store}/{place}: cannot be written ({reason})") from None
    return hashlib.sha256(manifest.encode()).hexdigest()


def fetch(store: Store, place: str) -> Path:
    """The unverified folder of a checkpoint, with the checkpoint that it depends on beside it.

    Raises:
        CheckpointError: it cannot be had.
    """
    try:
        folder = store.get(place)
        with open_plain(folder / MANIFEST) as file:
            base = json.load(file).get("base")
        if base is not None:
            store.get(f"{place.rpartition('/')[0]}/{_plain_name(base['folder'])}")
    except OSError as error:
        raise CheckpointError(f"{error.filename or place}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{store}/{place}: damaged ({error!r})") from None
    return folder


def verify(folder: Path, manifest: str) -> dict[str, Any]:
    """Verify every byte of a checkpoint, and of the one that it depends on.

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
    """A verified checkpoint in the form that ``learn_sequence`` resumes from.

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
            raise CheckpointError(f"{folder}: predates resumable checkpoints")
        return {
            "input_shape": plain["input_shape"],
            "layers": [
                layer_of(tensors, i, None if under is None else under["layers"][i])
                for i in range(len(plain["layers"]))
            ],
            "learned": [
                {
                    **stage,
                    "head": head_of(tensors, i, stage, len(plain["layers"]))
                    if under is None
                    else under["learned"][i]["head"],
                }
                for i, stage in enumerate(plain["stages"])
            ],
            "session": joined(plain["session"], tensors),
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


# Tensors and plain data -------------------------------------------------------------------


# Files ------------------------------------------------------------------------------------


def _plain_name(name: str) -> str:
    """An untrusted name, checked to be in this folder."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise ValueError(f"not a plain name: {name!r}")
    return name


def _sum(path: Path) -> str:
    with open_plain(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
