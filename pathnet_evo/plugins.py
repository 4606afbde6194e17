"""Discovery of plugins, one by one, so that a broken one costs its own names only."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from pathnet_evo import hookspecs

FAMILIES = ("tasks", "learners", "strategies", "modules")
"""What plugins register, each by the hook ``register_FAMILY``."""

BASES = {
    "tasks": "pathnet_evo.tasks:TaskSettings",
    "learners": "pathnet_evo.learners:Learner",
    "strategies": "pathnet_evo.strategies.base:Strategy",
    "modules": "pathnet_evo.modules:ModuleKind",
}
SINGULAR = {"tasks": "task", "learners": "learner", "strategies": "strategy", "modules": "module"}


class PluginError(LookupError):
    """A name that no working plugin registered, or a plugin that is not what it should be."""


@dataclass
class Plugin:
    """What is known of one entry point.

    Args:
        name: the entry point's name.
        value: what it points to.
        distribution: name and version of the package that brought it.
        names: what it registered, by family.
        errors: why it, or a part of it, does not work.
    """

    name: str
    value: str
    distribution: str = ""
    names: dict[str, list[str]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


class Registry:
    """Everything that plugins registered, by family and name.

    Args:
        entries: entry points to load; by default all of the group ``pathnet_evo``.
    """

    def __init__(self, entries: Iterable[EntryPoint] | None = None) -> None:
        self.plugins: list[Plugin] = []
        self._found: dict[str, dict[str, tuple[type | str, Plugin]]] = {f: {} for f in FAMILIES}
        self._manager = pluggy.PluginManager(hookspecs.NAME)
        self._manager.add_hookspecs(hookspecs)
        if entries is None:
            entries = entry_points(group=hookspecs.NAME)
        for entry in sorted(entries, key=lambda e: (not _is_own(e), e.name)):
            self._load(entry)

    def _load(self, entry: EntryPoint) -> None:
        dist = f"{entry.dist.name} {entry.dist.version}" if entry.dist else ""
        plugin = Plugin(entry.name, entry.value, dist)
        self.plugins.append(plugin)
        try:
            module = entry.load()
            self._manager.register(module, name=f"{dist}:{entry.name}")
        except (Exception, SystemExit) as error:
            plugin.errors.append(f"{type(error).__name__}: {error}")
            return
        for family in FAMILIES:
            self._call(f"register_{family}", module, self._register(family, plugin), plugin)

    def _call(self, hook: str, module: Any, argument: Any, plugin: Plugin) -> None:
        """Call one plugin's own implementation of a hook, whatever it does."""
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            if implementation.plugin is module:
                try:
                    implementation.function(*[argument][: len(implementation.argnames)])
                except (Exception, SystemExit) as error:
                    plugin.errors.append(f"{hook}: {type(error).__name__}: {error}")

    def _register(self, family: str, plugin: Plugin) -> Callable[[str, type | str], None]:
        def register(name: str, plugin_class: type | str) -> None:
            taken = self._found[family].get(name)
            if taken is not None:
                plugin.errors.append(
                    f"{SINGULAR[family]} {name!r} is already registered by {taken[1].name}"
                )
                return
            self._found[family][name] = (plugin_class, plugin)
            plugin.names.setdefault(family, []).append(name)

        return register

    def names(self, family: str) -> list[str]:
        """The registered names of a family, ascending."""
        return sorted(self._found[family])

    def get(self, family: str, name: str) -> type[Any]:
        """The class that was registered under a name.

        Raises:
            PluginError: there is none; the message names the nearest, and plugins that failed.
        """
        if name not in self._found[family]:
            raise PluginError(self._unknown(family, name))
        registered, plugin = self._found[family][name]
        what = f"{SINGULAR[family]} {name!r} of plugin {plugin.name}"
        try:
            found = _imported(registered) if isinstance(registered, str) else registered
        except Exception as error:
            raise PluginError(f"{what} cannot be imported: {error}") from None
        base = _imported(BASES[family])
        if not (isinstance(found, type) and issubclass(found, base)):
            raise PluginError(f"{what} is not a subclass of {base.__module__}.{base.__name__}")
        return found

    def _unknown(self, family: str, name: str) -> str:
        names = self.names(family)
        near = difflib.get_close_matches(name, names, 1)
        guess = f' Did you mean "{near[0]}"?' if near else ""
        broken = "".join(
            f" Plugin {p.name} ({p.value}) failed to load: {'; '.join(p.errors)}."
            for p in self.plugins
            if p.errors
        )
        what = SINGULAR[family]
        return f'{what} "{name}" is not registered.{guess} (have: {", ".join(names)}){broken}'


def _is_own(entry: EntryPoint) -> bool:
    return entry.dist is not None and entry.dist.name == "pathnet-evo"


def _imported(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
