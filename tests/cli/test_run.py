"""``pathnet-evo run`` from outside: what it leaves on disk, and how it fails."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import torch

import pathnet_evo
from pathnet_evo.store.lineage import digest


@pytest.mark.slow
def test_default_run_leaves_everything(command: Any, small: list[str]) -> None:
    """A newcomer's first command would end without the files that the README promises."""
    result = command("run", "digits", *small)
    assert result.status == 0, result.err
    run = Path("runs/digits")
    for name in ("run.toml", "lineage.sqlite", "summary.json", "report.html"):
        assert (run / name).stat().st_size > 0
    arms = {"pathnet", "independent", "fine-tuning", "random"}
    assert {p.name for p in (run / "checkpoints").iterdir()} == {f"{arm}-0" for arm in arms}
    db = sqlite3.connect(run / "lineage.sqlite")
    assert db.execute("SELECT count(*) FROM evaluations").fetchone() == (4 * 2 * 6,)
    db.close()


@pytest.mark.slow
def test_second_run_gets_a_number(command: Any, small: list[str]) -> None:
    """A second run without a name would fail, or overwrite the first."""
    for _ in range(2):
        assert command("run", "digits", *small, "--set", 'arms=["pathnet"]').status == 0
    assert Path("runs/digits-2/summary.json").is_file()


@pytest.mark.slow
def test_same_seed_same_bits_with_jobs(command: Any, small: list[str]) -> None:
    """Running trials side by side would change a published result."""
    assert command("run", "digits", *small, "--name", "one").status == 0
    assert command("run", "digits", *small, "--name", "two", "--jobs", "2").status == 0
    assert digest(Path("runs/one/lineage.sqlite")) == digest(Path("runs/two/lineage.sqlite"))
    for weights in Path("runs/one/checkpoints").rglob("weights.safetensors"):
        other = Path("runs/two") / weights.relative_to("runs/one")
        assert weights.read_bytes() == other.read_bytes()


@pytest.mark.slow
def test_another_seed_is_another_run(command: Any, small: list[str]) -> None:
    """Seeds would be ignored, and intervals over them would be lies."""
    command("run", "digits", *small, "--name", "one", "--set", 'arms=["pathnet"]')
    command(
        "run", "digits", *small, "--name", "two", "--set", 'arms=["pathnet"]', "--set", "seed=1"
    )
    assert digest(Path("runs/one/lineage.sqlite")) != digest(Path("runs/two/lineage.sqlite"))


@pytest.mark.slow
def test_resolved_configuration_repeats_the_run(command: Any, small: list[str]) -> None:
    """The run.toml that a run keeps could not be used to repeat it."""
    command("run", "digits", *small, "--name", "one")
    again = command("run", "runs/one/run.toml", "--name", "two")
    assert again.status == 0, again.err
    assert digest(Path("runs/one/lineage.sqlite")) == digest(Path("runs/two/lineage.sqlite"))


@pytest.mark.slow
def test_json_is_one_document(command: Any, small: list[str]) -> None:
    """A script that reads standard output would meet something else than JSON."""
    result = command("run", "digits", *small, "--json")
    assert json.loads(result.out) == json.loads(Path("runs/digits/summary.json").read_text())
    assert result.err == ""


@pytest.mark.slow
def test_network_of_a_run(command: Any, small: list[str]) -> None:
    """A user could not take the learned network out of a run, or it would be another one."""
    command("run", "digits", *small)
    run = pathnet_evo.load_run(Path("runs/digits"))
    network = run.network(0)
    assert isinstance(network, torch.nn.Module)
    images = torch.randint(0, 256, (5, *_input_shape(network)), dtype=torch.uint8)
    first, after = network(images), run.network(0, after=1)(images)
    assert first.shape == (5, 2)
    assert torch.equal(first, after)


def _input_shape(network: Any) -> tuple[int, ...]:
    inputs = network.layers[0]["weight"].shape[-1]
    return (1, int(inputs**0.5), int(inputs**0.5))


@pytest.mark.slow
def test_hopeless_learning_rate(command: Any, small: list[str]) -> None:
    """A diverging run would freeze garbage, or end as if all were well."""
    result = command("run", "digits", *small, "--set", "learner.learning_rate=1e9")
    assert result.status == 1
    assert "evaluations failed in a row" in result.err
    assert "not finite" in result.err
    db = sqlite3.connect("runs/digits/lineage.sqlite")
    assert db.execute("SELECT DISTINCT state, fitness FROM evaluations").fetchall() == [
        ("FAILED", None)
    ]
    assert db.execute("SELECT count(*) FROM stages WHERE frozen IS NOT NULL").fetchone() == (0,)
    db.close()
    assert Path("runs/digits/report.html").is_file()


UNFIT = {
    "mutate": '{name = "mutGaussian", mu = 0.0, sigma = 1.0, indpb = 1.0}',
    "select": '{name = "selTournament", tournsize = 0}',
    "mate": '"cxMessyOnePoint"',
}


@pytest.mark.parametrize(("kind", "operator"), UNFIT.items())
def test_operator_that_does_not_fit_paths(
    command: Any, small: list[str], kind: str, operator: str
) -> None:
    """The controls would be learned for hours before anybody sees that PathNet's arm failed."""
    strategy = 'strategy={name = "mu-plus-lambda", population = 8, cxpb = 0.9, mutpb = 0.1, '
    result = command("run", "digits", *small, "--set", f"{strategy}{kind} = {operator}}}")
    assert result.status == 2
    assert result.err.startswith(f"digits: strategy: {kind} operator ")
    assert result.err.count("\n") == 1
    assert not Path("runs").exists()


