"""Trees of images: what is read, what is kept, and what is said about those that are wrong."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import sys
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pathnet_evo.interfaces.tasks import TaskError
from pathnet_evo_images import decode
from pathnet_evo_images.cifar import Cifar10
from pathnet_evo_images.folder import Folder
from pathnet_evo_images.pixels import Frame
from pathnet_evo_images.source import decoded
from pathnet_evo_images.svhn import Svhn


def test_images_are_read_as_they_are(tmp_path, context, write_tree) -> None:
    """A user's images would be turned, swapped or given to the wrong class."""
    pixels = write_tree(tmp_path / "d", ["dog", "cat", "eel"], n=4)
    task = Folder(root=tmp_path / "d").make(context())
    assert task.class_names == ("cat", "dog", "eel")
    assert task.name == "d"
    for split, images, labels in (
        ("train", task.inputs, task.labels),
        ("test", task.test_inputs, task.test_labels),
    ):
        got = sorted(
            (task.class_names[label], image.permute(1, 2, 0).numpy().tobytes())
            for image, label in zip(images, labels.tolist(), strict=True)
        )
        expected = sorted(
            (path.split("/")[1], image.tobytes())
            for path, image in pixels.items()
            if path.startswith(split)
        )
        assert got == expected


def test_classes_are_mixed(tmp_path, context, write_tree) -> None:
    """The first images would all be of one class: a stretch of the data would be no sample."""
    write_tree(tmp_path / "d", ["a", "b"], n=40)
    labels = Folder(root=tmp_path / "d").make(context()).labels
    assert 5 < labels[:40].sum() < 35


def test_order_does_not_depend_on_where_the_tree_is(tmp_path, context, write_tree) -> None:
    """A run could not be repeated on another machine."""
    for name in ("d", "e"):
        write_tree(tmp_path / name, ["a", "b"], n=5)
    d, e = (Folder(root=tmp_path / name).make(context()) for name in ("d", "e"))
    assert torch.equal(d.inputs, e.inputs)


def test_grey_images_have_one_channel(tmp_path, context, write_tree) -> None:
    """Grey images would cost three times the memory and inputs."""
    pixels = write_tree(tmp_path / "d", ["a", "b"], n=1, mode="L")
    task = Folder(root=tmp_path / "d", classes=("a", "b")).make(context())
    assert task.input_shape == (1, 6, 5)
    image = task.inputs[task.labels == 0][0, 0]
    np.testing.assert_array_equal(image, pixels["train/a/0.png"])


def test_grey_among_colour_becomes_colour(tmp_path, context, write_tree) -> None:
    """One grey photo would make a tree of colour unreadable."""
    write_tree(tmp_path / "d", ["a", "b"], n=1)
    grey = np.random.default_rng(1).integers(0, 256, (6, 5), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "d/train/a/0.png")
    task = Folder(root=tmp_path / "d").make(context())
    assert task.input_shape == (3, 6, 5)
    image = task.inputs[task.labels == 0][0]
    np.testing.assert_array_equal(image, np.stack([grey] * 3))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_kinds_of_pixels(mode, tmp_path, context, write_tree) -> None:
    """Images with palettes, transparency, print colours or 16 bits would be read wrong."""
    write_tree(tmp_path / "d", ["a", "b"], n=1, size=(8, 8))
    shade = Image.linear_gradient("L").resize((8, 8))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(shade).astype(np.uint16) * 257)
    else:
        image = shade.convert("RGB").convert(mode) if mode in ("P", "CMYK") else shade.convert(mode)
    path = tmp_path / "d/train/a/0.png"
    path.unlink()
    image.save(path.with_suffix(".tif") if mode == "CMYK" else path)
    task = Folder(root=tmp_path / "d", channels=1).make(context())
    got = task.inputs[task.labels == 0][0, 0].numpy().astype(int)
    # two colours and a palette cannot hold the gradient: what they hold, Pillow says
    expected = image.convert("RGB").convert("L") if mode in ("1", "P") else shade
    assert np.abs(got - np.asarray(expected).astype(int)).max() <= 1


