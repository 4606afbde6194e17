"""A finished stage: its best path and everything needed to use it."""

from __future__ import annotations

from dataclasses import dataclass

from pathnet_evo.core.genotype import Path
from pathnet_evo.core.head import TaskHead
from pathnet_evo.core.network import PathNetwork
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.fingerprint import Fingerprint
from pathnet_evo.interfaces.learners import Learner
from pathnet_evo.interfaces.tasks import Task
from pathnet_evo.values.numbers import named


@dataclass
class Learned:
    """A finished stage; with the pool, it gives the stage's network.

    Args:
        name: the name of stage or task.
        task: what was learned.
        learner: who learned it.
        path: the modules active in the best path.
        head: what the task owns.
        fingerprint: of the task.
    """

    name: str
    task: Task
    learner: Learner
    path: Path
    head: TaskHead
    fingerprint: Fingerprint

    def network(self, pool: ModulePool) -> PathNetwork:
        """The stage's network with the pool's current weights."""
        return pool.network(self.path, self.head, self.task.shift, self.task.scale)

    def score(self, pool: ModulePool, streams: Streams) -> dict[str, float]:
        """The test scores of the stage's network with the pool's current weights."""
        return named(self.learner.score(self.network(pool), self.task, streams))
