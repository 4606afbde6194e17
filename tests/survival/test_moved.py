"""Runs whose folder is renamed while they run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import pathnet_evo
from pathnet_evo.interfaces.records import Evaluated, StageFinished, TrialFinished
from pathnet_evo.running.checking import inspect
from pathnet_evo.store.folder import Folder
from pathnet_evo.store.lock import Lock, LockError

TINY = [
    "seeds=1",
    "arms=['pathnet']",
    "pool={modules=4, width=2, layers=[{kind='linear', units=3, repeat=2}]}",
    "strategy.population=4",
    "learner.n_batches=2",
    "stages.*.generations=3",
    "stages.*.task.copies=1",
    "checkpoints.evaluations=3",
]


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the run that nobody moves."""
    run = pathnet_evo.launch("digits", TINY, runs_dir=tmp_path_factory.mktemp("whole"))
    return str(run.summary["digest"])


@pytest.mark.parametrize("successor", [False, True])
@pytest.mark.parametrize("at", [Evaluated, StageFinished, TrialFinished])
def test_a_moved_run_ends_and_can_be_resumed(
    at: type, successor: bool, wanted: str, tmp_path: Path
) -> None:
    """Its checkpoints would go to the old name, into whatever run is there by then."""
    old, new = tmp_path / "run", tmp_path / "moved"
    locks: list[Lock] = []

    def move(record: Any) -> None:
        if isinstance(record, at) and not new.exists():
            old.rename(new)
            if successor:
                old.mkdir()
                locks.append(Lock(old))

    with pytest.raises(LockError, match=f"^{old}: moved while running.*resume it where it is now$"):
        pathnet_evo.launch("digits", TINY, name="run", runs_dir=tmp_path, on_record=move)
    left = [path.name for path in old.iterdir()] if successor else old.exists()
    assert left == (["lock"] if successor else False)
    for lock in locks:
        lock.release()
    assert not (new / "summary.json").exists()
    assert inspect(new).problems == []
    assert pathnet_evo.resume(new).summary["digest"] == wanted


def test_no_checkpoint_goes_into_another_folder(tmp_path: Path) -> None:
    """Worker processes write checkpoints, and know no more of the run's lock than its identity."""
    run, moved = tmp_path / "run", tmp_path / "moved"
    run.mkdir()
    lock = Lock(run)
    store = Folder(run, lock.identity)

    def write(folder: Path) -> None:
        (folder / "weights").write_text("")

    store.put("checkpoints/pathnet-0/stage-0", write)
    assert (run / "checkpoints/pathnet-0/stage-0/weights").exists()
    run.rename(moved)
    for _ in range(2):
        with pytest.raises(FileNotFoundError, match="moved"):
            store.put("checkpoints/pathnet-0/stage-1", write)
        assert not run.exists() or [*run.iterdir()] == []
        run.mkdir(exist_ok=True)
    with pytest.raises(FileNotFoundError):
        Folder(tmp_path / "none").put("checkpoints/pathnet-0/stage-0", write)
    assert not (tmp_path / "none").exists()
    lock.release()
