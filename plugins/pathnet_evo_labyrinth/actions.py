"""The actions that all levels share: those of A3C's agents in DeepMind Lab, and jumping."""

from __future__ import annotations

from dataclasses import dataclass

REPEAT = 4
"""The engine's steps for which an action is held."""
TURN = 4.5
"""Degrees of one of them: five turns are a right angle."""
BUTTONS = (
    "TURN_LEFT_RIGHT_DELTA",
    "MOVE_FORWARD",
    "MOVE_BACKWARD",
    "MOVE_LEFT",
    "MOVE_RIGHT",
    "ATTACK",
    "JUMP",
)
"""The engine's buttons that actions press."""


@dataclass(frozen=True)
class Action:
    """An action in both engines' words.

    Args:
        name: what reports call it.
        turn: degrees to the right of one engine step.
        forward: 1 forward, -1 backward.
        strafe: 1 to the right, -1 to the left.
        fire: whether the weapon is fired.
        jump: whether to jump.
    """

    name: str
    turn: float = 0.0
    forward: int = 0
    strafe: int = 0
    fire: int = 0
    jump: int = 0

    @property
    def pressed(self) -> list[float]:
        """A value for each of ``BUTTONS``."""
        return [
            self.turn,
            float(self.forward > 0),
            float(self.forward < 0),
            float(self.strafe < 0),
            float(self.strafe > 0),
            float(self.fire),
            float(self.jump),
        ]


ACTIONS = (
    Action("look left", turn=-TURN),
    Action("look right", turn=TURN),
    Action("forward", forward=1),
    Action("backward", forward=-1),
    Action("strafe left", strafe=-1),
    Action("strafe right", strafe=1),
    Action("fire", fire=1),
    Action("jump", jump=1),
    Action("look left, forward", turn=-TURN, forward=1),
    Action("look right, forward", turn=TURN, forward=1),
)
NAMES = tuple(action.name for action in ACTIONS)
