"""Networks, read from a checkpoint without loading the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pathnet_evo.core.aggregate import AGGREGATES
from pathnet_evo.core.columns import Columns
from pathnet_evo.core.kinds import Affine
from pathnet_evo.core.modules import ModuleKind
from pathnet_evo.core.network import PathNetwork
from pathnet_evo.store.checkpoint import CheckpointError, read_state
from pathnet_evo.store.tensors import read_columns


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
