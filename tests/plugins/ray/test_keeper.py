"""The keeper, which writes the checkpoints of workers into the run's folder."""

from __future__ import annotations

import errno
from pathlib import Path

from pathnet_evo.store.folder import Folder
from pathnet_evo.store.lock import Lock
from pathnet_evo_ray.keeper import Keeper

PLACE = "checkpoints/pathnet-0/stage-0"


def test_a_call_that_comes_twice_and_a_run_that_was_moved(tmp_path: Path) -> None:
    """A repeated call would fail, or remove the checkpoint of another run at the old name."""
    run = tmp_path / "run"
    run.mkdir()
    lock = Lock(run)
    keeper = Keeper(Folder(run, lock.identity), None)
    for content in (b"first", b"second"):
        assert keeper.put(PLACE, {"weights": content}) is None
        assert (run / PLACE / "weights").read_bytes() == content
    run.rename(tmp_path / "moved")
    run.mkdir()
    other = Lock(run)
    assert Keeper(Folder(run, other.identity), None).put(PLACE, {"weights": b"other"}) is None
    failed = keeper.put(PLACE, {"weights": b"third"})
    assert failed is not None
    assert failed.errno == errno.ENOENT
    assert (run / PLACE / "weights").read_bytes() == b"other"
    for each in (lock, other):
        each.release()
