"""torchvision's downloading and verifying: quiet, bounded in time, nothing half-done left over."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import socket
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from pathnet_evo_images.source import Place
from pathnet_evo_images.stamps import Stamp, stamp

ANSWER_SECONDS = 8.0
"""A server that says nothing for so long counts as unreachable."""
STALL_SECONDS = 60.0
"""A download that gets nothing for so long has failed."""


class DownloadError(Exception):
    """A download that failed; the message is the reason, in a few words."""


def import_datasets(place: Place) -> Any:
    """``torchvision.datasets``.

    Raises:
        TaskError: torchvision cannot be imported.
    """
    try:
        return importlib.import_module("torchvision.datasets")
    except (ImportError, RuntimeError, OSError) as error:
        raise place.error(
            f"torchvision cannot be imported ({_one_line(error)}). torch and torchvision must come "
            "from the same place: install both again with one command, "
            "pip install --force-reinstall torch torchvision"
        ) from error


def matches(file: Path, md5: str) -> bool:
    """Whether a file exists and has this checksum; computed once for each state of a file."""
    return file.is_file() and _matches(stamp(file), md5)


@lru_cache(maxsize=64)
def _matches(file: Stamp, md5: str) -> bool:
    integrity = importlib.import_module("torchvision.datasets.utils").check_integrity
    return bool(integrity(file.path, md5))


def download(urls: Sequence[str], target: Path, md5: str) -> None:
    """Download a file from the first of several addresses that gives the right one.

    The file appears under its name whole and verified, or not at all.

    Args:
        urls: where to get it, best first.
        target: where to put it; missing folders are made.
        md5: its checksum.

    Raises:
        DownloadError: no address gave it.
    """
    failure = "no download source"
    for url in urls:
        try:
            _probe(url)
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".download-", dir=target.parent) as folder:
                with _quiet():
                    utilities = importlib.import_module("torchvision.datasets.utils")
                    utilities.download_url(url, folder, target.name, md5)
                os.replace(Path(folder) / target.name, target)
        except (OSError, HTTPException, RuntimeError) as error:
            failure = _reason(error)
        else:
            return
    raise DownloadError(failure)


def _probe(url: str) -> None:
    """Fail soon where nobody answers; name servers and sockets can take minutes to say so."""
    errors: list[Exception] = []
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - torchvision's addresses

    def ask() -> None:
        try:
            urllib.request.urlopen(request, timeout=ANSWER_SECONDS).close()  # noqa: S310
        except urllib.error.HTTPError as error:
            error.close()  # it answers; whether it gives the file is seen when asked for it
        except (OSError, HTTPException) as error:
            errors.append(error)

    thread = Thread(target=ask, daemon=True)
    thread.start()
    thread.join(ANSWER_SECONDS)
    if thread.is_alive():
        raise TimeoutError
    if errors:
        raise errors[0]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep torchvision's words back, and its progress bar where nobody sees it move."""
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALL_SECONDS)
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
            if not sys.stderr.isatty():
                stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
            yield
    finally:
        socket.setdefaulttimeout(timeout)


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"HTTP {error.code} from {urlsplit(error.url).hostname}"
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        return _reason(error.reason)
    if isinstance(error, (TimeoutError, socket.gaierror, ConnectionError)):
        return "network unreachable"
    if isinstance(error, RuntimeError):
        return "the download does not match the published checksum"
    if isinstance(error, OSError) and error.strerror:
        named = error.filename is not None
        unreachable = not named and "unreachable" in error.strerror.lower()
        return "network unreachable" if unreachable else error.strerror
    return _one_line(error)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
