"""Arguments that make runs short."""

from __future__ import annotations

import pytest

SMALL = ["--seeds", "1", "--set", "stages.*.generations=3", "--set", "strategy.population=4"]
"""Makes the default preset run in well under a second."""


@pytest.fixture
def small() -> list[str]:
    """Arguments of ``run`` that make it short."""
    return list(SMALL)
