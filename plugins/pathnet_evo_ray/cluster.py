"""A connection to Ray: a cluster that is there, or a local one that ends with the connection."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pathnet_evo import ExecutorError, said
from pathnet_evo_ray.address import found
from pathnet_evo_ray.requirements import require

LONGEST_FOLDER = 40
"""Characters of a folder for sockets: a socket's whole path has at most 107."""
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
}
"""Environment of every connection: nothing is reported to others, and nothing is warned of."""


@contextmanager
def connected(address: str | None = None) -> Iterator[None]:
    """Be connected to a cluster as long as the block lasts.

    A process that is connected already, as every worker is, stays so.

    Args:
        address: of a cluster, ``HOST:PORT`` or ``auto``; None starts a local Ray that needs no
            network and ends with the block.

    Raises:
        ExecutorError: there is no such cluster, or Ray cannot start.
    """
    require()
    with _signals_kept():
        import ray

    from ray._private.worker import global_worker

    inside = ray.is_initialized() and global_worker.mode == ray.WORKER_MODE
    place = None if address is None or inside else found(address)
    if ray.is_initialized():
        yield
        return
    with _environment(QUIET), _silenced():
        if place is None:
            with _local_settings() as settings, _initialised(**settings):
                yield
        else:
            with _initialised(address=place):
                yield


@contextmanager
def _initialised(**settings: Any) -> Iterator[None]:
    import ray

    where = settings["address"]
    try:
        with _signals_kept():
            ray.init(
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                configure_logging=True,
                **settings,
            )
    except Exception as error:  # Ray raises what its parts raise; told on one line
        with _signals_kept():
            ray.shutdown()
        if where == "local":
            raise ExecutorError(f"Ray cannot start here: {said(error)}") from None
        raise ExecutorError(f"no cluster at {where}: {said(error)}") from None
    try:
        yield
    finally:
        with _signals_kept():
            ray.shutdown()


@contextmanager
def _local_settings() -> Iterator[Mapping[str, Any]]:
    """Settings of a local Ray; its folder goes with it.

    Its token lies in the environment, so that nothing is written to the home folder.
    """
    folder = Path(tempfile.mkdtemp(prefix="pathnet-evo-"))
    if len(str(folder)) > LONGEST_FOLDER:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="pathnet-evo-", dir="/tmp"))
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    try:
        with _environment(token):
            _read_environment()
            yield {
                "address": "local",
                "include_dashboard": False,
                "_node_ip_address": "127.0.0.1",
                "_temp_dir": str(folder),
                "_system_config": {"worker_niceness": 0},
            }
    finally:
        _read_environment()
        shutil.rmtree(folder, ignore_errors=True)


def _read_environment() -> None:
    """Have Ray, which reads its environment once, read it again."""
    from ray import _raylet

    core: Any = _raylet
    core.Config.initialize("")
    core.AuthenticationTokenLoader.instance().reset_cache()


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables as long as the block lasts."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep this process's handlers of signals, which Ray replaces."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep Ray from printing what it has to say of dead workers: that is reported, on one line."""
    from ray._private import worker

    before = worker.print_to_stdstream
    worker.print_to_stdstream = lambda *args, **options: None
    try:
        yield
    finally:
        worker.print_to_stdstream = before
