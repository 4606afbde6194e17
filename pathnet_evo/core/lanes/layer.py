"""One layer of many paths: the modules of each lane, their outputs and their gradients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pathnet_evo.core.aggregate import Aggregate
from pathnet_evo.core.lanes.widened import AnyStack, WidenedStack

AT_ONCE = 2**19
"""Numbers that lanes handled together on a CPU should have, so that they stay in its cache."""


class LaneLayer:
    """The modules of one layer that each of K lanes uses, of any kind.

    A lane's modules have slots: first those that may be trained, then the frozen ones. Lanes with
    fewer modules than others have slots that are empty. This class goes through
    ``ModuleKind.forward`` alone, grouped by module; subclasses know one kind better.

    Args:
        stack: the layer.
        lanes: for each lane its active modules; none where the lane is idle.
        part: which of the lanes this is for. That there are others has no effect on the numbers
            that come out, as the slots are for all of them.
        aggregate: how the outputs of a lane's modules become one.
        steps: steps that ``forward`` can keep for ``backward``.
        memory: what layers before this one, that are no longer used, had for the same stack.

    Attributes:
        all_lanes: how many lanes there are, with those of other parts.
        first: which of them is this part's first.
        modules: ``(K, slots)`` int64, what is in each slot.
        filled: ``(K, slots)`` bool, whether anything is.
        full: whether all slots are.
        n_trainable: number of slots, from the first, that hold modules that may be trained.
        gradients: by name ``(K, n_trainable, *parameter_shape)``, what ``backward`` found, zero in
            empty slots.
    """

    def __init__(
        self,
        stack: AnyStack,
        lanes: Sequence[Sequence[int]],
        part: slice,
        aggregate: Aggregate,
        steps: int,
        memory: dict[str, Tensor],
    ) -> None:
        self.memory = memory
        self.stack, self.kind, self.steps = stack, stack.kind, steps
        self.all_lanes, self.first = len(lanes), part.indices(len(lanes))[0]
        frozen = set(stack.frozen_modules())
        trainable = [[m for m in modules if m not in frozen] for modules in lanes]
        fixed = [[m for m in modules if m in frozen] for modules in lanes]
        self.n_trainable = max(map(len, trainable))
        width, device = self.n_trainable + max(map(len, fixed)), stack.device
        rows = [
            [*free, *[-1] * (width - len(free) - len(kept)), *kept]
            for free, kept in zip(trainable[part], fixed[part], strict=True)
        ]
        slots = torch.tensor(rows, dtype=torch.int64).reshape(len(rows), width)
        self.full = all(-1 not in row for row in rows)
        self.filled = (slots >= 0).to(device)
        self.modules = slots.clamp(min=0).to(device)
        shares = [aggregate.share(max(width - row.count(-1), 1)) for row in rows]
        self.share = None if set(shares) == {1.0} else torch.tensor(shares, device=device)
        self.gradients: dict[str, Tensor] = {}
        self._prepare()

    def __len__(self) -> int:
        return len(self.modules)

    def normalised(
        self, x: Tensor, shift: Tensor | None, scale: Tensor | None, step: int | None
    ) -> Tensor:
        """The network's input, shifted and scaled, in the form in which ``forward`` takes it.

        Args:
            x: ``(K, *input_shape)`` uint8 or float32.
            shift: subtracted; broadcasts against ``input_shape``.
            scale: what the shifted input is multiplied with.
            step: the step for which ``forward`` is called next.
        """
        x = x.float()
        x = x if shift is None else x - shift
        return x if scale is None else x * scale

    def forward(self, x: Tensor, step: int | None = None) -> Tensor:
        """Sum or average each lane's modules' outputs.

        Args:
            x: ``(K, *input_shape)``, one example a lane.
            step: which step this is, to be kept for ``backward``; None keeps nothing.

        Returns:
            ``(K, *output_shape)``.
        """
        out = x.new_zeros(len(x), *self.stack.output_shape)
        for module in torch.unique(self.modules[self.filled]).tolist():
            lanes, _ = torch.where(self.filled & (self.modules == module))
            parameters = {n: p[module : module + 1] for n, p in self.stack.parameters.items()}
            out.index_add_(0, lanes, self.kind.forward(x[lanes], parameters)[:, 0])
        if step is not None:
            self.inputs[:, step] = x
        out = self._averaged(out)
        skipped = self._skip(x)
        return out if skipped is None else skipped + out

    def forward_steps(
        self, x: Tensor, shift: Tensor | None = None, scale: Tensor | None = None
    ) -> Tensor:
        """All steps that can be kept, for ``backward``.

        Args:
            x: ``(K, steps, *input_shape)`` uint8 or float32.
            shift: as for ``normalised``.
            scale: likewise.

        Returns:
            ``(K, steps, *output_shape)``.
        """
        outs = [
            self.forward(self.normalised(x[:, t], shift, scale, t), t) for t in range(self.steps)
        ]
        return torch.stack(outs, 1)

    def backward(self, gradient: Tensor, below: bool) -> Tensor | None:
        """Take the gradient of what ``forward`` kept to the modules and to the input.

        Args:
            gradient: ``(K, steps, *output_shape)``.
            below: whether the gradient of the input is wanted.

        Returns:
            ``(K, steps, *input_shape)`` if wanted.
        """
        self.gradients = {
            name: values.new_zeros(len(self), self.n_trainable, *values.shape[1:])
            for name, values in self.stack.parameters.items()
        }
        d_inputs = torch.zeros_like(self.inputs) if below else None
        for lane, filled in enumerate(self.filled.tolist()):
            if any(filled):
                d = self._backward_lane(lane, gradient[lane], below)
                if d_inputs is not None and d is not None:
                    d_inputs[lane] = d
        return d_inputs

    def _backward_lane(self, lane: int, gradient: Tensor, below: bool) -> Tensor | None:
        slots = self.filled[lane].nonzero().flatten()
        n_trained = int((slots < self.n_trainable).sum())
        parameters = {
            name: values[self.modules[lane, slots]].requires_grad_(n_trained > 0)
            for name, values in self.stack.parameters.items()
        }
        x = self.inputs[lane].detach().requires_grad_(below)
        wanted = [*(parameters.values() if n_trained else ()), *([x] if below else ())]
        if not wanted:
            return None
        with torch.enable_grad():
            out = self.kind.forward(x, parameters).sum(1)
            out = out if self.share is None else out * self.share[lane]
            skipped = self._skip(x)
            out = out if skipped is None else skipped + out
        found = torch.autograd.grad(out, wanted, gradient, materialize_grads=True)
        if n_trained:
            for name, values in zip(parameters, found, strict=False):
                self.gradients[name][lane, :n_trained] = values[:n_trained]
        return found[-1] if below else None

    def _skip(self, x: Tensor) -> Tensor | None:
        """What the kind lets skip its modules, of the layer's own input."""
        if isinstance(self.stack, WidenedStack):
            x = self.stack.own_input(x.unsqueeze(1)).squeeze(1)
        return self.kind.skip(x)

    def _prepare(self) -> None:
        """Make room for what is kept, and gather what ``forward`` needs."""
        self.inputs = self.room("inputs", len(self), self.steps, *self.stack.input_shape)

    def room(self, name: str, *shape: int) -> Tensor:
        """Memory that was zero once and has been used for the same since: new memory is slow."""
        kept = self.memory.get(name)
        if kept is None or kept.shape != shape:
            kept = self.memory[name] = torch.zeros(shape, device=self.stack.device)
        return kept

    def _in_turn(self, size: int) -> list[slice]:
        """On a CPU a few lanes after others, which have ``size`` numbers each; else all at once."""
        n = len(self)
        if self.stack.device.type == "cpu":
            n = max(AT_ONCE // max(size, 1), 1)
        return [slice(i, i + n) for i in range(0, len(self), n)]

    def _averaged(self, out: Tensor) -> Tensor:
        if self.share is None:
            return out
        return out * self.share.view(-1, *[1] * (out.dim() - 1))

    def squares(self) -> Tensor:
        """``(K,)`` sums of each lane's squared gradients."""
        total = torch.zeros(len(self), device=self.stack.device)
        for values in self.gradients.values():
            total += values.flatten(1).square().sum(1)
        return total


def lane_totals(
    parts: Sequence[LaneLayer], weights: Tensor
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Sum the lanes' gradients of a layer module by module.

    Args:
        parts: the layer as shares of the lanes use it, which together have all K lanes in order.
        weights: ``(K,)``, what each lane's gradient is multiplied with; lanes of weight 0 are left
            out altogether, whatever their gradients are.

    Returns:
        The modules that the other lanes use and may train, ``(n,)`` ascending; how many lanes use
        each, ``(n,)``; and the gradients, by name ``(n, *parameter_shape)``.
    """
    each = torch.split(weights, [len(part) for part in parts])
    used = [
        torch.where(part.filled[:, : part.n_trainable] & (own != 0).unsqueeze(1))
        for part, own in zip(parts, each, strict=True)
    ]
    modules, place, counts = torch.unique(
        torch.cat([part.modules[found] for part, found in zip(parts, used, strict=True)]),
        return_inverse=True,
        return_counts=True,
    )
    places = torch.split(place, [len(lanes) for lanes, _ in used])
    factors = [own[lanes] for own, (lanes, _) in zip(each, used, strict=True)]
    weighted = [not bool((own == 1).all()) for own in factors]
    found = {}
    for name, values in parts[0].gradients.items():
        total = values.new_zeros(len(modules), *values.shape[2:])
        for i, (part, chosen, where) in enumerate(zip(parts, used, places, strict=True)):
            each_slot = part.gradients[name]
            everything = len(where) == each_slot.shape[0] * each_slot.shape[1]
            own = each_slot.flatten(0, 1) if everything else each_slot[chosen]
            if weighted[i]:
                own = own * factors[i].view(-1, *[1] * (own.dim() - 1))
            total.index_add_(0, where, own)
        found[name] = total
    return modules, counts, found


def gathered(layer: LaneLayer, values: Tensor, name: str) -> Tensor:
    """Each slot's part of what all modules have, ``(K, slots, ...)``; zero where it is empty.

    Args:
        layer: where the slots are.
        values: ``(M, ...)``, such as a parameter.
        name: of the memory that it is written to.
    """
    n = layer.modules.numel()
    chosen = layer.room(name, n, *values.shape[1:])
    torch.index_select(values, 0, layer.modules.flatten(), out=chosen)
    chosen = chosen.view(*layer.modules.shape, *values.shape[1:])
    if not layer.full:
        chosen[~layer.filled] = 0
    return chosen
