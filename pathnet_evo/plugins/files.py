"""One-file plugins: a Python file that a run uses without its being installed."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from pathnet_evo.errors import UserError
from pathnet_evo.system.plugin_calls import FILE_MODULE, PluginFailed, calling
from pathnet_evo.values.encodings import NOT_TEXT, is_text
from pathnet_evo.values.names import on_one_line

if TYPE_CHECKING:
    from gymnasium.envs.registration import EnvSpec

_environments: dict[str, tuple[str, ...]] = {}
"""Ids that each imported file registered with Gymnasium, by its module's name."""
_imported: dict[str, CarriedFile] = {}
"""Files that are imported here, as a run records them, by their module's name."""
_carried: dict[tuple[str, str | None], bytes] = {}
"""Contents of files of another machine, by path and SHA-256."""


class PluginFileError(UserError):
    """A plugin file that cannot be read, has changed, or does not work."""


class PluginFile(BaseModel):
    """A one-file plugin in a configuration (``plugins``)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(min_length=1)
    """The file, relative to the folder of the TOML file."""
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the file; if given, no other content is imported."""

    def within(self, folder: Path) -> PluginFile:
        """The same file with its path taken from a folder, not from the working directory."""
        return self.model_copy(update={"path": str(folder / os.path.expanduser(self.path))})


class CarriedFile(NamedTuple):
    """A plugin file with its content, for a process or machine that may not have the file."""

    file: PluginFile
    content: bytes


def named(value: Any) -> Any:
    """A file given by its path alone, as a table."""
    return {"path": value} if isinstance(value, str) else value


def given(path: str | Path) -> PluginFile:
    """A file that a user names.

    Raises:
        PluginFileError: its path cannot be recorded.
    """
    if not is_text(str(path)):
        raise PluginFileError(f"{on_one_line(str(path))}: {NOT_TEXT}")
    return PluginFile(path=str(path))


def import_file(file: PluginFile) -> tuple[ModuleType, PluginFile]:
    """Import a file, exactly the bytes whose SHA-256 is returned; equal files are one module.

    Modules in the file's folder can be imported from then on, after all that are installed. A file
    that another process carried here need not exist.

    Raises:
        PluginFileError: it cannot be read, has changed since it was recorded, or fails.
    """
    path = Path(os.path.expanduser(file.path)).absolute()
    try:
        content = _carried.get((file.path, file.sha256)) or path.read_bytes()
    except OSError as error:
        raise PluginFileError(f"{file.path}: cannot be read ({error.strerror})") from None
    sha256 = hashlib.sha256(content).hexdigest()
    if file.sha256 not in (None, sha256):
        raise PluginFileError(
            f"{file.path}: has changed since it was recorded (SHA-256 {sha256[:12]}..., recorded "
            f"{str(file.sha256)[:12]}...); restore it, or remove sha256 from the configuration"
        )
    recorded = given(path).model_copy(update={"sha256": sha256})
    name = f"{FILE_MODULE}{path.stem}_{sha256[:12]}"
    if name in sys.modules:
        if name in _imported:
            _imported[name] = _imported.pop(name)  # the latest of its name now
        return sys.modules[name], recorded
    module = ModuleType(name)
    module.__file__ = str(path)
    try:
        with calling("", PluginFileError):
            _execute(module, content)
    except PluginFileError as error:
        raise PluginFileError(f"{file.path}: {error}") from None
    except PluginFailed as error:
        raise PluginFileError(f"{file.path}: failed to load: {error}") from None
    _imported[name] = CarriedFile(recorded, content)
    return module, recorded


def carried_files() -> tuple[CarriedFile, ...]:
    """The files that are imported here, with the bytes that were executed.

    Another process needs them to know what is theirs, even if they have been edited or removed
    since, as in a notebook.
    """
    return tuple(carried for name, carried in _imported.items() if name in sys.modules)


def import_carried(files: Iterable[CarriedFile], keep: bool = True) -> None:
    """Import files of another process or machine, by their contents.

    Args:
        files: what ``carried_files`` gave there.
        keep: use the contents as well when a configuration names the files, which need not exist
            here; otherwise the files are read then, and refused if they have changed.

    Raises:
        PluginFileError: a content is not the one that was recorded, or fails.
    """
    for file, content in files:
        _carried[file.path, file.sha256] = content
        import_file(file)
        if not keep:
            del _carried[file.path, file.sha256]


def module_of(stem: str) -> ModuleType | None:
    """The imported plugin file of this name, without ``.py``; the latest of several."""
    found = [name for name, (file, _) in _imported.items() if Path(file.path).stem == stem]
    return sys.modules.get(found[-1]) if found else None


def environments(module: ModuleType) -> tuple[str, ...]:
    """The ids that an imported file registered with Gymnasium."""
    return _environments.get(module.__name__, ())


def _execute(module: ModuleType, content: bytes) -> None:
    """Run a file as a module, and note what it registers.

    Raises:
        PluginFileError: it registers an environment of a module that is not found.
    """
    import gymnasium

    path, known = Path(str(module.__file__)), dict(gymnasium.registry)
    sys.modules[module.__name__] = module
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    try:
        exec(compile(content, str(path), "exec"), module.__dict__)  # noqa: S102 - it was asked for
        new = {i: s for i, s in gymnasium.registry.items() if known.get(i) is not s}
        for spec in new.values():
            _find_class(spec, module)
    except BaseException:
        del sys.modules[module.__name__]
        raise
    # A module that was imported before has registered its environments already.
    imported = {_top(m.__name__) for m in vars(module).values() if isinstance(m, ModuleType)}
    imported -= {"gymnasium"}
    there = {i for i, spec in gymnasium.registry.items() if _module_of(spec) in imported}
    _environments[module.__name__] = tuple(sorted(there | set(new)))


def _find_class(spec: EnvSpec, module: ModuleType) -> None:
    """Make sure that the module that an environment's ``entry_point`` names can be imported.

    The name of the file itself means its module, which is not importable by that name.

    Raises:
        PluginFileError: there is no such module, or another one of that name comes first.
    """
    if not isinstance(spec.entry_point, str):
        return
    path, (of, _, what) = Path(str(module.__file__)), spec.entry_point.partition(":")
    if of == path.stem and hasattr(module, what):
        spec.entry_point = getattr(module, what)
        return
    where = f'environment "{spec.id}": entry_point "{spec.entry_point}"'
    origin = _origin(_top(of))
    if origin is None:
        raise PluginFileError(f"{where}: module {of} is neither installed nor beside the file")
    mine = path.parent / _top(of)
    if (mine.with_suffix(".py").is_file() or mine.is_dir()) and path.parent not in origin.parents:
        raise PluginFileError(f"{where}: {origin} shadows {mine}; rename yours")


def _module_of(spec: EnvSpec) -> str:
    entry: Any = spec.entry_point or spec.vector_entry_point
    return _top(entry if isinstance(entry, str) else getattr(entry, "__module__", ""))


def _top(name: str) -> str:
    return name.partition(":")[0].partition(".")[0]


def _origin(name: str) -> Path | None:
    """The file of a module that is imported or can be; the name itself where it has none."""
    if name in sys.modules:
        return Path(getattr(sys.modules[name], "__file__", None) or name)
    importlib.invalidate_caches()
    try:
        found = find_spec(name)
    except (ImportError, ValueError):
        return None
    return None if found is None else Path(found.origin or name)
