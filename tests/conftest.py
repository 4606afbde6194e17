"""What all tests share: the command line, and runs that are written record by record."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from pathnet_evo.cli import main
from pathnet_evo.interfaces.learners import Candidate, Episode, Evaluation
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
from pathnet_evo.store.lineage import Lineage

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As for whatever a script starts in the background. What tests start would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

NAMES = ("<script>alert(1)</script> $x_", "b & <b>")
FIRST = ((0, 1), (2, 3))
SECOND = ((1, 2), (0, 3))
NOTHING = ((), ())


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

    Each generation place 0 overwrites place 1 and one gene is mutated.
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
