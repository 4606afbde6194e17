"""One-file plugins: a Python file that a run uses without its being installed."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pathnet_evo.errors import UserError


class PluginFileError(UserError):
    """A plugin file that cannot be read, has changed, or does not work."""


class PluginFile(BaseModel):
    """A one-file plugin in a configuration (``plugins``)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(min_length=1)
    """The file; in a TOML relative to the TOML's folder."""
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the file; where it is given, no other content is imported."""

    def within(self, folder: Path) -> PluginFile:
        """The same file with its path taken from a folder, not from the working directory."""
        return self.model_copy(update={"path": str(folder / Path(self.path).expanduser())})


def named(value: Any) -> Any:
    """A file given by its path alone, as a table."""
    return {"path": value} if isinstance(value, str) else value


def import_file(file: PluginFile) -> tuple[ModuleType, PluginFile]:
    """Import a file, exactly the bytes whose SHA-256 is returned; equal files are one module.

    Raises:
        PluginFileError: it cannot be read, has changed since it was recorded, or fails.
    """
    path = Path(file.path).expanduser().absolute()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PluginFileError(f"{file.path}: cannot be read ({error.strerror})") from None
    sha256 = hashlib.sha256(content).hexdigest()
    if file.sha256 not in (None, sha256):
        raise PluginFileError(
            f"{file.path}: has changed since it was recorded (SHA-256 {sha256[:12]}..., recorded "
            f"{str(file.sha256)[:12]}...); put it back, or take sha256 out of the configuration"
        )
    recorded = PluginFile(path=str(path), sha256=sha256)
    name = f"pathnet_evo_file_{path.stem}_{sha256[:12]}"
    if name in sys.modules:
        return sys.modules[name], recorded
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        exec(compile(content, str(path), "exec"), module.__dict__)  # noqa: S102 - it was asked for
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise PluginFileError(f"{file.path}: failed to load: {reason}") from None
    return module, recorded
