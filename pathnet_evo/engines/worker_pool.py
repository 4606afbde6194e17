"""The workers of an engine, as the trial sees them: what each is training, and its memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from pathnet_evo.core.pool import Lease
from pathnet_evo.engines.protocol import Slot
from pathnet_evo.engines.trainer import work
from pathnet_evo.interfaces.learners import Candidate
from pathnet_evo.workers.supervisor import Supervised, Supervisor
from pathnet_evo.workers.transport import Transport


@dataclass(eq=False)
class Worker(Supervised):
    """A worker that trains candidates; ``ready`` once it has taken up the stage.

    Args:
        capacity: how many candidates its evaluator takes at once.
        free: how many more it could take when it last reported.
        sent: candidates submitted to it in this round.
        pending: those of them that have not come back.
        outbox: those of them that are not yet sent.
        leases: what it has of the pool, by slot.
        slots: the memory that carries them, by number.
        idle: the slots that hold nothing.
    """

    capacity: int = 0
    free: int = 0
    sent: int = 0
    pending: dict[int, Candidate] = field(default_factory=dict)
    outbox: list[Candidate] = field(default_factory=list)
    leases: dict[int, Lease] = field(default_factory=dict)
    slots: dict[int, Slot] = field(default_factory=dict)
    idle: list[int] = field(default_factory=list)

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
    """

    def __init__(self, transport: Transport, workers: int) -> None:
        super().__init__(transport, work, Worker, "evaluations")
        self.round = 0
        for number in range(workers):
            self.start(number)

    def slot(self, worker: Worker, size: int) -> Slot:
        """An idle slot of a worker that is large enough, or a new one."""
        for number in worker.idle:
            if len(worker.slots[number].buffer) >= size:
                worker.idle.remove(number)
                return worker.slots[number]
        capacity = 1 << max(size - 1, 1).bit_length()  # it will do for somewhat larger leases, too
        slot = Slot(len(worker.slots), self.transport.buffer(capacity))
        worker.slots[slot.number] = slot
        return slot
