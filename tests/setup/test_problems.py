"""What is wrong with a configuration, as an error."""

import copy

import pytest
from pydantic import BaseModel, ValidationError

from pathnet_evo.setup.config import validate
from pathnet_evo.setup.problems import ConfigError, problems


def test_an_error_crosses_processes_as_it_is():
    """A worker's message would arrive with a letter a line."""
    with pytest.raises(ConfigError) as raised:
        validate({"stages": [], "sedes": 3}, "mine.toml")
    again = copy.copy(raised.value)  # by what pickle takes it apart
    assert str(again) == str(raised.value)
    assert again.problems == raised.value.problems


def test_lists_are_called_lists():
    """Whoever writes TOML would be asked for a tuple, which it does not have."""

    class Tuples(BaseModel):
        values: tuple[int, ...] = ()

    with pytest.raises(ValidationError) as raised:
        Tuples.model_validate({"values": "zoom"})
    (problem,) = problems(raised.value, Tuples)
    assert problem.text == "input should be a valid list, got 'zoom'"
