"""The run's folder, as workers on other nodes reach it: an actor beside the run writes to it."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pathnet_evo import Store
from pathnet_evo_ray.shared import Shared

Files: TypeAlias = Mapping[str, bytes]
"""The files of a checkpoint, by name."""
AT_ONCE = 4
"""Checkpoints that may be written to the run's folder at the same time."""


class Keeper:
    """Writes checkpoints to the run's folder, and reads them, on the run's own node.

    Each call may come twice, as Ray repeats those whose process died.

    Args:
        store: the run's folder.
        shared: where checkpoints pass through, if not through Ray.
    """

    def __init__(self, store: Store, shared: Shared | None) -> None:
        self._store, self._shared = store, shared

    def put(self, place: str, files: Files) -> OSError | None:
        """Store a checkpoint that came through Ray; what prevents it."""

        def write(folder: Path) -> None:
            for name, content in files.items():
                (folder / name).write_bytes(content)

        return self._put(place, write)

    def bring(self, place: str) -> OSError | None:
        """Store a checkpoint that lies in shared storage; what prevents it."""
        assert self._shared is not None
        shared = self._shared
        failed = self._put(place, lambda folder: shared.download(place, folder))
        if failed is None:
            shared.retire(place, lambda other: self._store.get(other).is_dir())
        return failed

    def get(self, place: str) -> Files | OSError:
        """The files of a checkpoint."""
        try:
            folder = self._store.get(place)
            return {path.name: path.read_bytes() for path in folder.iterdir()}
        except OSError as error:
            return error

    def _put(self, place: str, write: Callable[[Path], None]) -> OSError | None:
        try:
            try:
                self._store.put(place, write)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                shutil.rmtree(self._store.get(place))  # by this call, before its process died
                self._store.put(place, write)
        except OSError as error:
            return error
        return None


KeeperActor: Any = ray.remote(
    num_cpus=0, max_restarts=-1, max_task_retries=-1, max_concurrency=AT_ONCE
)(Keeper)
"""The same as Ray starts it, and starts it again."""


@contextmanager
def keeper_for(store: Store, shared: Shared | None) -> Iterator[Any]:
    """A keeper on this process's own node, as long as the block lasts.

    Workers were sent its handle, so Ray alone would not end it before this process's connection.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    keeper = KeeperActor.options(scheduling_strategy=here).remote(store, shared)
    try:
        yield keeper
    finally:
        with suppress(RayError):  # of a cluster that is gone
            ray.kill(keeper)


@dataclass
class Kept:
    """The store of a run for its workers: bytes go through Ray, or through shared storage.

    Args:
        run: the run's name.
        keeper: writes to the run's folder.
        shared: the storage that all nodes share, or None.
    """

    run: str
    keeper: Any
    shared: Shared | None = None
    _fetched: tempfile.TemporaryDirectory[str] | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.run

    def put(self, place: str, write: Callable[[Path], None]) -> None:
        """Store a checkpoint; it is in the run's folder on return."""
        if self._fetched is not None:  # what a trial resumed from is in memory by now
            self._fetched.cleanup()
            self._fetched = None
        with tempfile.TemporaryDirectory(prefix="pathnet-evo-") as folder:
            write(Path(folder))
            if self.shared is None:
                files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
                self._asked(self.keeper.put.remote(place, files))
            else:
                self.shared.upload(Path(folder), place)
                self._asked(self.keeper.bring.remote(place))

    def get(self, place: str) -> Path:
        """A copy of a checkpoint on this node."""
        if self._fetched is None:
            self._fetched = tempfile.TemporaryDirectory(prefix="pathnet-evo-")
        folder = Path(self._fetched.name) / place
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if self.shared is not None and self.shared.has(place):
            self.shared.download(place, folder)
            return folder
        for name, content in self._asked(self.keeper.get.remote(place)).items():
            (folder / name).write_bytes(content)
        return folder

    def _asked(self, reference: Any) -> Any:
        try:
            answer = ray.get(reference)
        except RayError as error:
            text = " ".join(str(error).split())[:200]
            raise OSError(errno.EHOSTUNREACH, f"the run's node is out of reach: {text}") from None
        if isinstance(answer, OSError):
            raise answer
        return answer