def test_jpeg_is_decoded_as_pillow_does(tmp_path, context, write_tree) -> None:
    """Photos would be read in wrong colours."""
    write_tree(tmp_path / "d", ["a", "b"], n=1, size=(16, 16))
    written = io.BytesIO()
    Image.radial_gradient("L").resize((16, 16)).convert("RGB").save(written, "JPEG")
    (tmp_path / "d/train/a/0.png").unlink()
    (tmp_path / "d/train/a/PHOTO.JPG").write_bytes(written.getvalue())
    task = Folder(root=tmp_path / "d").make(context())
    expected = np.asarray(Image.open(written)).transpose(2, 0, 1)
    np.testing.assert_array_equal(task.inputs[task.labels == 0][0], expected)


def test_folders_in_classes_and_other_files(tmp_path, context, write_tree) -> None:
    """Nested images would be missed, or a ``Thumbs.db`` would stop everything."""
    write_tree(tmp_path / "d", ["a", "b"], n=1)
    (tmp_path / "d/train/a/deep").mkdir()
    Image.new("RGB", (5, 6)).save(tmp_path / "d/train/a/deep/1.png")
    (tmp_path / "d/train/a/Thumbs.db").write_text("no image")
    (tmp_path / "d/train/a/._0.png").write_text("no image")
    (tmp_path / "d/train/.hidden").mkdir()
    with pytest.warns(UserWarning, match=r"skipped in .*: 3 hidden or made by the system"):
        assert len(Folder(root=tmp_path / "d").make(context()).inputs) == 3


def test_images_of_different_sizes(tmp_path, context, write_tree) -> None:
    """The error would not say which images differ, or what to do."""
    write_tree(tmp_path / "d", ["a", "b"], n=1)
    Image.new("RGB", (9, 4)).save(tmp_path / "d/test/b/0.png")
    message = r"^folder: images differ in size \(.* is 5x6, .*test/b/0\.png 9x4\)\. .*size=32"
    with pytest.raises(TaskError, match=message):
        Folder(root=tmp_path / "d").make(context())
    for fit in ("resize", "pad"):
        task = Folder(root=tmp_path / "d", size=10, fit=fit).make(context())
        assert task.input_shape == (3, 10, 10)
    with pytest.raises(TaskError, match=r'0\.png: fit = "pad" cannot bring 6x5 pixels to 5x5'):
        Folder(root=tmp_path / "d", size=5, fit="pad").make(context())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: shutil.rmtree(d / "train"), r"no folder .*train\. Put .*stages\.0\.task"),
        (lambda d: shutil.rmtree(d / "test"), r"no folder .*test\. Move some"),
        (lambda d: os.rename(d / "test/b", d / "b"), r"no images in .*test/b "),
        (lambda d: (d / "train/b/0.png").unlink(), r"no images in .*train/b "),
        (lambda d: (d / "test/c").mkdir(), r"test/c is a class without a folder in train/"),
        (lambda d: (d / "train/b/0.png").write_bytes(b"GIF?"), r"cannot read .*b/0\.png \(not an"),
        (lambda d: os.truncate(d / "train/b/0.png", 60), r"cannot read .*train/b/0\.png \("),
        (lambda d: os.symlink("none", d / "test/a/x.png"), r"cannot read .*a/x\.png \(No such"),
    ],
    ids=["train", "test", "no class", "empty", "extra", "no image", "truncated", "dead link"],
)
def test_trees_that_are_wrong(spoil, message, tmp_path, context, write_tree) -> None:
    """The error would not name the file or folder to look at."""
    write_tree(tmp_path / "d", ["a", "b"], n=1)
    spoil(tmp_path / "d")
    with pytest.raises(TaskError, match=r"^folder: .*" + message):
        Folder(root=tmp_path / "d").make(context())


def test_one_class_is_no_task(tmp_path, context, write_tree) -> None:
    """A classifier of one class would be perfect at once."""
    write_tree(tmp_path / "d", ["a"], n=1)
    with pytest.raises(TaskError, match=r"holds 1 class \(a\); a task needs two"):
        Folder(root=tmp_path / "d").make(context())


