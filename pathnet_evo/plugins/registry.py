"""Discovery of plugins, one by one, so that a broken one loses only its own names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from pathnet_evo.plugins import hookspecs
from pathnet_evo.plugins.marks import backbones_of
from pathnet_evo.system.plugin_calls import FILE_MODULE, PluginFailed, calling
from pathnet_evo.values.suggestions import did_you_mean

if TYPE_CHECKING:
    import typer

    from pathnet_evo.plugins.files import PluginFile

BASES = {
    "tasks": "pathnet_evo.interfaces.tasks:TaskSettings",
    "learners": "pathnet_evo.interfaces.learners:Learner",
    "strategies": "pathnet_evo.interfaces.strategies:Strategy",
    "policies": "pathnet_evo.interfaces.policies:TransferPolicy",
    "modules": "pathnet_evo.core.modules:ModuleKind",
    "operators": None,
    "engines": "pathnet_evo.interfaces.engines:Engine",
    "executors": "pathnet_evo.interfaces.executors:Executor",
    "observers": "pathnet_evo.interfaces.observers:Observer",
}
"""Base class of each family; none if any function will do."""
FAMILIES = tuple(BASES)
"""The families, each with a hook ``register_FAMILY``."""
SINGULAR = {
    "tasks": "task",
    "learners": "learner",
    "strategies": "strategy",
    "policies": "policy",
    "modules": "module",
    "operators": "operator",
    "engines": "engine",
    "executors": "executor",
    "observers": "observer",
}
CHOSEN = "PATHNET_EVO_PLUGINS"
"""Environment variable: names of the entry points to load besides the built-in ones."""


class PluginError(LookupError):
    """An unregistered name, or an invalid plugin."""


@dataclass
class Plugin:
    """Information about one plugin.

    Args:
        name: the entry point's name, or the file's.
        value: what it points to.
        distribution: the package that brought it.
        version: the package's version.
        hooks: the hooks that it implements.
        names: what it registered, by family; ``environments`` are Gymnasium's, ``backbones`` those
            that it marked.
        errors: why it, or a part of it, does not work.
    """

    name: str
    value: str
    distribution: str = ""
    version: str = ""
    hooks: list[str] = field(default_factory=list)
    names: dict[str, list[str]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


class Registry:
    """All registered plugins, by family and name.

    Args:
        entries: entry points to load; by default those of the group ``pathnet_evo`` that
            ``PATHNET_EVO_PLUGINS`` lets through.
        files: one-file plugins to load as well, recorded by a run's configuration.

    Raises:
        PluginFileError: a file that cannot be used; entry points never raise.
    """

    def __init__(
        self, entries: Iterable[EntryPoint] | None = None, files: Iterable[PluginFile] = ()
    ) -> None:
        self.plugins: list[Plugin] = []
        self._found: dict[str, dict[str, tuple[Any, Plugin]]] = {f: {} for f in FAMILIES}
        self._modules: list[tuple[ModuleType, Plugin]] = []
        self._manager = pluggy.PluginManager(hookspecs.NAME)
        self._manager.add_hookspecs(hookspecs)
        if entries is None:
            entries = self._chosen(entry_points(group=hookspecs.NAME))
        for entry in sorted(entries, key=lambda e: (not _is_own(e), e.name)):
            self._load(entry)
        for file in files:
            self.load_file(file)

    # Asking ------------------------------------------------------------------------------

    def names(self, family: str) -> list[str]:
        """The registered names of a family, sorted."""
        return sorted(self._found[family])

    def get(self, family: str, name: str) -> Any:
        """The class, or for operators the function, registered under a name.

        Raises:
            PluginError: there is none; the message names the nearest, and plugins that failed.
        """
        if name not in self._found[family]:
            raise PluginError(self._unknown(family, name))
        registered, plugin = self._found[family][name]
        what = f"{SINGULAR[family]} {name!r} of plugin {plugin.name}"
        try:
            with calling(""):
                found = _imported(registered) if isinstance(registered, str) else registered
        except PluginFailed as error:
            raise PluginError(f"{what} cannot be imported: {error}") from None
        wanted = BASES[family]
        if wanted is None:
            if not callable(found):
                raise PluginError(f"{what} is not a function")
            return found
        base = _imported(wanted)
        if not (isinstance(found, type) and issubclass(found, base)):
            raise PluginError(f"{what} is not a subclass of {base.__module__}.{base.__name__}")
        return found

    @property
    def operators(self) -> Mapping[str, Callable[..., Any]]:
        """The registered operators; each is imported on first use."""
        return _Operators(self)

    def hooks(self, hook: str) -> Iterator[tuple[str, Callable[..., object]]]:
        """Implementations of an observer hook, by the plugin's name in warnings."""
        for module, plugin in self._modules:
            for call in self._implementations(hook, module):
                yield f"plugin {plugin.name}", call

    def commands(self, taken: Iterable[str] = ()) -> dict[str, Any]:
        """The commands that plugins add, by name, ready for typer.

        Args:
            taken: names that are not to be had.
        """
        import typer
        from typer.main import get_group

        found: dict[str, Any] = {}
        for module, plugin in self._modules:
            if "register_commands" not in plugin.hooks:
                continue
            app: typer.Typer = typer.Typer(add_completion=False)
            self._call("register_commands", module, plugin, app=app)
            try:
                with calling("register_commands"):
                    commands = get_group(app).commands if _has_commands(app) else {}
            except PluginFailed as error:
                plugin.errors.append(str(error))
                continue
            for name, command in commands.items():
                if name in found or name in taken:
                    plugin.errors.append(f"command {name!r} already exists")
                    continue
                found[name] = command
                plugin.names.setdefault("commands", []).append(name)
        return found

    # Loading -----------------------------------------------------------------------------

    def load_file(self, file: PluginFile) -> PluginFile:
        """Load a plugin file.

        Returns:
            The file with its absolute path and SHA-256, as a run records it.

        Raises:
            PluginFileError: it cannot be read, has changed since it was recorded, or does not
                work; a file that is asked for is not passed over in silence.
        """
        from pathnet_evo.plugins.files import PluginFileError, environments, import_file

        module, recorded = import_file(file)
        if any(module is known for known, _ in self._modules):
            return recorded
        plugin = Plugin(Path(recorded.path).name, recorded.path)
        if registered := environments(module):
            plugin.names["environments"] = list(registered)
        self._enter(plugin, module)
        self.plugins.append(plugin)
        if plugin.errors:
            raise PluginFileError(f"{file.path}: {'; '.join(plugin.errors)}")
        return recorded

    def _chosen(self, entries: Iterable[EntryPoint]) -> list[EntryPoint]:
        entries, names = list(entries), _wanted()
        if names is None:
            return entries
        for name in sorted(names - {entry.name for entry in entries}):
            error = f"{CHOSEN} names it, but it is not installed"
            self.plugins.append(Plugin(name, "", errors=[error]))
        return [entry for entry in entries if _is_own(entry) or entry.name in names]

    def _load(self, entry: EntryPoint) -> None:
        dist = (entry.dist.name, entry.dist.version) if entry.dist else ("", "")
        plugin = Plugin(entry.name, entry.value, *dist)
        self.plugins.append(plugin)
        try:
            with calling(""):
                module = entry.load()
        except PluginFailed as error:
            plugin.errors.append(str(error))
            return
        self._enter(plugin, module)

    def _enter(self, plugin: Plugin, module: Any) -> None:
        """Register a module, and record its errors."""
        name = f"{plugin.distribution} {plugin.version}:{plugin.name}"
        try:
            with calling(""):
                self._manager.register(module, name=name)
        except PluginFailed as error:
            plugin.errors.append(str(error))
            if self._manager.has_plugin(name):
                self._manager.unregister(name=name)
            return
        self._modules.append((module, plugin))
        known = {
            name
            for name in vars(hookspecs)
            if hasattr(vars(hookspecs)[name], f"{hookspecs.NAME}_spec")
        }
        for caller in self._manager.get_hookcallers(module) or []:
            if caller.name in known:
                plugin.hooks.append(caller.name)
            else:
                meant = did_you_mean(caller.name, sorted(known))
                plugin.errors.append(f"{caller.name} is not a hook.{meant}")
        plugin.hooks.sort()
        if isinstance(module, ModuleType) and (marked := backbones_of(module)):
            plugin.names["backbones"] = [f"{_called(module)}:{name}" for name in marked]
        if not plugin.hooks and not plugin.names and not plugin.errors:
            plugin.errors.append("implements no hook (is @hookimpl missing?)")
        for family in FAMILIES:
            register = self._register(family, plugin)
            self._call(f"register_{family}", module, plugin, register=register)

    def _call(self, hook: str, module: Any, plugin: Plugin, **arguments: Any) -> None:
        """Call one plugin's implementation of a hook, and contain its errors."""
        for call in self._implementations(hook, module):
            try:
                with calling(hook):
                    call(**arguments)
            except PluginFailed as error:
                plugin.errors.append(str(error))

    def _implementations(self, hook: str, module: Any) -> Iterator[Callable[..., None]]:
        """A module's implementations of a hook, which can take fewer arguments."""
        for found in getattr(self._manager.hook, hook).get_hookimpls():
            if found.plugin is module:

                def call(_found: Any = found, **arguments: Any) -> None:
                    _found.function(*[arguments[name] for name in _found.argnames])

                yield call

    def _register(self, family: str, plugin: Plugin) -> Callable[[str, Any], None]:
        def register(name: str, plugin_class: Any) -> None:
            if not isinstance(name, str) or not name:
                raise TypeError(f"a name is text, got {name!r}")
            taken = self._found[family].get(name)
            if taken is not None:
                plugin.errors.append(
                    f"{SINGULAR[family]} {name!r} is already registered by {taken[1].name}"
                )
                return
            self._found[family][name] = (plugin_class, plugin)
            plugin.names.setdefault(family, []).append(name)

        return register

    def _unknown(self, family: str, name: str) -> str:
        names = self.names(family)
        guess = did_you_mean(name, names)
        broken = "".join(
            f" Plugin {p.name} ({p.value or 'unknown'}) failed to load: {'; '.join(p.errors)}."
            for p in self.plugins
            if p.errors
        )
        what = SINGULAR[family]
        have = ", ".join(names) or "none"
        return f'{what} "{name}" is not registered.{guess} (have: {have}){broken}'


