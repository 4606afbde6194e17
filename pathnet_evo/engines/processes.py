"""The engine whose evaluations run in processes of this machine."""

from __future__ import annotations

from pathnet_evo.engines.worker_engine import WorkerEngine
from pathnet_evo.workers.pipes import Pipes


class ProcessEngine(WorkerEngine):
    """Worker processes that train candidates at the same time."""

    def transport(self) -> Pipes:
        """Pipes and shared memory."""
        return Pipes()

    @property
    def processes(self) -> int:
        """The workers."""
        return self.workers
