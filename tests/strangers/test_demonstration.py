"""What a newcomer ran first, and what came of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import pathnet_evo
from pathnet_evo import presets
from pathnet_evo.cli import app
from pathnet_evo.interfaces.learners import Learner
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup import preparing
from pathnet_evo_a3c.ppo import PPO

README = Path(__file__).parents[2] / "README.md"


def test_a_newcomer_chose_a_preset():
    """The list would break off within a sentence, or not say that a preset takes months."""
    listed = CliRunner().invoke(app, ["presets"]).stdout.splitlines()
    assert len(listed) == 2 * len(presets.names())
    for name, first, second in zip(presets.names(), listed[::2], listed[1::2], strict=True):
        learned, expected = presets.about(name)
        assert first.split(maxsplit=1) == [name, learned]
        assert second.strip() == expected
        for sentence in (learned, expected):
            assert sentence.endswith("."), f"{name}: {sentence}"
        time = r"\b(minutes?|hours?|days|weeks|months) on (one core|two cores)"
        assert re.search(time, expected), f"{name} does not say how long it takes"


def cartpole() -> PPO:
    """The learner of the preset's first stage."""
    registry = Registry()
    config, label = preparing.configure("cartpole", [], registry)
    learner: Learner = preparing.ready(config, registry, label, rehearse=False).stages[0].learner
    assert isinstance(learner, PPO)
    return learner


def test_a_newcomer_judged_cartpole_by_what_it_can_do():
    """The score would be that of a policy that tries things out, of a few episodes."""
    learner = cartpole()
    assert learner.greedy
    assert learner.score_episodes == 100


@pytest.mark.slow
def test_a_newcomer_ran_cartpole(tmp_path):
    """The demonstration would show a pole that falls as if nobody had learned.

    Half of the preset's frames. Random actions return 22, and a second stage whose policy was
    settled at its start, by the large features of what is frozen, 9.
    """
    settings = ["arms=['pathnet']", "seeds=1", "seed=10", "stages.*.frames=50_000"]
    run = pathnet_evo.launch("cartpole", settings, runs_dir=tmp_path)
    for stage in run.summary["arms"]["pathnet"]["stages"]:
        assert stage["scores"]["mean_return"]["mean"] > 66
