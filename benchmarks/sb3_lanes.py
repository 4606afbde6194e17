"""Vector environments as stable-baselines3 takes them: a lane is reset in the step that ends it."""

from __future__ import annotations

from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from pathnet_evo.interfaces.tasks import EnvironmentTask


class Lanes(VecEnv):  # type: ignore[misc]
    """A vector environment of Gymnasium; subclasses reset and step it.

    Args:
        inner: the environment.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        spaces = inner.single_observation_space, inner.single_action_space
        super().__init__(inner.num_envs, *spaces)

    def step_async(self, actions: Any) -> None:
        """Keep the actions for ``step_wait``."""
        self.actions = actions

    def close(self) -> None:
        """End the environment."""
        self.inner.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The same of all lanes."""
        return [getattr(self.inner, attr_name, None)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Nothing can be set."""
        raise AttributeError(f"{attr_name}: lanes have nothing to set")

    def env_method(self, method_name: str, *args: Any, **options: Any) -> list[Any]:
        """Nothing can be called."""
        raise AttributeError(f"{method_name}: lanes have no methods to call")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Never."""
        return [False] * self.num_envs


class TaskLanes(Lanes):
    """The environments of a task, with rewards clipped to -1 ... 1, as our learners clip them.

    Args:
        task: what is played.
        lanes: how many.
        seed: of their first episodes; later ones continue each lane's generator.

    Attributes:
        episodes: steps of all lanes by the end of each episode, and its raw return.
    """

    def __init__(self, task: EnvironmentTask, lanes: int, seed: int) -> None:
        super().__init__(task.make(lanes, [1000 * seed + lane for lane in range(lanes)]))
        self.scores, self.steps = np.zeros(lanes), 0
        self.episodes: list[tuple[int, float]] = []

    def reset(self) -> Any:
        """Begin an episode in every lane."""
        self.scores[:] = 0
        return self.inner.reset()[0]

    def step_wait(self) -> Any:
        """One step; ``infos`` have the raw return of episodes that ended."""
        seen, rewards, ended, cut, _ = self.inner.step(self.actions)
        over = ended | cut
        infos: list[dict[str, Any]] = [{} for _ in over]
        self.scores += rewards
        self.steps += self.num_envs
        if over.any():
            for lane in np.flatnonzero(over):
                score = float(self.scores[lane])
                infos[lane] = {
                    "terminal_observation": seen[lane].copy(),
                    "TimeLimit.truncated": bool(cut[lane] and not ended[lane]),
                    "score": score,
                }
                self.episodes.append((self.steps, score))
            self.scores[over] = 0
            seen = self.inner.reset(options={"reset_mask": over})[0]
        return seen, np.clip(rewards, -1, 1).astype(np.float32), over, infos


class NativeGames(Lanes):
    """ale-py's own vector environment, which resets in the same step; rewards as they are."""

    def reset(self) -> Any:
        """Begin an episode in every lane."""
        return self.inner.reset(seed=np.arange(self.num_envs))[0]

    def step_async(self, actions: Any) -> None:
        """Start the step."""
        self.inner.send(actions)

    def step_wait(self) -> Any:
        """End the step."""
        seen, rewards, terminated, truncated, infos = self.inner.recv()
        ended = terminated | truncated
        told: list[dict[str, Any]] = [{} for _ in ended]
        for i in np.flatnonzero(ended):
            last = infos["final_obs"][i]
            told[i] = {"terminal_observation": last, "TimeLimit.truncated": truncated[i]}
        return seen, rewards.astype(np.float32), ended, told
