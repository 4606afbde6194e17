"""What transfers between games: PathNet and its controls, one JSON line an arm and seed.

    python benchmarks/game_pairs.py results.jsonl --seeds 3 --jobs 2
    python benchmarks/game_pairs.py labyrinths.jsonl --family labyrinth --seeds 3 --jobs 2
    python benchmarks/game_pairs.py pong.jsonl --family pong --games pong zoom --sources sources

Every ordered pair of two games, with network, learner and strategy of the family's presets;
variants of Pong only after Pong itself. A source is learned once a seed, for all arms and targets
alike, and ``independent`` once a target. Lines that are there already are skipped, so what was
interrupted continues when it is called again. With ``--sources``, sources are kept there for the
next call; empty that folder when the code changes. ``--games`` chooses pairs, ``--itself`` adds
each game after itself, ``--each`` changes one setting at a time, as ``pathnet-evo run --set`` does;
sources are learned without such changes. ``game_pairs_table.py`` makes the tables.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, get_args

import torch
from result_lines import ResultLines

from pathnet_evo.analysis.curves import learning_curve
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.interfaces.records import (
    EpisodesFinished,
    Record,
    StageFinished,
    StageStarted,
    TransferPlanned,
)
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup.plan import Plan
from pathnet_evo.setup.preparing import prepare
from pathnet_evo.trial.learned import Learned
from pathnet_evo.trial.trial import Checkpointer, learn_sequence, state
from pathnet_evo_atari.views import View
from pathnet_evo_minatar.games import GAMES


@dataclass(frozen=True)
class Family:
    """Games that one preset is for.

    Args:
        preset: its name.
        games: a stage's task, by the name of the game.
        frames: of a stage, if nothing else is said.
        variants: of the first game, to be learned after it alone.
    """

    preset: str
    games: Mapping[str, str]
    frames: int
    variants: bool = False

    def pairs(self, games: Sequence[str], itself: bool) -> list[tuple[str, str]]:
        """Each game after each other one.

        Args:
            games: some of the family's.
            itself: each after itself, too.
        """
        sources = list(self.games)[:1] if self.variants else games
        return [(s, t) for s in sources for t in games if s != t or itself]


LEVEL = 'name="labyrinth",level='
PONG = 'name="atari",game="pong"'
FAMILIES = {
    "minatar": Family(
        "minatar-pair", {game: f'{{name="minatar",game="{game}"}}' for game in GAMES}, 200_000
    ),
    "labyrinth": Family(
        "labyrinth",
        {
            "seekavoid_arena": f'{{{LEVEL}"seekavoid_arena"}}',
            "stairway_to_melon": f'{{{LEVEL}"stairway_to_melon"}}',
            "lt_chasm": f'{{{LEVEL}"lt_chasm",seconds=60}}',
        },
        300_000,
    ),
    "pong": Family(
        "atari-pong-zoom",
        {"pong": f"{{{PONG}}}"} | {view: f'{{{PONG},views=["{view}"]}}' for view in get_args(View)},
        6_000_000,
        variants=True,
    ),
}
ARMS = {
    "pathnet": '"pathnet"',
    "independent": '"independent"',
    "fine-tuning": '"fine-tuning"',
    "random-columns": '{name="random-columns",'
    'transfer={name="random-columns",connect="lateral",initial_modules="fresh"}}',
    "random": '{name="random",strategy="random-search",'
    'transfer={name="freeze",connect="named",initial_modules="fresh",copy_readout=false}}',
    "pathnet-2017": '"pathnet-2017"',
    # Other ways in:
    "copies": '{name="copies",transfer={name="freeze",connect="named",'
    'initial_modules="copies",copy_readout=false}}',
    "laterals": '{name="laterals",'
    'transfer={name="freeze",connect="lateral",initial_modules="fresh",copy_readout=false}}',
    "copies and laterals": '{name="copies and laterals",'
    'transfer={name="freeze",connect="lateral",initial_modules="copies",copy_readout=false}}',
}
OWN_SOURCE = ("random", "pathnet-2017")
"""Arms that do not begin a first task with one full-width path."""


@dataclass(frozen=True)
class Cell:
    """One target of one arm.

    Args:
        source: the game before it; of ``independent``, which hears nothing of it, the first one.
        target: the game.
        arm: of ``ARMS``.
        seed: the trial's.
        frames: of a stage.
        options: further settings, as ``--set`` takes them.
    """

    source: str
    target: str
    arm: str
    seed: int
    frames: int
    options: tuple[str, ...] = ()

    @property
    def family(self) -> Family:
        """The one that its games are of."""
        return next(family for family in FAMILIES.values() if self.source in family.games)

    @property
    def first(self) -> Cell:
        """What has to be learned before."""
        own = self.arm if self.arm in OWN_SOURCE else "pathnet"
        return Cell(self.source, "", own, self.seed, self.frames)


class Pool(Checkpointer):
    """Holds the pool at the end of a stage."""

    pool: ModulePool | None = None

    def finished(
        self, pool: ModulePool, learned: list[Learned], record: StageFinished
    ) -> tuple[str, str] | None:
        """Keep it."""
        self.pool = pool
        return None


def plan_of(cell: Cell) -> Plan:
    """A cell as a run made ready, with its target if it has one."""
    games = [cell.source, *([cell.target] if cell.target else [])]
    tasks = [cell.family.games[game] for game in games]
    stages = ",".join(f"{{frames={cell.frames},task={task}}}" for task in tasks)
    arms = dict.fromkeys([ARMS[cell.arm], ARMS["pathnet"]])  # copies are refused without it
    settings = [f"stages=[{stages}]", f"arms=[{','.join(arms)}]", *cell.options]
    return prepare(cell.family.preset, settings, Registry())


def learn_source(cell: Cell, kept: Path | None) -> dict[str, Any]:
    """The state after the source.

    Args:
        cell: the source, without a target.
        kept: a folder of such states; None for none.
    """
    torch.set_num_threads(1)
    name = f"{cell.arm}-{cell.source}-{cell.seed}-{cell.frames}.pt"
    if kept is not None and (kept / name).exists():
        found: dict[str, Any] = torch.load(kept / name, weights_only=True)
        return found
    held = Pool()
    learned = learn_sequence(
        plan_of(cell), Trial(0, cell.arm, cell.seed), "cpu", _ignore, checkpointer=held
    )
    assert held.pool is not None
    left = state(held.pool, learned)
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        torch.save(left, kept / f".{name}")
        (kept / f".{name}").replace(kept / name)
    return left


def learn_target(cell: Cell, start: dict[str, Any]) -> dict[str, Any]:
    """Learn the target; what came out, as a line."""
    torch.set_num_threads(1)
    plan = plan_of(cell)
    if not type(plan.arms[cell.arm].policy).freezes:
        layers = [{**s, "frozen": torch.zeros_like(s["frozen"])} for s in start["layers"]]
        start = {**start, "layers": layers}
    records: list[Record] = []
    began = time.perf_counter()
    learn_sequence(plan, Trial(0, cell.arm, cell.seed), "cpu", records.append, start=start)
    (finished,) = (r for r in records if isinstance(r, StageFinished))
    started = next(r for r in records if isinstance(r, StageStarted))
    planned = next((r for r in records if isinstance(r, TransferPlanned)), None)
    episodes = [e for r in records if isinstance(r, EpisodesFinished) for e in r.episodes]
    chance = started.random_baseline
    assert chance is not None
    curve = learning_curve([(e.at, e.score) for e in episodes], chance, cell.frames)
    return {
        **asdict(cell),
        "chance": chance,
        "area": sum(curve) / len(curve) - chance,
        "score": finished.scores[1]["mean_return"],
        "curve": [round(value, 3) for value in curve],
        "path": finished.path,
        "planned": planned
        and {"columns": planned.columns, "starts": planned.starts, "tried": planned.tried},
        "seconds": round(time.perf_counter() - began, 1),
    }


def _ignore(record: Record) -> None:
    """Nobody listens to the source."""


def cells(arguments: argparse.Namespace) -> Iterator[Cell]:
    """All cells, the arms that come first for all seeds and pairs before the others."""
    family = FAMILIES[arguments.family]
    games = arguments.games or list(family.games)
    frames = arguments.frames or family.frames
    every = family.pairs(games, arguments.itself)
    seeds = range(arguments.seed, arguments.seed + arguments.seeds)
    for arm, changed, seed in itertools.product(arguments.arms, [None, *arguments.each], seeds):
        options = (*arguments.set, *([changed] if changed else []))
        pairs = every
        if arm == "independent":  # which hears nothing of the source
            targets = dict.fromkeys(target for _, target in every)
            pairs = [
                min((p for p in every if p[1] == t), key=lambda p: p[0] == p[1]) for t in targets
            ]
        for source, target in pairs:
            yield Cell(source, target, arm, seed, frames, options)


def main() -> None:
    """Run what is missing, sources first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--family", default="minatar", choices=list(FAMILIES))
    parser.add_argument("--games", nargs="+", help="of the family; default: all")
    parser.add_argument("--itself", action="store_true", help="each game after itself, too")
    parser.add_argument("--arms", nargs="+", default=list(ARMS)[:4], choices=list(ARMS))
    parser.add_argument("--frames", type=int, help="of a stage; default: the family's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="cells at a time")
    parser.add_argument("--sources", type=Path, metavar="FOLDER")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=VALUE")
    parser.add_argument("--each", nargs="+", default=[], metavar="A.B=VALUE")
    arguments = parser.parse_args()
    if unknown := set(arguments.games or ()) - set(FAMILIES[arguments.family].games):
        parser.error(f"{arguments.family} has no {', '.join(sorted(unknown))}")
    found = ResultLines(arguments.results, tuple(Cell.__dataclass_fields__))
    missing = [cell for cell in cells(arguments) if asdict(cell) not in found]
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as workers:
        firsts = {c.first: None for c in missing}
        learning = {
            first: workers.submit(learn_source, first, arguments.sources) for first in firsts
        }
        starts = {first: future.result() for first, future in learning.items()}
        targets = [workers.submit(learn_target, cell, starts[cell.first]) for cell in missing]
        for future in as_completed(targets):
            line = future.result()
            found.add(line)
            print(
                f"{line['source']} -> {line['target']}, {line['arm']} {' '.join(line['options'])}, "
                f"seed {line['seed']}: {line['score']:.2f}, area {line['area']:.3f} "
                f"({line['seconds']:.0f} s)",
                flush=True,
            )


if __name__ == "__main__":
    main()
