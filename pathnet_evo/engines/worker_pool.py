"""The workers of an engine, as the trial sees them: what each is training, and has leased."""

from __future__ import annotations

from dataclasses import dataclass, field

from pathnet_evo.engines.carriers import Carrier, Parcels, SharedSlots
from pathnet_evo.engines.trainer import work
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.workers.supervisor import Supervised, Supervisor
from pathnet_evo.workers.transport import Transport, WorkerLink


@dataclass(eq=False)
class Worker(Supervised):
    """A worker that trains candidates; ``ready`` once it has taken up the stage.

    Args:
        carrier: carries its leases.
        capacity: how many candidates its evaluator takes at once.
        free: how many more it could take when it last reported.
        sent: candidates submitted to it in this round.
        pending: those of them that have not come back.
        outbox: those of them that are not yet sent.
    """

    carrier: Carrier = field(kw_only=True)
    capacity: int = 0
    free: int = 0
    sent: int = 0
    pending: dict[int, Candidate] = field(default_factory=dict)
    outbox: list[Candidate] = field(default_factory=list)

    @property
    def awaited(self) -> bool:
        """Whether it starts, or trains."""
        return not self.ready or bool(self.pending)

    @property
    def room(self) -> int:
        """How many candidates it can be given."""
        return max(self.free, 0) if self.ready else 0

    def clear(self, free: int = 0) -> None:
        """Nothing is in flight, and nothing was sent."""
        self.pending.clear()
        self.outbox.clear()
        self.sent, self.free = 0, free


class WorkerPool(Supervisor[Worker]):
    """Workers that stay for all stages of a trial.

    Args:
        transport: starts them.
        workers: how many.

    Attributes:
        round: how often all that was in flight was given up, in all stages.
        bytes: of weights that travelled, in all stages.
    """

    def __init__(self, transport: Transport, workers: int) -> None:
        super().__init__(transport, work, self._worker, "evaluations")
        self.round = self.bytes = 0
        for number in range(workers):
            self.start(number)

    def _worker(self, number: int, link: WorkerLink) -> Worker:
        if self.transport.shares_memory:
            shared = SharedSlots(self._count, self.transport.buffer)
            return Worker(number, link, carrier=shared)
        return Worker(number, link, carrier=Parcels(self._count))

    def _count(self, travelled: int) -> None:
        self.bytes += travelled
