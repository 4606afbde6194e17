"""Opening a run for a command that uses its networks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathnet_evo.running.loading import Run


@contextmanager
def opened(folder: Path, load_plugins: bool) -> Iterator[Run]:
    """A run with all installed plugins, and its own plugin files if these may be executed.

    Raises:
        RunError: it cannot be opened, or uses a plugin file that is not loaded.
    """
    from pathnet_evo.plugins.registry import Registry
    from pathnet_evo.running.loading import RunError, load_run

    files = load_run(folder).config.plugins
    try:
        yield load_run(folder, Registry(files=files if load_plugins else ()))
    except RunError as error:
        lacking = any(said in str(error) for said in ("is not registered", "belongs to no plugin"))
        if files and not load_plugins and lacking:
            names = ", ".join(file.path for file in files)
            raise RunError(f"{error} The run used {names}: --load-plugins executes it") from None
        raise
