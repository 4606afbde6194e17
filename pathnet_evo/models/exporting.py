"""Networks as ``torch.export`` programs and ONNX files."""

from __future__ import annotations

import contextlib
import io
import json
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pathnet_evo.core.network import PathNetwork
from pathnet_evo.models.examples import ModelError
from pathnet_evo.models.info import NetworkInfo
from pathnet_evo.system.extras import missing
from pathnet_evo.values.names import on_one_line

if TYPE_CHECKING:
    from torch.export import ExportedProgram

TOLERANCE = 1e-5
"""Largest difference between outputs, as a share of the largest output (or of 1, if larger)."""
BATCH = 3
"""Inputs on which an exported network is compared."""


def exported(network: PathNetwork, info: NetworkInfo) -> ExportedProgram:
    """A ``torch.export`` program whose batch dimension is dynamic.

    Raises:
        ModelError: torch cannot trace a module kind.
    """
    sizes = {0: torch.export.Dim("batch", min=1)}
    with _telling(network, info):
        return torch.export.export(network, (_inputs(network, info),), dynamic_shapes=(sizes,))


def onnx_content(network: PathNetwork, info: NetworkInfo) -> bytes:
    """An ONNX file that onnxruntime was seen to compute as torch does.

    Raises:
        ModelError: onnx is not installed, or the outputs differ.
    """
    if lack := missing("ONNX needs", "onnx", "onnxscript", "onnxruntime"):
        raise ModelError(lack)
    import onnxruntime

    program = exported(network, info)
    with _telling(network, info):
        written: Any = torch.onnx.export(
            program, dynamo=True, input_names=["inputs"], output_names=["outputs"], verbose=False
        )
    model = written.model_proto
    for name, value in _properties(info).items():
        model.metadata_props.add(key=name, value=value)
    content: bytes = model.SerializeToString()
    x = _inputs(network, info)
    try:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {"inputs": x.cpu().numpy()})
    except Exception as error:  # onnxruntime's errors have no common base
        reason = on_one_line(str(error).partition("\n")[0])[:200]
        raise ModelError(f"{info.name}: onnxruntime cannot compute it: {reason}") from None
    with torch.inference_mode():
        _compare(network(x).cpu(), torch.from_numpy(found))
    return content


def _compare(wanted: Tensor, found: Tensor) -> None:
    largest = max(1.0, float(wanted.abs().max()))
    difference = float((wanted - found).abs().max()) / largest
    if not difference <= TOLERANCE:
        raise ModelError(
            f"onnxruntime computes other outputs than torch (relative difference {difference:.1e})"
        )


def _inputs(network: PathNetwork, info: NetworkInfo) -> Tensor:
    """Random inputs of the network's type and range."""
    generator = torch.Generator().manual_seed(0)
    shape = (BATCH, *info.input_shape)
    if info.signature.input_type == "uint8":
        x = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
        return x.to(network.scale.device)
    x = torch.randn(shape, generator=generator).to(network.scale.device)
    return network.shift + x / network.scale.where(network.scale != 0, 1)


def _properties(info: NetworkInfo) -> dict[str, str]:
    """What an ONNX file says of itself: its classes or actions, where it is from, its licence."""
    return {
        info.signature.outputs: json.dumps(info.signature.labels),
        "run": info.run,
        "stage": info.name,
        "scores": json.dumps(info.scores),
        "pathnet_evo": info.pathnet_evo,
        **({} if info.license is None else {"license": info.license}),
    }


@contextlib.contextmanager
def _telling(network: PathNetwork, info: NetworkInfo) -> Iterator[None]:
    """Keep torch's progress and warnings from a user's terminal, and tell its errors in a line."""
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    except Exception as error:  # torch raises almost anything
        kinds = ", ".join(sorted({type(kind).__name__ for kind in network.kinds}))
        reason = on_one_line(str(error).partition("\n")[0])[:200]
        raise ModelError(
            f"{info.name}: torch cannot export its modules ({kinds}) for batches of any "
            f"size: {reason}"
        ) from None
