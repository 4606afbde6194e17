"""What transfers: PathNet and its controls on pairs of image tasks, one JSON line an arm and seed.

    python benchmarks/transfer.py results.jsonl --data DATA --networks conv fc --seeds 10

``DATA`` has ``cifar10/`` and ``svhn/`` as trees of images (``train/CLASS/*``, ``test/CLASS/*``) and
MNIST as torchvision lays it out. Lines that are there already are skipped, so what was interrupted
continues when it is called again; all arms of a seed come before the next seed. Every arm has the
same schedule, the same number of training examples, and the same batches where it trains one path.
The first task of all arms that begin it with one full-width path is the same, and learned once.

``--choosing`` scores on training examples that are kept aside, to choose settings without the test
set; use other seeds then. ``transfer_table.py`` makes the tables.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import torch
from result_lines import ResultLines

from pathnet_evo.core.pool import ModulePool
from pathnet_evo.interfaces.records import Record, StageFinished, TransferPlanned
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup import config
from pathnet_evo.setup.overrides import override
from pathnet_evo.setup.plan import Plan
from pathnet_evo.setup.resolving import resolve
from pathnet_evo.trial.fitting import weigh_readouts
from pathnet_evo.trial.learned import Learned
from pathnet_evo.trial.stage import StageRun
from pathnet_evo.trial.trial import Checkpointer, learn_sequence, state
from pathnet_evo_sgd.learner import accuracy

MINIBATCHES, BATCH = 50, 16
NETWORKS: dict[str, dict[str, Any]] = {
    "conv": {
        "pool": {
            "modules": 16,
            "width": 4,
            "layers": [
                {"kind": "conv2d", "channels": 8, "stride": 2, "padding": 1, "repeat": 3},
                {"kind": "linear", "units": 50},
            ],
        },
        "learner": {"learning_rate": 0.01, "momentum": 0.9},
    },
    "fc": {
        "pool": {
            "modules": 20,
            "width": 5,
            "layers": [{"kind": "linear", "units": 20, "repeat": 3}],
        },
        "learner": {"learning_rate": 0.02},
    },
}
STEPS = {"conv": {None: 6000, 1000: 3000, 100: 1000}, "fc": {None: 6000, 1000: 3000, 100: 1500}}
FEW_STEPS = 3000
"""For all images of a data set that has less than 1,000."""
FIXED = {"name": "fixed-path"}
ARMS: dict[str, dict[str, Any]] = {
    "pathnet": {},
    "pathnet-2017": {
        "strategy": {"name": "binary-tournament"},
        "transfer": {"name": "freeze", "connect": "published", "initial_modules": "fresh"},
    },
    "independent": {"strategy": FIXED, "transfer": {"name": "scratch"}},
    "independent-wide": {"strategy": FIXED, "transfer": {"name": "scratch"}},
    "fine-tuning": {"strategy": FIXED, "transfer": {"name": "keep"}},
    "random": {
        "strategy": {"name": "random-search"},
        "transfer": {"name": "freeze", "connect": "named", "initial_modules": "fresh"},
    },
    "random-columns": {"transfer": {"name": "random-columns"}},
    # Fine-tuning with what copies of unsuitable features get:
    "fine-tuning by sub-paths": {"transfer": {"name": "keep-by-sub-paths"}},
    # Each way in by itself:
    "laterals": {"transfer": {"name": "freeze", "initial_modules": "fresh"}},
    "copies and laterals": {"transfer": {"name": "freeze", "initial_modules": "copies"}},
    "copies": {"transfer": {"name": "freeze", "connect": "named", "initial_modules": "copies"}},
    "sum": {"transfer": {"name": "freeze", "connect": "sum", "initial_modules": "fresh"}},
}
OWN_FIRST = ("pathnet-2017", "random")
"""Arms that do not begin the first task with one full-width path."""


@dataclass(frozen=True)
class Cell:
    """One second task of one arm.

    Args:
        network: of ``NETWORKS``.
        pair: first and second task.
        examples: training images of the second task; None for all.
        arm: of ``ARMS``.
        rate: the learning rate; None for the network's.
        options: further settings, as ``--set`` takes them.
    """

    network: str
    pair: str
    examples: int | None
    arm: str
    rate: float | None = None
    options: tuple[str, ...] = ()


def tasks(data: str) -> dict[str, dict[str, Any]]:
    """The tasks that pairs are made of."""
    cifar = {"name": "cifar10", "root": f"{data}/cifar10"}
    mnist = {"name": "mnist", "root": data, "fit": "pad", "size": 32, "channels": 3}
    noisy = {**mnist, "noise": 0.5}
    first, second = [*range(5)], [*range(5, 10)]
    return {
        "cifar": cifar,
        "cifar 0-4": {**cifar, "classes": first},
        "cifar 5-9": {**cifar, "classes": second},
        "mnist": mnist,
        "mnist 0-4": {**noisy, "classes": first},
        "mnist 5-9": {**noisy, "classes": second},
        "svhn": {"name": "folder", "root": f"{data}/svhn"},
    }


PAIRS = (
    ("cifar 0-4", "cifar 5-9"),
    ("cifar 5-9", "cifar 0-4"),
    ("cifar", "svhn"),
    ("mnist 0-4", "mnist 5-9"),
    ("mnist 5-9", "mnist 0-4"),
    ("mnist", "cifar"),
    ("cifar", "mnist"),
    ("svhn", "cifar"),
)


@dataclass
class Watch(Checkpointer):
    """Measures a learning curve on examples that are kept aside, and holds the pool at the end.

    Args:
        every: rounds between two points.
    """

    every: int = 2
    curve: list[tuple[int, float]] = field(default_factory=list)
    pool: ModulePool | None = None

    def between(
        self, pool: ModulePool, learned: list[Learned], stage_run: StageRun, stopping: bool
    ) -> None:
        """Add a point."""
        told = stage_run.strategy.told
        if told and told % self.every == 0 and (not self.curve or self.curve[-1][0] != told):
            self._add(told, pool, stage_run)

    def _add(self, told: int, pool: ModulePool, stage_run: StageRun) -> None:
        best, context = stage_run.strategy.best(), stage_run.context
        task: Any = context.task
        if best is None or not hasattr(task, "watched_inputs"):
            return
        path, learner = context.path(best), stage_run.stage.learner
        so_far = Learned("", task, learner, path, context.head, stage_run.fingerprint)
        weigh_readouts(so_far, pool, context.streams)
        network = so_far.network(pool)
        self.curve.append((told, accuracy(network, task.watched_inputs, task.watched_labels)))

    def finished(
        self, pool: ModulePool, learned: list[Learned], record: StageFinished
    ) -> tuple[str, str] | None:
        """Keep the pool, and the curve's last point."""
        self.pool = pool
        stage = learned[-1]
        task: Any = stage.task
        if hasattr(task, "watched_inputs"):
            last = accuracy(stage.network(pool), task.watched_inputs, task.watched_labels)
            self.curve = [point for point in self.curve if point[0] < record.evaluations]
            self.curve.append((record.evaluations, last))
        return None


