"""Episodes on many lanes at once, each from a seed of its own, whatever the environment is like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pathnet_evo import EnvironmentTask, TaskError, said

Mask = NDArray[np.bool_]
Action: TypeAlias = int | list[float]
"""The number of an action, or a vector."""
_making = Lock()
"""One thread makes environments at a time: what they import may import itself in circles."""


class EnvironmentFailed(TaskError):  # noqa: N818
    """An environment raised something, or gave a reward that is not finite."""


@contextmanager
def _blamed() -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # it may be anybody's code, and SystemExit is no end of ours
        raise EnvironmentFailed(f"the environment raised {said(error)}") from error


@dataclass(frozen=True)
class Step:
    """What became of one step of every lane.

    Args:
        rewards: ``(K,)`` float64, raw; those of an opening are 0.
        terminated: ``(K,)`` whether the episode came to its end: nothing follows.
        truncated: ``(K,)`` whether it was cut off: more would have followed.
        observations: ``(K, *observation_shape)`` after the step: of episodes that ended, the last.
    """

    rewards: NDArray[np.float64]
    terminated: Mask
    truncated: Mask
    observations: NDArray[Any]

    @property
    def ended(self) -> Mask:
        """``(K,)`` whether the episode is over; the lane must be reset before its next step."""
        return self.terminated | self.truncated


class Episodes:
    """K lanes that are stepped together and reset one by one, each with an explicit seed.

    Gymnasium's vector environments reset by themselves, on the next or the same step, without a
    seed. Here every end is followed by a reset of that lane alone (``reset_mask``) instead, so
    that no step has to be thrown away and every episode can be played again. An environment that
    cannot reset lanes one by one is made once a lane.

    Args:
        task: what is played.
        lanes: number of lanes, K.

    Raises:
        TaskError: the environment does not say when it resets.
        EnvironmentFailed: it raised something, here or later.

    Attributes:
        observations: ``(K, *observation_shape)``, what the next action is for.
        opening: ``(K,)`` lanes whose next step belongs to a fixed opening, as the environment says:
            their actions are ignored, and the step is not the learner's. Nor are its rewards, but
            one that is not finite, by which an environment says that it failed, stays.
    """

    def __init__(self, task: EnvironmentTask, lanes: int) -> None:
        self.task = task
        self.steps = np.zeros(lanes, dtype=np.int64)
        self.opening = np.zeros(lanes, dtype=np.bool_)
        with _blamed(), _making:
            self.envs = [task.make(lanes, [0] * lanes)]
            if lanes > 1 and not _takes_mask(self.envs[0]):
                self.envs[0].close()
                self.envs = [task.make(1, [0]) for _ in range(lanes)]
        self._begun = False
        try:
            self._same_step = _resets_at_once(self.envs[0])
            self.observations = np.zeros((lanes, *task.observation_shape))
            self.reset(np.ones(lanes, dtype=np.bool_), [0] * lanes)
        except BaseException:
            self.close()
            raise

    def reset(self, lanes: Mask, seeds: Sequence[int]) -> None:
        """Begin a new episode on some lanes.

        Args:
            lanes: ``(K,)`` which.
            seeds: ``(K,)``, of the other lanes they do not matter.
        """
        if not lanes.any():
            return
        with _blamed():
            if len(self.envs) == 1 and len(lanes) > 1:
                self.observations, info = _reset_lanes(self.envs[0], lanes, seeds, not self._begun)
                self.opening = _opening(info, len(lanes))
            else:
                seen = list(self.observations)
                for lane in np.flatnonzero(lanes).tolist():
                    (seen[lane],), info = self.envs[lane].reset(seed=seeds[lane])
                    self.opening[lane] = _opening(info, 1)[0]
                self.observations = np.stack(seen)
        self._begun = True
        self.steps[lanes] = 0

    def step(self, actions: NDArray[Any]) -> Step:
        """Step every lane; those that ended have to be reset.

        Args:
            actions: ``(K,)`` int64, or ``(K, n_actions)`` float32 of a task with vectors.
        """
        with _blamed():
            parts = [
                self._step(env, actions if len(self.envs) == 1 else actions[i : i + 1])
                for i, env in enumerate(self.envs)
            ]
        seen, rewards, terminated, truncated, opening = (
            part[0] if len(part) == 1 else np.concatenate(part) for part in zip(*parts, strict=True)
        )
        self.steps += ~self.opening
        rewards = np.where(self.opening & np.isfinite(rewards), 0.0, rewards)
        self.opening = opening
        if self.task.max_episode_steps is not None:
            truncated = truncated | (self.steps >= self.task.max_episode_steps)
        self.observations = seen
        return Step(rewards, terminated, truncated & ~terminated, seen)

    def _step(
        self, env: Any, actions: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[np.float64], Mask, Mask, Mask]:
        seen, rewards, terminated, truncated, infos = env.step(actions)
        if self._same_step and (terminated | truncated).any():
            seen = seen.copy()
            for lane in np.flatnonzero(terminated | truncated):
                seen[lane] = infos["final_obs"][lane]
        scores = np.asarray(rewards, dtype=np.float64)
        if scores.size != env.num_envs:
            raise ValueError(f"rewards of shape {scores.shape} for {env.num_envs} lanes")
        opening = _opening(infos, env.num_envs)
        return seen, scores.reshape(env.num_envs), terminated, truncated, opening

    def replay(self, seeds: Sequence[int], actions: Sequence[Sequence[Action]]) -> None:
        """Bring every lane to where its episode was.

        Lanes begin one after another, so that all have played their last action at the same step.

        Args:
            seeds: ``(K,)``, what each lane's episode began from.
            actions: for each lane those of its episode, its opening's included; perhaps none.
        """
        lengths = np.array([len(played) for played in actions])
        vectors = self.task.continuous
        nothing, kind = ([0.0] * self.task.n_actions, np.float32) if vectors else (0, np.int64)
        for left in range(int(lengths.max()), -1, -1):
            self.reset(lengths == left, seeds)
            if left:
                now = [played[-left] if left <= len(played) else nothing for played in actions]
                ended = self.step(np.array(now, dtype=kind)).ended
                self.reset(ended, seeds)

    def close(self) -> None:
        """End the environments."""
        for env in self.envs:
            env.close()


def _resets_at_once(env: Any) -> bool:
    """Whether an observation that ends an episode is replaced by the first of the next."""
    from gymnasium.vector import AutoresetMode

    mode = env.metadata.get("autoreset_mode")
    if not isinstance(mode, AutoresetMode):
        raise TaskError(
            f"{type(env.unwrapped).__name__} does not declare when it resets: set "
            "metadata['autoreset_mode'] to one of gymnasium.vector.AutoresetMode"
        )
    return mode is AutoresetMode.SAME_STEP


def _opening(infos: Mapping[str, Any], lanes: int) -> Mask:
    """``(lanes,)`` where the next step belongs to an opening; most environments have none."""
    return np.array(infos.get("opening", np.zeros(lanes)), dtype=np.bool_)


def _is_ale(env: Any) -> bool:
    return type(env.unwrapped).__module__.startswith("ale_py.")


def _takes_mask(env: Any) -> bool:
    """Whether some lanes can be reset and others left alone; others say so in their metadata."""
    from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv

    known = _is_ale(env) or isinstance(env.unwrapped, SyncVectorEnv | AsyncVectorEnv)
    return bool(env.metadata.get("reset_mask", known))


def _reset_lanes(
    env: Any, lanes: Mask, seeds: Sequence[int], whole: bool
) -> tuple[NDArray[Any], Mapping[str, Any]]:
    """What all lanes see after some were reset; ale-py wants the seeds of those alone."""
    options = None if whole else {"reset_mask": lanes.copy()}
    given: Any = [int(seed) for seed in seeds]
    if _is_ale(env):
        given = np.array(given)[lanes]
    seen, infos = env.reset(seed=given, options=options)
    return seen, infos
