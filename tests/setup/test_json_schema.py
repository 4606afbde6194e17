"""The JSON Schema accepts what a run accepts, and refuses misspelt keys."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pathnet_evo import presets
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup.config import validate
from pathnet_evo.setup.json_schema import SCHEMA_COMMENT, configuration_schema, sweep_schema
from pathnet_evo.setup.problems import ConfigError
from pathnet_evo.setup.resolving import resolve
from pathnet_evo.setup.sweeps import read_sweep
from pathnet_evo.store.directory import resolved

FREE = {"kwargs", "attributes", "optimizer_kwargs"}
"""Tables whose keys are an environment's or an optimizer's."""


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    """A validator of configurations with the plugins that are installed."""
    found = json.loads(json.dumps(configuration_schema(Registry()), allow_nan=False))
    Draft202012Validator.check_schema(found)
    return Draft202012Validator(found)


def misspelt(data: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """The same data with one key misspelt, for each key."""
    if isinstance(data, list):
        for i, part in enumerate(data):
            for where, wrong in misspelt(part, f"{place}.{i}"):
                yield where, [*data[:i], wrong, *data[i + 1 :]]
    if not isinstance(data, dict):
        return
    for key, value in data.items():
        yield f"{place}.{key}", {f"{k}x" if k == key else k: v for k, v in data.items()}
        if key not in FREE:
            for where, wrong in misspelt(value, f"{place}.{key}"):
                yield where, {**data, key: wrong}


@pytest.mark.parametrize("name", presets.names())
def test_presets(name: str, schema: Draft202012Validator) -> None:
    """An editor would mark a preset as wrong, or pass over a misspelt key."""
    text = presets.read(name)
    assert text.splitlines()[0] == SCHEMA_COMMENT
    data = tomllib.loads(text)
    schema.validate(data)
    accepted = [where for where, wrong in misspelt(copy.deepcopy(data)) if schema.is_valid(wrong)]
    assert accepted == []


def test_a_run_records_what_the_schema_accepts(schema: Draft202012Validator) -> None:
    """An editor would mark the ``run.toml`` of a run as wrong."""
    data = tomllib.loads(presets.read("digits-halves"))
    text = resolved(
        resolve(validate({**data, "jobs": 2, "observers": ["tensorboard"]}), Registry())
    )
    assert text.splitlines()[0] == SCHEMA_COMMENT
    schema.validate(tomllib.loads(text))


@pytest.mark.parametrize(
    "change",
    [
        {"jobs": 3},
        {"strategy": "aging"},
        {"strategy": {"name": "aging", "sample": [[0, 2], [5, 3]]}},
        {"strategy": {"name": "aging", "sample": 5, "mate": "cxTwoPoint"}},
        {"strategy": {"name": "aging", "select": {"name": "selTournament", "tournsize": 3}}},
        {"arms": [{"name": "a", "strategy": "aging", "transfer": "keep"}]},
        {"plugins": ["mine.py", {"path": "other.py"}]},
        {"pool": {"layers": [{"kind": "linear", "repeat": 2}, {"kind": "residual", "units": 4}]}},
        {"stages": [{"task": "digits"}, {"task": {"name": "digits", "classes": {"draw": 2}}}]},
    ],
)
def test_short_forms(change: dict[str, Any], schema: Draft202012Validator) -> None:
    """An editor would mark as wrong what a run accepts."""
    schema.validate({"stages": [{"task": "digits"}], **change})


@pytest.mark.parametrize(
    "change",
    [
        {"jobs": 0},
        {"strategy": "agin"},
        {"strategy": {"name": "random-search", "sample": 5}},
        {"learner": {"name": "sgd", "num_envs": 2}},
        {"arms": ["pathnt"]},
        {"pool": {"layers": [{"kind": "linear", "channels": 2}]}},
        {"pool": {"layers": ["linear"]}},
        {"stages": []},
        {"stages": [{"task": {"name": "digits", "noise": 2}}]},
        {"sources": None},
    ],
)
def test_what_a_run_refuses(change: dict[str, Any], schema: Draft202012Validator) -> None:
    """An editor would accept the option of another plugin, or a value that a run refuses."""
    assert not schema.is_valid({"stages": [{"task": "digits"}], **change})


@pytest.fixture(scope="module")
def sweeps() -> Draft202012Validator:
    """A validator of sweeps with the plugins that are installed."""
    found = json.loads(json.dumps(sweep_schema(Registry()), allow_nan=False))
    Draft202012Validator.check_schema(found)
    return Draft202012Validator(found)


SEARCH = {
    "learner": {"name": "sgd", "learning_rate": {"low": 0.001, "high": 0.3, "log": True}},
    "strategy": {"choices": ["racing", {"name": "aging", "sample": 5}]},
    "pool": {
        "width": {"low": 2, "high": 4},
        "layers": [{"kind": "linear", "units": {"choices": [20, 40]}}],
    },
    "sweep": {"trials": 5, "stage": "digits", "score": "fitness"},
    "stages": [{"task": {"name": "digits", "noise": {"low": 0.0, "high": 0.5}}}],
}


def test_sweeps(sweeps: Draft202012Validator, schema: Draft202012Validator) -> None:
    """An editor would mark a sweep as wrong, or pass over a misspelt key of it."""
    read_sweep(SEARCH, (), Registry())
    sweeps.validate(SEARCH)
    assert not schema.is_valid(SEARCH)
    changed = misspelt(copy.deepcopy(SEARCH))
    accepted = [where for where, wrong in changed if sweeps.is_valid(wrong)]
    assert [where for where in accepted if ".choices." not in where] == []


@pytest.mark.parametrize("name", presets.names())
def test_a_sweep_of_a_preset(name: str, sweeps: Draft202012Validator) -> None:
    """An editor would mark as wrong what a sweep leaves as it is."""
    sweeps.validate({**tomllib.loads(presets.read(name)), "sweep": {"trials": 3}})


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": {"low": 1, "high": 3}},
        {"sweep": {"trials": 0}},
        {"sweep": {"score": "test"}},
        {"learner": {"name": "sgd", "learning_rate": {"low": 0.1}}},
        {"pool": {"width": {"choices": []}}},
    ],
)
def test_what_a_sweep_refuses(change: dict[str, Any], sweeps: Draft202012Validator) -> None:
    """An editor would accept a search that ends before its first trial."""
    with pytest.raises(ConfigError):
        read_sweep({**SEARCH, **change}, (), Registry())
    assert not sweeps.is_valid({**SEARCH, **change})
