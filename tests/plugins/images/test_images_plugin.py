"""The plugin as the framework meets it."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest
from pydantic import ValidationError

import pathnet_evo_images
from pathnet_evo.interfaces.tasks import SupervisedTask, TaskSettings
from pathnet_evo_images.digits import Digits

TASKS = {
    *("cifar10", "cifar100", "svhn", "mnist", "fashion-mnist", "kmnist", "emnist"),
    *("folder", "digits"),
}


def registered() -> dict[str, str]:
    """What the plugin registers, by name."""
    names: dict[str, str] = {}
    pathnet_evo_images.register_tasks(names.__setitem__)
    return names


def test_all_image_tasks_are_registered() -> None:
    """A task of the documentation would not be found under its name."""
    assert set(registered()) == TASKS


@pytest.mark.parametrize("name", sorted(TASKS))
def test_registered_strings_lead_to_task_settings(name: str) -> None:
    """A registered task could not be imported, or would not say its own name in errors."""
    module, cls = registered()[name].split(":")
    task = getattr(importlib.import_module(module), cls)
    assert issubclass(task, TaskSettings)
    assert task.kind == name


def test_registering_imports_no_heavy_library() -> None:
    """``--help`` would take seconds, because registering tasks imports torch."""
    code = "import sys, pathnet_evo_images; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "field",
    [
        {"noise": 1.1},
        {"noise": -0.1},
        {"noise": float("nan")},
        {"size": 0},
        {"channels": 0},
        {"examples": 0},
        {"fit": "crop"},
        {"classes": {"draw": 1}},
        {"classes": {"drawn": 2}},
        {"classes": ["1"]},
        {"colour": True},
        {"download": True},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(field: dict[str, object]) -> None:
    """A mistake in a configuration would come to light deep inside a run, or never."""
    with pytest.raises(ValidationError):
        Digits.model_validate(field)


def test_settings_survive_being_written_and_read() -> None:
    """The resolved configuration of a run would not start the same run again."""
    settings = Digits(classes=("3", 5), noise=0.5, size=16)
    assert Digits.model_validate(settings.model_dump(mode="json")) == settings


def test_digits_need_no_files(context) -> None:
    """The task that works out of the box would not."""
    task = Digits(root="nowhere").make(context())
    assert isinstance(task, SupervisedTask)
    assert task.name == "digits"
    assert task.input_shape == (1, 8, 8)
    assert task.class_names == tuple("0123456789")
    assert (len(task.inputs), len(task.test_inputs)) == (1442, 355)


def test_digits_are_split_by_the_documented_rule(context) -> None:
    """Test accuracies would not be comparable with those of others who follow the rule."""
    from sklearn.datasets import load_digits

    bundle = load_digits()
    seen = dict.fromkeys(range(10), 0)
    expected = []
    for image, digit in zip(bundle.images, bundle.target.tolist(), strict=True):
        seen[digit] += 1
        if seen[digit] % 5 == 0:
            expected.append((round(image.sum()), digit))
    task = Digits(normalise=False).make(context())
    got = [
        (round((image.double() * 16 / 255).round().sum().item()), digit)
        for image, digit in zip(task.test_inputs, task.test_labels.tolist(), strict=True)
    ]
    assert got == expected