def plan_of(cell: Cell, data: str, choosing: bool, stages: int) -> Plan:
    """A cell as a run made ready, with its first or both stages."""
    network, of = NETWORKS[cell.network], tasks(data)
    arm = {"name": cell.arm, **ARMS[cell.arm]}
    if cell.arm == "independent-wide":
        arm["strategy"] = {**FIXED, "width": 2 * network["pool"]["width"]}
    written: dict[str, Any] = {
        "arms": [arm],
        "plugins": [str(Path(__file__).with_name("parts.py"))],
        "pool": {"input_shape": [3, 32, 32], **network["pool"]},
        "strategy": {"name": "racing"},
        "transfer": {"connect": "lateral", "initial_modules": "mixed"},
        "learner": {
            "name": "sgd",
            "schedule": "cosine",
            "n_batches": MINIBATCHES,
            "batch_size": BATCH,
            **network["learner"],
        },
        "stages": [
            {
                "task": {"name": "part", "of": of[name], "choosing": choosing, **examples},
                "generations": _generations(cell, name, examples.get("examples")),
            }
            for name, examples in zip(
                cell.pair.split(" -> "),
                ({}, {} if cell.examples is None else {"examples": cell.examples}),
                strict=True,
            )
        ][:stages],
    }
    if stages > 1 and cell.rate is not None:
        written["stages"][1]["learner"] = {**written["learner"], "learning_rate": cell.rate}
    override(written, cell.options)
    made = config.validate(written)
    return resolve(made, Registry(files=made.plugins))


def _generations(cell: Cell, task: str, examples: int | None) -> int:
    """Pairs of evaluations: a generation of every arm is two."""
    steps = FEW_STEPS if task == "svhn" and examples is None else STEPS[cell.network][examples]
    return steps // MINIBATCHES // 2


