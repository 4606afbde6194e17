"""Variants: environments with other attributes, from which their constructors compute the rest."""

from __future__ import annotations

import copy
import inspect
import types
from collections.abc import Mapping
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec, load_env_creator

from pathnet_evo import TaskError, did_you_mean

Environment: TypeAlias = gymnasium.Env[Any, Any]
NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Variant:
    """Makes an environment whose attributes have other values from the start.

    An attribute that the constructor takes as an argument is passed to it. Any other replaces what
    the constructor or the class assigns, so that whatever is computed from it follows: a CartPole
    with another ``masspole`` has the ``total_mass`` that goes with it.

    Args:
        spec: what Gymnasium has registered.
        attributes: a number each, by name.
        kwargs: arguments of the constructor.

    Raises:
        TaskError: an attribute is among ``kwargs``, too, or is an argument that is not a number.
    """

    def __init__(
        self, spec: EnvSpec, attributes: Mapping[str, float], kwargs: Mapping[str, Any]
    ) -> None:
        self.spec, self.attributes, self.kwargs = spec, attributes, kwargs
        creator: Any = spec.entry_point
        self._creator = load_env_creator(creator) if isinstance(creator, str) else creator
        self._arguments = self._passed()

    def make(self, **options: Any) -> Environment:
        """One environment, as ``gymnasium.make`` makes it with these options.

        Raises:
            TaskError: an attribute does not exist, is not a number, would be truncated, or is
                computed otherwise.
        """
        spec: Any = copy.copy(self.spec)
        held = {n: v for n, v in self.attributes.items() if n not in self._arguments}
        if held:
            spec.entry_point = holding = self._holding(held)
        arguments: dict[str, Any] = {**options, **self.kwargs, **self._arguments}
        env = gymnasium.make(spec, **arguments)
        try:
            if held:
                type.__delattr__(holding, "__setattr__")  # steps cost what they did
                if not isinstance(env.unwrapped, holding):
                    raise TaskError(self._made_elsewhere())
            self.check(env)
        except BaseException:
            env.close()
            raise
        return env

    def check(self, env: Environment, when: str = "") -> None:
        """Refuse an environment whose attributes are not what was asked for.

        Args:
            env: one that was made here.
            when: " after ...", said of what is found.

        Raises:
            TaskError: the first attribute that differs.
        """
        for name, wanted in self.attributes.items():
            found = getattr(env.unwrapped, name, None)
            if not _is_number(found):
                if name not in self._arguments:
                    raise TaskError(self._no_number(env, name))
            elif found != _like(found, wanted):
                raise TaskError(self._differs(name, found, when))

    # What the constructor takes ------------------------------------------------------------

    def _passed(self) -> dict[str, float]:
        """The attributes that are arguments, as numbers of the kind that the default is."""
        passed: dict[str, float] = {}
        known = _parameters(self._creator)
        for name, value in self.attributes.items():
            if name in self.kwargs:
                raise TaskError(f"{self.spec.id}: {name!r} is both in kwargs and in attributes")
            if name in known:
                default = self.spec.kwargs.get(name, known[name].default)
                if isinstance(default, bool | str):
                    raise TaskError(
                        f"{self.spec.id}: {name!r} is an argument that is not a number but "
                        f"{default!r}: set it in kwargs"
                    )
                whole = value.is_integer() and not isinstance(default, float)
                passed[name] = int(value) if whole else value
        return passed

    # What it assigns -----------------------------------------------------------------------

    def _holding(self, held: Mapping[str, float]) -> type[Environment]:
        """The environment's class, with attributes that keep their values while it is made."""
        creator = self._creator
        if not (isinstance(creator, type) and issubclass(creator, gymnasium.Env)):
            raise TaskError(self._made_elsewhere())

        def hold(env: Any, name: str, value: Any) -> None:
            kept = _like(value, held[name]) if name in held else None
            creator.__setattr__(env, name, value if kept is None else kept)

        body = {name: getattr(creator, name) for name in ("__module__", "__qualname__", "__doc__")}
        for name, value in held.items():
            kept = _like(inspect.getattr_static(creator, name, None), value)
            if kept is not None:
                body[name] = kept
        body["__setattr__"] = hold
        return types.new_class(creator.__name__, (creator,), {}, lambda space: space.update(body))

    # What is said --------------------------------------------------------------------------

    def _made_elsewhere(self) -> str:
        names = ", ".join(self.attributes)
        return (
            f"{self.spec.id} is made by a function or a wrapper, so what is computed from {names} "
            "would not follow: set kwargs, or register the class itself"
        )

    def _no_number(self, env: Environment, name: str) -> str:
        numbers = [n for n, value in vars(env.unwrapped).items() if _is_number(value)]
        meant = did_you_mean(name, numbers)
        return f"{self.spec.id} has no attribute {name!r} that is a number.{meant}"

    def _differs(self, name: str, found: Any, when: str) -> str:
        wanted = self.attributes[name]
        if isinstance(found, int | np.integer) and not wanted.is_integer():
            return (
                f"{self.spec.id}: attribute {name!r} is an integer ({found}), and "
                f"{wanted:g} would be truncated"
            )
        way = "set it in kwargs" if name in self._arguments else "it cannot be set"
        return (
            f"{self.spec.id}: attribute {name!r} is {found}{when}, not {wanted:g}, as the "
            f"environment computes it: {way}"
        )


def _parameters(creator: Any) -> Mapping[str, inspect.Parameter]:
    """What may be named when an environment is made, also by way of ``**kwargs`` to a base."""
    bases = inspect.getmro(creator) if isinstance(creator, type) else [creator]
    taken: dict[str, inspect.Parameter] = {}
    for base in bases:
        if isinstance(base, type) and "__init__" not in vars(base):
            continue
        try:
            signature = inspect.signature(
                vars(base)["__init__"] if isinstance(base, type) else base
            )
        except (TypeError, ValueError):  # written in C, or no function
            break
        kinds = {parameter.kind for parameter in signature.parameters.values()}
        taken = {**{n: p for n, p in signature.parameters.items() if p.kind in NAMED}, **taken}
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            break
    return taken


def _is_number(value: Any) -> bool:
    numbers = int | float | np.integer | np.floating
    return isinstance(value, numbers) and not isinstance(value, bool)


def _like(found: Any, wanted: float) -> Any:
    """A number as one of the type of another; None where that is no number or cannot hold it."""
    if not _is_number(found):
        return None
    with np.errstate(over="ignore"):
        if isinstance(found, float | np.floating):
            kept = type(found)(wanted)
            return kept if np.isfinite(kept) else None
    if not wanted.is_integer():
        return None
    bounds = None if isinstance(found, int) else np.iinfo(type(found))
    fits = bounds is None or bounds.min <= wanted <= bounds.max
    return type(found)(int(wanted)) if fits else None
