"""Keys of a plugin's section that are the framework's, misspelt."""

import pytest

from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup.config import validate
from pathnet_evo.setup.problems import ConfigError
from pathnet_evo.setup.resolving import resolve, resolve_observers

STAGE = {"task": {"name": "digits"}}


@pytest.mark.parametrize(
    ("given", "place", "meant"),
    [
        ({"strategy": {"nmae": "aging"}}, "strategy.nmae", "name"),
        ({"strategy": {"name": "aging", "nmae": "racing"}}, "strategy.nmae", "name"),
        ({"strategy": {"name": "aging", "populaton": 4}}, "strategy.populaton", "population"),
        ({"pool": {"layers": [{"knd": "linear"}]}}, "pool.layers.0.knd", "kind"),
        ({"pool": {"layers": [{"kind": "linear", "repat": 3}]}}, "pool.layers.0.repat", "repeat"),
        ({"transfer": {"conect": "sum"}}, "transfer.conect", "connect"),
        ({"learner": {"nam": "sgd"}}, "learner.nam", "name"),
        ({"engine": {"nam": "inline"}}, "engine.nam", "name"),
        ({"executor": {"naem": "processes", "workers": 2}}, "executor.naem", "name"),
        ({"observers": [{"nam": "tensorboard"}]}, "observers.0.nam", "name"),
        ({"observers": [{"name": "tensorboard", "nam": 1}]}, "observers.0.nam", "name"),
        ({"stages": [{"task": {"nme": "digits"}}]}, "stages.0.task.nme", "name"),
        (
            {"stages": [STAGE | {"learner": {"name": "sgd", "naem": "a3c"}}]},
            "stages.0.learner.naem",
            "name",
        ),
        (
            {"arms": [{"name": "a", "transfer": {"name": "freeze", "nam": "keep"}}]},
            "arms.0.transfer.nam",
            "name",
        ),
        ({"arms": [{"name": "a", "strategy": {"nme": "aging"}}]}, "arms.0.strategy.nme", "name"),
    ],
)
def test_the_key_that_is_meant_is_named(given, place, meant):
    """A user would be told that a name is missing, or of every key but the one that is meant."""
    with pytest.raises(ConfigError) as refused:
        config, registry = validate({"stages": [STAGE]} | given), Registry()
        resolve(config, registry)
        resolve_observers(config, registry)
    assert str(refused.value) == f'{place}: unknown key. Did you mean "{meant}"?'


def test_a_section_without_a_name_says_so():
    """What is not misspelt but missing would be called an unknown key."""
    with pytest.raises(ConfigError, match=r"^strategy\.name: missing$"):
        resolve(validate({"stages": [STAGE], "strategy": {"population": 4}}), Registry())
