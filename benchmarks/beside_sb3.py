"""Learning curves of ours beside stable-baselines3's PPO and A2C, at equal environment steps.

    python benchmarks/beside_sb3.py RESULTS.jsonl --tasks cartpole minatar-breakout --seeds 3

Appends one JSON line per task, arm and seed, and skips those that are there already, so what was
interrupted continues when it is called again; ``--set`` changes settings of ours and is part of
their lines. A line has the mean raw return of the training episodes that ended in each of 50 equal
parts of the steps (null where none did), the mean of 100 episodes after training, and the CPU
seconds of training. ``beside_sb3_table.py`` makes a table and a picture. Needs
``pip install 'pathnet-evo[benchmark,minatar]'``.

Ours are real runs of ``a3c`` and ``ppo``, with evolving paths (asynchronous tournament), and with
one full-width path that never changes (``-fixed-path``), which separates learner and evolution.

Equal on all sides: the task's own environments (sticky actions, ramping, actions, truncation),
steps, rewards clipped to -1 ... 1, one thread of torch, and how the 100 episodes are played: with
the most probable actions on CartPole, with drawn ones on MinAtar.

CartPole: stable-baselines3 has the settings of rl-baselines3-zoo for CartPole-v1, with its usual
network (64 units twice, tanh, separate for policy and value). Ours have the pool of the preset
``cartpole``: ``a3c`` with the settings of ``beside_sb3_settings.py``, ``ppo`` with the zoo's for
PPO but the preset's ``value_coef``, since policy and value share their modules. So networks differ,
and ``a3c`` was tuned on this task, as were the zoo's.

MinAtar: one set of numbers for both sides, those of the preset ``minatar-pair`` for PPO; A2C and
``a3c`` have rollouts of 5 steps instead of 32. stable-baselines3 has the same network as a
full-width path, with orthogonal initial weights of the same gains.

Not equal: ``ppo`` steps by RMSProp whose mean squares begin at ``initial_square``, PPO by Adam (arm
``sb3-ppo-rmsprop``: by torch's RMSProp, which begins at 0). Ours clips each environment's gradient
and theirs that of the minibatch; minibatches of ours have some steps of every environment, theirs
any transitions; ours normalises advantages over a rollout, theirs over a minibatch. The zoo lets
the clip range fall to 0 with the learning rate; ours keeps it. With evolving paths, several paths
share the steps and the pool, which has more modules than one path.

The arm ``random`` draws actions uniformly. Its curve comes from the environments as
stable-baselines3 sees them and its score from our learner, so that both must agree.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from beside_sb3_settings import (
    ARMS,
    OURS,
    SCORED,
    SETTINGS,
    THEIRS,
    Setting,
    configuration,
    task_of,
)
from result_lines import ResultLines

from pathnet_evo import Streams, launch, presets
from pathnet_evo.interfaces.records import EpisodesFinished, Record, StageStarted
from pathnet_evo_a3c.learner import A3C

BINS, SCORE_LANES = 50, 16
Episodes = list[tuple[int, float]]
"""Steps used when an episode ended, and its raw return."""


@dataclass
class Trained:
    """What came out of one arm and seed.

    Args:
        episodes: those of training.
        score: mean return after training.
        cpu_seconds: of training.
    """

    episodes: Episodes
    score: float
    cpu_seconds: float


@dataclass
class Watch:
    """Keeps the episodes of a run and the CPU time between its first and its last."""

    episodes: Episodes = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0

    def __call__(self, record: Record) -> None:
        """Take a record."""
        if isinstance(record, StageStarted):
            self.began = time.process_time()
        elif isinstance(record, EpisodesFinished):
            self.ended = time.process_time()
            self.episodes += [(episode.at, episode.score) for episode in record.episodes]


def ours(setting: Setting, arm: str, seed: int, steps: int, options: Sequence[str] = ()) -> Trained:
    """A run in a folder that is thrown away, with further settings, as ``--set`` takes them."""
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        made = {**configuration(setting, arm, steps), "seed": seed}
        run = launch(made, options, runs_dir=folder, on_record=watch)
        (score,) = run.summary["arms"]["pathnet"]["stages"][0]["scores"].values()
    mean = score["seeds"][str(seed)]
    assert mean is not None
    return Trained(watch.episodes, mean, watch.ended - watch.began)


def theirs(setting: Setting, arm: str, seed: int, steps: int) -> Trained:
    """stable-baselines3's learner in our task's environments."""
    from path_extractor import PathFeatures
    from sb3_lanes import TaskLanes
    from stable_baselines3 import A2C, PPO

    from pathnet_evo_a3c.playing import returns

    task = task_of(setting, seed)
    lanes = TaskLanes(task, setting.lanes, seed)
    policy: dict[str, Any] = {}
    if setting.same_network:
        pool = tomllib.loads(presets.read(setting.preset))["pool"]
        given = {"layers": pool["layers"], "width": pool["width"]}
        policy = {
            "features_extractor_class": PathFeatures,
            "features_extractor_kwargs": given,
            "net_arch": [],
        }
    if arm == "sb3-ppo-rmsprop":
        policy["optimizer_class"] = torch.optim.RMSprop
        policy["optimizer_kwargs"] = {"alpha": 0.99, "eps": 1e-5}
    made = A2C if arm == "sb3-a2c" else PPO
    options = setting.sb3["a2c" if made is A2C else "ppo"]
    model = made("MlpPolicy", lanes, seed=seed, policy_kwargs=policy, device="cpu", **options)
    began = time.process_time()
    model.learn(steps)
    seconds = time.process_time() - began
    lanes.close()

    def act(seen: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(model.predict(seen.numpy(), deterministic=setting.greedy)[0])

    score = fmean(returns(task, SCORED, SCORE_LANES, act, Streams(seed)))
    return Trained(lanes.episodes, score, seconds)


def uniform(setting: Setting, seed: int, steps: int) -> Trained:
    """Uniformly random actions, in the environments of stable-baselines3 and of ours."""
    from sb3_lanes import TaskLanes

    task = task_of(setting, seed)
    lanes, rng = TaskLanes(task, setting.lanes, seed), np.random.default_rng(seed)
    began = time.process_time()
    lanes.reset()
    for _ in range(-(-steps // setting.lanes)):
        lanes.step(rng.integers(task.n_actions, size=setting.lanes))
    seconds = time.process_time() - began
    lanes.close()
    score = A3C.model_validate({"score_episodes": SCORED}).random_baseline(task, Streams(seed))
    return Trained(lanes.episodes, score, seconds)


def learned(task: str, arm: str, seed: int, steps: int, options: Sequence[str]) -> Trained:
    """Train an arm on a task."""
    setting = SETTINGS[task]
    if arm == "random":
        return uniform(setting, seed, steps)
    if arm in OURS:
        return ours(setting, arm, seed, steps, options)
    return theirs(setting, arm, seed, steps)


def curve(episodes: Iterable[tuple[int, float]], steps: int) -> list[float | None]:
    """Mean returns of the episodes that ended in each of ``BINS`` parts, or None."""
    parts: list[list[float]] = [[] for _ in range(BINS)]
    for at, score in episodes:
        if at <= steps:
            parts[(at - 1) * BINS // steps].append(score)
    return [round(sum(part) / len(part), 3) if part else None for part in parts]


def main() -> None:
    """Run what is missing, all arms of a seed before the next seed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path)
    parser.add_argument("--tasks", nargs="+", default=["cartpole"], choices=list(SETTINGS))
    parser.add_argument("--arms", nargs="+", default=[*OURS, *THEIRS[:2]], choices=ARMS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--steps", type=int, help="of the environment; by default the task's")
    parser.add_argument(
        "--set", action="append", default=[], metavar="A.B=VALUE", help="further settings of ours"
    )
    given = parser.parse_args()
    if {*given.arms} - {*OURS} and find_spec("stable_baselines3") is None:
        parser.error(
            "stable-baselines3 is not installed: pip install 'pathnet-evo[benchmark]', "
            f"or --arms {' '.join(OURS)}"
        )
    torch.set_num_threads(1)
    known = ResultLines(given.results, ("task", "arm", "seed", "steps", "options"))
    for seed in range(given.first, given.first + given.seeds):
        for task in given.tasks:
            for arm in given.arms:
                steps = given.steps or SETTINGS[task].steps
                options = given.set if arm in OURS else []
                about = {"task": task, "arm": arm, "seed": seed, "steps": steps}
                about["options"] = options
                if about in known:
                    continue
                found = learned(task, arm, seed, steps, options)
                line = {
                    **about,
                    "score": round(found.score, 3),
                    "cpu_seconds": round(found.cpu_seconds, 1),
                    "episodes": len(found.episodes),
                    "curve": curve(found.episodes, steps),
                }
                known.add(line)
                print(
                    f"{task}: {arm}, seed {seed}: {found.score:.2f} after {steps:,} steps "
                    f"({found.cpu_seconds:.0f} s)",
                    flush=True,
                )


if __name__ == "__main__":
    main()
