"""The executor that runs trials in processes on this machine."""

from __future__ import annotations

from pathnet_evo.executors.worker_executor import WorkerExecutor
from pathnet_evo.workers.pipes import Pipes


class ProcessExecutor(WorkerExecutor):
    """Trials in parallel, each in its own process."""

    def transport(self) -> Pipes:
        """Pipes."""
        return Pipes()

    @property
    def processes(self) -> int:
        """The workers."""
        return self.workers
