"""What the tests of the A3C learner share."""

import importlib.util
import sys
from pathlib import Path as File
from types import ModuleType

import pytest

from pathnet_evo.plugins.files import PluginFile, import_file


def _load(name: str, file: File) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def walk():
    """The task ``WalkTask``, in a module that worker processes can have, too."""
    file = PluginFile(path=str(File(__file__).with_name("environments.py")))
    return import_file(file)[0].WalkTask


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    """Networks of plain ``torch.nn`` to compare with."""
    return _load("tests_a3c_reference", File(__file__).parents[2] / "core" / "reference.py")
