"""What one lane is busy with."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pathnet_evo import Candidate
from pathnet_evo_a3c.episodes import Action


@dataclass(eq=False)
class Lane:
    """A lane's candidate and how far it has come.

    Args:
        candidate: whose path is played; None where the lane is idle.
        scores: raw returns of its episodes that are over.
        seed: what its episode started from; None before the first.
        actions: those of its episode so far, those of an opening included.
        opening: how many of them belong to the opening.
        score: sum of its episode's raw rewards so far.
        frames: that the candidate has used.
        over: whether its evaluation is over, and waits for the end of the rollout.
        cause: why its evaluation failed.
        since: when it was submitted.
    """

    candidate: Candidate | None = None
    scores: list[float] = field(default_factory=list)
    seed: int | None = None
    actions: list[Action] = field(default_factory=list)
    opening: int = 0
    score: float = 0.0
    frames: int = 0
    over: bool = False
    cause: str | None = None
    since: float = field(default_factory=time.perf_counter)

    def begin_episode(self, seed: int) -> None:
        """Its next episode starts."""
        self.seed, self.actions, self.opening, self.score = seed, [], 0, 0.0

    def opened(self, action: Action) -> None:
        """A step of its episode's opening was played, whatever the action."""
        self.actions.append(action)
        self.opening += 1

    def stepped(self, action: Action, reward: float, frames: int) -> None:
        """A step of its episode was played."""
        self.actions.append(action)
        self.score += reward
        self.frames += frames

    def fail(self, cause: str) -> None:
        """Its evaluation is over, and failed."""
        self.over, self.cause = True, cause

    @property
    def length(self) -> int:
        """Steps of its episode so far, after the opening."""
        return len(self.actions) - self.opening

    @property
    def live(self) -> bool:
        """Whether its steps count."""
        return self.busy and not self.over

    @property
    def busy(self) -> bool:
        """Whether it has a candidate."""
        return self.candidate is not None

    @property
    def started(self) -> bool:
        """Whether the candidate's first episode has begun."""
        return self.seed is not None

    def state(self, observation: NDArray[Any]) -> dict[str, Any] | None:
        """What to bring the lane back from; nothing where it is idle.

        Args:
            observation: ``(*observation_shape)``, what its next action is for.
        """
        if self.candidate is None:
            return None
        return {
            "candidate": self.candidate.state(),
            "scores": list(self.scores),
            "seed": self.seed,
            "actions": _packed(self.actions),
            "opening": self.opening,
            "score": self.score,
            "frames": self.frames,
            "observation": digest(observation) if self.started else None,
        }

    @classmethod
    def restored(cls, state: dict[str, Any] | None) -> Lane:
        """A lane from its ``state``; its environment has yet to be brought to where it was."""
        if state is None:
            return cls()
        return cls(
            Candidate.of(state["candidate"]),
            scores=list(state["scores"]),
            seed=state["seed"],
            actions=state["actions"].tolist(),
            opening=state.get("opening", 0),  # older checkpoints have none
            score=state["score"],
            frames=state["frames"],
        )


def _packed(actions: Sequence[Action]) -> Tensor:
    """Actions in few bytes: vectors as float32, numbers in the narrowest type from two bytes."""
    if actions and isinstance(actions[0], list):
        return torch.tensor(actions, dtype=torch.float32)
    numbers = torch.tensor(actions, dtype=torch.int64)
    largest = int(numbers.max()) if len(actions) else 0
    fitting = (t for t in (torch.int16, torch.int32) if largest <= torch.iinfo(t).max)
    return numbers.to(next(fitting, torch.int64))


def digest(observation: NDArray[Any]) -> str:
    """The SHA-256 of an observation's bytes."""
    return hashlib.sha256(np.ascontiguousarray(observation).tobytes()).hexdigest()
