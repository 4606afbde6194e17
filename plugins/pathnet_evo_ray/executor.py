"""The executor whose trials run on a Ray cluster."""

from __future__ import annotations

from pathnet_evo import Transport, WorkerExecutor

from pathnet_evo_ray.requirements import require


class RayExecutor(WorkerExecutor):
    """Trials in parallel, each in an actor of Ray."""

    def transport(self) -> Transport:
        """Calls of Ray."""
        from pathnet_evo_ray.transport import RayTransport

        return RayTransport()

    def check(self) -> None:
        """Refuse where Ray is missing."""
        require()
