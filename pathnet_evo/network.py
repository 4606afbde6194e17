"""A path as a plain network, apart from the pool: for inference and for keeping."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pathnet_evo.genotype import Path
from pathnet_evo.modules import ModuleKind, Shape, ShapeError


class PathNetwork(nn.Module):
    """The network of one path and one readout.

    Args:
        kinds: the module kind of each layer, the readout's last.
        parameters: for each of them by name ``(active modules, *parameter_shape)``.
        path: for each layer the active modules, for the record.
        mean: average the outputs of a layer's modules instead of summing them.
        shift: subtracted from the input; broadcasts against one example.
        scale: the shifted input is multiplied with it.
        input_shape: the shape of one example; None where it is not known.
    """

    def __init__(
        self,
        kinds: Sequence[ModuleKind],
        parameters: Sequence[dict[str, Tensor]],
        *,
        path: Path,
        mean: bool = False,
        shift: Tensor | None = None,
        scale: Tensor | None = None,
        input_shape: Shape | None = None,
    ) -> None:
        super().__init__()
        self.kinds = list(kinds)
        self.path = path
        self.mean = mean
        self.input_shape = input_shape
        self.layers = nn.ModuleList(
            nn.ParameterDict({name: nn.Parameter(p.clone()) for name, p in values.items()})
            for values in parameters
        )
        self.shift: Tensor
        self.scale: Tensor
        self.register_buffer("shift", torch.tensor(0.0) if shift is None else shift.clone())
        self.register_buffer("scale", torch.tensor(1.0) if scale is None else scale.clone())

    def forward(self, x: Tensor) -> Tensor:
        """Apply the path.

        Args:
            x: ``(batch, *input_shape)`` as the task gives it, uint8 or float32.

        Returns:
            ``(batch, outputs)`` float32: logits, or policy and value.

        Raises:
            ShapeError: examples of another shape than the network was learned on.
        """
        if self.input_shape is not None and tuple(x.shape[1:]) != self.input_shape:
            raise ShapeError(
                f"the network takes (batch, {', '.join(map(str, self.input_shape))}), "
                f"got {tuple(x.shape)}"
            )
        x = (x.float() - self.shift) * self.scale
        for kind, parameters in zip(self.kinds, self.layers, strict=True):
            out = kind.forward(x, dict(parameters.items()))  # type: ignore[operator]
            out, skipped = out.mean(1) if self.mean else out.sum(1), kind.skip(x)
            x = out if skipped is None else skipped + out
        return x
