"""What is wrong with a configuration, as an error."""

import copy
from typing import Literal

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


def test_a_value_of_no_kind_is_one_mistake():
    """One wrong value would be answered by a line for each kind, at keys that do not exist."""

    class Kinds(BaseModel):
        copied: bool | Literal["auto"] = False
        more: dict[str, bool | int | tuple[float, float]] = {}
        sizes: tuple[int, int] = (1, 1)

    with pytest.raises(ValidationError) as raised:
        Kinds.model_validate({"copied": "maybe", "more": {"a": "x", "b": "x"}, "sizes": ["x", "x"]})
    assert [str(problem) for problem in problems(raised.value, Kinds, "here")] == [
        "here.copied: input should be a valid boolean or 'auto', got 'maybe'",
        "here.more.a: input should be a valid boolean, a valid integer or a valid list, got 'x'",
        "here.more.b: input should be a valid boolean, a valid integer or a valid list, got 'x'",
        "here.sizes.0: input should be a valid integer, unable to parse string as an integer, "
        "got 'x'",
        "here.sizes.1: input should be a valid integer, unable to parse string as an integer, "
        "got 'x'",
    ]
