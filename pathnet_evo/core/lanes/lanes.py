"""K paths through one pool, one forward pass for all of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pathnet_evo.core.aggregate import SUM, Aggregate
from pathnet_evo.core.genotype import Path
from pathnet_evo.core.head import Heard, TaskHead
from pathnet_evo.core.lanes.layer import LaneLayer
from pathnet_evo.core.lanes.widened import AnyStack, WidenedStack, listen
from pathnet_evo.core.pool import ModulePool


class Lanes:
    """The networks of K lanes, each with its own path, and a readout that they share.

    Holds copies of the paths' weights as they are now: make new lanes when the pool has changed.

    Args:
        pool: the shared modules.
        head: what the task owns.
        paths: the active modules of each lane; None for a lane that is idle.
        steps: steps that ``forward`` can keep for ``backward``.
        shift: subtracted from the input; broadcasts against ``input_shape``.
        scale: the shifted input is multiplied with it.
        part: which of the lanes to compute, all of them if nothing is said.
        instead_of: lanes that are no longer used, whose memory these may have.

    Attributes:
        layers: the pool's layers, input side first, the readout's last.
    """

    def __init__(
        self,
        pool: ModulePool,
        head: TaskHead,
        paths: Sequence[Path | None],
        steps: int = 0,
        shift: Tensor | None = None,
        scale: Tensor | None = None,
        part: slice = slice(None),
        instead_of: Lanes | None = None,
    ) -> None:
        self.shift, self.scale = shift, scale
        idle: Path = ((),) * len(pool.layers)
        rows = [idle if path is None else path for path in paths]
        users: list[Sequence[int]] = [() if path is None else (0,) for path in paths]
        used = [[row[i] for row in rows] for i in range(len(pool.layers))]
        self.columns = head.columns
        stacks = [
            stack if lateral is None else WidenedStack(stack, lateral)
            for stack, lateral in zip([*pool.layers, head.readout], head.laterals, strict=True)
        ]
        memories: list[dict[str, Tensor]] = [{} for _ in (*used, users)]
        if instead_of is not None:
            memories = [layer.memory for layer in instead_of.layers]
        self.layers: list[LaneLayer] = [
            lane_layer(stack, lanes, part, pool.aggregate, steps, memory)
            for stack, lanes, memory in zip(stacks, used, memories, strict=False)
        ]
        self.layers.append(lane_layer(stacks[-1], users, part, SUM, steps, memories[-1]))

    @torch.no_grad()
    def hear(self, x: Tensor) -> Heard:
        """What the columns say of ``x``, ``(K, *input_shape)`` uint8 or float32; None without."""
        if self.columns is None:
            return None
        return listen(self.columns, self._prepared(x), self.first)

    @torch.no_grad()
    def forward(self, x: Tensor, step: int | None = None, heard: Heard = None) -> Tensor:
        """One step of every lane.

        Args:
            x: ``(K, *input_shape)`` uint8 or float32, one example a lane.
            step: which step this is, to be kept for ``backward``; None keeps nothing.
            heard: what ``hear`` said of ``x``; asked again if nothing is given.

        Returns:
            ``(K, outputs)`` float32.
        """
        heard = self.hear(x) if heard is None else heard
        x = self.layers[0].normalised(x, self.shift, self.scale, step)
        for i, layer in enumerate(self.layers):
            if heard is not None and isinstance(layer.stack, WidenedStack):
                x = layer.stack.join(x, heard[i - 1])
            x = layer.forward(x, step)
        return x

    @torch.no_grad()
    def forward_steps(self, x: Tensor, heard: Heard) -> Tensor:
        """All steps that can be kept at once, which is faster than one by one.

        Args:
            x: ``(K, steps, *input_shape)`` uint8 or float32.
            heard: what ``hear`` said of them, for each layer ``(K, steps, *shape)``.

        Returns:
            ``(K, steps, outputs)`` float32.
        """
        first, *others = self.layers
        x = first.forward_steps(x, self.shift, self.scale)
        for i, layer in enumerate(others):
            if heard is not None and isinstance(layer.stack, WidenedStack):
                joined = layer.stack.join(x.flatten(0, 1), heard[i].flatten(0, 1))
                x = joined.view(*x.shape[:2], *joined.shape[1:])
            x = layer.forward_steps(x)
        return x

    def _prepared(self, x: Tensor) -> Tensor:
        """The input, shifted and scaled."""
        x = x.float() if self.shift is None else x - self.shift
        return x if self.scale is None else x * self.scale

    @property
    def first(self) -> int:
        """Which of all lanes the first one is."""
        return self.layers[0].first

    @torch.no_grad()
    def backward(self, gradient: Tensor) -> None:
        """Find every layer's ``gradients`` from those of the outputs, lane by lane.

        Args:
            gradient: ``(K, steps, outputs)``, of all steps that were kept.
        """
        lowest = next((i for i, layer in enumerate(self.layers) if layer.n_trainable), None)
        if lowest is None:
            return
        for i in range(len(self.layers) - 1, lowest - 1, -1):
            d = self.layers[i].backward(gradient, below=i > lowest)
            if d is not None:
                stack = self.layers[i].stack
                gradient = stack.own_input(d) if isinstance(stack, WidenedStack) else d

    def norms(self) -> Tensor:
        """``(K,)`` the Euclidean norm of each lane's whole gradient."""
        total, *others = (layer.squares() for layer in self.layers)
        for squares in others:
            total += squares
        return total.sqrt()


def lane_layer(
    stack: AnyStack,
    lanes: Sequence[Sequence[int]],
    part: slice,
    aggregate: Aggregate,
    steps: int,
    memory: dict[str, Tensor],
) -> LaneLayer:
    """The layer's modules as the lanes use them, by the fastest route there is for their kind."""
    kernel: type[LaneLayer] = stack.kind.lane_layer(stack.input_shape) or LaneLayer
    return kernel(stack, lanes, part, aggregate, steps, memory)
