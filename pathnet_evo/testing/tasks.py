"""The contract kit of tasks; plugin authors subclass it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.tasks import (
    EnvironmentTask,
    SupervisedTask,
    Task,
    TaskContext,
    TaskSettings,
)
from pathnet_evo.testing.plain import check_settings, global_seed

STEPS = 30
"""Steps for which an environment is played."""


class TaskContract(ABC):
    """What every task keeps to.

    A subclass is a test class for pytest::

        class TestRings(TaskContract):
            def settings(self) -> TaskSettings:
                return Rings()
    """

    @abstractmethod
    def settings(self) -> TaskSettings:
        """The task's settings, small enough to be made many times."""

    def made(self, seed: int = 0, input_shape: tuple[int, ...] | None = None) -> Task:
        """The task of a seed."""
        settings = self.settings()
        context = TaskContext(Streams(seed), 0, [settings], input_shape)
        try:
            task = settings.make(context)
        except Exception as error:
            raise AssertionError(
                f"make() must give a task with these settings, but it raised "
                f"{type(error).__name__}: {error}"
            ) from error
        assert isinstance(task, SupervisedTask | EnvironmentTask), (
            "make() must return a SupervisedTask or an EnvironmentTask, "
            f"not a {type(task).__name__}"
        )
        return task

    def test_settings_are_plain(self) -> None:
        """A run could not be repeated from its run.toml."""
        assert isinstance(self.settings(), TaskSettings), "a task derives from TaskSettings"
        check_settings(self.settings(), "task")

    def test_same_seed_same_task(self) -> None:
        """The arms of a seed would learn different data."""
        with global_seed(1):
            first = self.made(7)
        with global_seed(2):
            second = self.made(7)
        _assert_same(first, second)

    def test_follows_the_pool(self) -> None:
        """The task could not be the second one of a sequence."""
        shape = self.made().input_shape
        again = self.made(input_shape=shape).input_shape
        assert again == shape, (
            f"where the pool takes {shape}, which the task gives by itself, it must give that "
            f"shape, not {again}"
        )

    def test_examples(self) -> None:
        """Training would break on examples that are not what they say."""
        task = self.made()
        if not isinstance(task, SupervisedTask):
            return
        for part, inputs, labels in (
            ("training", task.inputs, task.labels),
            ("test", task.test_inputs, task.test_labels),
        ):
            assert len(inputs) == len(labels) > 0, (
                f"there must be a label for each of the {len(inputs)} {part} inputs, "
                f"and there are {len(labels)}"
            )
            assert labels.dtype == torch.int64, f"{part} labels must be int64, not {labels.dtype}"
            lowest, highest = int(labels.min()), int(labels.max())
            assert 0 <= lowest <= highest < task.n_classes, (
                f"{part} labels must lie within 0 to {task.n_classes - 1} (n_classes is "
                f"{task.n_classes}), but they go from {lowest} to {highest}"
            )
            x = task.prepare(inputs[:64])
            assert x.dtype == torch.float32, f"prepared {part} inputs must be float32"
            assert bool(torch.isfinite(x).all()), f"prepared {part} inputs must be finite"
        missing = set(range(task.n_classes)) - set(task.labels.tolist())
        assert not missing, f"every class needs a training example; {sorted(missing)} have none"

    def test_environment(self) -> None:
        """Lanes would read past an episode's end, or two equal trials would part."""
        task = self.made()
        if not isinstance(task, EnvironmentTask):
            return
        first, second = _played(task), _played(task)
        for one, other in zip(first, second, strict=True):
            assert np.array_equal(one, other), (
                "environments made with the same seeds must give the same observations and "
                "rewards for the same actions"
            )


def _assert_same(first: Task, second: Task) -> None:
    assert type(first) is type(second), "the same seed must give the same kind of task"
    for name, value in vars(first).items():
        other: Any = getattr(second, name)
        equal = torch.equal(value, other) if isinstance(value, Tensor) else bool(value == other)
        assert equal, (
            f"the same seed must give the same task, but {name} differs: draw from the context's "
            "generators, never from global ones"
        )


def _played(task: EnvironmentTask) -> list[Any]:
    from gymnasium.vector import AutoresetMode

    num_envs = 2
    env = task.make(num_envs, [3, 4])
    try:
        assert env.num_envs == num_envs, f"make({num_envs}, ...) must give {num_envs} environments"
        mode = env.metadata.get("autoreset_mode")
        assert mode in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP), (
            f"metadata['autoreset_mode'] must be NEXT_STEP or SAME_STEP, not {mode}"
        )
        _check_actions(task, env.single_action_space)
        observation, _ = env.reset(seed=3)
        seen = [np.array(observation)]
        for step in range(STEPS):
            actions = _actions(task, step, num_envs)
            observation, reward, *_ = env.step(actions)
            assert np.shape(observation) == (num_envs, *task.observation_shape), (
                f"observations must be {(num_envs, *task.observation_shape)}, as observation_shape "
                f"says, not {np.shape(observation)}"
            )
            seen += [np.array(observation), np.array(reward)]
    finally:
        env.close()
    return seen


def _check_actions(task: EnvironmentTask, space: Any) -> None:
    from gymnasium.spaces import Box, Discrete

    if task.continuous:
        assert isinstance(space, Box), "actions of a continuous task must be a Box"
        assert space.shape == (task.n_actions,), (
            f"n_actions is {task.n_actions}, but the environment takes vectors {space.shape}"
        )
        return
    assert isinstance(space, Discrete), "actions must be discrete"
    assert int(space.n) == task.n_actions, (
        f"n_actions is {task.n_actions}, but the environment has {space.n}"
    )


def _actions(task: EnvironmentTask, step: int, num_envs: int) -> Any:
    """Some actions, one a lane."""
    if task.continuous:
        drawn = np.random.default_rng(step).uniform(-1, 1, (num_envs, task.n_actions))
        return drawn.astype(np.float32)
    return np.array([(step + lane) % task.n_actions for lane in range(num_envs)])
