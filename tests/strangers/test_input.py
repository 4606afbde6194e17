"""What a user wrote, in an editor or in Python, and what the program made of it."""

from __future__ import annotations

import enum
import io
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from rich.console import Console

import pathnet_evo
from pathnet_evo import Evaluation, Streams, TaskContext
from pathnet_evo.cli.picture import Sparkline
from pathnet_evo.cli.progress import Progress
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.records import Evaluated, GenerationFinished, StageStarted, TrialStarted
from pathnet_evo.running.loading import RunError
from pathnet_evo.running.playing import player
from pathnet_evo.setup.preparing import read_source
from pathnet_evo.setup.problems import ConfigError
from pathnet_evo.testing import LearnerContract
from pathnet_evo.values.readable import shown, times
from pathnet_evo_a3c.learner import A3C
from pathnet_evo_gym.task import GymSettings
from pathnet_evo_labyrinth import level

TINY = {
    "name": "tiny",
    "arms": ["pathnet"],
    "pool": {"modules": 3, "width": 2, "layers": [{"kind": "linear", "units": 4}]},
    "strategy": {"name": "asynchronous-tournament", "population": 2},
    "learner": {"name": "a3c", "num_envs": 2, "episodes": 1, "score_episodes": 2},
    "stages": [{"name": "pole", "task": "gym", "frames": 100}],
}


def test_a_toml_was_saved_by_notepad(tmp_path):
    """A file that begins with a byte-order mark would be no TOML."""
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\n[[stages]]\ntask = "gym"\n', encoding="utf-8-sig")
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    data, label = read_source(file)
    assert data == {"name": "mine", "stages": [{"task": "gym"}]}
    assert label == str(file)


def test_a_level_was_saved_by_notepad(tmp_path):
    """The same of a labyrinth's level."""
    shipped = Path(level.__file__).parent / "levels" / "stairway_to_melon.toml"
    file = tmp_path / "stairway_to_melon.toml"
    file.write_text(shipped.read_text("utf-8"), encoding="utf-8-sig")
    assert level.load(file) == level.load(shipped)


class Layers(enum.IntEnum):
    """Numbers with names, as programs have them."""

    TWO = 2


def test_a_configuration_is_computed_in_python():
    """Paths and NumPy's numbers would be a traceback of json's."""
    given = OrderedDict(
        seeds=np.int64(3),
        pool={"modules": torch.tensor(10), "input_shape": (np.uint8(3), 32, 32)},
        layers=np.array([4, 5]),
        learner={"learning_rate": np.float32(0.5), "greedy": np.bool_(True)},
        stages=[{"task": {"name": np.str_("folder"), "root": Path("data") / "é"}}],
        repeat=Layers.TWO,
        name=None,
    )
    data, _ = read_source(given)
    assert data == {
        "seeds": 3,
        "pool": {"modules": 10, "input_shape": [3, 32, 32]},
        "layers": [4, 5],
        "learner": {"learning_rate": 0.5, "greedy": True},
        "stages": [{"task": {"name": "folder", "root": str(Path("data") / "é")}}],
        "repeat": 2,
        "name": None,
    }
    assert type(data["seeds"]) is int
    assert type(data["stages"][0]["task"]["name"]) is str
    assert type(data["learner"]["greedy"]) is bool


@pytest.mark.slow
def test_a_run_takes_numbers_of_numpy(tmp_path):
    """``launch`` would refuse them, or its run.toml would not repeat the run."""
    given = {**TINY, "seed": np.int64(4), "stages": [{**TINY["stages"][0], "frames": np.int32(50)}]}
    run = pathnet_evo.launch(given, runs_dir=tmp_path)
    assert run.summary["state"] == "finished"
    again = pathnet_evo.launch(run.folder / "run.toml", runs_dir=tmp_path, name="again")
    assert again.summary["digest"] == run.summary["digest"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"stages": [{"task": {"root": b"data"}}]}, r"stages\.0\.task\.root: .*not bytes"),
        ({"strategy": {"select": max}}, r"strategy\.select: .*not builtin_function_or_method"),
        ({"arms": {"pathnet"}}, r"arms: .*not set"),
    ],
)
def test_a_configuration_holds_something_else(given, said):
    """What no TOML can hold would be a traceback that does not say where it is."""
    with pytest.raises(ConfigError, match=said):
        read_source(given)


def test_a_configuration_holds_itself():
    """A table within itself would be a RecursionError."""
    given = {"name": "round"}
    given["pool"] = given
    with pytest.raises(ConfigError, match="nested too deeply"):
        read_source(given)


