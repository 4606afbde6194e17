"""What the tests of the image tasks share: a cache folder of their own, contexts, written trees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pathnet_evo.core.modules import Shape
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.tasks import TaskContext, TaskSettings
from pathnet_evo_images.source import decoded


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, on disk and in the process."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    decoded.cache_clear()
    return folder / "pathnet-evo" / "images"


@pytest.fixture
def context() -> Callable[..., TaskContext]:
    """Makes contexts."""

    def make(
        seed: int = 0,
        stage: int = 0,
        sequence: Sequence[TaskSettings] = (),
        input_shape: Shape | None = None,
    ) -> TaskContext:
        return TaskContext(Streams(seed), stage, sequence, input_shape)

    return make


@pytest.fixture
def write_tree() -> Callable[..., dict[str, np.ndarray]]:
    """Writes a tree of lossless images; gives the pixels ``(H, W, C)`` by relative path."""

    def write(
        root: Path,
        names: Sequence[str],
        n: int = 3,
        size: tuple[int, int] = (6, 5),
        mode: str = "RGB",
        seed: int = 0,
    ) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        shape = (*size, 3) if mode == "RGB" else size
        pixels = {}
        for split in ("train", "test"):
            for name in names:
                (root / split / name).mkdir(parents=True)
                for index in range(n):
                    path = f"{split}/{name}/{index}.png"
                    pixels[path] = rng.integers(0, 256, shape, dtype=np.uint8)
                    Image.fromarray(pixels[path]).save(root / path)
        return pixels

    return write
