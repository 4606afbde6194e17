"""Networks, read from a checkpoint without loading the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pathnet_evo.core.aggregate import AGGREGATES
from pathnet_evo.core.columns import Columns
from pathnet_evo.core.kinds import Affine
from pathnet_evo.core.modules import ModuleKind
from pathnet_evo.core.network import PathNetwork
from pathnet_evo.interfaces.signature import Signature
from pathnet_evo.store.checkpoint import CheckpointError, read_state
from pathnet_evo.store.tensors import read_columns

Column: TypeAlias = Callable[[PathNetwork, int, int], PathNetwork]
"""Gives what a stage hears of an earlier one, from that one's network, its index, and its own."""


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
    folder: Path,
    kinds: Sequence[ModuleKind],
    stage: int,
    column: Column = lambda network, stage, by: network,
) -> PathNetwork:
    """The network of a stage's best path, and those of the paths that it listens to.

    Args:
        folder: the checkpoint.
        kinds: the module kind of each layer of the pool.
        stage: which stage.
        column: what a stage hears of an earlier one, as its transfer policy says.

    Raises:
        CheckpointError: the file does not hold them.
        ValueError: what it holds is no network.
    """
    state = read_state(folder)
    return _read(folder, state, kinds, stage, column, {}, *read_normalisation(folder, stage))


def read_signature(folder: Path, stage: int) -> Signature | None:
    """What a stage's network takes and gives; None in checkpoints that do not have it.

    Raises:
        ValueError: it is damaged.
    """
    found = read_state(folder)["stages"][stage].get("signature")
    return None if found is None else Signature.model_validate(found)


def _read(
    folder: Path,
    state: dict[str, Any],
    kinds: Sequence[ModuleKind],
    stage: int,
    column: Column,
    known: dict[int, PathNetwork],
    shift: Tensor | None = None,
    scale: Tensor | None = None,
) -> PathNetwork:
    """A stage's network; earlier ones are read once, however many paths listen to them."""
    about = state["stages"][stage]
    path = tuple(tuple(int(m) for m in layer) for layer in about["path"])
    if len(path) != len(kinds) or any(min(layer) < 0 for layer in path):
        raise ValueError(f"path {path} in a pool of {len(kinds)} layers")
    layers = [read_layer(folder, f"layer-{i}", path[i]) for i in range(len(path))]
    layers.append(read_layer(folder, f"readout-{stage}", (0,)))
    kinds = [*kinds, Affine(outputs=layers[-1]["bias"].shape[-1])]
    columns = None
    if stages := about.get("columns"):
        if not all(0 <= j < stage for j in stages):
            raise ValueError(f"stage {stage} cannot listen to stages {stages}")
        for j in stages:
            if j not in known:
                known[j] = _read(folder, state, kinds[:-1], j, column, known)
        columns = Columns(stages, [column(known[j], j, stage) for j in stages])
        with safe_open(folder / "weights.safetensors", framework="pt") as weights:
            names = [n for n in weights.keys() if n.startswith(("column-", "fitted-"))]  # noqa: SIM118
            tensors = {name: weights.get_tensor(name) for name in names}
        columns.restore(read_columns(tensors, stage, len(path)), layers[-1]["bias"].shape[-1])
        for i, modules in enumerate([*path, (0,)]):
            lateral = read_layer(folder, f"lateral-{stage}-{i}", modules)
            if lateral:
                layers[i] = kinds[i].widen(layers[i], lateral["weight"])
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
