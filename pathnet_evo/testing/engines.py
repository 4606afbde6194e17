"""The contract kit of engines; plugin authors subclass it."""

from __future__ import annotations

from abc import abstractmethod

from pathnet_evo.interfaces.engines import Engine
from pathnet_evo.interfaces.evaluations import Evaluator
from pathnet_evo.interfaces.tasks import Task
from pathnet_evo.testing.learners import Bench, LearnerContract, bench
from pathnet_evo.testing.plain import check_settings


class EngineContract(LearnerContract):
    """What every engine keeps to: an evaluator that it makes is one like a learner's own.

    A subclass is a test class for pytest; ``learner`` and ``task`` are what the engine is
    tried with::

        class TestMyEngine(EngineContract):
            repeats = False

            def engine(self) -> Engine:
                return MyEngine(workers=2)
            ...
    """

    @abstractmethod
    def engine(self) -> Engine:
        """The engine."""

    def _bench(
        self,
        seed: int = 0,
        frozen: tuple[tuple[int, ...], ...] = (),
        always_active: bool = False,
        broken: bool = False,
    ) -> tuple[Bench, Evaluator]:
        task: Task | None = self.broken_task() if broken else self.task()
        assert task is not None
        made = bench(self.learner(), task, seed, frozen, always_active)
        return made, self.engine().evaluator(self.learner(), made.context)

    def test_settings_are_plain(self) -> None:
        """A run could not be repeated from its run.toml."""
        assert isinstance(self.engine(), Engine), "an engine derives from Engine"
        check_settings(self.engine(), "engine")
