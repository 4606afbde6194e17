"""Games and images on one pool, and what is said where a game does not fit."""

import sqlite3

import pytest

import pathnet_evo
from pathnet_evo import Learner
from pathnet_evo.interfaces.evaluations import StageFailed
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.running.loading import RunError
from pathnet_evo.running.playing import player
from pathnet_evo.setup import preparing
from pathnet_evo.trial.trial import learn_sequence
from pathnet_evo_a3c.learner import A3C

CONVOLUTIONS = [
    {"kind": "conv2d", "channels": 2, "kernel": 8, "stride": 8},
    {"kind": "linear", "units": 4},
]


def config(stages, **pool):
    """A tiny run of an arm, of two lanes and one episode an evaluation."""
    return {
        "name": "tiny",
        "arms": ["pathnet"],
        "pool": {"modules": 3, "width": 2, "layers": CONVOLUTIONS, **pool},
        "strategy": {"name": "asynchronous-tournament", "population": 2},
        "learner": {"name": "a3c", "num_envs": 2, "episodes": 1, "score_episodes": 2},
        "stages": stages,
    }


DIGITS = {
    "name": "digits",
    "task": {"name": "digits", "classes": [0, 1]},
    "learner": {"name": "sgd", "n_batches": 2},
    "generations": 1,
}
GAME = {
    "name": "game",
    "task": {"name": "atari", "game": "breakout", "max_episode_frames": 40, "threads": 1},
    "frames": 200,
}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A run that learns images first, and a game then."""
    folder = tmp_path_factory.mktemp("runs")
    return pathnet_evo.launch(config([DIGITS, GAME], input_shape=[4, 24, 24]), runs_dir=folder)


@pytest.mark.slow
def test_an_image_task_and_a_game_share_a_pool(mixed):
    """A sequence would have to be of images alone, or of games alone."""
    assert mixed.summary["state"] == "finished"
    digits, game = mixed.summary["arms"]["pathnet"]["stages"]
    assert "test_accuracy" in digits["scores"]
    assert "mean_return" in game["scores"]
    assert digits["forgetting"]["test_accuracy"]["mean"] == 0, "what is frozen stays"
    assert [s["unit"] for s in mixed.summary["stages"]] == ["examples", "frames"]
    assert mixed.summary["stages"][1]["chance"]["n"] == 1
    assert game["examples"]["mean"] >= 200
    with sqlite3.connect(mixed.folder / "lineage.sqlite") as db:
        (frozen,) = db.execute("SELECT frozen_before FROM stages WHERE stage = 1").fetchone()
    assert frozen != "[[],[]]", "the game starts beside what the images froze"


@pytest.mark.slow
def test_only_the_game_is_played(mixed):
    """An image task would be played, with a traceback."""
    assert player(mixed).name == "game"
    (score,) = player(mixed).play(1)
    assert score >= 0
    with pytest.raises(RunError, match=r"stage 'digits' has no environment .*playable: game"):
        player(mixed, "digits")


@pytest.mark.parametrize(
    ("task", "pool", "said"),
    [
        (
            {"name": "atari", "game": "pongg"},
            {},
            r'stages\.0\.task\.game: no single-player game "pongg" .*Did you mean "pong"',
        ),
        ({"name": "atari"}, {"input_shape": [4]}, r"stages\.0\.task: a game provides images"),
        (
            {"name": "atari", "size": 42},
            {"input_shape": [4, 24, 24]},
            r"stages\.0\.task: examples are \(4, 42, 42\), but the pool takes \(4, 24, 24\)",
        ),
        ({"name": "gym", "id": "CartPole-v1"}, {}, r"pool\.layers: "),
        ({"name": "gym", "id": "Blackjack-v1"}, {}, r"stages\.0\.task: .*only a Box"),
        ({"name": "digits"}, {}, r"stages\.0\.task: a SupervisedTask, but learner A3C takes a"),
    ],
)
def test_what_does_not_fit_is_told_before_the_run(task, pool, said):
    """It would be told by a traceback in the middle of a run."""
    with pytest.raises(pathnet_evo.setup.config.ConfigError, match=said) as raised:
        preparing.prepare(config([{"task": task, "frames": 100}], **pool), [], Registry())
    assert str(raised.value).count("\n") == 0


def test_a_learner_of_numbers_is_refused_vectors(monkeypatch):
    """An environment would be given a number where it takes a vector, in the middle of a run."""
    monkeypatch.setattr(A3C, "actions_in", Learner.actions_in)
    stages = [{"task": {"name": "gym", "id": "Pendulum-v1"}, "frames": 100}]
    linear = [{"kind": "linear", "units": 4}]
    with pytest.raises(pathnet_evo.setup.config.ConfigError, match="Pendulum-v1 are vectors"):
        preparing.prepare(config(stages, layers=linear), [], Registry())


@pytest.mark.parametrize("learner", ["a3c", "ppo"])
def test_an_evaluation_longer_than_its_stage_is_refused(learner):
    """The stage would end before any path has a fitness."""
    settings = [f"stages.0.learner={{name='{learner}', evaluation_frames=201}}"]
    with pytest.raises(pathnet_evo.setup.config.ConfigError) as raised:
        preparing.prepare(config([GAME], input_shape=[4, 24, 24]), settings, Registry())
    assert "stages.0.learner: evaluation_frames is 201, but the stage has 200" in str(raised.value)


def test_more_workers_than_memory_allows():
    """The machine would swap until somebody stops it, or the run be killed."""
    settings = ["stages.0.learner={name='a3c', workers=4000, num_envs=4}"]
    with pytest.raises(pathnet_evo.setup.config.ConfigError) as raised:
        preparing.prepare(config([GAME], input_shape=[4, 24, 24]), settings, Registry())
    said = str(raised.value)
    assert "stages.0.learner: 4000 workers of 4 environments, with 4 actions, need about" in said
    assert "would fit" in said


def test_workers_elsewhere_need_no_memory_here():
    """A laptop could not start a run whose workers are on a cluster."""
    settings = ["stages.0.learner={name='a3c', workers=4000, num_envs=4}", "engine=ray"]
    plan = preparing.prepare(config([GAME], input_shape=[4, 24, 24]), settings, Registry())
    assert plan.engine.hosts_workers


def test_a_stage_shorter_than_any_evaluation_says_so():
    """Broken: a game whose episodes are long would end with a word about fitness alone."""
    pole = {"name": "gym", "id": "CartPole-v1"}
    linear = [{"kind": "linear", "units": 4}]
    plan = preparing.prepare(
        config([{"task": pole, "frames": 2}], layers=linear),
        ["learner.rollout_length=1"],
        Registry(),
    )
    with pytest.raises(StageFailed, match="its budget ended before any evaluation did"):
        learn_sequence(plan, Trial(0, "pathnet", 0), "cpu", lambda record: None)
