"""Writing a trained network to a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from pathnet_evo.core.columns import Columns
from pathnet_evo.core.modules import ModuleKind
from pathnet_evo.core.network import PathNetwork
from pathnet_evo.interfaces.encoders import Encoder
from pathnet_evo.models.examples import ModelError
from pathnet_evo.models.format import ENCODER, HEADER, checksum
from pathnet_evo.models.info import NetworkInfo, PathInfo
from pathnet_evo.system.replacing import replace_all


def content(network: PathNetwork, info: NetworkInfo, encoder: Encoder | None = None) -> bytes:
    """The file of a network and of the encoder before it."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in _tensors(network, info.stage)}
    for name, values in ({} if encoder is None else encoder.state_dict()).items():
        tensors[f"{ENCODER}{name}"] = (
            values.detach().cpu().clone(memory_format=torch.contiguous_format)
        )
    found = checksum(info.model_dump_json(), tensors)
    return save(tensors, {HEADER: info.model_copy(update={"sha256": found}).model_dump_json()})


def put(contents: Mapping[Path, str | bytes]) -> None:
    """Write files of a user's choice, all of them or none.

    Raises:
        ModelError: one cannot be written.
    """
    try:
        replace_all(contents)
    except OSError as error:
        raise ModelError(f"{error.filename}: cannot be written ({error.strerror})") from None
    except ValueError as error:  # a null character
        raise ModelError(
            f"{', '.join(repr(str(file)) for file in contents)}: no file name ({error})"
        ) from None


def described(
    network: PathNetwork, stage: int, names: Mapping[type[ModuleKind], str]
) -> tuple[PathInfo, ...]:
    """The paths that a network listens to, each once and after those that it hears, then its own.

    Args:
        network: path and head.
        stage: who learned it.
        names: the registered name of each module kind.
    """
    found = _paths(network, stage)
    place = {id(path): i for i, (path, _) in enumerate(found)}
    return tuple(
        PathInfo(
            stage=of,
            path=path.path,
            layers=tuple(
                {"kind": names[type(kind)], **kind.model_dump(mode="json")} for kind in kinds
            ),
            hears=() if path.columns is None else tuple(place[id(c)] for c in _heard(path)),
        )
        for path, of in found
        for kinds in [_kinds(path, network)]
    )


def _paths(network: PathNetwork, stage: int) -> list[tuple[PathNetwork, int]]:
    """All paths that a network computes, each after those that it hears, and their stages."""
    found: dict[int, tuple[PathNetwork, int]] = {}

    def add(path: PathNetwork, of: int) -> None:
        if id(path) in found:
            return
        if path.columns is not None:
            for column, j in zip(_heard(path), path.columns.stages, strict=True):  # type: ignore[arg-type]
                add(column, int(j))
        found[id(path)] = (path, of)

    add(network, stage)
    return list(found.values())


def _heard(path: PathNetwork) -> list[PathNetwork]:
    return [] if path.columns is None else list(path.columns.networks)  # type: ignore[arg-type]


def _kinds(path: PathNetwork, network: PathNetwork) -> list[ModuleKind]:
    """The kinds of the layers that are needed of a path: only the network's own has a readout."""
    return path.kinds if path is network else path.kinds[: len(path.path)]


def _tensors(network: PathNetwork, stage: int) -> Iterator[tuple[str, Tensor]]:
    yield "shift", network.shift
    yield "scale", network.scale
    for i, (path, _) in enumerate(_paths(network, stage)):
        for j in range(len(_kinds(path, network))):
            for name, values in path.layers[j].items():  # type: ignore[operator]
                yield f"{i}.{j}.{name}", values
            if path.columns is not None and j:
                for part in ("shift", "scale"):
                    yield f"{i}.{j}.{part}", getattr(path.columns, f"{part}_{j - 1}")
    if isinstance(network.columns, Columns) and network.columns.fitted is not None:
        for name, values in network.columns.fitted.state_dict().items():
            yield f"fitted.{name}", values