LATE = """
from pathnet_evo import hookimpl

begun = []

@hookimpl
def stage_started(run, record):
    begun.append(record)

@hookimpl
def register_operators(register):
    register("late", late)

def late(genotype):
    return (genotype[1:],) if begun else (genotype,)
"""


@pytest.mark.slow
def test_operator_that_makes_no_path_later(command: Any, small: list[str]) -> None:
    """What its dry run could not show would end in a traceback."""
    Path("late.py").write_text(LATE)
    setting = ["--set", 'strategy.mutate="late"', "--set", 'arms=["pathnet", "independent"]']
    result = command("run", "digits", *small, "--plugin", "late.py", *setting)
    assert result.status == 1
    assert "pathnet, seed 0, stage 1: mutate operator late returned an invalid path" in result.err
    assert "Traceback" not in result.err


MISTAKES = {
    "unknown preset": (["digts"], 'unknown preset "digts". Did you mean "digits"?'),
    "no such file": (["none.toml"], "none.toml: cannot be read"),
    "misspelt key": (
        ["--set", "pool.modles=3"],
        'pool.modles: unknown key. Did you mean "modules"?',
    ),
    "misspelt strategy key": (
        ["--set", "strategy.populaton=3"],
        'strategy.populaton: unknown key. Did you mean "population"?',
    ),
    "wrong type": (["--set", "pool.modules=many"], "pool.modules: "),
    "unknown strategy": (
        ["--set", "strategy.name=random-serch"],
        'strategy "random-serch" is not registered. Did you mean "random-search"?',
    ),
    "unknown task": (["--set", "stages.0.task.name=digts"], 'Did you mean "digits"?'),
    "unknown learner": (["--set", "learner.name=sdg"], 'Did you mean "sgd"?'),
    "unknown optimizer": (["--set", "learner.optimizer=Adamm"], "learner.optimizer: "),
    "unknown module": (["--set", "pool.layers.0.kind=liner"], 'Did you mean "linear"?'),
    "unknown arm": (["--set", 'arms=["pathnt"]'], 'Did you mean "pathnet"?'),
    "wide path": (["--set", "pool.width=11"], "does not fit into layers of 10 modules"),
    "no such class": (["--set", "stages.0.task.classes=[3, 12]"], "stages.0.task"),
    "no such stage": (["--set", "stages.7.generations=2"], "no entry '7' in a list of 2"),
    "setting without value": (["--set", "pool.modules"], "expected PLACE=VALUE"),
    "shapes differ": (
        ["--set", "stages.0.task.size=4", "--set", "stages.1.task.size=6"],
        "stages.1.task: examples are (1, 6, 6), but the pool takes (1, 4, 4)",
    ),
    "missing data": (
        ["cifar-svhn", "--set", "stages.*.task.download=false"],
        "stages.0.task: cifar10: no data under data/",
    ),
    "kernel too large": (
        ["--set", 'pool.layers=[{kind = "conv2d", kernel = 9}]'],
        "pool.layers: a kernel of 9 does not fit",
    ),
    "bad name": (["--name", "../x"], "not a folder's name"),
    "no name": (["--name", ""], "not a folder's name (it is empty)"),
    "unknown device": (["--device", "gpu"], "device: "),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(command: Any, small: list[str], mistake: str) -> None:
    """A user's mistake would end in a traceback, or leave half a run behind."""
    arguments, expected = MISTAKES[mistake]
    preset = [] if arguments and not arguments[0].startswith("-") else ["digits"]
    result = command("run", *preset, *arguments, *small)
    assert result.status == 2
    assert expected in result.err
    assert "Traceback" not in result.err
    assert not list(Path().glob("runs/*"))


def test_all_mistakes_at_once(command: Any) -> None:
    """A user would have to mend one mistake to hear of the next."""
    result = command(
        "run", "--set", "pool.modles=3", "--set", "sead=1", "--set", "stages.0.generations=0"
    )
    assert len(result.err.strip().splitlines()) == 3


def test_plugins_sections_at_once(command: Any) -> None:
    """Mistakes in several plugins' sections would be told one at a time."""
    result = command("run", "--set", "strategy.populaton=3", "--set", "learner.momentum=2")
    assert "strategy.populaton" in result.err
    assert "learner.momentum" in result.err


def test_name_that_exists(command: Any, small: list[str]) -> None:
    """A run could overwrite another."""
    Path("runs/mine").mkdir(parents=True)
    result = command("run", "digits", *small, "--name", "mine")
    assert result.status == 2
    assert "exists" in result.err
    assert list(Path("runs/mine").iterdir()) == []


def test_folder_that_cannot_be_made(command: Any, small: list[str]) -> None:
    """A folder that cannot be written would end in a traceback."""
    Path("runs").write_text("a file")
    result = command("run", "digits", *small)
    assert result.status == 2
    assert result.err.startswith("runs: cannot be written")


def test_not_toml(command: Any) -> None:
    """A broken file would end in a traceback."""
    Path("mine.toml").write_text("name = ")
    result = command("run", "mine.toml")
    assert (result.status, result.err[:19]) == (2, "mine.toml: not TOML")
