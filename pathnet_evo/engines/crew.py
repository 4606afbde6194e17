"""The worker processes of a trial: started, spoken to, ended."""

from __future__ import annotations

import signal
import weakref
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import torch
import torch.multiprocessing as multiprocessing

from pathnet_evo.children import plugin_files
from pathnet_evo.core.pool import Lease
from pathnet_evo.engines.messages import Slot, new_slot
from pathnet_evo.engines.worker import work
from pathnet_evo.interfaces.learners import Candidate


@dataclass(eq=False)
class Hand:
    """One worker process, as the trial sees it.

    Args:
        number: which of the workers it is.
        process: the process.
        connection: to it.
        places: how many candidates its evaluator takes at once; None until it is ready.
        free: places that were free when it last told.
        sent: candidates submitted to it in this round.
        flying: those of them that have not come back.
        outbox: those of them that are not yet sent.
        waited: seconds since it last told of anything, while something was in flight.
        leases: what it has of the pool, by slot.
        slots: its shared memory, by number.
        idle: the slots that hold nothing.
    """

    number: int
    process: BaseProcess
    connection: Connection
    places: int | None = None
    free: int = 0
    sent: int = 0
    waited: float = 0.0
    flying: dict[int, Candidate] = field(default_factory=dict)
    outbox: list[Candidate] = field(default_factory=list)
    leases: dict[int, Lease] = field(default_factory=dict)
    slots: dict[int, Slot] = field(default_factory=dict)
    idle: list[int] = field(default_factory=list)

    def send(self, message: Any) -> None:
        """Send; that the worker is dead is found out elsewhere."""
        try:
            self.connection.send(message)
        except ConnectionError:
            return

    def slot(self, size: int) -> Slot:
        """An idle slot that is large enough, or a new one."""
        for number in self.idle:
            if len(self.slots[number].buffer) >= size:
                self.idle.remove(number)
                return self.slots[number]
        slot = new_slot(len(self.slots), size)
        self.slots[slot.number] = slot
        return slot

    def end(self) -> str:
        """Kill the process; how it had ended before, in words."""
        code = self.process.exitcode
        self.process.kill()
        self.process.join()
        self.connection.close()
        if code is None:
            code = self.process.exitcode
        return f"was killed by signal {-code}" if code and code < 0 else f"ended with status {code}"


class Crew:
    """Worker processes that stay for all stages of a trial.

    They end with ``close``, when this object is no more, and when this process ends, however it
    ends. Started afresh (spawned), so a script that makes a run needs the usual
    ``if __name__ == "__main__":``.
    """

    def __init__(self, workers: int) -> None:
        self.round = 0
        self.hands: list[Hand] = []
        self._end = weakref.finalize(self, _end_all, self.hands)
        for number in range(workers):
            self.start(number)

    def start(self, number: int) -> Hand:
        """Start a worker; Ctrl-C in a terminal is none of its business, from its first moment."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        deterministic = torch.are_deterministic_algorithms_enabled()
        process = context.Process(
            target=work,
            args=(theirs, number, plugin_files(), deterministic),
            name=f"evaluations-{number}",
            daemon=True,
        )
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()
        hand = Hand(number, process, ours)
        self.hands.append(hand)
        return hand

    def lose(self, hand: Hand) -> str:
        """End a worker for good; how it had ended before, in words."""
        self.hands.remove(hand)
        return hand.end()

    def close(self) -> None:
        """End all workers."""
        self._end()


def _end_all(hands: list[Hand]) -> None:
    for hand in hands:
        hand.process.kill()
    for hand in hands:
        hand.end()
    hands.clear()
