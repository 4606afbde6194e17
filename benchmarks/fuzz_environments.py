"""Environments with spaces, observations, rewards and ends that nobody has thought of.

Each case is an environment that gives what hypothesis drew, and what must come of it: the same
numbers, or one line that refuses. Anything else, a warning included, ends the fuzz with the case.

    python benchmarks/fuzz_environments.py --cases 1000
"""

from __future__ import annotations

import argparse
import math
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pathnet_evo import Streams, TaskContext, TaskError
from pathnet_evo.core.head import TaskHead
from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.learners import LearningContext
from pathnet_evo_a3c.episodes import Episodes
from pathnet_evo_a3c.learner import A3C
from pathnet_evo_gym.task import GymSettings, GymTask

ID = "Fuzz/Case-v0"
LANES = 2
SIDE = 5
"""The least height and width of what is certainly a picture."""
REFUSED = None
"""What must come of what is no number."""
BOXES = ["uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]


@dataclass(frozen=True)
class Part:
    """What an environment gives, and the number or array that it stands for, or ``REFUSED``."""

    given: Any
    meant: Any


@dataclass(frozen=True)
class Case:
    """An environment, and what is known of it.

    Args:
        space: of its observations.
        actions: its action space.
        channels: the option.
        observations: what it gives, in turn: one reset and a step for each reward.
        rewards: what it gives, in turn.
        ends: whether each step ends the episode; the last one does.
        makes: whether it can be made at all.
    """

    space: spaces.Space[Any]
    actions: spaces.Space[Any]
    channels: str
    observations: list[Part]
    rewards: list[Part]
    ends: list[Part]
    makes: bool

    @property
    def plain(self) -> bool:
        """Whether nothing of it may be refused."""
        parts = [*self.observations, *self.rewards, *self.ends]
        return self.makes and all(part.meant is not REFUSED for part in parts)


@dataclass
class Scripted(gymnasium.Env[Any, Any]):
    """Gives a case's observations, rewards and ends in turn, whatever is done."""

    case: Case
    taken: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.observation_space, self.action_space = self.case.space, self.case.actions

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """The first observation."""
        super().reset(seed=seed)
        self.at = 0
        return self.case.observations[0].given, {}

    def step(self, action: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """The next of everything."""
        assert self.action_space.contains(action), f"{action!r} is none of {self.action_space}"
        self.at += 1
        case, i = self.case, self.at - 1
        return (
            case.observations[self.at].given,
            case.rewards[i].given,
            case.ends[i].given,
            False,
            {},
        )


# What is drawn ----------------------------------------------------------------------------


def rewards() -> st.SearchStrategy[Part]:
    """Rewards as people's environments give them."""
    numbers = st.floats(width=32, allow_nan=True) | st.integers(-(10**9), 10**9) | st.booleans()
    holders: list[Callable[[Any], Any]] = [
        lambda x: x,
        np.float32,
        np.float64,
        np.array,
        lambda x: np.array([x]),
        lambda x: np.array([[x]]),
        lambda x: [x],
        torch.tensor,
        lambda x: torch.tensor([x]),
    ]
    return st.tuples(numbers, st.sampled_from(holders)).map(_held)


NO_REWARDS = [None, "1", "", [], [1, 2], (), np.zeros(2), np.zeros((2, 1)), np.array(None), 1j, {}]
NO_REWARDS += [10**400, Decimal(1), np.array(["1"]), object(), torch.zeros(3), np.array([])]
NO_ENDS = [None, "no", 2, 0.5, math.nan, [], np.zeros(2)]


def _held(drawn: tuple[Any, Callable[[Any], Any]]) -> Part:
    number, hold = drawn
    x = hold(number)
    flat = x
    while isinstance(flat, list):
        (flat,) = flat
    return Part(x, float(flat) if not isinstance(flat, np.ndarray) else float(flat.ravel()[0]))


def ends() -> st.SearchStrategy[Part]:
    """Words for no."""
    no = [False, np.bool_(False), 0, 0.0, np.array(False), np.array([False]), torch.tensor(False)]
    return st.sampled_from(no).map(lambda x: Part(x, False))


def pictures() -> st.SearchStrategy[tuple[tuple[int, ...], str, bool | None]]:
    """Shapes of three axes, the option, and whether the last is to be moved; None is refused."""
    side, few = st.integers(SIDE, 12), st.integers(1, 4)
    first = st.tuples(few, side, side).map(lambda shape: (shape, "auto", False))
    last = st.tuples(side, side, few).map(lambda shape: (shape, "auto", True))
    cube = st.integers(1, 12).map(lambda n: ((n, n, n), "auto", None))
    option = st.sampled_from(["first", "last"])
    said = st.tuples(st.tuples(*[st.integers(1, 6)] * 3), option)
    return st.one_of(first, last, cube, said.map(lambda d: (d[0], d[1], d[1] == "last")))


def shapes() -> st.SearchStrategy[tuple[tuple[int, ...], str, bool | None]]:
    """Shapes of a Box with what the option makes of them."""
    others = st.lists(st.integers(0, 6), max_size=4).filter(lambda sides: len(sides) != 3)
    return pictures() | others.map(lambda sides: (tuple(sides), "auto", False))


@st.composite
def observed(draw: st.DrawFn, shape: tuple[int, ...], dtype: str, moved: bool) -> Part:
    """An observation of a Box of ``shape`` and ``dtype``, in one of the ways to give it."""
    kind = np.dtype(dtype)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    whole = kind.kind != "f"
    low, high = (0, 256) if dtype == "uint8" else (-100, 100)
    x = rng.integers(low, high, shape) if whole else rng.normal(size=shape)
    x = np.asarray(x).astype(kind)
    meant = x.astype(np.float32)
    meant = np.stack([meant[:, :, i] for i in range(shape[2])]) if moved else meant
    meant = meant.reshape(1) if not shape else meant
    return Part(draw(st.sampled_from(WAYS))(x), meant)


WAYS: list[Callable[[Any], Any]] = [
    lambda x: x,
    lambda x: x.tolist(),
    lambda x: x.astype(np.float64),
    lambda x: torch.from_numpy(x.copy()),
    lambda x: np.array(x, order="F"),
]
NO_OBSERVATIONS: dict[str, Callable[[Any], Any]] = {
    "longer": lambda x: np.stack([x, x]),
    "none": lambda x: None,
    "text": lambda x: "left",
    "objects": lambda x: np.full(x.shape, None),
    "complex": lambda x: x.astype(np.complex64),
    "nan": lambda x: np.full(x.shape, np.nan),
    "infinite": lambda x: np.full(x.shape, np.inf),
    "too large": lambda x: np.full(x.shape, 1e300),
    "ragged": lambda x: [[1], [1, 2]],
    "table": lambda x: {"observation": x},
}


NO_BOXES: list[spaces.Space[Any]] = [
    spaces.Discrete(4),
    spaces.MultiDiscrete([2, 3]),
    spaces.MultiBinary(5),
    spaces.Tuple((spaces.Discrete(2), spaces.Box(0, 1, (2,)))),
    spaces.Dict({"eye": spaces.Box(0, 1, (2,)), "ear": spaces.Discrete(2)}),
    spaces.Text(8),
    spaces.Sequence(spaces.Discrete(2)),
    spaces.Graph(spaces.Box(0, 1, (2,)), None),
    spaces.OneOf((spaces.Discrete(2), spaces.Box(0, 1, (2,)))),
]
"""Spaces that are not learned from; of the first, actions are."""


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """An environment."""
    actions: spaces.Space[Any] = spaces.Discrete(
        draw(st.sampled_from([1, 2, 3, 17, 40_000])), start=draw(st.sampled_from([0, 0, 2, -5]))
    )
    shape, channels, moved = draw(shapes())
    dtype = draw(st.sampled_from(BOXES))
    bounds = (0, 255) if dtype == "uint8" else (-100, 100)
    space: spaces.Space[Any] = spaces.Box(*bounds, shape, np.dtype(dtype).type)
    makes = moved is not None and 0 not in shape
    n = draw(st.integers(1, 4))
    seen = [draw(observed(shape, dtype, bool(moved))) for _ in range(n + 1)] if makes else []
    over = [*draw(st.lists(ends(), min_size=n - 1, max_size=n - 1)), Part(np.bool_(True), True)]
    paid = draw(st.lists(rewards(), min_size=n, max_size=n))
    fault, i = draw(st.sampled_from(FAULTS)), draw(st.integers(0, n - 1))
    if fault == "space":
        space, makes = draw(st.sampled_from(NO_BOXES)), False
    elif fault == "actions":
        actions, makes = draw(st.sampled_from([spaces.Box(-1, 1, (2,)), *NO_BOXES[1:]])), False
    elif fault == "observation" and seen:
        bad = NO_OBSERVATIONS[draw(st.sampled_from(sorted(NO_OBSERVATIONS)))]
        seen[i + draw(st.integers(0, 1))] = Part(bad(np.asarray(seen[i].given)), REFUSED)
    elif fault == "reward":
        paid[i] = Part(draw(st.sampled_from(NO_REWARDS)), REFUSED)
    elif fault == "end":
        over[i] = Part(draw(st.sampled_from(NO_ENDS)), REFUSED)
    return Case(space, actions, channels, seen, paid, over, makes)


FAULTS = ["nothing"] * 6 + ["space", "actions", "observation", "observation", "reward", "end"]


# What is checked --------------------------------------------------------------------------


def outcome(case: Case) -> str:
    """``taken`` or ``refused``.

    Raises:
        AssertionError: it gave other numbers, was refused without a reason, or not in one line.
    """
    gymnasium.register(ID, entry_point=lambda: Scripted(case))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            asked = GymSettings.model_validate({"id": ID, "channels": case.channels})
            task = asked.make(TaskContext(Streams(0), 0, [asked], None))
            assert case.makes, "it was made"
            _compare(case, task)
            _learn(case, task)
    except TaskError as error:
        said = str(error)
        assert said.strip(), "nothing was said"
        assert "\n" not in said, said
        assert len(said) < 400, said
        assert not case.plain, said
        return "refused"
    finally:
        del gymnasium.registry[ID]
    assert case.plain, "it was taken"
    return "taken"


def _compare(case: Case, task: GymTask) -> None:
    """Play the script on both lanes; what comes is what is meant."""
    assert isinstance(case.actions, spaces.Discrete)
    assert task.n_actions == int(case.actions.n)
    episodes = Episodes(task, LANES)
    try:
        _same(episodes.observations, case.observations[0])
        for i, reward in enumerate(case.rewards):
            step = episodes.step(np.array([0, task.n_actions - 1]))
            _same(step.observations, case.observations[i + 1])
            assert all(_equal(found, reward.meant) for found in step.rewards), step.rewards
            assert step.ended.tolist() == [case.ends[i].meant] * LANES, step.ended
    finally:
        episodes.close()


def _same(found: Any, part: Part) -> None:
    assert part.meant is not REFUSED, "the observation was taken"
    assert all(np.array_equal(lane.astype(np.float32), part.meant) for lane in found), found


def _equal(found: float, meant: Any) -> bool:
    assert meant is not REFUSED, "the reward was taken"
    return found == meant or (math.isnan(found) and math.isnan(meant))


def _learn(case: Case, task: GymTask) -> None:
    """Train on it: a fitness is the sum of the rewards, and what fails says why."""
    learner, streams = A3C(num_envs=LANES, rollout_length=3, episodes=1), Streams(0, 0)
    pool = ModulePool([Linear(units=2)], 2, task.input_shape)
    pool.initialise(lambda layer: streams.torch("init", layer))
    head = TaskHead(pool.layers, learner.readout(pool, task, streams.torch("readout")))
    device = torch.device("cpu")
    evaluator = learner.evaluator(LearningContext(pool, head, task, device, streams, True))
    for i in range(LANES):
        evaluator.submit(Candidate(i, i, ((i,),), None, i))
    try:
        done = [e for _ in range(3) for e in evaluator.advance()]
    finally:
        evaluator.close()
    assert len(done) == LANES
    total = sum(float(reward.meant) for reward in case.rewards)
    for evaluation in done:
        if evaluation.fitness is None:
            assert not math.isfinite(total), evaluation.cause
            assert "reward" in str(evaluation.cause)
        else:
            assert math.isclose(evaluation.fitness, total, rel_tol=1e-9), (evaluation, total)


def fuzz(n: int) -> Counter[str]:
    """Check so many cases, the same ones each time; how many were taken and refused."""
    counted: Counter[str] = Counter()

    @settings(
        max_examples=n,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases())
    def check(case: Case) -> None:
        counted[outcome(case)] += 1

    check()
    return counted


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    print(dict(fuzz(parser.parse_args().cases)))
