"""What contract kits share: checks of a plugin's settings, and a disturbed global randomness."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import tomli_w
import torch
from pydantic import BaseModel, ValidationError


def check_settings(settings: BaseModel, what: str) -> None:
    """Assert that a plugin's settings survive ``run.toml`` and refuse keys that they do not have.

    A run is repeated from its ``run.toml``, and a misspelt key must not be passed over.
    """
    kind = type(settings)
    data = _without_nothing(settings.model_dump(mode="json"))
    again = kind.model_validate(tomllib.loads(tomli_w.dumps(data)))
    assert again == settings, (
        f"a {what}'s settings must come back from TOML as they were, so that run.toml repeats a "
        f"run: {settings!r} came back as {again!r}"
    )
    try:
        kind.model_validate({**data, "no_such_key": 1})
    except ValidationError:
        return
    raise AssertionError(
        f"a {what} must refuse keys that it does not have (extra='forbid'), but {kind.__name__} "
        "took no_such_key = 1"
    )


def _without_nothing(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value is not None}


@contextmanager
def global_seed(seed: int) -> Iterator[None]:
    """Seed every global generator, and put them back: what a plugin must not depend on."""
    kept = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])  # noqa: NPY002
        torch.set_rng_state(kept[2])
