"""What file managers, servers and archives leave in a tree of images."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from pathnet_evo.errors import UserNotice
from pathnet_evo.interfaces.tasks import TaskError


def test_a_synology_and_a_mac_left_their_things(d, paint, make, greys, on_disk) -> None:
    """Thumbnails would be counted as images, and ``@eaDir`` be taken for a class."""
    before = on_disk(d)
    for folder in ("train/@eaDir", "train/cat/@eaDir/0.bmp", "train/dog/__MACOSX", "test/#recycle"):
        paint(d / folder / "SYNOPHOTO_THUMB_M.jpg", 255)
    for name in ("train/.DS_Store", "train/cat/Thumbs.db", "test/dog/._0.bmp", "test/desktop.ini"):
        (d / name).write_bytes(b"\0")
    with pytest.warns(UserNotice) as caught:
        assert greys(make(d)) == before
    assert [str(each.message) for each in caught] == [
        f"folder: skipped in {d}: 8 hidden or made by the system (#recycle, .DS_Store, ._0.bmp, "
        "...)"
    ]


def test_most_images_ended_in_jfif(d, paint, make, greys, on_disk) -> None:
    """Five of six images of a class would be dropped without a word."""
    before = on_disk(d)
    for number, ending in enumerate((".jfif", ".JPE", "", ".image", ".bmp~", ".dat")):
        paint(d / "train/cat/new.bmp", 100 + number)
        kind = "JPEG" if number < 2 else "BMP"
        Image.open(d / "train/cat/new.bmp").save(d / f"train/cat/{number}{ending}x"[:-1], kind)
        before["train/cat"].append(100 + number)
    (d / "train/cat/new.bmp").unlink()
    (d / "train/cat/list.txt").write_text("BMW and P5 are no images")
    (d / "train/dog/labels.csv").write_text("a,b")
    (d / "train/readme").write_text("loose")
    skipped = (
        r"skipped in .*: 1 outside the folders of classes \(readme\), "
        r"2 that are not images \(labels\.csv, list\.txt\)$"
    )
    for again in (False, True):
        with pytest.warns(UserNotice, match=skipped):
            assert greys(make(d, again=again)) == before


def test_a_class_held_no_image(d, make) -> None:
    """A class without examples would be learned."""
    (d / "test/dog/0.bmp").unlink()
    (d / "test/dog/notes.txt").write_text("none yet")
    with (
        pytest.warns(UserNotice, match="1 that are not images"),
        pytest.raises(TaskError, match=r"^folder: no images in .*test/dog "),
    ):
        make(d)


def test_a_damaged_image_had_another_ending(d, make) -> None:
    """An image would be dropped because half of it is missing."""
    data = (d / "train/cat/0.bmp").read_bytes()
    (d / "train/cat/2.image").write_bytes(data[:-5])
    with pytest.raises(TaskError, match=r"^folder: cannot read .*2\.image \("):
        make(d)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("other", ["NFC", "NFD"])
def test_a_class_was_named_on_a_mac(tmp_path, form, other, paint, make, greys) -> None:
    """``café`` from a Mac would not be the ``café`` of the configuration, or of ``test``."""
    for split, spelt in (("train", form), ("test", other)):
        for number, name in enumerate(("café", "zoo")):
            folder = tmp_path / "d" / split / unicodedata.normalize(spelt, name)
            paint(folder / "0.bmp", 10 * number)
    for asked in ("café", unicodedata.normalize("NFD", "café")):
        task = make(tmp_path / "d", classes=("zoo", asked))
        assert task.class_names == ("zoo", "café")
        assert greys(task)["train/café"] == [0]


def test_a_class_was_there_in_both_forms(tmp_path, paint, make) -> None:
    """One of two folders that look alike would be left out, or be a class of its own."""
    for form in ("NFC", "NFD"):
        paint(tmp_path / "d/train" / unicodedata.normalize(form, "café") / "0.bmp", 1)
    paint(tmp_path / "d/test/zoo/0.bmp", 1)
    with pytest.raises(TaskError, match=r"two folders in .* are called café"):
        make(tmp_path / "d")


@pytest.mark.parametrize("name", [b"caf\xe9", b"a\nb", b"\x1b[2J"])
def test_a_class_had_a_name_that_cannot_be_shown(d, name, make) -> None:
    """Names from old archives would fail when the lineage is written, or clear the terminal."""
    os.rename(d / "train/cat", os.fsencode(d / "train") + b"/" + name)
    with pytest.raises(TaskError, match="not UTF-8 or holds control characters") as caught:
        make(d)
    assert str(caught.value).isprintable()


def test_an_image_had_a_name_that_cannot_be_shown(d, make, greys, on_disk) -> None:
    """An error would have several lines, or clear the terminal."""
    name = os.fsencode(d / "train/cat") + b"/\n\x1b[2J\xe9.png"
    os.rename(d / "train/cat/0.bmp", name)
    assert greys(make(d)) == on_disk(d)
    Path(os.fsdecode(name)).write_bytes(b"damaged")
    with pytest.raises(TaskError, match=r"cannot read .*\\n\\x1b\[2J\\udce9\.png") as caught:
        make(d)
    assert str(caught.value).isprintable()