class _Operators(Mapping[str, Callable[..., Any]]):
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def __getitem__(self, name: str) -> Callable[..., Any]:
        if name not in self._registry.names("operators"):
            raise KeyError(name)
        found: Callable[..., Any] = self._registry.get("operators", name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._registry.names("operators"))

    def __len__(self) -> int:
        return len(self._registry.names("operators"))


def installed_packages() -> list[str]:
    """The packages of the installed plugins of others that ``PATHNET_EVO_PLUGINS`` lets through."""
    names, entries = _wanted(), entry_points(group=hookspecs.NAME)
    chosen = [e for e in entries if not _is_own(e) and (names is None or e.name in names)]
    return sorted({entry.module.partition(".")[0] for entry in chosen})


def _wanted() -> set[str] | None:
    """The entry points that ``PATHNET_EVO_PLUGINS`` names; None for all."""
    wanted = os.environ.get(CHOSEN)
    return None if wanted is None else {name.strip() for name in wanted.split(",")} - {""}


def _is_own(entry: EntryPoint) -> bool:
    return entry.dist is not None and entry.dist.name == "pathnet-evo"


def _has_commands(app: typer.Typer) -> bool:
    return bool(app.registered_commands or app.registered_groups)


def _called(module: ModuleType) -> str:
    """What a configuration calls a plugin's module: a file by its name without ``.py``."""
    file = module.__name__.startswith(FILE_MODULE)
    return Path(str(module.__file__)).stem if file else module.__name__


def _imported(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
