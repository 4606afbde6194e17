"""A matrix of transfer: which runs there are, and what is computed from them."""

import json
import math
import tomllib
from pathlib import Path

import pytest

from pathnet_evo import presets
from pathnet_evo.analysis import matrix
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup import preparing
from pathnet_evo.setup.config import parse, validate
from pathnet_evo.setup.problems import ConfigError
from pathnet_evo.setup.resolving import resolve

TOML = """
name = "grid"
arms = ["pathnet", "independent"]
sources = 2
[pool]
modules = 3
width = 2
layers = [{ kind = "linear", units = 4 }]
[strategy]
name = "binary-tournament"
population = 2
[learner]
name = "sgd"
n_batches = 2
[[stages]]
name = "A one"
generations = 22
task = { name = "digits", classes = [0, 1] }
[[stages]]
name = "b"
generations = 22
task = { name = "digits", classes = [2, 3] }
[[stages]]
generations = 22
task = { name = "digits", classes = [4, 5] }
"""


def test_pairs():
    """A source would be followed by another source, or by all targets one after another."""
    found = matrix.pairs(validate(parse(TOML, "grid")))
    assert list(found) == [("a-one", "digits"), ("b", "digits")]
    for (source, target), run in found.items():
        assert run.name == f"{source}-{target}"
        assert run.sources is None
        assert len(run.stages) == 2
        assert run.stages[1].task["classes"] == [4, 5]
    assert found["b", "digits"].stages[0].task["classes"] == [2, 3]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("sources = 2", "sources = 3", "3 of 3 stages leave no target"),
        ('name = "b"', 'name = "a one"', "stages.1.name: .*would also be called 'a-one'"),
    ],
)
def test_matrices_that_cannot_be(old, new, said):
    """A run would overwrite another, or nothing would be run without a word."""
    with pytest.raises(ConfigError, match=said):
        matrix.pairs(validate(parse(TOML.replace(old, new), "grid")))


def test_a_matrix_is_no_single_run(tmp_path):
    """`launch` would run sources and targets as one sequence."""
    with pytest.raises(ConfigError, match="sources: a matrix of runs"):
        preparing.prepare(tomllib.loads(TOML), [], Registry())


@pytest.mark.slow
def test_the_matrix_of_a_run(command, tmp_path):
    """The speed-ups would not be those of the runs."""
    (tmp_path / "grid.toml").write_text(TOML)
    done = command("run", "grid.toml", "--json")
    assert done.status == 0, done.err
    folder = tmp_path / "runs" / "grid"
    told = json.loads(done.out)
    assert told == json.loads((folder / "matrix.json").read_text())
    assert (told["sources"], told["targets"]) == (["a-one", "b"], ["digits"])
    assert list(told["arms"]) == ["pathnet"]
    ratios = []
    for source, (cell,) in zip(told["sources"], told["arms"]["pathnet"]["speed_up"], strict=True):
        summary = json.loads((folder / f"{source}-digits" / "summary.json").read_text())
        (wanted,) = [s for s in summary["speed_up"]["pathnet"] if s["stage"] == 1]
        assert cell == wanted
        ratios += [] if cell["mean"] is None else [cell["mean"]]
    mean = math.prod(ratios) ** (1 / len(ratios)) if ratios else None
    assert told["arms"]["pathnet"]["mean"] == pytest.approx(mean)
    (folder / "matrix.json").unlink()
    again = command("report", str(folder))
    assert [Path(line).name for line in again.out.split()] == ["matrix.json", "matrix.html"]
    assert json.loads((folder / "matrix.json").read_text()) == told
    repeated = validate(parse((folder / "matrix.toml").read_text(), "matrix.toml"))
    assert list(matrix.pairs(repeated)) == [("a-one", "digits"), ("b", "digits")]


def test_more_seeds_of_a_matrix(command, tmp_path):
    """A finished matrix could not be continued to more seeds, or would learn its source again."""
    (tmp_path / "grid.toml").write_text(TOML.replace("sources = 2", "sources = 1"))
    short = ("--set", "stages.*.generations=3")
    assert command("run", "grid.toml", *short, "-q").status == 0
    done = command("resume", "runs/grid", "--seeds", "2", "-q")
    assert done.status == 0, done.err
    assert tomllib.loads((tmp_path / "runs/grid/matrix.toml").read_text())["seeds"] == 2
    for name, taken in (("a-one-b", []), ("a-one-digits", ["pathnet-0", "pathnet-1"])):
        folder = tmp_path / "runs" / "grid" / name
        trials = json.loads((folder / "summary.json").read_text())["arms"]["pathnet"]["trials"]
        assert [(t["seed"], t["state"]) for t in trials] == [(0, "finished"), (1, "finished")]
        about = json.loads((folder / "about.json").read_text()).get("taken_over", {})
        assert set(about.values()) <= {"a-one-b"}
        assert [place.split("/")[1] for place in about if "pathnet" in place] == taken


def test_seeds_of_an_interrupted_resume_are_not_forgotten(command, tmp_path):
    """Pairs of one matrix would have different seeds after a kill, without a word."""
    (tmp_path / "grid.toml").write_text(TOML.replace("sources = 2", "sources = 1"))
    assert command("run", "grid.toml", "--set", "stages.*.generations=2", "-q").status == 0
    matrix.add_seeds(tmp_path / "runs/grid", 2)  # and then it was killed
    assert command("resume", "runs/grid", "-q").status == 0
    for name in ("a-one-b", "a-one-digits"):
        summary = json.loads((tmp_path / "runs/grid" / name / "summary.json").read_text())
        assert len(summary["arms"]["pathnet"]["trials"]) == 2
    fewer = command("resume", "runs/grid", "--seeds", "1", "-q")
    assert fewer.status == 2
    assert "seeds can be added, not removed" in fewer.err


def test_runs_that_are_missing_are_left_open(tmp_path):
    """A matrix that was interrupted could not be looked at."""
    folder = matrix.create(validate(parse(TOML, "grid")), tmp_path, None)
    assert matrix.transfer_matrix(folder)["arms"]["pathnet"] == {
        "speed_up": [[None], [None]],
        "mean": None,
    }


@pytest.mark.parametrize("name", ["atari-riverraid", "atari-matrix"])
def test_presets(name):
    """A preset would end with an error, or compare something else than the paper did."""
    config, _ = preparing.configure(name, ["stages.*.frames=1000"], Registry())
    found = matrix.pairs(config)
    assert len(found) == {"atari-riverraid": 4, "atari-matrix": 36}[name]
    assert all(stage.frames == 1000 for run in found.values() for stage in run.stages)
    plan = resolve(next(iter(found.values())), Registry())
    assert [type(kind).__name__ for kind in plan.kinds] == ["Conv2d"] * 3 + ["Linear"]


@pytest.mark.parametrize("name", [n for n in presets.names() if n.startswith(("atari", "cart"))])
def test_games_of_presets_exist(name):
    """A preset would stop at a game that ale-py does not have."""
    config, label = preparing.configure(name, [], Registry())
    runs = [config] if config.sources is None else list(matrix.pairs(config).values())
    for run in runs[:1]:
        preparing.ready(run, Registry(), label)
    for stage in config.stages:
        Registry().get("tasks", stage.task["name"]).model_validate(
            {key: value for key, value in stage.task.items() if key != "name"}
        )