STILL = """
from pathnet_evo import EnvironmentTask, Evaluation, Evaluator, Learner, hookimpl


class Still(Evaluator):
    def __init__(self):
        self.given = []

    @property
    def free(self):
        return 1 - len(self.given)

    def submit(self, candidate):
        self.given.append(candidate)

    def advance(self):
        over, self.given = self.given, []
        return [Evaluation(candidate, 1.0, examples=10) for candidate in over]

    def cancel(self):
        self.given = []


class Silent(Learner):
    takes = EnvironmentTask

    def outputs(self, task):
        return task.n_actions

    def evaluator(self, context):
        return Still()

    def score(self, network, task, streams):
        return {"mean_return": 1.0}


class Wrong(Silent):
    def actions(self, network, observations, generator):
        return [0]


@hookimpl
def register_learners(register):
    register("silent", Silent)
    register("wrong", Wrong)
"""
"""Learners that keep their contract; one does not say how its networks act, one says it wrongly."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("learner", "said"),
    [
        ("silent", r"stage 'pole' cannot be played: its learner, Silent, defines no actions"),
        ("wrong", r"stage 'pole': the learner raised AttributeError"),
    ],
)
def test_play_of_a_learner_that_does_not_act(tmp_path, learner, said):
    """``play`` would end with a traceback out of the plugin."""
    (tmp_path / "still.py").write_text(STILL)
    given = {**TINY, "learner": learner, "plugins": [tmp_path / "still.py"]}
    run = pathnet_evo.launch(given, runs_dir=tmp_path)
    with pytest.raises(RunError, match=said) as told:
        list(player(run).play(1))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        (lambda observations: [0, 0, 0], "not a list"),
        (lambda observations: torch.zeros(3), "int64 on the CPU"),
        (lambda observations: torch.zeros(1, dtype=torch.int64), "one an observation"),
        (lambda observations: torch.full((3,), 2), r"in \[0, 2\), not \[2, 2, 2\]"),
    ],
)
def test_a_learner_passed_its_kit_and_could_not_be_played(actions, said):
    """The kit would not notice what ``play`` fails at."""

    class Acting(A3C):
        def actions(self, network, observations, generator):
            return actions(observations)

    class Here(LearnerContract):
        def learner(self):
            return Acting(num_envs=2)

        def task(self):
            return GymSettings().make(TaskContext(Streams(0)))

    with pytest.raises(AssertionError, match=said):
        Here().test_acts()


def progress(fitness: float) -> str:
    """What a terminal's table and plain lines show of a run with such a fitness."""
    followed = Progress(SimpleNamespace(stages=[0], trials=[0]), Path("run"))
    rows = ((0, 1),)
    candidate = Candidate(0, 0, rows, None, 0)
    followed.on_record(TrialStarted(0, "pathnet", 0))
    started = (0, 0, "pole", 10, False, None, (rows,), ((),), (3,), "return", "frames")
    followed.on_record(StageStarted(*started))
    followed.on_record(Evaluated(0, 0, 0, 0, Evaluation(candidate, fitness, examples=1), ()))
    for generation, mean in enumerate((fitness, -fitness, fitness)):
        followed.on_record(GenerationFinished(0, 0, generation, 1, fitness, mean))
    file = io.StringIO()
    Console(file=file, width=200).print(followed.table())
    return file.getvalue() + followed.what(followed.running[0])


@pytest.mark.parametrize("fitness", [1e300, 1.7e308])
def test_a_fitness_is_enormous(fitness):
    """A line of progress would have 300 digits, or the picture beside it end the run."""
    said = progress(fitness)
    assert f"{fitness:.3e}" in said
    assert "000000" not in said
    assert len(max(said.split(), key=len)) < 80


def test_a_fitness_is_an_ordinary_one():
    """Every other run would be shown in another way than before."""
    assert "best 47.250" in progress(47.25)


@pytest.mark.parametrize("value", [1e300, -1e300])
def test_a_report_has_an_enormous_number(value):
    """A table would be 400 characters wide."""
    for text in (shown(value), shown(value, "accuracy"), shown(value, sign=True)):
        assert len(text) < 20
    assert len(times(abs(value))) < 10
    assert shown(123_456_789.0) == "123,456,789"


def test_a_sparkline_of_what_is_not_finite():
    """A mean that overflowed would end a run whose evaluations are all fine."""
    line = Sparkline()
    for value in (1.0, float("inf"), float("nan"), 2.0):
        line.add(value)
    assert line.text(plain=True) == "_@"
