"""Runs that were configured in words of earlier versions."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import pytest
import torch

from pathnet_evo import load_run, resume
from pathnet_evo.running.checking import inspect
from pathnet_evo.running.playing import player
from pathnet_evo.setup import config
from pathnet_evo.setup.problems import ConfigError
from pathnet_evo.setup.upgrades import ENGINE, LEARNERS, TASKS, upgraded

MIXED = Path(__file__).parents[1] / "fixtures" / "run-mixed-3"


@pytest.fixture
def mixed(tmp_path) -> Path:
    """A run of images and a game, interrupted within the game, before words were the field's."""
    return Path(shutil.copytree(MIXED, tmp_path / "run-mixed-3"))


def test_it_is_in_the_words_of_then():
    """A fixture that was written again would test nothing."""
    written = tomllib.loads((MIXED / "run.toml").read_text(encoding="utf-8"))
    images, game = written["stages"]
    assert images["learner"].keys() >= LEARNERS["sgd"].keys()
    assert game["learner"].keys() >= LEARNERS["a3c"].keys()
    assert "skip" in game["task"]
    assert "input" in written["pool"]


def test_it_opens_and_gives_its_network(mixed):
    """What somebody learned last year could not be used after an update."""
    run = load_run(mixed)
    network = run.network(0)
    assert torch.isfinite(network(torch.zeros(1, 4, 42, 42))).all()
    written = json.loads((MIXED / "summary.json").read_text(encoding="utf-8"))
    assert run.summary["digest"] == written["digest"]
    assert inspect(mixed).problems == []


@pytest.mark.slow
def test_it_is_resumed_and_played(mixed):
    """Its trial would begin again, or with other settings, or be refused as another one."""
    checkpoints = sorted(path.name for path in (mixed / "checkpoints" / "pathnet-0").iterdir())
    assert checkpoints == ["stage-0", "stage-1-round-30"]
    run = resume(mixed, accept_changed_data=True)  # of whatever ale-py is installed
    assert run.summary["state"] == "finished"
    assert run.config.stages[1].learner["rollout_length"] == 5
    assert run.config.stages[1].task["frame_skip"] == 3
    about = json.loads((mixed / "about.json").read_text(encoding="utf-8"))
    assert about["resumed"][0]["from"] == {"pathnet-0": "stage-1-round-30"}
    assert len(list(player(run, accept_changed_data=True).play(1))) > 0


def test_what_a_user_writes_is_not_translated():
    """A key would have two names for ever, and configurations on the web would go on with both."""
    written = {"stages": [{"task": {"name": "atari", "skip": 2}, "learner": {"name": "a3c"}}]}
    assert upgraded(written) == written


@pytest.mark.parametrize(
    ("place", "name", "old", "new"),
    [
        (place, name, old, new)
        for place, plugins in (
            ("stages.0.learner", LEARNERS),
            ("stages.0.task", TASKS),
            ("engine", {"processes": ENGINE}),
        )
        for name, names in plugins.items()
        for old, new in names.items()
    ],
)
def test_an_old_name_is_refused_and_the_new_one_named(command, place, name, old, new):
    """Somebody would search the documentation for what the key is called now."""
    refused = command("run", "digits", "--set", f"{place}={{name='{name}', {old}=3}}")
    assert refused.status == 2
    assert f'{place}.{old}: unknown key. Did you mean "{new}"?' in refused.err


def test_games_of_earlier_runs_are_reset_as_they_were():
    """Episodes of a resumed run would start elsewhere than its checkpoints say."""
    written = tomllib.loads((MIXED / "run.toml").read_text(encoding="utf-8"))
    assert config.validate(written).stages[1].task["resets"] == "reload"
    written["stages"][1]["task"]["resets"] = "quick"
    assert config.validate(written).stages[1].task["resets"] == "quick"
    chosen = {"stages": [{"task": {"name": "atari", "noop_max": 7}}]}
    assert config.validate(chosen).stages[0].task == chosen["stages"][0]["task"]


def test_the_engine_is_in_the_words_of_now():
    """Runs whose evaluations had processes of their own could not be resumed."""
    written = tomllib.loads((MIXED / "run.toml").read_text(encoding="utf-8"))
    written["engine"] = {"name": "processes", "limit": 5, "start_limit": 6, "restarts": 7}
    wanted = {"name": "processes", "timeout": 5, "start_timeout": 6, "max_restarts": 7}
    assert config.validate(written).engine == wanted


def test_both_names_are_refused():
    """One of two values would be taken, nobody knows which."""
    written = tomllib.loads((MIXED / "run.toml").read_text(encoding="utf-8"))
    written["pool"]["input_shape"] = [4, 42, 42]
    with pytest.raises(ConfigError, match='pool.input: unknown key. Did you mean "input_shape"'):
        config.validate(written)
