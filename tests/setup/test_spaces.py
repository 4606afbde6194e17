"""Search spaces: what is read as one, what is refused, and what takes their place."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from pathnet_evo.setup.problems import ConfigError
from pathnet_evo.setup.spaces import Choices, Numbers, filled, probes, spaces_in

TOML = """
name = "x"
learner.learning_rate = {low = 1e-3, high = 0.3, log = true}
learner.n_batches = {low = 1, high = 8}
learner.momentum = {low = 0, high = 0.5, step = 0.25}
learner.name = {choices = ["sgd", "other"]}
strategy = {choices = [{name = "aging"}, {name = "racing", width = 3}]}
pool.layers = [{kind = "conv2d", low = 3}, {kind = "linear", units = {choices = [1, 2.5, true]}}]
"""


def test_every_value_can_be_a_space() -> None:
    """A plugin would receive a space within a list as a table, or an integer as 2.0."""
    data = tomllib.loads(TOML)
    spaces = spaces_in(data)
    assert list(spaces) == [
        "learner.learning_rate",
        "learner.n_batches",
        "learner.momentum",
        "learner.name",
        "strategy",
        "pool.layers.1.units",
    ]
    whole = {place: space.whole for place, space in spaces.items() if isinstance(space, Numbers)}
    assert [*whole.values()] == [False, True, False]
    labels = {
        "learner.learning_rate": 0.1,
        "learner.n_batches": 3,
        "learner.momentum": 0.25,
        "learner.name": "other",
        "strategy": '{"name": "racing", "width": 3}',
        "pool.layers.1.units": "true",
    }
    assert all(spaces[place].contains(label) for place, label in labels.items())
    found = filled(data, spaces, labels)
    assert found["strategy"] == {"name": "racing", "width": 3}
    assert found["learner"] == {
        "learning_rate": 0.1,
        "n_batches": 3,
        "momentum": 0.25,
        "name": "other",
    }
    assert found["pool"]["layers"] == [
        {"kind": "conv2d", "low": 3},
        {"kind": "linear", "units": True},
    ]
    assert data == tomllib.loads(TOML)


def test_every_end_and_choice_is_probed() -> None:
    """A choice that no plugin takes would fail in the middle of a sweep."""
    spaces = {"a": Choices(choices=["x", "y", "z"]), "b": Numbers(low=1, high=2.5)}
    assert [*probes(spaces)] == [
        {"a": "x", "b": 1.0},
        {"a": "z", "b": 2.5},
        {"a": "y", "b": 1.0},
    ]


@pytest.mark.parametrize("label", [0, 9, 2.0, True, "2", None])
def test_values_of_another_space(label: Any) -> None:
    """A study that was tampered with would bring values that the sweep does not search."""
    assert not Numbers(low=1, high=8).contains(label)
    assert not Choices(choices=[1, "3"]).contains(label)


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ("{low = 1}", "a.b.high: missing"),
        ("{low = 1, high = 8, stp = 2}", 'a.b.stp: unknown key. Did you mean "step"?'),
        ("{low = 1, high = 1}", "a.b: low is 1, which is not below high, 1"),
        ("{low = 0, high = 1, log = true}", "a.b: log needs a low above 0, and it is 0"),
        ("{low = 1, high = 9, log = true, step = 2}", "a.b: log and step exclude each other"),
        ("{low = 1, high = 8, step = 2}", "a.b: step 2 does not lead from 1 to 8"),
        ("{low = 1, high = 8, step = 0}", "a.b: step 0 does not lead from 1 to 8"),
        ("{low = 0.0, high = inf}", "a.b.high"),
        ("{low = 0.0, high = nan}", "a.b.high"),
        ("{low = false, high = true}", "a.b.low"),
        ("{low = 0, high = 9007199254740993}", "a.b.high"),
        ('{low = "1", high = "3"}', "a.b.low"),
        ("{choices = []}", "a.b.choices"),
        ("{choices = 3}", "a.b.choices"),
        ("{choices = [1, 1]}", "a.b: two choices are equal"),
        ("{choices = [1, 2], low = 1}", "a.b.low: unknown key"),
    ],
)
def test_what_is_no_space(space: str, said: str) -> None:
    """A mistake would end in Optuna's traceback, or in a search of something else."""
    with pytest.raises(ConfigError) as caught:
        spaces_in(tomllib.loads(f"a.b = {space}"))
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("place", ["seeds", "executor.workers", "sweep.trials", "plugins.0"])
def test_what_all_trials_share(place: str) -> None:
    """Trials could not be compared, or would run other code."""
    data: Any = {"low": 1, "high": 2}
    for key in reversed(place.split(".")):
        data = [data] if key == "0" else {key: data}
    with pytest.raises(ConfigError, match=f"^{place}: all trials share {place.split('.')[0]}: "):
        spaces_in(data)
