"""What is wrong with a configuration, as an error."""

import copy

import pytest

from pathnet_evo.setup.config import validate
from pathnet_evo.setup.problems import ConfigError


def test_an_error_crosses_processes_as_it_is():
    """A worker's message would arrive with a letter a line."""
    with pytest.raises(ConfigError) as raised:
        validate({"stages": [], "sedes": 3}, "mine.toml")
    again = copy.copy(raised.value)  # by what pickle takes it apart
    assert str(again) == str(raised.value)
    assert again.problems == raised.value.problems
