"""Folders of classes without training and test folders: content decides where a picture goes."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pathnet_evo.interfaces.tasks import SupervisedTask, TaskError
from pathnet_evo_images import tree
from pathnet_evo_images.content import for_testing
from pathnet_evo_images.folder import Folder
from pathnet_evo_images.source import decoded

CLASSES = ("a", "b", "c")


def write(root: Path, n: int = 40, classes=CLASSES, size: int = 9, seed: int = 0) -> None:
    """Random pictures, ``root/CLASS/*.png``."""
    rng = np.random.default_rng(seed)
    for name in classes:
        (root / name).mkdir(parents=True, exist_ok=True)
        for index in range(n):
            pixels = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{seed}-{index}.png")


def sides(task: SupervisedTask) -> tuple[list[bytes], list[bytes]]:
    """The pixels of each training and each test picture."""
    return tuple(
        [image.permute(1, 2, 0).numpy().tobytes() for image in part]
        for part in (task.inputs, task.test_inputs)
    )


def test_the_lowest_digests_are_tested(tmp_path, context) -> None:
    """A picture's side would depend on something else than its content."""
    write(tmp_path / "d")
    wanted = {True: [], False: []}
    for path in (tmp_path / "d").rglob("*.png"):
        share = int(hashlib.sha256(path.read_bytes()).hexdigest(), 16) / 2**256
        wanted[share < 0.2].append(np.asarray(Image.open(path)).tobytes())
    train, test = sides(Folder(root=tmp_path / "d").make(context()))
    assert sorted(train) == sorted(wanted[False])
    assert sorted(test) == sorted(wanted[True])
    assert 12 < len(test) < 36


def test_copies_are_on_one_side_and_more_pictures_move_none(tmp_path, context) -> None:
    """A test picture would be one that was trained on, here or after the folder grew."""
    write(tmp_path / "d")
    train, test = map(set, sides(Folder(root=tmp_path / "d").make(context())))
    for path in [*(tmp_path / "d" / "a").iterdir()]:
        shutil.copy(path, path.with_name(f"copy-{path.name}"))
        shutil.copy(path, tmp_path / "d" / "b" / f"of-a-{path.name}")
    write(tmp_path / "d", seed=1)
    decoded.cache_clear()
    more_train, more_test = sides(Folder(root=tmp_path / "d").make(context()))
    assert not set(more_train) & set(more_test)
    assert train < set(more_train)
    assert test < set(more_test)
    assert len(more_train) + len(more_test) == 3 * 80 + 80


def test_every_class_has_both_sides(tmp_path, context) -> None:
    """A class of few pictures would be never trained, or never tested."""
    write(tmp_path / "d", n=2)
    for fraction in (0.001, 0.999):
        decoded.cache_clear()
        task = Folder(root=tmp_path / "d", test_fraction=fraction).make(context())
        assert task.labels.unique().tolist() == task.test_labels.unique().tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("names", "labels", "fraction"),
    [("xzxw", [0, 0, 1, 1], 0.001), ("xzxw", [0, 0, 1, 1], 0.999), ("xyxy", [0, 0, 1, 1], 0.001)],
)
def test_classes_that_share_pictures_have_both_sides(names, labels, fraction) -> None:
    """A class would be left without test pictures, for a picture that another class has as well."""
    found = {name: hashlib.sha256(name.encode()).hexdigest() for name in "wxyz"}
    tested = for_testing([found[name] for name in names], labels, fraction)
    for label in (0, 1):
        assert {t for t, own in zip(tested, labels, strict=True) if own == label} == {True, False}


def test_the_split_is_kept_with_the_pixels(tmp_path, context, monkeypatch) -> None:
    """Every trial would read all files again to split them, or split them in another way."""
    write(tmp_path / "d")
    first = sides(Folder(root=tmp_path / "d").make(context()))
    decoded.cache_clear()
    monkeypatch.setattr(tree.content, "digests", lambda files: pytest.fail("read again"))
    assert sides(Folder(root=tmp_path / "d").make(context())) == first


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: shutil.rmtree(d), r"no folder .*d/train\. Put images into .*d/CLASS/, or"),
        (lambda d: [shutil.rmtree(d / c) for c in "abc"], r"no folders of classes in .*/CLASS/\.$"),
        (lambda d: [shutil.rmtree(d / c) for c in "bc"], r"d holds 1 class \(a\); a task needs"),
        (lambda d: [f.unlink() for f in (d / "b").iterdir()], r"no images in .*d/b "),
        (lambda d: [f.unlink() for f in [*(d / "b").iterdir()][1:]], r"d/b needs two different"),
        (
            lambda d: (d / "a").rename(d / "train"),
            r"d has the folders train and b\. Images .* if train is a class, rename it; "
            r"if not, move some images of each class into .*d/test/CLASS/\.",
        ),
        (lambda d: (d / "b").rename(d / "test"), r"if test is a class, .* into .*d/train/CLASS/"),
        (lambda d: write(d, size=1, seed=0), r"too small to learn from: 1 pixels"),
    ],
)
def test_wrong_folders(tmp_path, context, damage, message) -> None:
    """A user would not know what is wrong with the folder, or learn from it as it is."""
    write(tmp_path / "d")
    damage(tmp_path / "d")
    with pytest.raises(TaskError, match=rf"^folder: .*{message}"):
        Folder(root=tmp_path / "d", max_size=32).make(context())


@pytest.mark.parametrize(("sizes", "wanted"), [((10, 20, 90), 20), ((50, 60, 70), 32)])
def test_the_size_follows_the_pictures(tmp_path, context, sizes, wanted) -> None:
    """Small pictures would be blown up, large ones learned at full size, or mixed ones refused."""
    for seed, size in enumerate(sizes):
        write(tmp_path / "d", n=3, size=size, seed=seed)
    task = Folder(root=tmp_path / "d", max_size=32).make(context())
    assert task.input_shape == (3, wanted, wanted)
    fixed = Folder(root=tmp_path / "d", max_size=32).make(context(input_shape=(3, 12, 12)))
    assert fixed.input_shape == (3, 12, 12)
