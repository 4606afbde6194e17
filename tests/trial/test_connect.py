"""How frozen modules enter a new task's path: what is the default, and what is refused."""

import pytest

from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.modules import ModuleKind
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup import config
from pathnet_evo.setup.resolving import resolve

DIGITS = {"task": {"name": "digits"}}
GAME = {"task": {"name": "gym", "id": "CartPole-v1"}, "learner": {"name": "a3c"}}


def plan(stages, **transfer):
    """A run of the arms ``pathnet`` and ``pathnet-2017``, made ready."""
    data = {"arms": ["pathnet", "pathnet-2017"], "transfer": transfer, "stages": stages}
    return resolve(config.validate(data), Registry())


def test_images_listen_and_games_are_summed_by_default():
    """Broken: a user who sets nothing would get the way in that loses."""
    made = plan([DIGITS, GAME])
    assert [made.connect(i, "pathnet") for i in (0, 1)] == ["lateral", "sum"]
    assert [made.connect(i, "pathnet-2017") for i in (0, 1)] == ["named", "sum"]
    assert plan([DIGITS], connect="sum").connect(0, "pathnet") == "sum"
    assert plan([DIGITS], connect="sum").connect(0, "pathnet-2017") == "named"


def test_modules_that_cannot_hear_are_connected_as_published(monkeypatch):
    """Broken: a plugin's kind of module would fail where the second stage begins."""
    monkeypatch.setattr(Linear, "lateral_shape", ModuleKind.lateral_shape)
    assert plan([DIGITS, DIGITS]).connect(1, "pathnet") == "named"
    with pytest.raises(config.ConfigError, match="modules of kind Linear cannot hear columns"):
        plan([DIGITS, DIGITS], connect="lateral")
