"""The engine whose evaluations run on a cluster, whatever node has room for a worker."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import Field, PrivateAttr

from pathnet_evo import ExecutorError, StageFailed, Transport, WorkerEngine
from pathnet_evo_ray.cluster import connected
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

    address: str | None = None
    """Address of a cluster, ``HOST:PORT`` or ``auto``; by default, a local Ray of each trial."""
    cpus_per_worker: float = Field(1, ge=0, allow_inf_nan=False)
    """CPUs of each worker, and its threads of torch."""
    gpus_per_worker: float = Field(0, ge=0, allow_inf_nan=False)
    """GPUs of each worker; a fraction is a share of one."""

    _connection: _Connection = PrivateAttr(default_factory=_Connection)

    def transport(self) -> Transport:
        """Actors of Ray."""
        self._connect()
        from pathnet_evo_ray.transport import RayTransport

        return RayTransport(self.cpus_per_worker, self.gpus_per_worker)

    def check(self) -> None:
        """Refuse where Ray is missing, or no node of the cluster has room for a worker."""
        require()
        if self.address is not None:
            with connected(self.address):
                self._check_room()

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
            self._check_room()
        except ExecutorError as error:
            raise StageFailed(str(error)) from None
        self._connection.made = True

    def _check_room(self) -> None:
        """Refuse workers that would wait for ever.

        Raises:
            ExecutorError: no node has what one needs.
        """
        import ray

        wanted = {"CPU": self.cpus_per_worker, "GPU": self.gpus_per_worker}
        nodes: list[dict[str, Any]] = [n["Resources"] for n in ray.nodes() if n["Alive"]]
        for name, need in wanted.items():
            most = max((node.get(name, 0) for node in nodes), default=0)
            if need > most:
                key = f"{name.lower()}s_per_worker"
                raise ExecutorError(f"{key} = {need:g}, and no node has more than {most:g}")
