"""Processes that work for this one: started afresh, deaf to Ctrl-C, gone when it is gone."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import torch
import torch.multiprocessing as multiprocessing

from pathnet_evo.engines.orphans import end_with_parent
from pathnet_evo.system import standard_streams


def start(work: Callable[..., None], name: str) -> tuple[BaseProcess, Connection]:
    """Start a process that calls ``work(connection)``; it is spawned, so nothing is inherited.

    It ends with ``work``, when the connection is closed, and when this process ends, however it
    does. It knows the one-file plugins that are loaded here, so what is sent to it may be theirs.

    Args:
        work: a function of a module that can be imported.
        name: of the process.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    deterministic = torch.are_deterministic_algorithms_enabled()
    process = context.Process(
        target=_begin, args=(work, theirs, plugin_files(), deterministic), name=name, daemon=True
    )
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    theirs.close()
    return process, ours


def end(process: BaseProcess) -> str:
    """Kill a process; how it had ended before, in words."""
    code = process.exitcode
    process.kill()
    process.join()
    code = process.exitcode if code is None else code
    return f"was killed by signal {-code}" if code and code < 0 else f"ended with status {code}"


def plugin_files() -> Sequence[str]:
    """The one-file plugins in use here; another process knows them only if it loads them, too."""
    found = [m for name, m in sys.modules.items() if name.startswith("pathnet_evo_file_")]
    return tuple(str(module.__file__) for module in found)


def load_plugin_files(files: Sequence[str]) -> None:
    """Have one-file plugins under the names by which what is sent here refers to them."""
    from pathnet_evo.plugins.files import PluginFile, import_file

    for path in files:
        import_file(PluginFile(path=path))


def _begin(
    work: Callable[[Connection], Any],
    connection: Connection,
    files: Sequence[str],
    deterministic: bool,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    standard_streams.endure()
    end_with_parent()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(deterministic)
    try:
        load_plugin_files(files)
        work(connection)
    except (EOFError, ConnectionError):
        return
