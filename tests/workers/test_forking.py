"""A process has what the one that starts it has now, not what it had when the server began."""

from __future__ import annotations

import os
import signal
from multiprocessing import forkserver
from pathlib import Path

import pytest

from pathnet_evo.workers import forking

pytestmark = pytest.mark.slow

served = pytest.mark.skipif(forking.METHOD != "forkserver", reason="processes have no server here")
"""For what there is only where processes are forked: elsewhere there is nothing to look at."""
either = pytest.mark.parametrize("method", sorted({forking.METHOD, "spawn"}), indirect=True)
"""For what holds wherever processes are started: here as well the way of other systems."""


@pytest.fixture
def method(request, monkeypatch):
    """The way in which processes are started."""
    monkeypatch.setattr(forking, "METHOD", request.param)


@pytest.fixture
def toys(monkeypatch):
    """The module of what the processes do."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import toy_workers

    return toy_workers


def server():
    """The id of the process that forks others."""
    return forkserver._forkserver._forkserver_pid


def said(capfd, toys, *args):
    """What a process that tells of itself wrote to its standard streams."""
    process = forking.start(toys.tell, args)
    process.join()
    assert process.exitcode == 0
    return capfd.readouterr()


@either
def test_environment_and_streams_are_those_of_now(capfd, toys, monkeypatch, method):
    """A notebook's second run would use the first one's settings, and write to its output."""
    forking.start(int).join()
    monkeypatch.setenv("PATHNET_EVO_TEST", "set since")
    monkeypatch.delenv("HOME")
    out, err = said(capfd, toys, "PATHNET_EVO_TEST", "HOME")
    assert out.splitlines()[:2] == ["set since", "None"]
    assert err == "told\n"


@either
def test_where_it_is_and_what_it_imports_are_those_of_now(
    capfd, toys, monkeypatch, tmp_path, method
):
    """A run with relative paths would read and write somewhere else."""
    forking.start(int).join()
    monkeypatch.chdir(tmp_path)
    assert said(capfd, toys).out.splitlines()[0] == str(tmp_path)


@either
def test_no_two_draw_the_same(capfd, toys, method):
    """Environments of several workers that use NumPy's global generator would all play one game."""
    drawn = {said(capfd, toys).out.splitlines()[1] for _ in range(3)}
    assert len(drawn) == 3


@served
def test_one_thread_is_forked(toys):
    """A lock that another thread holds as it is forked is never released: a worker would hang."""
    forking.start(int).join()
    assert len(os.listdir(f"/proc/{server()}/task")) == 1


@served
def test_torch_is_there_and_stays_shared(capfd, toys):
    """Each worker would take seconds and hundreds of megabytes to import it."""
    _, _, imported, frozen = said(capfd, toys).out.splitlines()
    assert imported == "True"
    assert int(frozen) > 100_000


@either
def test_ctrl_c_ends_neither_server_nor_processes(toys, method):
    """A terminal sends it to all of them, and workers must be there to be asked what they have."""
    process = forking.start(toys.never_ready, (None, 0))
    try:
        for pid in {process.pid, server() or process.pid}:  # where there is none, the process
            os.kill(pid, signal.SIGINT)
        process.join(1)
        assert process.is_alive()
        forking.start(int).join()
    finally:
        forking.kill(process)
        process.join()


@served
def test_a_killed_server_is_replaced_and_nobody_survives_it(toys):
    """Workers that nobody knows would write into buffers of those who replace them."""
    process = forking.start(toys.never_ready, (None, 0))
    os.kill(server(), signal.SIGKILL)
    process.join()
    assert Path(f"/proc/{process.pid}").exists()
    forking.kill(process)
    again = forking.start(int)
    again.join()
    assert again.exitcode == 0
    state = Path(f"/proc/{process.pid}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"
