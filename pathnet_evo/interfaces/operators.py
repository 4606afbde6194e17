"""Operators by name: functions of ``deap.tools`` or of plugins, and nothing else."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Literal, TypeAlias

from deap import tools
from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationInfo, model_validator

from pathnet_evo.core.genotype import Genotype
from pathnet_evo.values.options import OPTIONS
from pathnet_evo.values.suggestions import nearest

Kind: TypeAlias = Literal["select", "mutate", "mate"]
"""The purpose of an operator: its name in the toolbox."""

PREFIXES: Mapping[Kind, str] = {"select": "sel", "mutate": "mut", "mate": "cx"}
"""Prefixes of DEAP's names of each kind."""

TAKES: Mapping[Kind, int] = {"select": 2, "mutate": 1, "mate": 2}
"""Positional arguments: individuals and a count, one individual, two individuals."""


def deap_operators(kind: Kind) -> dict[str, Callable[..., Any]]:
    """The public functions of ``deap.tools`` of a kind, by name."""
    return {
        name: function
        for name, function in vars(tools).items()
        if name.startswith(PREFIXES[kind])
        and inspect.isfunction(function)
        and function.__module__.startswith("deap.tools.")
    }


def operator(
    name: str,
    arguments: Mapping[str, Any],
    kind: Kind,
    registered: Mapping[str, Callable[..., Any]] = {},
) -> Callable[..., Any]:
    """The function that a configuration names, with checked but unbound arguments.

    DEAP's mutations know genes, not layers: they get the genotype as one flat list of genes.
    Its crossovers get the genotypes, so that they exchange layers. A plugin's get genotypes.

    Args:
        name: a name of ``deap.tools`` that begins as the kind's do, or a registered one.
        arguments: what it is called with besides the individuals.
        kind: what it is for.
        registered: operators that plugins registered, by name.

    Raises:
        ValueError: no such operator, or it does not take the arguments.
    """
    known = {**deap_operators(kind), **registered}
    if name not in known:
        guess = nearest(name, known)
        have = "" if guess else f" (have: {', '.join(sorted(known))})"
        raise ValueError(f'"{name}" is not a {kind} operator{guess}{have}')
    function = known[name]
    try:
        inspect.signature(function).bind(*[None] * TAKES[kind], **arguments)
    except TypeError as error:
        raise ValueError(f"{kind} operator {name}: {error}") from None
    return _on_genes(function) if kind == "mutate" and name not in registered else function


def _on_genes(mutation: Callable[..., Any]) -> Callable[..., Any]:
    """Applies a mutation of flat lists to a genotype."""

    @wraps(mutation)
    def mutate(genotype: Genotype, **arguments: Any) -> tuple[Genotype]:
        width = len(genotype[0])
        genes = [gene for row in genotype for gene in row]
        (genes,) = mutation(genes, **arguments)
        genotype[:] = _rows(genes, width)
        return (genotype,)

    return mutate


def _rows(genes: Sequence[int], width: int) -> list[list[int]]:
    return [list(genes[i : i + width]) for i in range(0, len(genes), width)]


class OperatorSettings(BaseModel):
    """An operator in a configuration: its ``name``, and its arguments beside it.

    Validated with ``context={"operators": {...}}``, plugins' operators are known as well.
    """

    model_config = OPTIONS | ConfigDict(extra="allow")

    name: str
    """A function in ``deap.tools``, or one that a plugin registered."""

    _registered: Callable[..., Any] | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _remember(self, info: ValidationInfo) -> OperatorSettings:
        known = (info.context or {}).get("operators", {})
        self._registered = known.get(self.name, self._registered)
        return self

    @property
    def arguments(self) -> dict[str, Any]:
        """The operator's arguments besides the individuals."""
        return dict(self.model_extra or {})

    def resolve(self, kind: Kind) -> Callable[..., Any]:
        """The function itself.

        Raises:
            ValueError: as ``operator`` does.
        """
        registered = {} if self._registered is None else {self.name: self._registered}
        return operator(self.name, self.arguments, kind, registered)
