"""Playing what a run learned: the frozen path of a stage, on the task that it was learned on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium.error import DependencyNotInstalled

from pathnet_evo.analysis.statistics import ANY, Range
from pathnet_evo.core.network import PathNetwork
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.learners import Learner
from pathnet_evo.interfaces.tasks import EnvironmentTask, TaskError
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.running.loading import Run, RunError
from pathnet_evo.setup.problems import ConfigError
from pathnet_evo.setup.resolving import resolve
from pathnet_evo.store.cells import number_or_none
from pathnet_evo.store.reading import reading
from pathnet_evo.system.extras import missing

Picture = npt.NDArray[np.uint8]
"""``(height, width, 3)``."""


@dataclass(frozen=True)
class Player:
    """A stage's network and the task that it acts in.

    Args:
        name: what reports call the stage.
        network: path and readout.
        task: what is played.
        learner: who says what the network does.
        streams: the stage's random streams.
        random_baseline: the mean score of random actions, or None.
        returns: the lowest and the highest return of the stage's episodes.
    """

    name: str
    network: PathNetwork
    task: EnvironmentTask
    learner: Learner
    streams: Streams
    random_baseline: float | None
    returns: Range = ANY

    def play(
        self,
        episodes: int,
        stepped: Callable[[int, int, float], None] = lambda episode, steps, score: None,
        seen: Callable[[Picture, float], None] | None = None,
        first_seed: int | None = None,
    ) -> Iterator[float]:
        """Play episodes, each from a seed of its own; gives their raw scores.

        Steps of an opening, which the environment plays itself, are shown but not counted.
        An episode's seed also decides which actions are sampled: it can be played again alone.

        Args:
            episodes: how many.
            stepped: told the episode, its steps and its score so far after every step.
            seen: given every picture, and how many of them make a second; None draws none.
            first_seed: see ``seeds``.

        Raises:
            RunError: the environment cannot be made, does not draw pictures or gives a reward that
                is not finite, or a plugin raises.
        """
        seeds = self.seeds(episodes, first_seed)
        env: Any
        try:
            env = self.task.make(1, seeds[:1], render=seen is not None)
        except TaskError as error:
            raise RunError(f"stage {self.name!r}: {error}") from None
        with closing(env):
            rate = float(env.metadata.get("render_fps", 30))
            for i, seed in enumerate(seeds):
                generator = self.streams.torch("play", seed)
                with self._telling():
                    observations, infos = env.reset(seed=[seed])
                steps, score, over = 0, 0.0, False
                while not over:
                    if seen is not None:
                        with self._telling():
                            (picture,) = env.render()
                        seen(picture, rate)
                    with self._telling("learner"):
                        chosen = self.learner.actions_in(
                            self.task, self.network, torch.from_numpy(observations), generator
                        )
                        actions = chosen.numpy()
                    with self._telling():
                        opening = _opens(infos)
                        observations, rewards, ended, cut, infos = env.step(actions)
                        reward = _finite(rewards[0])
                    if not opening:
                        steps, score = steps + 1, score + reward
                    over = bool(ended[0] or cut[0] or steps == self.task.max_episode_steps)
                    stepped(i, steps, score)
                yield score

    def seeds(self, episodes: int, first: int | None = None) -> list[int]:
        """The seeds of so many episodes.

        Args:
            episodes: how many.
            first: the first one's, which the others follow; by default they are drawn.
        """
        if first is not None:
            return [(first + i) % 2**31 for i in range(episodes)]
        drawn = (self.streams.sequence("play", i).generate_state(1)[0] for i in range(episodes))
        return [int(number >> 1) for number in drawn]

    @contextmanager
    def _telling(self, who: str = "environment") -> Iterator[None]:
        """Whatever a plugin raises, such as for want of a library to draw with."""
        try:
            yield
        except TaskError as error:
            raise RunError(f"stage {self.name!r}: {error}") from None
        except DependencyNotInstalled as error:
            lack = missing("drawing it needs", "pygame") if "pygame" in str(error) else None
            raise RunError(f"stage {self.name!r}: {lack or error}") from None
        except Exception as error:
            text = " ".join(f"{type(error).__name__}: {error}".split())
            raise RunError(f"stage {self.name!r}: the {who} raised {text}") from None


def _opens(infos: Mapping[str, Any]) -> bool:
    """Whether the next step belongs to an episode's opening; most environments have none."""
    return bool(np.any(infos.get("opening", False)))