def first_task(cell: Cell, seed: int, data: str, choosing: bool) -> dict[str, Any]:
    """The state after the first task, as ``learn_sequence`` starts from it."""
    watch = Watch(every=10**9)
    plan = plan_of(cell, data, choosing, 1)
    learned = learn_sequence(plan, Trial(0, cell.arm, seed), "cpu", _ignore, checkpointer=watch)
    assert watch.pool is not None
    score = learned[0].learner.score(learned[0].network(watch.pool), learned[0].task, None)
    return {"start": state(watch.pool, learned), "score": score["test_accuracy"]}


def second_task(
    cell: Cell, seed: int, first: dict[str, Any], data: str, choosing: bool
) -> dict[str, Any]:
    """Learn the second task; what came out, as a line."""
    start, plan = first["start"], plan_of(cell, data, choosing, 2)
    if not type(plan.arms[cell.arm].policy).freezes:
        layers = [{**s, "frozen": torch.zeros_like(s["frozen"])} for s in start["layers"]]
        start = {**start, "layers": layers}
    records: list[Record] = []
    watch, began = Watch(), time.perf_counter()
    learn_sequence(
        plan, Trial(0, cell.arm, seed), "cpu", records.append, checkpointer=watch, start=start
    )
    (finished,) = (r for r in records if isinstance(r, StageFinished))
    planned = next((r for r in records if isinstance(r, TransferPlanned)), None)
    scores = {str(j): s["test_accuracy"] for j, s in finished.scores.items()}
    return {
        **asdict(cell),
        "seed": seed,
        "choosing": choosing,
        "score": scores["1"],
        "first": first["score"],
        "first_after": scores.get("0"),
        "examples_seen": finished.examples,
        "curve": [(told, round(value, 4)) for told, value in watch.curve],
        "path": finished.path,
        "planned": None
        if planned is None
        else {
            "columns": planned.columns,
            "starts": planned.starts,
            "prior": planned.prior,
        },
        "seconds": round(time.perf_counter() - began, 1),
    }


def _ignore(record: Record) -> None:
    """Nobody listens to the first task."""


def cells(arguments: argparse.Namespace) -> Iterator[Cell]:
    """The cells of one seed, those with a common first task next to each other."""
    for network in arguments.networks:
        for pair in arguments.pairs:
            for examples in arguments.examples:
                if examples == 1000 and pair.endswith("svhn"):
                    continue
                for arm, rate, other in product(
                    arguments.arms, arguments.rates or [None], [None, *arguments.each]
                ):
                    options = (*arguments.set, *([other] if other else []))
                    yield Cell(network, pair, examples, arm, rate, options)


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--networks", nargs="+", default=["conv"], choices=list(NETWORKS))
    parser.add_argument("--pairs", nargs="+", default=[" -> ".join(pair) for pair in PAIRS])
    parser.add_argument("--examples", nargs="+", type=_count, default=[100, 1000, None])
    parser.add_argument("--arms", nargs="+", default=list(ARMS)[:7], choices=list(ARMS))
    parser.add_argument("--rates", nargs="+", type=float, default=[])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="A.B=VALUE")
    parser.add_argument(
        "--each", nargs="+", default=[], metavar="A.B=VALUE", help="run every arm with each as well"
    )
    parser.add_argument("--choosing", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = ResultLines(arguments.results, (*Cell.__dataclass_fields__, "seed", "choosing"))
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        firsts: dict[tuple[str, str, str], dict[str, Any]] = {}
        for cell in cells(arguments):
            about = {**asdict(cell), "seed": seed, "choosing": arguments.choosing}
            if about in found:
                continue
            own = cell.arm if cell.arm in OWN_FIRST else "pathnet"
            first_of = Cell(cell.network, cell.pair, None, own)
            place = (cell.network, cell.pair.split(" -> ")[0], own)
            if place not in firsts:
                firsts[place] = first_task(first_of, seed, arguments.data, arguments.choosing)
            line = second_task(cell, seed, firsts[place], arguments.data, arguments.choosing)
            found.add(line)
            print(
                f"{cell.network} {cell.pair}, {cell.examples or 'all'}: {cell.arm}, seed {seed}, "
                f"rate {cell.rate}: {line['score']:.3f} ({line['seconds']:.0f} s)",
                flush=True,
            )


def _count(text: str) -> int | None:
    return None if text == "all" else int(text)


if __name__ == "__main__":
    main()
