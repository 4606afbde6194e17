"""Reading a run's folder: configuration, machine and lineage."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from pathnet_evo.errors import UserError
from pathnet_evo.interfaces.summary import Summary, checked
from pathnet_evo.setup.config import RunConfig, parse, validate
from pathnet_evo.store.lineage import never_begun, open_lineage
from pathnet_evo.store.opening import check_values, said
from pathnet_evo.store.places import check_own, read_plain
from pathnet_evo.system.replacing import replace
from pathnet_evo.values.numbers import plain_numbers


class RunError(UserError):
    """A run cannot be read; the message says why, in one line."""


def read_config(folder: Path) -> RunConfig:
    """A run's configuration, limited to the framework's own keys.

    Raises:
        RunError: there is no such run, or its configuration is not the one it ran with.
        ConfigError: the configuration is damaged.
    """
    path = folder / "run.toml"
    return validate(parse(config_text(folder), str(path)), str(path))


def config_text(folder: Path) -> str:
    """The content of ``run.toml``, if it matches the lineage.

    Raises:
        RunError: there is no such run, or the file was changed.
    """
    path, lineage = folder / "run.toml", folder / "lineage.sqlite"
    try:
        text = read_plain(path)
    except FileNotFoundError:
        raise RunError(f"{folder}: not a run's folder (it has no {path.name})") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{folder}: not a run's folder ({path.name}: {error})") from None
    if not never_begun(lineage):
        with closing(open_lineage(lineage)) as db, intact(lineage):
            known = [row["sha256"] for row in db.execute("SELECT sha256 FROM configurations")]
        if known and hashlib.sha256(text.encode()).hexdigest() not in known:
            raise RunError(
                f"{path}: not the run's configuration (damaged, or edited by hand). Restore it "
                f"with `pathnet-evo check {folder} --put-back`, then change it with `pathnet-evo "
                f"resume {folder} --set A.B=VALUE`; to start a new run with this file, copy it "
                "elsewhere and `pathnet-evo run FILE.toml`"
            )
    return text


def put_back(folder: Path) -> bool:
    """Restore ``run.toml`` from the lineage if it differs; return whether it did.

    Raises:
        LineageError: the lineage cannot be read.
        RunError: the lineage has no configuration, or the file cannot be written.
    """
    path, lineage = folder / "run.toml", folder / "lineage.sqlite"
    with closing(open_lineage(lineage)) as db, intact(lineage):
        known = db.execute("SELECT toml, sha256 FROM configurations ORDER BY rowid").fetchall()
    if not known:
        raise RunError(f"{lineage}: has no configuration to restore")
    try:
        check_own(folder)
        found = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(found).hexdigest() in {row["sha256"] for row in known}:
            return False
        replace(path, known[-1]["toml"])
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})") from None
    return True


NONSENSE = (
    sqlite3.Error,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    MemoryError,
)
"""Errors that computing with invalid values raises."""


@contextmanager
def intact(lineage: Path | str) -> Iterator[None]:
    """Report invalid values of a lineage in one line."""
    try:
        yield
    except NONSENSE as error:
        reason = f"{type(error).__name__}: {said(error)}".splitlines()[0]
        raise RunError(f"{lineage}: damaged ({reason:.200})") from None


@contextmanager
def reading(folder: Path, tables: Collection[str] | None = None) -> Iterator[sqlite3.Connection]:
    """A run's lineage with checked column types; invalid values are reported in one line.

    Args:
        folder: the run's folder.
        tables: those that are to be read; None is all.

    Raises:
        LineageError: it cannot be read.
        RunError: what is read makes no sense.
    """
    path = folder / "lineage.sqlite"
    with closing(open_lineage(path)) as db, intact(path):
        check_values(db, path, tables)
        yield db


def read_about(folder: Path) -> dict[str, Any]:
    """The recorded machine and command; empty if not recorded.

    Raises:
        RunError: the file is damaged.
    """
    path = folder / "about.json"
    if not path.exists():
        return {}
    try:
        about = plain_numbers(json.loads(read_plain(path)))
    except (ValueError, RecursionError, OSError) as error:
        raise RunError(f"{path}: damaged ({error})") from None
    if not isinstance(about, dict):
        raise RunError(f"{path}: damaged (not a table)")
    return about


def read_summary(folder: Path) -> Summary:
    """The content of ``summary.json``.

    Raises:
        RunError: it is not there, or is none of this version.
    """
    path = folder / "summary.json"
    try:
        return checked(json.loads(read_plain(path)))
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise RunError(f"{path}: damaged ({error}); `pathnet-evo report` writes it again") from None
