"""The contract of transfer policies: what happens to the pool between stages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel

from pathnet_evo.core.genotype import Path, Rows
from pathnet_evo.core.modules import ModuleKind
from pathnet_evo.core.network import PathNetwork
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.values.options import OPTIONS

if TYPE_CHECKING:
    from pathnet_evo.interfaces.rivals import Rival

Connect: TypeAlias = Literal["named", "sum", "lateral"]
"""How frozen modules enter a new task's path."""
InitialModules: TypeAlias = Literal["fresh", "copies", "mixed"]
"""How free modules start."""


@dataclass(frozen=True)
class Start:
    """A full-width path on free modules that a stage can start from.

    Args:
        rows: L rows of N modules.
        copy_of: the stage whose path the modules copy; None if they are fresh.
        copied_layers: how many layers, from the input, are copies; None for all.
        retrain: whether the modules must change much for the new task; a strategy can then
            regularise more.
    """

    rows: Rows
    copy_of: int | None = None
    retrain: bool = False
    copied_layers: int | None = None

    def __str__(self) -> str:
        what = "fresh" if self.copy_of is None else f"copies of stage {self.copy_of}"
        if self.copied_layers is not None:
            what += f" up to layer {self.copied_layers}, fresh above"
        return f"{what}, to be retrained" if self.retrain else what

    def state(self) -> list[Any]:
        """Plain data."""
        return [[list(row) for row in self.rows], self.copy_of, self.retrain, self.copied_layers]

    @classmethod
    def of(cls, state: Sequence[Any]) -> Start:
        """The start saved as ``state``; earlier versions saved less, the first only its rows."""
        if not any(isinstance(part, bool) for part in state):
            return cls(tuple(map(tuple, state)))
        rows, *rest = state
        return cls(tuple(map(tuple, rows)), *rest)


@dataclass(frozen=True)
class Grown:
    """A layer with too few free modules at the start of a stage.

    Args:
        layer: index of the layer.
        free: its free modules.
        added: modules added.
    """

    layer: int
    free: int
    added: int


@dataclass(frozen=True)
class Beginning:
    """What a policy works on at the start of a stage after the first.

    Args:
        pool: all modules, as the previous stage left them.
        streams: the new stage's random streams.
        width: maximum number of modules per layer of a path, N.
        learned: the path of each earlier stage.
        ranked: earlier stages, those with the most suitable features first.
        wanted: for a mix of fresh modules and copies, the stages to copy, or None for fresh; the
            most promising first.
        reinitialise: whether to re-initialise free modules beside frozen ones.
        grow: minimum number of modules to add to layers with too few free ones; 0 for none.
        initial_modules: how free modules start.
        copied_layers: how many layers, from the input, copies of an earlier stage's path take, by
            stage; the layers above start fresh. All of those that it leaves out.
        copied_share: share of a copy's weights that are the earlier module's, above 0 and at most
            1; the rest are of the free module that it takes.
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
    copied_layers: Mapping[int, int] = field(default_factory=dict)
    copied_share: float = 1.0


class TransferPolicy(BaseModel, ABC):
    """A transfer policy plugin: its fields are its configuration (``arms.*.transfer``).

    Attributes:
        freezes: whether the path of a finished stage never changes again.
        listens: whether later tasks can listen to it as a column.
        remembers: whether a later task's readout can start as a copy of its readout.
    """

    model_config = OPTIONS

    freezes: ClassVar[bool] = False
    listens: ClassVar[bool] = False
    remembers: ClassVar[bool] = False

    connect: Connect | Literal["published"] | None = None
    """How frozen modules enter a new task's path: if the genotype names them (``named``), in every
    path (``sum``), as columns that every path hears (``lateral``), or as in the paper
    (``published``). Default: ``transfer.connect``."""
    initial_modules: InitialModules | None = None
    """How free modules start. Default: ``transfer.initial_modules``."""
    copy_readout: bool | Literal["auto"] | None = None
    """Start a task's readout as an earlier task's. Default: ``transfer.copy_readout``."""

    @abstractmethod
    def begin(self, beginning: Beginning) -> tuple[list[Start], list[Grown]]:
        """Prepare the pool for a stage after the first.

        Returns:
            Paths on free modules that a strategy can start from, and layers that were too full.
        """

    @abstractmethod
    def end(self, pool: ModulePool, path: Path) -> None:
        """Finish a stage whose best path is ``path``."""

    def column(self, network: PathNetwork, stage: int, streams: Streams) -> PathNetwork:
        """The network that later tasks hear if they listen to a finished stage.

        Args:
            network: the stage's path, as learned.
            stage: index of that stage.
            streams: the random streams of the listening stage.
        """
        return network

    def usable(self, stage: int, after: int) -> bool:
        """Whether a stage's network can be used after a later stage."""
        return True

    def check(self, kinds: Sequence[ModuleKind]) -> None:
        """Check before a run starts that this policy can be used here.

        Args:
            kinds: the module kind of each layer.

        Raises:
            ValueError: it cannot; the message says the way out.
        """

    def rival(self) -> Rival | None:
        """A learner with a training loop of its own, which takes the place of evolution; or None.

        Its tasks have labels and budgets in evaluations; ``begin`` and ``end`` are not called.
        """
        return None


def redraw(beginning: Beginning, keep_frozen: bool) -> None:
    """Re-initialise all modules; with ``keep_frozen`` those that are free, if so configured."""
    if beginning.reinitialise or not keep_frozen:
        streams = beginning.streams
        beginning.pool.initialise(lambda i: streams.torch("init", i), keep_frozen=keep_frozen)
