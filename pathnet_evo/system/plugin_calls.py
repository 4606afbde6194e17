"""Calling plugin code: errors become one line, changes to the process are undone."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from pathnet_evo.system import standard_streams

LONGEST = 400
"""Characters of an error to show."""
LIBRARIES = {"deap", "gymnasium", "numpy", "PIL", "pluggy", "pydantic", "scipy", "torch"}
"""Packages whose frames are not a plugin's own."""
FILE_MODULE = "pathnet_evo_file_"
"""Begins the names of the modules of plugin files."""


class PluginFailed(RuntimeError):  # noqa: N818
    """Plugin code raised, or changed the process; one line says what."""


@contextmanager
def calling(what: str, *expected: type[BaseException]) -> Iterator[None]:
    """Run plugin code, and contain what it does.

    Working directory, standard streams, and torch's default dtype, default device and gradient mode
    are afterwards what they were before.

    Args:
        what: what is called, such as ``make``; nothing where that is said anyhow.
        expected: what it may raise, and is raised as it is; so is ``KeyboardInterrupt``.

    Raises:
        PluginFailed: it raised anything else, or changed the process.
    """
    passing: tuple[type[BaseException], ...] = (KeyboardInterrupt, GeneratorExit, PluginFailed)
    before = ProcessState.now()
    try:
        yield
    except (*passing, *expected):
        before.put_back()
        raise
    except BaseException as error:  # SystemExit, and panics of native code, are among them
        changed = before.put_back()
        reason = f"{said(error)}, after it {changed}" if changed else said(error)
        raise PluginFailed(_line(what, reason)) from error
    if changed := before.put_back():
        raise PluginFailed(_line(what, f"{changed}; a plugin has to leave that alone"))


@dataclass(frozen=True)
class ProcessState:
    """Process-wide state that any code can change.

    Args:
        folder: the working directory; None where it does not exist.
        streams: standard output and standard error.
        torch: torch's default dtype, default device, and whether gradients are recorded; None where
            torch is not imported.
    """

    folder: str | None
    streams: tuple[Any, Any]
    torch: tuple[Any, ...] | None

    @classmethod
    def now(cls) -> ProcessState:
        """The current state."""
        return cls(_folder(), (sys.stdout, sys.stderr), _torch())

    def put_back(self) -> str:
        """Restore the state; return what had changed, in words, or an empty text."""
        changed = []
        if (folder := _folder()) != self.folder and self.folder is not None:
            with suppress(OSError):
                os.chdir(self.folder)
            changed.append(f"changed the working directory to {folder}")
        changed += standard_streams.put_back(*self.streams)
        if self.torch is not None and (found := _torch()) != self.torch:
            _set_torch(*self.torch)
            changed += [
                f"set torch's {name} to {now}"
                for name, was, now in zip(TORCH, self.torch, found or (), strict=False)
                if was != now
            ]
        return " and ".join(changed)


def _line(what: str, reason: str) -> str:
    return f"{what}: {reason}" if what else reason


TORCH = ("default dtype", "default device", "gradient mode")


def said(error: BaseException) -> str:
    """An error on one line, with the plugin's line that caused it."""
    try:
        text = f"{type(error).__name__}: {error}"
    except BaseException:  # the error's own __str__
        text = type(error).__name__
    line = " ".join(text.split())
    line = line if len(line) <= LONGEST else f"{line[:LONGEST]}..."
    place = _place(error)
    return f"{line}, at {place}" if place else line


def _place(error: BaseException) -> str | None:
    """File and line of the innermost frame that is neither ours nor a library's."""
    found = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        file = frame.f_code.co_filename
        ours = package.startswith("pathnet_evo") and not package.startswith(FILE_MODULE)
        if ours or package in LIBRARIES or package in sys.stdlib_module_names - {"__main__"}:
            continue
        if not file.startswith("<"):
            found = f"{os.path.basename(file)}:{line}"
    return found


def _folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


def _torch() -> tuple[Any, ...] | None:
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "set_default_device"):  # being imported
        return None
    made = torch.empty(0)  # costs a tenth of asking for the default device
    return made.dtype, made.device, torch.is_grad_enabled()


def _set_torch(dtype: Any, device: Any, gradients: bool) -> None:
    torch = sys.modules["torch"]
    torch.set_default_dtype(dtype)
    torch.set_default_device(None if device.type == "cpu" else device)
    torch.set_grad_enabled(gradients)
