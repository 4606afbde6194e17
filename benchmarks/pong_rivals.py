"""stable-baselines3's learners on Pong, for ``a3c_speed.py`` and ``game_speed.py``.

They have a network of as many multiply-adds as one of our paths, and play either as
stable-baselines3 plays Atari by itself, or in ale-py's native vector environment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ale_py
import cv2  # noqa: F401 (make_atari_env wants it)
import gymnasium
import torch
from ale_py.vector_env import AtariVectorEnv
from plain_ppo import FEATURES, features
from sb3_lanes import NativeGames
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.env_util import make_atari_env
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import VecFrameStack

gymnasium.register_envs(ale_py)


class Narrow(BaseFeaturesExtractor):  # type: ignore[misc]
    """As many multiply-adds as a path of N modules a layer."""

    def __init__(self, space: Any) -> None:
        super().__init__(space, FEATURES)
        self.net = features()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(n, 50)`` features of ``(n, 4, 84, 84)`` pictures."""
        result: torch.Tensor = self.net(x)
        return result


POLICY = {"features_extractor_class": Narrow, "net_arch": []}


def own_games(n: int) -> Any:
    """As ``make_atari_env`` makes them, with four pictures each."""
    return VecFrameStack(make_atari_env("PongNoFrameskip-v4", n_envs=n, seed=0), n_stack=4)


def native_games(n: int) -> NativeGames:
    """ale-py's."""
    return NativeGames(AtariVectorEnv("pong", n, autoreset_mode="SameStep"))


def a2c(games: Any, steps: int) -> Callable[[], int]:
    """A2C; each call learns from so many steps, and gives how many they were."""
    return _learning(
        A2C("CnnPolicy", games, policy_kwargs=POLICY, ent_coef=0.01, device="cpu"), steps
    )


def ppo(games: Any) -> Callable[[], int]:
    """PPO with the zoo's settings for Atari: 128 steps a game, 4 epochs of minibatches of 256."""
    model = PPO(
        "CnnPolicy",
        games,
        n_steps=128,
        batch_size=256,
        n_epochs=4,
        ent_coef=0.01,
        policy_kwargs=POLICY,
        device="cpu",
    )
    return _learning(model, 128 * games.num_envs)


def _learning(model: Any, steps: int) -> Callable[[], int]:
    def go() -> int:
        model.learn(steps, reset_num_timesteps=False)
        return steps

    return go