def test_the_next_process_reads_what_was_kept(
    tmp_path, monkeypatch, context, write_tree, cache
) -> None:
    """Every run would decode all images again."""
    write_tree(tmp_path / "d", ["a", "b"])
    first = Folder(root=tmp_path / "d").make(context())
    assert len(list(cache.glob("*.pixels"))) == 1
    decoded.cache_clear()
    monkeypatch.setattr(Image, "open", None)
    assert torch.equal(first.inputs, Folder(root=tmp_path / "d").make(context()).inputs)


def parts(data: bytes) -> tuple[bytes, dict[str, Any], bytes]:
    """The digest, the facts and the pixels of an entry."""
    digest, facts, pixels = data.split(b"\n", 2)
    return digest, json.loads(facts), pixels


def entry(facts: dict[str, Any], pixels: bytes) -> bytes:
    """An entry under a digest that is right."""
    rest = json.dumps(facts).encode() + b"\n" + pixels
    return hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest


def damage_by_truncation(data: bytes) -> bytes:
    """A copy that was interrupted."""
    return data[: len(data) // 2]


def damage_by_a_bit(data: bytes) -> bytes:
    """A bit that the disk flipped."""
    return data[:-5] + bytes([data[-5] ^ 1]) + data[-4:]


def damage_of_the_key(data: bytes) -> bytes:
    """Images of another state of the files, whole and sound."""
    _, facts, pixels = parts(data)
    return entry({**facts, "key": "0" * 64}, bytes(len(pixels)))


def damage_by_a_huge_shape(data: bytes) -> bytes:
    """A shape that no machine has the memory for."""
    _, facts, pixels = parts(data)
    return entry({**facts, "shape": [24, 3, 10**9, 10**9]}, pixels)


def damage_of_the_shape(data: bytes) -> bytes:
    """A shape of the right size that is none."""
    _, facts, pixels = parts(data)
    return entry({**facts, "shape": [24, -3, -6, 5]}, pixels)


def damage_of_types(data: bytes) -> bytes:
    """Text where numbers belong."""
    _, facts, pixels = parts(data)
    return entry({**facts, "shape": "abcd", "others": None}, pixels)


def damage_by_nesting(data: bytes) -> bytes:
    """What another program could have put there."""
    rest = b"[" * 100_000 + b"\n"
    return hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest


def damage_by_a_pickle(data: bytes) -> bytes:
    """What must never be loaded."""
    return pickle.dumps([data])


@pytest.mark.parametrize(
    "damage",
    [
        damage_by_truncation,
        damage_by_a_bit,
        damage_of_the_key,
        damage_by_a_huge_shape,
        damage_of_the_shape,
        damage_of_types,
        damage_by_nesting,
        damage_by_a_pickle,
        lambda data: b"",
        lambda data: b"nonsense",
    ],
)
def test_a_damaged_cache_is_rebuilt(damage, tmp_path, context, write_tree, cache) -> None:
    """A flipped bit or a full disk would change a task, or block it until cleaned up by hand."""
    write_tree(tmp_path / "d", ["a", "b"], n=6)
    first = Folder(root=tmp_path / "d").make(context())
    (kept,) = cache.glob("*.pixels")
    good = kept.read_bytes()
    kept.write_bytes(damage(good))
    decoded.cache_clear()
    assert torch.equal(first.inputs, Folder(root=tmp_path / "d").make(context()).inputs)
    assert kept.read_bytes() == good


def test_changed_images_are_decoded_again(tmp_path, context, write_tree) -> None:
    """A user would correct an image, and go on training with the old one."""
    write_tree(tmp_path / "d", ["a", "b"], n=1)
    Folder(root=tmp_path / "d").make(context())
    Image.new("RGB", (5, 6), (1, 2, 3)).save(tmp_path / "d/train/a/0.png")
    task = Folder(root=tmp_path / "d").make(context())
    assert task.inputs[task.labels == 0][0, :, 0, 0].tolist() == [1, 2, 3]


def test_without_a_place_to_keep_them(tmp_path, monkeypatch, context, write_tree) -> None:
    """A read-only home would stop the run, or slow every run without a word."""
    write_tree(tmp_path / "d", ["a", "b"], n=1)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="cannot be cached .* XDG_CACHE_HOME") as caught:
        task = Folder(root=tmp_path / "d").make(context())
    assert len(caught) == 1
    assert len(task.inputs) == 2


