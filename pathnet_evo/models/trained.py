"""A trained network that stands alone: it predicts or acts, and can be saved and exported."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pathnet_evo.core.modules import ShapeError
from pathnet_evo.core.network import PathNetwork
from pathnet_evo.interfaces.encoders import Encoder
from pathnet_evo.interfaces.tasks import TaskError
from pathnet_evo.models.answers import Predictions
from pathnet_evo.models.examples import ModelError, Reader, batch
from pathnet_evo.models.info import NetworkInfo
from pathnet_evo.models.saving import content, put
from pathnet_evo.values.names import label

if TYPE_CHECKING:
    from torch.export import ExportedProgram

AT_ONCE = 256
"""Inputs in one forward pass."""
AT_ONCE_ENCODED = 16
"""The same through an encoder, which needs more memory an input."""


def no_reader(source: Any) -> Tensor:
    """Reads nothing."""
    raise TaskError(f"cannot read {type(source).__name__}: give arrays or tensors")


class TrainedNetwork(PathNetwork):
    """The network of a stage's best path, in eval mode, and what is known of it.

    Calling it gives logits, as with any torch module.

    Args:
        network: path and head; copied, except for the columns.
        info: what is known of it; None for networks of early versions, which only compute.
        read: reads files and pictures for ``predict``.
        encoder: computes the path's input from the network's, where they differ.

    Attributes:
        encoder: the same; None where the path takes the network's input.
    """

    def __init__(
        self,
        network: PathNetwork,
        info: NetworkInfo | None,
        read: Reader = no_reader,
        encoder: Encoder | None = None,
    ) -> None:
        super().__init__(
            network.kinds,
            [dict(layer.items()) for layer in network.layers],  # type: ignore[operator]
            path=network.path,
            input_shape=network.input_shape if info is None else info.path_shape,
            aggregate=network.aggregate,
            shift=network.shift,
            scale=network.scale,
            columns=network.columns,
        )
        self._info = info
        self._read = read
        self.encoder = encoder
        self.eval()

    def __repr__(self) -> str:
        """What it takes, and the number of modules of each layer, on one line."""
        text = super().__repr__()
        if self.encoder is None:
            return text
        features = f"{self.encoder.name} features {self.input_shape}"
        return text.replace(
            f"inputs {self.input_shape}", f"inputs {self.encoder.input_shape}, {features}", 1
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the encoder, if there is one, and the path.

        Args:
            x: ``(batch, *input_shape)`` as the task gives it, or raw inputs for the encoder.

        Returns:
            ``(batch, outputs)`` float32: logits, or policy and value.

        Raises:
            ShapeError: inputs of another shape than the network was learned on.
        """
        if self.encoder is not None and tuple(x.shape[1:]) != self.input_shape:
            if tuple(x.shape[1:]) != self.encoder.input_shape:
                sizes = ", ".join(map(str, self.encoder.input_shape))
                raise ShapeError(f"the network takes (batch, {sizes}), got {tuple(x.shape)}")
            x = self.encoder(x)
        return super().forward(x)

    @property
    def info(self) -> NetworkInfo:
        """What is known of it.

        Raises:
            ModelError: an early version did not record it.
        """
        if self._info is None:
            raise ModelError(
                "an early version of pathnet-evo did not record what this network takes and gives: "
                "run.network(stage, task=run.task(stage))"
            )
        return self._info

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of classes or actions; their numbers where they have none."""
        return self.info.signature.labels

    @torch.inference_mode()
    def predict(self, inputs: Any) -> Predictions:
        """Classify inputs.

        Args:
            inputs: one or many: a tensor or array ``(n, *input_shape)`` or ``input_shape`` as in
                training, a file name or a Pillow image if the task reads pictures, or a list. Where
                there is an encoder, raw inputs, or what it computed from them ``(n, features)``.

        Returns:
            An answer per input, in order: ``predict("rose.jpg")[0].label``.

        Raises:
            ModelError: an input of another shape or type, or that cannot be read; or the network
                does not classify.
        """
        if self.info.signature.outputs != "classes":
            raise ModelError(f"{self.info.name}: the network acts; use act(observation)")
        logits, _ = self._logits(inputs)
        return Predictions(self.classes, logits.softmax(1))

    @torch.inference_mode()
    def act(
        self, observation: Any, greedy: bool = True, generator: torch.Generator | None = None
    ) -> int | npt.NDArray[np.int64]:
        """Choose actions.

        Args:
            observation: one observation ``input_shape``, or ``(n, *input_shape)``.
            greedy: take the most probable action; false draws from the policy.
            generator: a CPU generator for drawing; None for torch's global one.

        Returns:
            The action for one observation, ``(n,)`` int64 for many. ``classes`` has their names.

        Raises:
            ModelError: an observation of another shape; or the network does not act.
        """
        if self.info.signature.outputs != "actions":
            raise ModelError(f"{self.info.name}: the network classifies; use predict(inputs)")
        if self.info.signature.continuous:
            raise ModelError(
                f"{self.info.name}: its actions are vectors; pathnet-evo play draws them, and "
                "network(observations) gives what its learner defines"
            )
        if not self.info.policy:
            raise ModelError(
                f"{self.info.name}: its learner does not say which outputs are actions "
                "(Learner.policy)"
            )
        logits, single = self._logits(observation)
        if greedy:
            actions = logits.argmax(1)
        else:
            actions = torch.multinomial(logits.softmax(1), 1, generator=generator).squeeze(1)
        return int(actions) if single else actions.numpy()

    def licensed(self, license: str) -> TrainedNetwork:  # noqa: A002
        """The same network with a licence, such as ``CC-BY-4.0``.

        Raises:
            ModelError: it is not one line of text.
        """
        try:
            info = self.info.model_copy(update={"license": label(license)})
        except ValueError as error:
            raise ModelError(f"license: {error}") from None
        return TrainedNetwork(self, info, self._read, self.encoder)

    def save(self, file: str | os.PathLike[str], license: str | None = None) -> None:  # noqa: A002
        """Save to one safetensors file, atomically; ``load_network`` reads it.

        Args:
            file: its name, such as ``model.safetensors``.
            license: licence of the weights, such as ``CC-BY-4.0``; None keeps the present one.

        Raises:
            ModelError: it cannot be written.
        """
        put({Path(file): (self if license is None else self.licensed(license)).to_bytes()})

    def to_bytes(self) -> bytes:
        """The content of the file that ``save`` writes."""
        return content(self, self.info, self.encoder)

    def to_exported(self) -> ExportedProgram:
        """The network as a ``torch.export`` program that takes a batch of any size.

        Raises:
            ModelError: torch cannot trace a module kind.
        """
        from pathnet_evo.models.exporting import exported

        return exported(self, self.info)

    def to_onnx(self, file: str | os.PathLike[str]) -> None:
        """Write an ONNX file, once onnxruntime gives the same outputs (extra ``onnx``).

        Raises:
            ModelError: onnx is not installed, the outputs differ, or the file cannot be written.
        """
        put({Path(file): self.to_onnx_bytes()})

    def to_onnx_bytes(self) -> bytes:
        """The content of the file that ``to_onnx`` writes."""
        from pathnet_evo.models.exporting import onnx_content

        return onnx_content(self, self.info)

    def card(self, summary: Mapping[str, Any] | None = None) -> str:
        """A model card in Markdown.

        Args:
            summary: the run's ``summary``, for results over all seeds.
        """
        from pathnet_evo.models.card import card

        return card(self.info, summary)

    def _logits(self, inputs: Any) -> tuple[Tensor, bool]:
        """The logits of classes or actions, ``(n, count)``, and whether there was one input."""
        signature, shape = self.info.signature, self.info.input_shape
        input_type: str | None = signature.input_type
        encoder = self.encoder
        if encoder is not None and tuple(getattr(inputs, "shape", ())[1:]) == self.input_shape:
            shape, input_type, encoder = self.input_shape, "float32", None
        x, single = batch(inputs, shape, input_type, self._read)
        at_once = AT_ONCE if encoder is None else AT_ONCE_ENCODED
        parts = [self(part.to(self.shift.device)).cpu() for part in torch.split(x, at_once)]
        logits = torch.cat(parts)
        if signature.outputs == "classes" and logits.shape[1] != signature.count:
            raise ModelError(
                f"{self.info.name}: {logits.shape[1]} outputs for {signature.count} classes, so "
                "they are no logits of classes; call the network itself"
            )
        logits = logits[:, : signature.count]
        if not bool(torch.isfinite(logits).all()):
            raise ModelError(f"{self.info.name}: the network's outputs are not finite")
        return logits, single
