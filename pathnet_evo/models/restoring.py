"""Reading a trained network from a file that anybody may have made."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, Field, ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pathnet_evo.core.aggregate import AGGREGATES
from pathnet_evo.core.columns import Columns
from pathnet_evo.core.fitted import FittedReadout, features_of
from pathnet_evo.core.kinds import Affine
from pathnet_evo.core.modules import ModuleKind, Shape
from pathnet_evo.core.network import PathNetwork
from pathnet_evo.interfaces.encoders import Encoder
from pathnet_evo.interfaces.tasks import TaskError
from pathnet_evo.models.examples import ModelError, Reader
from pathnet_evo.models.format import ENCODER, HEADER, READOUT, checksum
from pathnet_evo.models.info import FORMAT, NetworkInfo
from pathnet_evo.models.trained import TrainedNetwork, no_reader
from pathnet_evo.plugins.registry import PluginError, Registry
from pathnet_evo.store.places import open_plain
from pathnet_evo.system.plugin_calls import PluginFailed, calling
from pathnet_evo.values.names import on_one_line


def load_network(
    file: str | os.PathLike[str], registry: Registry | None = None, device: str = "cpu"
) -> TrainedNetwork:
    """Load a network that ``TrainedNetwork.save`` wrote. Nothing is unpickled or executed.

    Args:
        file: its name.
        registry: source of module kinds and of the task that reads files; by default all installed
            plugins.
        device: where to compute.

    Raises:
        ModelError: the file is missing, damaged, no such file, or of a newer format; or a module
            kind, or the task whose encoder it needs, is not installed.
    """
    info, tensors = _opened(Path(file))
    registry = Registry() if registry is None else registry
    try:
        encoder = _encoder(info, tensors, registry)
        network = _built(info, tensors, registry)
    except (PluginError, TaskError, PluginFailed) as error:
        raise ModelError(f"{file}: {error}") from None
    except Exception as error:  # module kinds are plugins, and raise what they like
        raise ModelError(f"{file}: damaged ({_said(error)})") from None
    return TrainedNetwork(network, info, _reader(info, registry), encoder).to(device)


class TaskReader:
    """Reads inputs as a network's task does.

    Args:
        read: the ``read_input`` of the task's settings.
        info: what is known of the network.
    """

    def __init__(self, read: Callable[..., Tensor], info: NetworkInfo) -> None:
        self.read, self.info = read, info

    def __call__(self, source: Any) -> Tensor:
        """Read one input from a file name or a picture, and check its shape."""
        shape = self.info.input_shape
        found = self.read(source, shape, self.info.signature.reading)
        if tuple(found.shape) != shape:
            raise TaskError(
                f"task {self.info.task!r} read an input of shape {tuple(found.shape)}; the network "
                f"takes {shape}"
            )
        return found


def _reader(info: NetworkInfo, registry: Registry) -> Reader:
    try:
        return TaskReader(registry.get("tasks", info.task).read_input, info)
    except PluginError:
        return no_reader


def _opened(file: Path) -> tuple[NetworkInfo, dict[str, Tensor]]:
    """A file's header and tensors, every byte verified."""
    try:
        open_plain(file).close()
        with safe_open(file, framework="pt") as opened:
            header = opened.metadata() or {}
            if HEADER not in header:
                raise ModelError(
                    f"{file}: not a network of pathnet-evo (its header has no {HEADER!r})"
                )
            info = _info(file, header[HEADER])
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except OSError as error:
        raise ModelError(f"{file}: {error.strerror or error}") from None
    except SafetensorError as error:
        raise ModelError(f"{file}: not a safetensors file, or damaged ({_said(error)})") from None
    text = header[HEADER].replace(f'"{info.sha256}"', "null")
    if info.sha256 != checksum(text, tensors):
        raise ModelError(f"{file}: damaged (its SHA-256 is not the one in its header)")
    return info.model_copy(update={"sha256": None}), tensors


def _info(file: Path, text: str) -> NetworkInfo:
    try:
        version = _Version.model_validate_json(text).format
        if version > FORMAT:
            raise ModelError(
                f"{file}: format {version}, written by a newer pathnet-evo (this one reads "
                f"{FORMAT}): upgrade pathnet-evo"
            )
        return NetworkInfo.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        reason = on_one_line(f"{place}: {first['msg']}")
        raise ModelError(f"{file}: damaged ({reason})") from None


class _Version(BaseModel):
    """All that is read of a header before its format is known."""

    format: int = Field(strict=True)


def _encoder(info: NetworkInfo, tensors: dict[str, Tensor], registry: Registry) -> Encoder | None:
    """The encoder of a file, with its tensors, which are taken out.

    Raises:
        PluginError, TaskError, PluginFailed: its task is not installed, or cannot build it.
        ValueError: the file contradicts itself.
    """
    if info.encoder is None:
        return None
    task = registry.get("tasks", info.task)
    with calling(f"encoder {info.encoder.name}", TaskError):
        encoder: Encoder | None = task.encoder(info.signature.reading)
    shapes = (info.input_shape, info.encoder.output_shape)
    if encoder is None or (encoder.input_shape, encoder.output_shape) != shapes:
        raise ValueError(f"task {info.task!r} has no encoder of this shape")
    names = [name for name in tensors if name.startswith(ENCODER)]
    state = {name.removeprefix(ENCODER): tensors.pop(name) for name in names}
    wanted = encoder.state_dict()
    if state.keys() != wanted.keys():
        raise ValueError(f"the encoder has other tensors than {info.encoder.name}")
    for name, values in state.items():
        if (values.shape, values.dtype) != (wanted[name].shape, wanted[name].dtype):
            raise ValueError(f"tensor {ENCODER}{name} does not fit {info.encoder.name}")
    encoder.load_state_dict(state)
    return encoder


