"""A run's results as files for other programs: CSV or Parquet, one file a table."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pathnet_evo.errors import UserError
from pathnet_evo.running.frames import Frames
from pathnet_evo.system.extras import require

if TYPE_CHECKING:
    from pandas import DataFrame

TABLES: dict[str, Callable[[Frames], DataFrame]] = {
    "stages": Frames.to_frame,
    "scores": Frames.scores,
    "curves": Frames.curves,
    "generations": Frames.generations,
    "evaluations": Frames.evaluations,
    "replacements": Frames.replacements,
    "episodes": Frames.episodes,
}
"""The tables of a run, by the names of their files."""


def require_tables(form: Literal["csv", "parquet"]) -> None:
    """Refuse to write tables without what that needs.

    Args:
        form: as of ``write_tables``.

    Raises:
        UserError: pandas or, for Parquet, pyarrow is missing.
    """
    require("data frames need", "pandas")
    if form == "parquet":
        require("Parquet files need", "pyarrow")


def write_tables(run: Frames, folder: Path, form: Literal["csv", "parquet"]) -> list[Path]:
    """Write every table of a run; files of these names are replaced once all are written.

    Args:
        run: the run, finished or not.
        folder: where to; made if it is missing.
        form: ``csv``, in which genotypes and paths are JSON, or ``parquet``.

    Raises:
        UserError: pandas or, for Parquet, pyarrow is missing, or a file cannot be written.
        RunError: the run is damaged.
    """
    require_tables(form)
    frames = {name: table(run) for name, table in TABLES.items()}
    with _writing(folder) as temporary:
        for name, frame in frames.items():
            path = temporary(name)
            if form == "csv":
                _plain(frame).to_csv(path, index=False)
            else:
                frame.to_parquet(path, index=False, engine="pyarrow")
        found = [folder / f"{name}.{form}" for name in frames]
        for name, path in zip(frames, found, strict=True):
            os.replace(temporary(name), path)
    return found


@contextmanager
def _writing(folder: Path) -> Iterator[Callable[[str], Path]]:
    """Names of temporary files in a folder; none is left, and a folder only if it has files."""
    names: set[Path] = set()

    def temporary(name: str) -> Path:
        path = folder / f".{name}.tmp-{os.getpid()}"
        names.add(path)
        return path

    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield temporary
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{error.filename or folder}: cannot be written ({reason})") from None
    finally:
        for path in names:
            path.unlink(missing_ok=True)
        if new:
            with suppress(OSError):
                folder.rmdir()


def _plain(frame: DataFrame) -> DataFrame:
    """A frame whose nested values are JSON."""
    nested: dict[str, Any] = {
        name: frame[name].map(_json, na_action="ignore")
        for name in frame.columns
        if frame[name].dtype == object
    }
    return frame.assign(**nested)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
