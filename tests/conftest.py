"""What all tests share: the command line, and runs that are written record by record."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

from pathnet_evo.cli import main
from pathnet_evo.core.aggregate import AGGREGATES
from pathnet_evo.core.kinds import Conv2d, Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.evaluations import Candidate, Episode, Evaluation
from pathnet_evo.interfaces.population import Replacement
from pathnet_evo.interfaces.records import (
    EpisodesFinished,
    Evaluated,
    GenerationFinished,
    Record,
    StageFinished,
    StageStarted,
    TrialFinished,
    TrialStarted,
)
from pathnet_evo.interfaces.tasks import SupervisedTask, TaskSettings
from pathnet_evo.plugins.hookspecs import hookimpl
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup import config
from pathnet_evo.setup.resolving import resolve
from pathnet_evo.store.lineage import Lineage

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As for whatever a script starts in the background. What tests start would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

NAMES = ("<script>alert(1)</script> $x_", "b & <b>")
FIRST = ((0, 1), (2, 3))
SECOND = ((1, 2), (0, 3))
NOTHING = ((), ())


@pytest.fixture(autouse=True)
def no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the width of whose terminal the tests were started in: output would be wrapped."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(autouse=True)
def import_path() -> Iterator[None]:
    """Forget the folders of plugin files that a test loaded: their modules would be found later."""
    kept = list(sys.path)
    yield
    sys.path[:] = kept


def write_toml(folder: Path, seeds: int, arms: Sequence[str], stages: int = 2) -> None:
    """A run's configuration."""
    tables = "".join(f'[[stages]]\nname = "{n}"\ntask = "none"\n' for n in NAMES[:stages])
    (folder / "run.toml").write_text(
        f'name = "made-up"\narms = {json.dumps(list(arms))}\nseeds = {seeds}\n'
        "[pool]\nmodules = 4\nwidth = 2\n"
        '[[pool.layers]]\nkind = "linear"\nrepeat = 2\n' + tables
    )


