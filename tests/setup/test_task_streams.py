"""``[stream]``: the stages that it makes, and what it refuses."""

from __future__ import annotations

import pytest

from pathnet_evo import presets
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup.config import parse, validate
from pathnet_evo.setup.preparing import configure, ready
from pathnet_evo.setup.problems import ConfigError
from pathnet_evo.setup.resolving import resolve
from pathnet_evo.store.directory import resolved

DIGITS = {"name": "digits"}
STREAMS = ["split-mnist", "permuted-mnist", "rotated-mnist", "split-cifar10", "split-cifar100"]
STREAMS += ["split-cifar10-backbone", "ctrl-s-minus"]


def stages(**stream: object) -> list[dict[str, object]]:
    """The stages that a stream makes, without what was not set."""
    config = validate({"stream": stream})
    kept = [stage.model_dump(exclude_unset=True) for stage in config.stages]
    assert all(stage.pop("generations") == stream.get("generations", 100) for stage in kept)
    return kept


def test_split_divides_the_classes():
    """A class would be learned twice, or never."""
    assert stages(name="split", task="digits", parts=5, shuffle=True) == [
        {"task": {"name": "digits", "classes": {"part": i, "of": 5, "shuffle": True}}}
        for i in range(5)
    ]


def test_permuted_and_rotated_change_the_pixels_of_one_task():
    """All stages would be the same task, or could not be told apart in reports."""
    assert stages(name="permuted", task=DIGITS, parts=2, seed=7) == [
        {"name": "permutation 0", "task": {"name": "digits", "permutation": 7}},
        {"name": "permutation 1", "task": {"name": "digits", "permutation": 8}},
    ]
    assert stages(name="rotated", task=DIGITS, degrees=[0, 22.5]) == [
        {"name": "rotated by 0", "task": {"name": "digits", "rotation": 0}},
        {"name": "rotated by 22.5", "task": {"name": "digits", "rotation": 22.5}},
    ]


def test_a_list_of_tasks_shares_one_budget():
    """Every stage of a list would have to repeat the budget."""
    assert stages(
        name="list", tasks=["digits", {"name": "digits", "noise": 0.5}], generations=3
    ) == [
        {"task": {"name": "digits"}},
        {"task": {"name": "digits", "noise": 0.5}},
    ]


@pytest.mark.parametrize(
    ("name", "labels"),
    [("ctrl-s-minus", {}), ("ctrl-s-out", {"classes": {"part": 0, "of": 1, "shuffle": True}})],
)
def test_the_first_task_of_ctrl_returns(name, labels):
    """The stream would not show whether what was learned first is found again."""
    first = {"name": "digits"}
    assert stages(name=name, tasks=["digits", "mnist"], large=90, small=30) == [
        {"task": first | {"examples": 90}},
        {"task": {"name": "mnist", "examples": 30}},
        {"name": "digits again", "task": first | {"examples": 30} | labels},
    ]


def test_a_budget_per_stage_and_a_learner():
    """CTrL's first stage could not have more than the others."""
    stream = {"name": "permuted", "task": "digits", "parts": 2, "generations": [3, 4]}
    config = validate({"stream": stream | {"learner": {"name": "sgd"}, "threshold": 0.9}})
    assert [stage.generations for stage in config.stages] == [3, 4]
    assert all(s.learner == {"name": "sgd"} and s.threshold == 0.9 for s in config.stages)


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        ({"name": "splt"}, 'stream.name: expected a stream. Did you mean "split"? (have: split'),
        ({"parts": 2}, "stream.name: expected a stream (have: split"),
        (5, "stream.name: expected a stream (have: split"),
        ({"name": "split", "task": "digits"}, "stream.parts: missing"),
        ({"name": "split", "task": "digits", "parts": 0}, "stream.parts: input should be greater"),
        (
            {"name": "split", "task": "digits", "parts": 2, "part": 1},
            'stream.part: unknown key. Did you mean "p',
        ),
        ({"name": "rotated", "task": "digits", "degrees": []}, "stream.degrees: list should have"),
        ({"name": "list", "tasks": [3]}, "stream.tasks.0: input should be a valid dictionary"),
        (
            {"name": "permuted", "task": "digits", "parts": 2, "generations": [1, 2, 3]},
            "stream.generations: 3 numbers of generations for 2 stages",
        ),
        (
            {"name": "ctrl-s-out", "tasks": ["digits"], "large": 9, "small": 9},
            "stream: small is 9, expected fewer than large (9)",
        ),
    ],
)
def test_mistakes_are_named(stream, said):
    """A mistake in a stream would end in a traceback, or be reported of stages nobody wrote."""
    with pytest.raises(ConfigError) as refused:
        configure({"stream": stream}, [], Registry())
    (line,) = str(refused.value).splitlines()
    assert said in line


def test_either_stream_or_stages():
    """One of the two would be ignored without a word."""
    with pytest.raises(ConfigError, match="stream: makes the stages: leave out either"):
        validate({"stream": "split", "stages": [{"task": DIGITS}]})


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (
            {"name": "split", "task": "digits", "parts": 6},
            "stages.*.task: digits: 6 parts of 10 classes have fewer than two classes each. "
            "Use at most 5 parts.",
        ),
        (
            {
                "name": "list",
                "tasks": [{"name": "digits", "size": 8}, {"name": "digits", "size": 9}],
            },
            "stages.1.task: examples are (1, 9, 9), but the pool takes (1, 8, 8): leave size and "
            "channels out, or set them for all stages",
        ),
    ],
)
def test_streams_that_do_not_fit_their_data(stream, said):
    """More parts than classes would be said once a stage, other sizes without a way out."""
    config = validate({"stream": stream})
    with pytest.raises(ConfigError) as refused:
        ready(config, Registry())
    assert str(refused.value) == said


def test_settings_reach_the_stream_and_then_its_stages():
    """``--set`` could change neither the number of stages nor the data of all of them."""
    settings = ["stages.*.generations=5", "stream.parts=3", "stages.1.task.examples=40"]
    config, _ = configure("split-mnist", settings, Registry())
    assert [stage.generations for stage in config.stages] == [5, 5, 5]
    assert [stage.task.get("examples") for stage in config.stages] == [None, 40, None]


@pytest.mark.parametrize("name", STREAMS)
def test_presets_are_resolved_to_their_stages(name):
    """A run could not be repeated, checked or resumed from its own ``run.toml``."""
    config, label = configure(name, [], Registry())
    plan = resolve(config, Registry())
    data = parse(resolved(plan), label)
    assert "stream" not in data
    again = resolve(validate(data), Registry())
    assert again.stages == plan.stages
    assert resolved(again) == resolved(plan)
    about = [line for line in presets.read(name).splitlines() if line.startswith("# ")]
    assert any(line.startswith("# Network: ") for line in about)
    assert any(line.startswith("# Budget: ") for line in about)
