"""The contract of transfer policies: what happens to the pool as stages begin and end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from pathnet_evo.core.genotype import Path, Rows
from pathnet_evo.core.network import PathNetwork
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams

Connect: TypeAlias = Literal["named", "sum", "lateral"]
"""How frozen modules enter a new task's path."""
InitialModules: TypeAlias = Literal["fresh", "copies", "mixed"]
"""What free modules begin as."""


@dataclass(frozen=True)
class Start:
    """A path of full width on free modules, with which a stage may begin.

    Args:
        rows: L rows of N modules.
        copy_of: the stage whose path its modules are copies of; None where they are fresh.
        retrain: whether its modules must change much for the new task; a strategy may then do
            more against overfitting.
    """

    rows: Rows
    copy_of: int | None = None
    retrain: bool = False

    def __str__(self) -> str:
        what = "fresh" if self.copy_of is None else f"copies of stage {self.copy_of}"
        return f"{what}, to be retrained" if self.retrain else what

    def state(self) -> list[Any]:
        """Plain data."""
        return [[list(row) for row in self.rows], self.copy_of, self.retrain]

    @classmethod
    def of(cls, state: Sequence[Any]) -> Start:
        """The start that ``state`` was taken of; earlier versions kept its rows alone."""
        rows, copy_of, retrain = state if isinstance(state[-1], bool) else (state, None, False)
        return cls(tuple(map(tuple, rows)), copy_of, retrain)


@dataclass(frozen=True)
class Grown:
    """A layer that had too few free modules as a stage began.

    Args:
        layer: index of the layer.
        free: its free modules.
        added: new ones that it was given.
    """

    layer: int
    free: int
    added: int


@dataclass(frozen=True)
class Beginning:
    """What a policy works on when a stage other than the first begins.

    Args:
        pool: all modules, as the stage before left them.
        streams: the new stage's random streams.
        width: the most modules of a layer that a path may use, N.
        learned: the path of each stage before.
        ranked: stages before, the one whose features suit the new task best first.
        wanted: what paths may begin as where some modules are fresh and some are copies: stages
            to copy, None for fresh, the most promising first.
        reinitialise: whether free modules are to be drawn again.
        grow: modules that a layer gets at least that has too few free ones; 0 for none.
        initial_modules: what free modules are to begin as.
    """

    pool: ModulePool
    streams: Streams
    width: int
    learned: Sequence[Path]
    ranked: Sequence[int]
    wanted: Sequence[int | None]
    reinitialise: bool
    grow: int
    initial_modules: InitialModules


class TransferPolicy(BaseModel, ABC):
    """A transfer policy plugin: its fields are its configuration (``arms.*.transfer``).

    Attributes:
        freezes: whether the path of a stage that is over never changes again.
        listens: whether later tasks can listen to it as a column.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    freezes: ClassVar[bool] = False
    listens: ClassVar[bool] = False

    connect: Connect | Literal["published"] | None = None
    """How frozen modules enter a new task's path: only where a genotype names them (``named``), in
    every path (``sum``), or as columns that each path hears (``lateral``); ``published`` is what
    the paper does with the learner's kind of task. Default: ``transfer.connect``."""
    initial_modules: InitialModules | None = None
    """What free modules begin as. Default: ``transfer.initial_modules``."""

    @abstractmethod
    def begin(self, beginning: Beginning) -> tuple[list[Start], list[Grown]]:
        """Prepare the pool for a stage that is not the first.

        Returns:
            Paths on free modules that a strategy may begin with, and layers that were too full.
        """

    @abstractmethod
    def end(self, pool: ModulePool, path: Path) -> None:
        """A stage is over: ``path`` is its best."""

    def column(self, network: PathNetwork, stage: int, streams: Streams) -> PathNetwork:
        """What later tasks hear of a stage that is over, where they listen.

        Args:
            network: the stage's path, as it was learned.
            stage: which stage.
            streams: the random streams of the stage that listens.
        """
        return network

    def usable(self, stage: int, after: int) -> bool:
        """Whether a stage's network can be used after a later stage."""
        return True


def redraw(beginning: Beginning, keep_frozen: bool) -> None:
    """Re-initialise all modules, or all that are not frozen, if the configuration wants it."""
    if beginning.reinitialise:
        streams = beginning.streams
        beginning.pool.initialise(lambda i: streams.torch("init", i), keep_frozen=keep_frozen)
