"""What is known of a trained network: the JSON in the header of its file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
)

from pathnet_evo.interfaces.signature import Signature

FORMAT = 3
"""Newest version of the file's format; readers refuse newer ones. Version 2 has encoders, 3 fitted
readouts."""

Text = Annotated[str, StringConstraints(max_length=1000)]
Index = Annotated[int, Field(ge=0, lt=2**31)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class PathInfo(_Part):
    """One path: that of the network, or of a stage that it listens to."""

    stage: Index
    """Index of the stage that learned it."""
    path: tuple[tuple[Index, ...], ...]
    """For each layer of the pool the modules of the path."""
    layers: tuple[dict[str, Any], ...]
    """For each layer its ``kind`` and that kind's settings; the network's readout is the last."""
    hears: tuple[Index, ...] = Field(())
    """The paths that it listens to, as indices of the file's ``networks``, all before its own."""


class EncoderInfo(_Part):
    """The frozen network before the paths, such as a pretrained backbone."""

    name: Text
    """What it is called."""
    output_shape: tuple[Index, ...]
    """Shape of what it computes from one input."""


class NetworkInfo(_Part):
    """Everything about a trained network but its tensors."""

    format: Literal[1, 2, 3] = 1
    """Version of the format."""
    pathnet_evo: Text
    """Version of pathnet-evo that wrote it."""
    run: Text
    """Name of the run."""
    arm: Text
    """The arm that learned it."""
    seed: int
    """Seed of the trial."""
    stage: Index
    """Index of its stage in the sequence."""
    after: Index
    """Index of the stage after which the weights were taken."""
    name: Text
    """Name of the stage."""
    task: Text
    """Registered name of the task, which reads files for ``predict``."""
    license: Text | None = None
    """Licence of the weights, such as an SPDX identifier."""
    scores: dict[str, float | None] = Field({})
    """Test scores of this network, by name; null if not finite."""
    input_shape: tuple[Index, ...]
    """Shape of one input."""
    encoder: EncoderInfo | None = None
    """What computes the paths' input from the network's; None where they are the same."""
    signature: Signature
    """What the inputs and outputs are."""
    policy: bool = False
    """Whether the first outputs are the logits of a policy, so that the network can act."""
    aggregate: Literal["sum", "mean"]
    """How a layer combines the outputs of its modules."""
    networks: tuple[PathInfo, ...] = Field(min_length=1)
    """The paths that the network listens to, then its own."""
    fitted: bool = False
    """Whether a readout of the columns' units was fitted in closed form beside the trained one."""
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
    """In a file: SHA-256 of its content, computed with null in place of this."""

    @property
    def path_shape(self) -> tuple[int, ...]:
        """Shape of one input of the paths."""
        return self.input_shape if self.encoder is None else self.encoder.output_shape

    @model_serializer(mode="wrap")
    def _without_absent_parts(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Files without an encoder and a fitted readout are those of format 1, byte for byte."""
        found: dict[str, Any] = handler(self)
        if self.encoder is None:
            del found["encoder"]
        if not self.fitted:
            del found["fitted"]
        return found
