"""Agent steps a second on Pong, training included: ours, stable-baselines3, plain PPO, EnvPool.

Usage: ``python benchmarks/game_speed.py [--rounds 5] [--threads 0]``. About eight minutes. Needs
``pip install 'pathnet-evo[benchmark]'``; EnvPool is measured if it is installed.

All play the same game: 84 x 84 grey, four pictures, every fourth frame, no sticky actions. All have
a network of as many multiply-adds. ``a3c`` and ``ppo`` train 64 different paths in 64 environments;
A2C has 16 environments and both PPOs have 8, as is usual. Those with random actions train nothing.
stable-baselines3 and plain PPO are measured with one thread of torch and with one a core, and the
faster counts: on a busy machine, threads that wait for one another may cost more than they bring.
Ours plays its lanes in a thread a core, with one of torch each. ale-py's and EnvPool's environments
have threads of their own.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import ale_py
import gymnasium
import numpy as np
import torch
from a3c_speed import LANES, STEPS, Contestant, emulation
from ale_py.vector_env import AtariVectorEnv
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation
from measuring import rates
from plain_ppo import PlainPPO

from pathnet_evo_a3c.ppo import PPO

Go = Callable[[], int]
"""Plays, and gives how many agent steps."""
FIRST = "a3c, 64 lanes, 64 paths"
GAMES = 8
"""Of plain PPO."""


def ours(threads: int) -> dict[str, Go]:
    """Both learners, every lane with a path of its own."""
    return {
        FIRST: Contestant(different=True, threads=threads).round,
        "ppo, 64 lanes, 64 paths": Contestant(different=True, threads=threads, kind=PPO).round,
    }


def stable_baselines3() -> dict[str, Go | None]:
    """A2C and PPO in its own environments and in ale-py's; None without it."""
    names = [
        f"stable-baselines3 {learner}, {games}"
        for learner in ("A2C", "PPO")
        for games in ("make_atari_env", "ale-py's vector")
    ]
    try:
        from pong_rivals import a2c, native_games, own_games, ppo
    except ImportError:
        return dict.fromkeys(names)
    makers = own_games, native_games
    learners = [
        *(a2c(games(16), LANES * STEPS) for games in makers),
        *(ppo(games(GAMES)) for games in makers),
    ]
    return dict(zip(names, learners, strict=True))


def plain() -> dict[str, Go | None]:
    """PPO of one file, in Gymnasium's environments, which need OpenCV, and in ale-py's."""
    native = PlainPPO(AtariVectorEnv("pong", GAMES, autoreset_mode="SameStep"))
    found: dict[str, Go | None] = {
        "plain PPO (as CleanRL), Gymnasium": None,
        "plain PPO (as CleanRL), ale-py's vector": native.round,
    }
    try:
        games = SyncVectorEnv([_game] * GAMES, autoreset_mode=AutoresetMode.SAME_STEP)
    except gymnasium.error.DependencyNotInstalled:
        return found
    return {**found, "plain PPO (as CleanRL), Gymnasium": PlainPPO(games).round}


def _game() -> gymnasium.Env[Any, Any]:
    gymnasium.register_envs(ale_py)
    game = AtariPreprocessing(gymnasium.make("PongNoFrameskip-v4"), noop_max=30)
    return FrameStackObservation(game, 4)


def envpool() -> Go | None:
    """EnvPool's games with random actions; None without it."""
    try:
        from envpool import make
    except ImportError:
        return None
    games = make("Pong-v5", env_type="gymnasium", num_envs=LANES, seed=0)
    games.reset()
    return partial(_play, games, np.random.default_rng(0))


def _play(games: Any, rng: np.random.Generator) -> int:
    for _ in range(STEPS):
        games.step(rng.integers(games.action_space.n, size=LANES).astype(np.int32))
    return LANES * STEPS


def main() -> None:
    """Contestants take turns; medians of their steps a second, by the clock and by CPU time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="that play the lanes of ours")
    given = parser.parse_args()
    learning = ours(given.threads)
    rows: dict[str, Go | None] = {
        **learning,
        **stable_baselines3(),
        **plain(),
        "EnvPool alone, random actions": envpool(),
        "ale-py's vector alone, random actions": emulation(),
    }
    cores = torch.get_num_threads()
    contestants = {name: go for name, go in rows.items() if go is not None}
    trained = [name for name in contestants if name not in learning and "alone" not in name]
    found = rates(contestants, dict.fromkeys(trained, (1, cores)), given.rounds)
    print(
        f"Agent steps a second, medians of {given.rounds} rounds; {cores} threads at the most; "
        f"load {os.getloadavg()[0]:.1f}\n"
    )
    print("| | by the clock | of a3c's | by CPU time | of a3c's |\n| --- | --- | --- | --- | --- |")
    first = found[FIRST]
    for name in rows:
        if name not in found:
            print(f"| {name} | not installed | | | |")
            continue
        rate = found[name]
        print(
            f"| {name} | {rate.clock:,.0f} | {rate.clock / first.clock:.2f} | {rate.busy:,.0f} | "
            f"{rate.busy / first.busy:.2f} |"
        )


if __name__ == "__main__":
    main()