def test_nothing_half_written_is_left(tmp_path, monkeypatch, context, write_tree, cache) -> None:
    """A full disk would fill up further with the rests of every attempt."""
    write_tree(tmp_path / "d", ["a", "b"], n=1)

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.warns(UserWarning, match="No space left on device"):
        Folder(root=tmp_path / "d").make(context())
    assert [path for path in cache.iterdir() if path.is_file()] == []


def test_decoding_in_a_frame_is_framing_what_was_decoded(tmp_path, context, write_tree) -> None:
    """The same images would differ by whether they were resized before or after the cache."""
    write_tree(tmp_path / "d", ["a", "b"], n=3, size=(17, 17))
    folder = Folder(root=tmp_path / "d")
    native = folder.make(context())
    small = Folder(root=tmp_path / "d", size=7, channels=1).make(context())
    assert torch.equal(Frame(1, 7, 7).apply(native.inputs), small.inputs)


def test_a_bar_is_shown_on_terminals_only(
    tmp_path, monkeypatch, context, write_tree, capsys
) -> None:
    """A long first decoding would look like a hang, or fill log files with bars."""
    write_tree(tmp_path / "d", ["a", "b"], n=2)
    monkeypatch.setattr(decode, "LONG", 1)
    Folder(root=tmp_path / "d").make(context())
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    Folder(root=tmp_path / "d", size=4).make(context())
    out, err = capsys.readouterr()
    assert out == ""
    assert "folder: decoding 8 images" in err


@pytest.mark.parametrize("task", [Cifar10, Svhn])
@pytest.mark.parametrize("under", [True, False], ids=["root/NAME", "root"])
def test_trees_of_published_images(task, under, tmp_path, context, write_tree) -> None:
    """CIFAR-10 or SVHN as folders of images would not be found, or classes be in disorder."""
    tree = tmp_path / "d" / task.kind if under else tmp_path / "d"
    pixels = write_tree(tree, task.official, n=1, size=(32, 32))
    made = task(root=tmp_path / "d", download=False).make(context())
    assert made.class_names == task.official
    for image, label in zip(made.inputs, made.labels.tolist(), strict=True):
        expected = pixels[f"train/{task.official[label]}/0.png"].transpose(2, 0, 1)
        np.testing.assert_array_equal(image.numpy(), expected)


def test_a_tree_of_other_classes_is_not_taken_for_cifar(tmp_path, context, write_tree) -> None:
    """Cats and dogs of a user's own under ``data/`` would be reported as CIFAR-10."""
    write_tree(tmp_path / "d", ["cat", "dog"], n=1)
    with pytest.raises(TaskError, match=r"^cifar10: no data under"):
        Cifar10(root=tmp_path / "d", download=False).make(context())
    write_tree(tmp_path / "e" / "cifar10", ["cat", "dog"], n=1)
    with pytest.raises(TaskError, match=r"^cifar10: .* holds the classes cat, dog; cifar10 has"):
        Cifar10(root=tmp_path / "e", download=False).make(context())


def test_a_tree_is_decoded_once_for_all_sizes(tmp_path, monkeypatch, context, write_tree) -> None:
    """Each change of size would decode 60,000 files again."""
    write_tree(tmp_path / "d" / "svhn", Svhn.official, n=1, size=(32, 32))
    first = Svhn(root=tmp_path / "d").make(context())
    monkeypatch.setattr(Image, "open", None)
    small = Svhn(root=tmp_path / "d", size=16).make(context())
    assert torch.equal(first.labels, small.labels)
    assert small.input_shape == (3, 16, 16)
