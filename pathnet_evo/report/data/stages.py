"""A stage of one trial with what is drawn of it: its path, its use of modules, its curve."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal, TypeAlias

from pathnet_evo.analysis.curves import evaluations_within, smoothing_window
from pathnet_evo.core.genotype import Path as ModulePath
from pathnet_evo.report.data.history import History
from pathnet_evo.report.data.lines import Line, trailing_means

Role: TypeAlias = Literal["unused", "frozen", "reused", "new"]
"""What a module is to a path: none of these, frozen before and not in it, both, or new in it."""


@dataclass(frozen=True)
class StageView:
    """A stage of one trial.

    Args:
        arm: whose it is.
        seed: of which seed.
        name: the stage's name.
        freezes: whether the arm freezes the best path.
        history: all that evolution did.
        earlier: the paths that earlier stages froze, in order.
        overlap: evaluations and the population's overlap with the frozen modules by then.
        overlap_chance: what random genotypes would have of it; None where nothing is frozen.
    """

    arm: str
    seed: int
    name: str
    freezes: bool
    history: History
    earlier: tuple[ModulePath, ...] = ()
    overlap: Line = field(default_factory=lambda: ([], []))
    overlap_chance: float | None = None

    @property
    def stage(self) -> int:
        """Its index in the sequence."""
        return self.history.stage

    @property
    def counts(self) -> tuple[int, ...]:
        """Modules of each layer."""
        return self.history.counts

    @property
    def path(self) -> ModulePath:
        """The best path; of a stage that is not over, no modules."""
        return self.history.path or ((),) * len(self.counts)

    @property
    def frozen_after(self) -> ModulePath:
        """The frozen modules after this stage, if its arm freezes the best path."""
        layers = zip(self.history.frozen, self.path, strict=True)
        return tuple(tuple(sorted({*frozen, *active})) for frozen, active in layers)

    def role(self, layer: int, module: int) -> Role:
        """What a module is to the best path."""
        frozen = module in self.history.frozen[layer]
        if module in self.path[layer]:
            return "reused" if frozen else "new"
        return "frozen" if frozen else "unused"

    @property
    def counted(self) -> str:
        """What its learning curve counts: evaluations, examples or frames."""
        if self.history.episodes:
            return "frames"
        return "examples" if self.history.by_frames else "evaluations"

    def line(self) -> Line:
        """The smoothed learning curve: of episodes where there are any, else of evaluations."""
        history = self.history
        if history.episodes:
            xs, scores = zip(*history.episodes, strict=True)
            return xs, trailing_means(scores, smoothing_window(len(scores)))
        fitnesses = [told.fitness for told in history.told]
        sizes = [told.examples for told in history.told]
        evaluations = evaluations_within(history.budget, history.by_frames, sizes)
        xs = tuple(accumulate(sizes) if history.by_frames else range(1, len(fitnesses) + 1))
        return xs, trailing_means(fitnesses, smoothing_window(evaluations))