def stage(
    trial: int, i: int, fitnesses: Sequence[float | None], scores: dict[int, float] | None
) -> list[Record]:
    """A stage's records, two evaluations a generation; without scores it is not finished.

    Each generation slot 0 overwrites slot 1 and one gene is mutated.
    """
    before = FIRST if i else NOTHING
    population = (FIRST, FIRST)
    records: list[Record] = [
        StageStarted(
            trial,
            i,
            NAMES[i],
            40,
            False,
            None,
            population,
            before,
            (4, 4),
            "accuracy",
            "examples",
        )
    ]
    found = {"frozen_overlap": 0.5, "frozen_overlap_chance": 0.25 if i else 0.0}
    for n, fitness in enumerate(fitnesses):
        cause = "the <loss> is not finite" if fitness is None else None
        told = Evaluation(Candidate(n, n % 2, FIRST, None, n), fitness, cause, examples=8)
        gene = (n // 2) % 2
        change = Replacement(0, 1, n, ((0, gene, FIRST[0][gene], 3),))
        records.append(Evaluated(trial, i, n, n // 2, told, (change,) if n % 2 else ()))
        if n % 2:
            records.append(GenerationFinished(trial, i, n // 2, n + 1, fitness, fitness, found))
    if scores is not None:
        records.append(
            StageFinished(
                trial=trial,
                stage=i,
                evaluations=len(fitnesses),
                examples=0,
                seconds=1.0,
                genotype=FIRST,
                path=SECOND if i else FIRST,
                fitness=0.5,
                reused=((1,), (3,)) if i else NOTHING,
                frozen=FIRST,
                scores={j: {"test_accuracy": score} for j, score in scores.items()},
                checkpoint=None,
            )
        )
    return records


def episodes(trial: int) -> list[Record]:
    """An unfinished stage of a game, with a budget in frames."""
    started = StageStarted(
        trial, 0, "<game>", 1000, True, -2.0, (FIRST,), NOTHING, (4, 4), "mean return", "frames"
    )
    played = tuple(Episode(0, 0, float(n), 10, 20 * (n + 1)) for n in range(40))
    return [TrialStarted(trial, "pathnet", 0), started, EpisodesFinished(trial, 0, 0, 800, played)]


def write_lineage(folder: Path, records: Sequence[Record], closed: bool = True) -> Lineage:
    """A whole lineage."""
    lineage = Lineage(folder / "lineage.sqlite")
    for record in records:
        lineage.write(record)
    if closed:
        lineage.close()
    else:
        lineage.commit()
    return lineage


def two_arms(folder: Path, differences: Sequence[float]) -> None:
    """Pathnet is better than independent on the second stage by these, seed by seed."""
    write_toml(folder, len(differences), ["pathnet", "independent"])
    records: list[Record] = []
    rising = [0.02 * n for n in range(40)]
    for seed, difference in enumerate(differences):
        for k, arm in enumerate(("pathnet", "independent")):
            trial = 2 * seed + k
            records.append(TrialStarted(trial, arm, seed))
            records += stage(trial, 0, [None, *rising], {0: 0.75})
            better = 0.5 + (difference if k == 0 else 0)
            kept = {0: 0.75, 1: better} if k == 0 else {1: better}
            records += [*stage(trial, 1, rising, kept), TrialFinished(trial, "finished")]
    write_lineage(folder, records)


@pytest.fixture(scope="session")
def made_up() -> SimpleNamespace:
    """What writes made-up runs, and the names in them."""
    write: dict[str, Callable[..., object]] = {
        "toml": write_toml,
        "stage": stage,
        "episodes": episodes,
        "started": lambda trial: TrialStarted(trial, "pathnet", 0),
        "lineage": write_lineage,
        "two_arms": two_arms,
    }
    return SimpleNamespace(**write, names=NAMES, first=FIRST, second=SECOND)


@dataclass
class Result:
    """What a command left behind."""

    status: int
    out: str
    err: str


Command = Callable[..., Result]


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """Run ``pathnet-evo`` with some arguments in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def call(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["pathnet-evo", *arguments])
        status = 0
        try:
            main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0
        out, err = capsys.readouterr()
        return Result(status, out, err)

    return call


KINDS = {
    "linear": [Linear(units=5), Linear(units=4)],
    "conv": [Conv2d(channels=3, kernel=2, padding=1), Conv2d(channels=2, kernel=3, stride=2)],
    "mixed": [Conv2d(channels=3, kernel=2, stride=2), Linear(units=5)],
}


@pytest.fixture
def make_pool():
    """Makes an initialised pool of 6 modules a layer over 2 x 6 x 6 inputs, and a readout."""

    def make(kinds="linear", modules=6, mean=False, seed=0, input_shape=(2, 6, 6)):
        pool = ModulePool(
            KINDS[kinds], modules, input_shape, aggregate=AGGREGATES["mean" if mean else "sum"]
        )
        pool.initialise(lambda layer: Streams(seed).torch("init", layer))
        return pool, pool.head(3, Streams(seed).torch("readout"))

    return make


@pytest.fixture
def weights():
    """Copies of all the weights of stacks or of a pool."""

    def copy(*stacks):
        stacks = [
            s
            for part in stacks
            for s in (getattr(part, "layers", None) or getattr(part, "stacks", [part]))
        ]
        return [{name: p.clone() for name, p in stack.parameters.items()} for stack in stacks]

    return copy


class Blobs(TaskSettings):
    """Classes around random centres: a task that a small network learns at once."""

    examples: int = 160
    classes: int = 3
    noise: float = 0.5
    bad: bool = False
    """Scale the examples until they overflow."""

    def make(self, context):
        """The same examples for a seed and a stage."""
        generator = context.generator("blobs")
        centres = torch.randn(self.classes, 1, 4, 4, generator=generator)
        labels = torch.arange(self.examples) % self.classes
        noise = torch.randn(self.examples, 1, 4, 4, generator=generator)
        inputs = centres[labels] + self.noise * noise
        test = slice(0, self.examples // 4)
        return SupervisedTask(
            "blobs",
            inputs,
            labels,
            inputs[test],
            labels[test],
            self.classes,
            scale=torch.tensor(torch.finfo(torch.float32).max if self.bad else 1.0),
        )


@pytest.fixture
def make_plan(monkeypatch):
    """Makes the plan of a small run with two stages of the task ``blobs``."""

    @hookimpl
    def register_tasks(register):
        register("blobs", Blobs)

    plugin = ModuleType("blobs_plugin")
    plugin.register_tasks = register_tasks
    monkeypatch.setitem(sys.modules, "blobs_plugin", plugin)
    homes = {"core": "pathnet_evo.plugins.builtin", "blobs": "blobs_plugin"}
    homes |= {name: f"pathnet_evo_{name}" for name in ("a3c", "gym", "sgd")}
    registry = Registry([EntryPoint(n, home, "pathnet_evo") for n, home in homes.items()])

    def make(**sections):
        stage = {"task": {"name": "blobs"}, "generations": 4}
        data = {
            "pool": {
                "modules": 6,
                "width": 2,
                "layers": [{"kind": "linear", "units": 5, "repeat": 2}],
            },
            "strategy": {"name": "binary-tournament", "population": 4},
            "learner": {"name": "sgd", "n_batches": 3, "batch_size": 4},
            "stages": [stage, stage],
        }
        for name, section in sections.items():
            merge = isinstance(section, dict)
            data[name] = {**data.get(name, {}), **section} if merge else section
        return resolve(config.validate(data), registry)

    return make