def _built(info: NetworkInfo, tensors: Mapping[str, Tensor], registry: Registry) -> PathNetwork:
    """The network of a file, every shape checked against its module kinds.

    Raises:
        PluginError: a module kind that is not installed.
        Exception: the file contradicts itself.
    """
    left = dict(tensors)
    shift, scale = left.pop("shift"), left.pop("scale")
    for values in (shift, scale):
        if np.broadcast_shapes(tuple(values.shape), info.path_shape) != info.path_shape:
            raise ValueError("shift or scale does not fit the input")
    built: list[PathNetwork] = []
    for i, about in enumerate(info.networks):
        last = i == len(info.networks) - 1
        kinds = [_kind(layer, registry) for layer in about.layers]
        if len(kinds) != len(about.path) + last or not about.path or not all(about.path):
            raise ValueError(f"path {i} has {len(kinds)} layers and {len(about.path)} sets")
        columns = _columns(i, info, built)
        if last and info.fitted:
            _fit(left, columns, kinds[-1])
        built.append(
            PathNetwork(
                kinds,
                _layers(left, i, kinds, info, columns),
                path=about.path,
                input_shape=info.path_shape,
                aggregate=AGGREGATES[info.aggregate],
                shift=shift if last else None,
                scale=scale if last else None,
                columns=columns,
            )
        )
    if not isinstance(kinds[-1], Affine) or kinds[-1].outputs < info.signature.count:
        raise ValueError(f"the readout does not have {info.signature.count} outputs")
    if left:
        raise ValueError(f"unknown tensors {', '.join(sorted(left)[:3])}")
    return built[-1]


def _columns(i: int, info: NetworkInfo, built: Sequence[PathNetwork]) -> Columns | None:
    """What path i listens to."""
    hears = info.networks[i].hears
    if not hears:
        return None
    if max(hears) >= i or len(set(hears)) != len(hears):
        raise ValueError(f"path {i} listens to {hears}")
    return Columns([info.networks[c].stage for c in hears], [built[c] for c in hears])


def _fit(left: dict[str, Tensor], columns: Columns | None, readout: ModuleKind) -> None:
    """Give the network's columns their fitted readout, taken out of ``left``."""
    if columns is None or not isinstance(readout, Affine):
        raise ValueError("a fitted readout without columns")
    names = [f"fitted.maps.{layer}" for layer in range(columns.layers)]
    n = readout.outputs
    state: dict[str, Any] = {
        "maps": [
            _taken(left, name, (n, features_of(shape)))
            for name, shape in zip(names, columns.shapes, strict=True)
        ],
        "bias": _taken(left, "fitted.bias", (n,)),
        **{part: _taken(left, f"fitted.{part}", ()) for part in ("weight", "spread")},
    }
    columns.fitted = FittedReadout.of(state, columns.shapes, n)


def _layers(
    left: dict[str, Tensor],
    i: int,
    kinds: Sequence[ModuleKind],
    info: NetworkInfo,
    columns: Columns | None,
) -> list[dict[str, Tensor]]:
    """The parameters of each layer of path i, taken out of ``left``; ``columns`` get theirs."""
    layers, shape = [], info.path_shape
    for j, kind in enumerate(kinds):
        n, source = [*map(len, info.networks[i].path), 1][j], None
        if columns is not None and j:
            source = columns.shapes[j - 1]
            for part in ("shift", "scale"):
                into = getattr(columns, f"{part}_{j - 1}")
                into.copy_(_taken(left, f"{i}.{j}.{part}", into.shape))
        wanted = _shapes(kind, n, shape, source)
        layers.append({name: _taken(left, f"{i}.{j}.{name}", wanted[name]) for name in wanted})
        shape = kind.output_shape(shape)
    return layers


def _kind(layer: Mapping[str, Any], registry: Registry) -> ModuleKind:
    settings = {name: value for name, value in layer.items() if name != "kind"}
    name = layer["kind"]
    if not isinstance(name, str):
        raise TypeError("the kind of a layer is no name")
    kind: type[ModuleKind] = Affine if name == READOUT else registry.get("modules", name)
    return kind.model_validate(settings)


def _shapes(kind: ModuleKind, n: int, shape: Shape, source: Shape | None) -> dict[str, Shape]:
    """The shapes of n modules' parameters, widened if they hear units of shape ``source``."""
    sizes = kind.parameter_shapes(shape)
    wanted = {name: torch.empty(n, *size, device="meta") for name, size in sizes.items()}
    if source is not None:
        lateral = kind.lateral_shape(source, shape)
        if lateral is None:
            raise ValueError(f"modules of kind {type(kind).__name__} hear no other paths")
        wanted = kind.widen(wanted, torch.empty(n, *lateral, device="meta"))
    return {name: tuple(like.shape) for name, like in wanted.items()}


def _taken(left: dict[str, Tensor], name: str, shape: Shape) -> Tensor:
    """A tensor, taken out of ``left`` and checked."""
    values = left.pop(name)
    if tuple(values.shape) != tuple(shape) or values.dtype != torch.float32:
        raise ValueError(f"tensor {name} is {tuple(values.shape)}, expected {tuple(shape)}")
    return values


def _said(error: BaseException) -> str:
    """The first line of an error, short."""
    text = on_one_line(str(error).partition("\n")[0])[:200]
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"
