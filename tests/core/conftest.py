"""Plain networks to compare with."""

import importlib.util
from pathlib import Path as File
from types import ModuleType

import pytest


def load(file: File) -> ModuleType:
    """A module of the tests by its file."""
    spec = importlib.util.spec_from_file_location(f"tests_{file.stem}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    """Networks of plain ``torch.nn`` to compare with."""
    return load(File(__file__).with_name("reference.py"))
