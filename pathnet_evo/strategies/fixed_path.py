"""Fixed path: always the same full-width path, without evolution; for the controls."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field

from pathnet_evo.core.genotype import Genotype, PathShape
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.strategies import Strategy
from pathnet_evo.interfaces.strategy_settings import StrategySettings


class FixedPathSettings(StrategySettings):
    """Options of ``fixed-path``."""

    width: int | None = Field(None, ge=1)
    """Modules per layer of the path, for a wider control. Default: ``pool.width``."""

    @property
    def generation_size(self) -> int:
        """Two evaluations, as in a binary tournament."""
        return 2


class FixedPath(Strategy):
    """The same full-width genotype, the first N modules of each layer, at every slot.

    The path is the same in every stage, so fine-tuning continues with the weights it trained.
    A generation is two evaluations, so it sees as many examples as a binary tournament.
    """

    Settings: ClassVar[type[StrategySettings]] = FixedPathSettings

    def __init__(
        self,
        shape: PathShape,
        rng: random.Random,
        settings: StrategySettings | None = None,
        **options: Any,
    ) -> None:
        wider = settings or self.Settings(**{k: v for k, v in options.items() if k == "width"})
        if isinstance(wider, FixedPathSettings) and wider.width is not None:
            shape = replace(shape, width=wider.width)
        super().__init__(shape, rng, settings, **options)

    @property
    def compares(self) -> bool:
        """Never: there is one path."""
        return False

    def ask(self, n: int) -> list[Candidate]:
        """The slots that are not in flight, in turn."""
        return [self.issue(slot) for slot in self.idle_in_turn(n)]

    def first_population(self) -> list[Genotype]:
        """The genotypes that the slots hold at first."""
        return [self.genotype(self.shape.full_width()) for _ in range(self.settings.population)]

    def learn(self, candidate: Candidate, fitness: float | None) -> None:
        """Take an evaluation; ``fitness`` is None where it failed."""
        if fitness is not None:
            self.give_fitness(candidate, fitness)
