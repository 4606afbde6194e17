"""The modules of one layer: one tensor per parameter, leased and committed by module index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from pathnet_evo.core.aggregate import SUM, Aggregate
from pathnet_evo.core.genotype import PathError
from pathnet_evo.core.modules import ModuleKind, Parameters, Shape


class Stack:
    """M modules of one kind that read the same input.

    Args:
        kind: what a module is.
        input_shape: shape of one example.
        modules: number of modules, M.
        device: where the parameters live.

    Attributes:
        parameters: by name ``(M, *parameter_shape)`` float32.
        frozen: ``(M,)`` bool; frozen modules never change again.
        versions: ``(M,)`` int64, counts the commits to each module.
        incarnations: ``(M,)`` int64, counts how often a module was frozen, re-initialised or
            overwritten by a duplicate; commits of earlier leases are refused.
        statistics: what an optimizer that lives in the pool keeps of each module, by name
            ``(M, ...)``; zero for a module that became another one.
        carried: names of the statistics that leases carry and commit; see ``carry``.
    """

    def __init__(
        self, kind: ModuleKind, input_shape: Shape, modules: int, device: torch.device | str = "cpu"
    ) -> None:
        self.kind = kind
        self.input_shape = input_shape
        self.output_shape = kind.output_shape(input_shape)
        self.device = torch.device(device)
        self.parameters = {
            name: torch.zeros(modules, *shape, device=device)
            for name, shape in kind.parameter_shapes(input_shape).items()
        }
        self.frozen = torch.zeros(modules, dtype=torch.bool)
        self.versions = torch.zeros(modules, dtype=torch.int64)
        self.incarnations = torch.zeros(modules, dtype=torch.int64)
        self.statistics: dict[str, Tensor] = {}
        self.carried: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.versions)

    def index(self, modules: Sequence[int]) -> Tensor:
        """Module indices as an index tensor on the stack's device.

        Raises:
            PathError: an index is outside ``[0, M)``.
        """
        if len(modules) and not 0 <= min(modules) <= max(modules) < len(self):
            raise PathError(f"modules {list(modules)} are not all within 0 to {len(self) - 1}")
        return torch.tensor(modules, dtype=torch.int64, device=self.device)

    def gather(self, modules: Sequence[int]) -> dict[str, Tensor]:
        """Copies of some modules' parameters, by name ``(len(modules), *parameter_shape)``."""
        index = self.index(modules)
        return {name: values.index_select(0, index) for name, values in self.parameters.items()}

    def carry(self, names: Mapping[str, Shape]) -> None:
        """Add statistics that leases carry, initially zero: name to shape per module."""
        self.carried = tuple(names)
        for name, shape in names.items():
            if name not in self.statistics:
                self.statistics[name] = torch.zeros(len(self), *shape, device=self.device)

    @property
    def leasable(self) -> Parameters:
        """All tensors that a lease copies for a trainable module."""
        return {**self.parameters, **{name: self.statistics[name] for name in self.carried}}

    def frozen_modules(self) -> tuple[int, ...]:
        """The indices of frozen modules, ascending."""
        return tuple(self.frozen.nonzero().flatten().tolist())

    def lease(self, modules: Sequence[int]) -> LeasedStack:
        """Copy some modules for training; frozen ones are read-only."""
        chosen = self.index(modules).cpu()
        is_frozen = self.frozen[chosen].tolist()
        trainable = tuple(m for m, f in zip(modules, is_frozen, strict=True) if not f)
        frozen = tuple(m for m, f in zip(modules, is_frozen, strict=True) if f)
        carried = self.index(trainable)
        return LeasedStack(
            kind=self.kind,
            trainable=trainable,
            frozen=frozen,
            leased=self.gather(trainable),
            statistics={n: self.statistics[n].index_select(0, carried) for n in self.carried},
            frozen_parameters=self.gather(frozen),
            versions=self.versions[list(trainable)],
            incarnations=self.incarnations[list(trainable)],
        )

    @torch.no_grad()
    def commit(self, lease: LeasedStack) -> tuple[int, ...]:
        """Write trained modules back.

        A module without other commits since the lease is replaced exactly. Otherwise trained minus
        leased is added, so that no update is lost; carried statistics come from the last commit. A
        module that was frozen, re-initialised or overwritten since the lease (see
        ``incarnations``) is left alone.

        Returns:
            The refused modules, ascending.
        """
        modules = torch.tensor(lease.trainable, dtype=torch.int64)
        alive = self.incarnations[modules] == lease.incarnations
        alone = self.versions[modules] == lease.versions
        exact = bool((alive & alone).all())
        states = list(zip(lease.trainable, alive.tolist(), alone.tolist(), strict=True))
        for name, trained in lease.parameters.items():
            ours, values = self.parameters[name], trained.detach()
            if exact:
                ours.index_copy_(0, modules.to(self.device), values)
                continue
            # One by one: buffers for all modules at once take longer to get than the sums take.
            for row, (module, is_alive, is_alone) in enumerate(states):
                if is_alive and is_alone:
                    ours[module].copy_(values[row])
                elif is_alive:
                    ours[module].add_(values[row] - lease.leased[name][row])
        chosen = modules[alive].to(self.device)
        for name, values in lease.statistics.items():
            self.statistics[name].index_copy_(0, chosen, values[alive.to(values.device)])
        self.versions[modules[alive]] += 1
        return tuple(modules[~alive].tolist())

    def freeze(self, modules: Sequence[int]) -> None:
        """Freeze some modules for good."""
        index = self.index(modules).cpu()
        self.incarnations[index[~self.frozen[index]]] += 1
        self.frozen[index] = True

    @torch.no_grad()
    def initialise(self, generator: torch.Generator, keep: Tensor | None = None) -> None:
        """Re-initialise all modules except those kept.

        Modules are drawn one by one, so a module's values depend only on its index, not on which
        other modules are kept or follow it.

        Args:
            generator: a CPU generator.
            keep: ``(M,)`` bool, modules to leave unchanged.
        """
        keep = torch.zeros(len(self), dtype=torch.bool) if keep is None else keep
        drawn = {
            name: torch.zeros(1, *shape)
            for name, shape in self.kind.parameter_shapes(self.input_shape).items()
        }
        for module, kept in enumerate(keep.tolist()):
            self.kind.initialise(drawn, generator)
            if not kept:
                for name, values in self.parameters.items():
                    values[module] = drawn[name][0]
                self._forget(module)
        self.incarnations[~keep] += 1
        self.versions[~keep] = 0

    @torch.no_grad()
    def duplicate(self, source: int, target: int, share: float = 1.0) -> None:
        """Copy one module's weights onto a free module.

        Args:
            source: the module.
            target: the free one.
            share: of the source's weights; what it lacks of 1 is of the target's own.

        Raises:
            PathError: the target is frozen, or an index is outside the layer.
        """
        self.index((source, target))
        if self.frozen[target]:
            raise PathError(f"module {target} is frozen: nothing can be copied onto it")
        for values in self.parameters.values():
            values[target] = torch.lerp(values[target], values[source], share)
        self._forget(target)
        self.incarnations[target] += 1
        self.versions[target] = 0

    def takes(self, other: Stack) -> bool:
        """Whether another stack's parameters fit."""
        return {n: v.shape for n, v in self.parameters.items()} == {
            n: v.shape for n, v in other.parameters.items()
        }

    @torch.no_grad()
    def overwrite(self, other: Stack) -> None:
        """Copy all parameters of a stack that fits; see ``takes``."""
        for name, values in self.parameters.items():
            values.copy_(other.parameters[name])

    @torch.no_grad()
    def grow(self, modules: int, generator: torch.Generator) -> None:
        """Append newly initialised modules; existing ones keep their indices."""
        new = Stack(self.kind, self.input_shape, modules, self.device)
        new.initialise(generator)
        for name, values in self.parameters.items():
            self.parameters[name] = torch.cat([values, new.parameters[name]])
        for name, values in self.statistics.items():
            self.statistics[name] = torch.cat(
                [values, values.new_zeros(modules, *values.shape[1:])]
            )
        self.frozen = torch.cat([self.frozen, new.frozen])
        self.versions = torch.cat([self.versions, new.versions])
        self.incarnations = torch.cat([self.incarnations, new.incarnations])

    def state(self) -> dict[str, Any]:
        """CPU copies of everything that ``restore`` needs.

        ``parameters`` and ``statistics`` by name ``(M, *parameter_shape)``, ``frozen``,
        ``versions`` and ``incarnations`` ``(M,)``.
        """
        return {
            "parameters": {n: v.detach().to("cpu", copy=True) for n, v in self.parameters.items()},
            "statistics": {n: v.detach().to("cpu", copy=True) for n, v in self.statistics.items()},
            "frozen": self.frozen.clone(),
            "versions": self.versions.clone(),
            "incarnations": self.incarnations.clone(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Load ``state``; the number of modules may differ.

        Raises:
            PathError: ``state`` has other modules.
        """
        modules = len(state["frozen"])
        shapes = self.kind.parameter_shapes(self.input_shape)
        found = {name: tuple(values.shape) for name, values in state["parameters"].items()}
        if found != {name: (modules, *shape) for name, shape in shapes.items()}:
            raise PathError(f"not the parameters of {modules} modules {self.kind!r}: {found}")
        for part in ("parameters", "statistics"):
            kept = state[part]
            # In the kind's own order: files do not keep it, and worker processes rely on it.
            names = sorted(kept, key=list(shapes).index) if kept.keys() <= shapes.keys() else kept
            setattr(self, part, {n: kept[n].to(self.device, copy=True) for n in names})
        self.frozen = state["frozen"].clone()
        self.versions = state["versions"].clone()
        self.incarnations = state["incarnations"].clone()

    def _forget(self, module: int) -> None:
        for values in self.statistics.values():
            values[module].zero_()


@dataclass
class LeasedStack:
    """Some modules of a stack, copied for training.

    Attributes:
        trainable: module indices, in the order of ``leased`` and ``parameters``.
        frozen: module indices, in the order of ``frozen_parameters``.
        leased: by name ``(len(trainable), *shape)``, values at the time of the lease.
        frozen_parameters: by name ``(len(frozen), *shape)``, read-only.
        statistics: carried statistics of trainable modules, by name ``(len(trainable), ...)``.
        versions: ``(len(trainable),)`` as leased.
        incarnations: ``(len(trainable),)`` as leased.
        lateral: the task's maps into the trainable modules, if it listens to columns.
    """

    kind: ModuleKind
    trainable: tuple[int, ...]
    frozen: tuple[int, ...]
    leased: dict[str, Tensor]
    frozen_parameters: dict[str, Tensor]
    versions: Tensor
    incarnations: Tensor
    statistics: dict[str, Tensor] = field(default_factory=dict)
    lateral: LeasedStack | None = None
    _parameters: dict[str, Tensor] | None = field(default=None, repr=False)

    @property
    def parameters(self) -> dict[str, Tensor]:
        """The parameters to train, by name ``(len(trainable), *shape)``; leaves for autograd."""
        if self._parameters is None:
            self._parameters = {
                name: values.clone().requires_grad_() for name, values in self.leased.items()
            }
        return self._parameters

    @parameters.setter
    def parameters(self, values: dict[str, Tensor]) -> None:
        self._parameters = values

    @property
    def widened(self) -> Parameters:
        """The parameters to train, joined with the lateral maps into their modules."""
        if self.lateral is None:
            return self.parameters
        return self.kind.widen(self.parameters, self.lateral.parameters["weight"])

    def forward(self, x: Tensor, aggregate: Aggregate = SUM, heard: Tensor | None = None) -> Tensor:
        """Aggregate the outputs of the leased modules, and add the kind's skip connection.

        Args:
            x: ``(batch, *input_shape)``.
            aggregate: how to combine outputs.
            heard: outputs of columns, which enter the trainable modules.

        Returns:
            ``(batch, *output_shape)``.
        """
        parts = []
        if self.trainable:
            joined = x if heard is None or self.lateral is None else self.kind.join(x, heard)
            parts.append(self.kind.forward(joined, self.widened).sum(1))
        if self.frozen:
            parts.append(self.kind.forward(x, self.frozen_parameters).sum(1))
        out = parts[0] if len(parts) == 1 else parts[0] + parts[1]
        out = aggregate.scaled(out, len(self.trainable) + len(self.frozen))
        skipped = self.kind.skip(x)
        return out if skipped is None else skipped + out

    def state(self) -> dict[str, Any]:
        """CPU copies of the leased tensors, without frozen ones, which never change."""
        return {
            "leased": _copies(self.leased),
            "statistics": _copies(self.statistics),
            "versions": self.versions.clone(),
            "incarnations": self.incarnations.clone(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Load ``state``, which must be of the same modules."""
        self.leased = {
            name: state["leased"][name].to(values.device, copy=True)
            for name, values in self.leased.items()
        }
        kept = state.get("statistics", {})
        self.statistics = {
            name: kept[name].to(values.device, copy=True) if name in kept else values
            for name, values in self.statistics.items()
        }
        self.versions = state["versions"].clone()
        self.incarnations = state["incarnations"].clone()
        self._parameters = None


def _copies(values: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: v.detach().to("cpu", copy=True) for name, v in values.items()}
