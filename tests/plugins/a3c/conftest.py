"""What the tests of the A3C learner share."""

import importlib.util
import sys
from pathlib import Path as File
from types import ModuleType

import pytest


def _load(name: str, file: File) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


environments = _load("tests_a3c_environments", File(__file__).with_name("environments.py"))


@pytest.fixture(scope="session")
def walk():
    """The task ``WalkTask``."""
    return environments.WalkTask


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    """Networks of plain ``torch.nn`` to compare with."""
    return _load("tests_a3c_reference", File(__file__).parents[2] / "core" / "reference.py")
