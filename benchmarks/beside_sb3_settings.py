"""What ``beside_sb3.py`` learns with: the numbers of ours and of stable-baselines3."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pathnet_evo import EnvironmentTask, Registry, presets
from pathnet_evo.setup.preparing import prepare
from pathnet_evo_minatar.games import GAMES

SCORED = 100
"""Episodes after training."""


@dataclass(frozen=True)
class Setting:
    """What a task is learned with.

    Args:
        preset: has the pool and the common settings of ours.
        task: the table of ours.
        steps: of the environment, by default.
        learners: settings of ours that differ from the preset's, by learner.
        sb3: settings of stable-baselines3's, by algorithm.
        lanes: environments of stable-baselines3's.
        greedy: whether the last episodes are played with the most probable actions.
        same_network: whether stable-baselines3's has the network of a path.
    """

    preset: str
    task: dict[str, Any]
    steps: int
    learners: dict[str, dict[str, Any]]
    sb3: dict[str, dict[str, Any]]
    lanes: int
    greedy: bool
    same_network: bool


def falling(start: float) -> Callable[[float], float]:
    """A value that falls to 0 over the steps, as stable-baselines3 takes it."""
    return lambda left: start * left


CARTPOLE = Setting(
    preset="cartpole",
    task={"name": "gym", "id": "CartPole-v1"},
    steps=200_000,
    learners={
        "a3c": {
            "num_envs": 16,
            "rollout_length": 20,
            "episodes": 8,
            "gae_lambda": 1.0,
            "learning_rate": 0.004,
            "warmup": 0.05,
            "entropy_coef": 0.02,
        },
        "ppo": {"episodes": 8, "epochs": 20, "warmup": 0.0},
    },
    sb3={
        "ppo": {
            "n_steps": 32,
            "batch_size": 256,
            "n_epochs": 20,
            "gae_lambda": 0.8,
            "gamma": 0.98,
            "ent_coef": 0.0,
            "learning_rate": falling(1e-3),
            "clip_range": falling(0.2),
        },
        "a2c": {"ent_coef": 0.0},
    },
    lanes=8,
    greedy=True,
    same_network=False,
)
ROLLOUT = 5
"""Steps between two updates of A2C, which is stable-baselines3's default."""


def minatar(game: str) -> Setting:
    """A game of MinAtar."""
    both = {"learning_rate": falling(1e-3), "ent_coef": 0.01, "vf_coef": 0.5}
    return Setting(
        preset="minatar-pair",
        task={"name": "minatar", "game": game},
        steps=250_000,
        learners={"a3c": {"rollout_length": ROLLOUT, "initial_square": 0.0}, "ppo": {}},
        sb3={
            "ppo": {**both, "n_steps": 32, "batch_size": 256, "n_epochs": 3, "clip_range": 0.2},
            "a2c": {**both, "n_steps": ROLLOUT},
        },
        lanes=32,
        greedy=False,
        same_network=True,
    )


SETTINGS = {"cartpole": CARTPOLE, **{f"minatar-{game}": minatar(game) for game in GAMES}}
OURS = {
    f"{learner}{suffix}": (learner, strategy)
    for learner in ("a3c", "ppo")
    for suffix, strategy in (("", "asynchronous-tournament"), ("-fixed-path", "fixed-path"))
}
THEIRS = ("sb3-a2c", "sb3-ppo", "sb3-ppo-rmsprop")
ARMS = (*OURS, *THEIRS, "random")
PPO_ONLY = ("epochs", "n_batches", "clip_range")


def configuration(setting: Setting, arm: str, steps: int) -> dict[str, Any]:
    """An arm of ours as a run of one stage."""
    name, kind = OURS[arm]
    preset = tomllib.loads(presets.read(setting.preset))
    common = {k: v for k, v in preset["learner"].items() if name == "ppo" or k not in PPO_ONLY}
    learner = {**common, "name": name, **setting.learners[name], "score_episodes": SCORED}
    strategy = {"name": kind, "population": learner["num_envs"]}
    if kind != "fixed-path":
        strategy |= {"tournament": 2, "start": "mutants"}
    return {
        "name": arm,
        "arms": ["pathnet"],
        "pool": preset["pool"],
        "strategy": strategy,
        "learner": {**learner, "greedy": setting.greedy},
        "stages": [{"task": setting.task, "frames": steps}],
    }


def task_of(setting: Setting, seed: int) -> EnvironmentTask:
    """The task of ours."""
    made = configuration(setting, "ppo", setting.steps)
    task = prepare({**made, "seed": seed}, [], Registry()).task_of(0, seed)
    assert isinstance(task, EnvironmentTask)
    return task
