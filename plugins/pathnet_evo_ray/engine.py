"""The engine whose evaluations run on a cluster, whatever node has room for a worker."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import Field, PrivateAttr

from pathnet_evo import ExecutorError, StageFailed, Transport, WorkerEngine
from pathnet_evo_ray.cluster import connected
from pathnet_evo_ray.executor import Share
from pathnet_evo_ray.requirements import require


@dataclass(eq=False)
class _Connection:
    """The engine's connection, while it has one; equal settings are equal whatever they have."""

    open: ExitStack = field(default_factory=ExitStack)
    made: bool = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Connection)

    __hash__ = None  # type: ignore[assignment]


class RayEngine(WorkerEngine):
    """Workers on a Ray cluster that train candidates in parallel.

    Modules travel by value, and only those that a worker lacks. A learner that trains the pool in
    place, such as ``a3c``, has workers of its own there: ``learner.workers``, not ``workers``.
    """

    hosts_workers: ClassVar[bool] = True

    address: str | None = Field(None, min_length=1)
    """Cluster to join, ``HOST:PORT`` or ``auto``; default: a local Ray that ends with the trial, or
    the cluster that the trial itself runs on."""
    cpus_per_worker: Share = Field(1, gt=0, allow_inf_nan=False)
    """CPUs of each worker, and its threads of torch."""
    gpus_per_worker: Share = Field(0, ge=0, allow_inf_nan=False)
    """GPUs of each worker; a fraction is a share of one."""

    _connection: _Connection = PrivateAttr(default_factory=_Connection)

    def transport(self) -> Transport:
        """Actors of Ray."""
        self._connect()
        from pathnet_evo_ray.transport import RayTransport

        return RayTransport(self.cpus_per_worker, self.gpus_per_worker)

    def check(self) -> None:
        """Refuse a cluster that cannot hold the workers; a local Ray is not started for that.

        Raises:
            ExecutorError: Ray is missing, there is no such cluster, no node has room for a worker,
                or one has other packages.
        """
        require()
        if self.address is not None:
            with connected(self.address):
                from pathnet_evo_ray import nodes

                able = nodes.with_room(self.cpus_per_worker, self.gpus_per_worker, "worker")
                nodes.check(able, None)

    def close(self) -> None:
        """End the workers, and the connection."""
        super().close()
        self._connection.open.close()
        self._connection.made = False

    def _connect(self) -> None:
        if self._connection.made:
            return
        try:
            self._connection.open.enter_context(connected(self.address))
            from pathnet_evo_ray.nodes import with_room

            with_room(self.cpus_per_worker, self.gpus_per_worker, "worker")
        except ExecutorError as error:
            raise StageFailed(str(error)) from None
        self._connection.made = True