def _finite(reward: Any) -> float:
    if not math.isfinite(reward):
        raise TaskError(f"the environment gave a reward of {reward}")
    return float(reward)


def player(
    run: Run,
    stage: int | str | None = None,
    arm: str = "pathnet",
    seed: int | None = None,
    accept_changed_data: bool = False,
    greedy: bool = False,
) -> Player:
    """What a run learned on a stage, ready to play.

    Args:
        run: an opened run; its registry is where tasks and learners are found.
        stage: name or index; None is the last stage that is played.
        arm: which arm.
        seed: which seed; None is the first.
        accept_changed_data: play although the task is not what it was when it was learned.
        greedy: take the most probable actions, whatever the learner's setting is.

    Raises:
        RunError: there is no such stage, arm or seed, it is not finished, it is not played, or its
            task is not what it was, or its learner does not say how networks act.
    """
    try:
        plan = resolve(run.config, run.registry or Registry())
        played = [i for i, s in enumerate(plan.stages) if s.learner.takes is EnvironmentTask]
    except ConfigError as error:
        raise RunError("; ".join(map(str, error.problems))) from None
    if stage is None and not played:
        raise RunError(f"{run.folder}: none of its stages can be played")
    i = played[-1] if stage is None else run.index(stage)
    if i not in played:
        have = ", ".join(run.stages[j] for j in played) or "none"
        raise RunError(f"stage {run.stages[i]!r} has no environment to play (playable: {have})")
    learner = plan.stages[i].learner
    if type(learner).actions is Learner.actions:
        raise RunError(
            f"stage {run.stages[i]!r} cannot be played: its learner, {type(learner).__name__}, "
            "defines no actions (Learner.actions)"
        )
    if greedy:
        learner = _greedy(learner, run.stages[i])
    network = run.network(i, arm, seed)
    seed = run.seeds[0] if seed is None else seed
    streams = Streams(seed)
    task = run.task(i, arm, seed, accept_changed_data)
    assert isinstance(task, EnvironmentTask)
    return Player(
        name=run.stages[i],
        network=network,
        task=task,
        learner=learner,
        streams=streams.at(i),
        random_baseline=_random_baseline(run, i, arm, seed),
        returns=_returns(run, i),
    )


def _greedy(learner: Learner, stage: str) -> Learner:
    if "greedy" not in type(learner).model_fields:
        raise RunError(
            f"stage {stage!r} cannot be played greedily: its learner, {type(learner).__name__}, "
            "has no setting greedy"
        )
    return learner.model_copy(update={"greedy": True})


def _random_baseline(run: Run, stage: int, arm: str, seed: int) -> float | None:
    with reading(run.folder, ("trials", "stages")) as db:
        row = db.execute(
            "SELECT s.chance FROM stages s JOIN trials t USING (trial) "
            "WHERE t.arm = ? AND t.seed = ? AND s.stage = ?",
            (arm, seed, stage),
        ).fetchone()
    return None if row is None else number_or_none(row["chance"])


def _returns(run: Run, stage: int) -> Range:
    with reading(run.folder, ("episodes",)) as db:
        lowest, highest = db.execute(
            "SELECT min(score), max(score) FROM episodes "
            "WHERE stage = ? AND typeof(score) = 'real'",
            (stage,),
        ).fetchone()
    return ANY if lowest is None else (lowest, highest)
