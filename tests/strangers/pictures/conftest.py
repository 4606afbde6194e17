"""What the tests of trees of images share: a cache of one's own, a small tree, and its greys."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.tasks import SupervisedTask, TaskContext
from pathnet_evo_images.folder import Folder
from pathnet_evo_images.source import decoded

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
SIDE = 4
Greys = dict[str, list[int]]
"""By split and class."""


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, on disk and in the process."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    decoded.cache_clear()
    return tmp_path / "cache" / "pathnet-evo" / "images"


@pytest.fixture(scope="session")
def benchmarks() -> Iterator[None]:
    """The benchmarks can be imported."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(str(BENCHMARKS))
        yield


@pytest.fixture(scope="session")
def fuzz(benchmarks: None) -> ModuleType:
    """The fuzz of the benchmarks."""
    return importlib.import_module("fuzz_images")


@pytest.fixture(scope="session")
def cases(benchmarks: None) -> ModuleType:
    """What writes its trees."""
    return importlib.import_module("image_cases")


@pytest.fixture(autouse=True)
def limit(fuzz: ModuleType) -> Iterator[None]:
    """What hangs, fails."""
    with fuzz.limit(40):
        yield


@pytest.fixture
def d(tmp_path: Path, paint: Callable[[Path, int], None]) -> Path:
    """Cats and dogs, two images of each for training and one for testing, each of one grey."""
    for number, name in enumerate(("train/cat/0", "train/cat/1", "train/dog/0", "train/dog/1")):
        paint(tmp_path / "d" / f"{name}.bmp", 10 + number)
    for number, name in enumerate(("test/cat/0", "test/dog/0")):
        paint(tmp_path / "d" / f"{name}.bmp", 20 + number)
    return tmp_path / "d"


@pytest.fixture
def paint() -> Callable[[Path, int], None]:
    """Writes an image of one grey; all have one size in bytes, and one time of modification."""

    def write(file: Path, grey: int) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (SIDE, SIDE), grey).save(file)
        os.utime(file, ns=(10**18, 10**18))

    return write


@pytest.fixture
def make() -> Callable[..., SupervisedTask]:
    """Makes the task of a tree, in this process or, ``again``, as another one would find it."""

    def make(root: Path, again: bool = False, **settings: object) -> SupervisedTask:
        if again:
            decoded.cache_clear()
        return Folder(root=root, **settings).make(TaskContext(Streams(0)))

    return make


@pytest.fixture
def greys() -> Callable[[SupervisedTask], Greys]:
    """The greys of a task's images."""

    def read(task: SupervisedTask) -> Greys:
        found: Greys = {}
        for split, images, labels in (
            ("train", task.inputs, task.labels),
            ("test", task.test_inputs, task.test_labels),
        ):
            for image, label in zip(images, labels.tolist(), strict=True):
                place = f"{split}/{task.class_names[label]}"
                found.setdefault(place, []).append(int(image[0, 0, 0]))
        return {place: sorted(values) for place, values in found.items()}

    return read


@pytest.fixture
def on_disk() -> Callable[[Path], Greys]:
    """The same, read from the files by Pillow."""

    def read(root: Path) -> Greys:
        found: Greys = {}
        for folder in (*(root / "train").iterdir(), *(root / "test").iterdir()):
            values = [Image.open(file).getpixel((0, 0)) for file in folder.iterdir()]
            found[f"{folder.parent.name}/{folder.name}"] = sorted(values)
        return found

    return read
