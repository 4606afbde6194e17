"""Options of arms that a configuration names: reachable by ``--set``."""

from __future__ import annotations

import pytest

from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup.preparing import configure, prepare
from pathnet_evo.setup.problems import ConfigError

STAGES = [{"task": "digits"}]


def arms(settings, **sections):
    """The arms of a configuration, by name."""
    config, _ = configure({"stages": STAGES, **sections}, settings, Registry())
    return {arm.name: arm for arm in config.arms}


def test_an_option_of_a_named_arm():
    """Rivals could be tuned only by writing out the whole arm."""
    settings = ["arms.1.transfer.ewc_lambda=1000", "arms.2.transfer.memory=50"]
    changed = arms(settings, arms=["pathnet", "ewc", "replay"])
    plain = arms([], arms=["pathnet", "ewc", "replay"])
    wanted = {"name": "avalanche", "method": "ewc", "ewc_lambda": 1000}
    assert changed["ewc"].transfer == wanted
    assert changed["replay"].transfer == {"name": "avalanche", "method": "replay", "memory": 50}
    assert changed["ewc"].strategy == plain["ewc"].strategy == {"name": "fixed-path"}
    assert changed["pathnet"] == plain["pathnet"]


@pytest.mark.parametrize("first", [0, 1])
def test_an_option_of_an_arm_that_is_given_beside_it(first):
    """The list would have to be in a file, or each of its arms be written out."""
    settings = ['arms=["pathnet", "ewc"]', "arms.1.transfer.ewc_lambda=1000"]
    changed = arms([settings[first], settings[1 - first]])
    assert [*changed] == ["pathnet", "ewc"]
    assert changed["ewc"].transfer["ewc_lambda"] == 1000


def test_an_option_of_all_arms():
    """``options policy`` says how to set one, which would not work with named or default arms."""
    changed = arms(['arms.*.transfer.connect="sum"'])
    assert [*changed] == ["pathnet", "independent", "fine-tuning", "random"]
    assert {arm.transfer["connect"] for arm in changed.values()} == {"sum"}
    assert changed["independent"].transfer["name"] == "scratch"


def test_arms_that_are_not_there():
    """A typing error would become an arm that freezes, or a traceback."""
    with pytest.raises(ConfigError, match="no entry '7' in a list of 4"):
        arms(["arms.7.transfer.memory=50"])
    with pytest.raises(ConfigError, match="arms.0.transfer.name: missing"):
        prepare({"stages": STAGES, "arms": ["ewk"]}, ["arms.0.transfer.memory=5"], Registry())
