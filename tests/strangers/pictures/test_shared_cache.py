"""Somebody else who can write the cache of decoded images."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from pathnet_evo.errors import UserNotice
from pathnet_evo_images import cache, private
from pathnet_evo_images.lock import exclusive


def plant(kept: Path, grey: int = 200) -> Path:
    """Put other pixels into what is kept, under a digest that is right."""
    (file,) = kept.glob("*.pixels")
    _, facts, pixels = file.read_bytes().split(b"\n", 2)
    rest = facts + b"\n" + bytes([grey]) * len(pixels)
    file.write_bytes(hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest)
    return file


def test_what_is_planted_would_be_read_from_a_folder_of_ones_own(d, kept, make, greys) -> None:
    """The tests below would show nothing."""
    make(d)
    plant(kept)
    assert set(greys(make(d, again=True))["train/cat"]) == {200}


@pytest.mark.parametrize(
    ("mode", "where"),
    [(0o770, "cache"), (0o777, "cache"), (0o777, "."), (0o775, ".")],
    ids=["group", "everybody", "above", "above, group"],
)
def test_the_cache_was_in_a_shared_folder(
    d, kept, tmp_path, mode, where, make, greys, on_disk
) -> None:
    """Whoever can write a shared cache folder would decide what others train on."""
    make(d)
    plant(kept)
    (tmp_path / where).chmod(mode)
    with pytest.warns(UserNotice, match=r"(cache|in_a_shared\w*) can be written by others\)"):
        assert greys(make(d, again=True)) == on_disk(d)


def test_the_cache_was_writable_for_a_group_by_a_lax_umask(d, kept, make) -> None:
    """Users with umask 002 would never have anything kept; and others could write there."""
    before = os.umask(0o002)
    try:
        kept.mkdir(parents=True)
        kept.parent.parent.chmod(0o755)
        make(d)
    finally:
        os.umask(before)
    (file,) = kept.glob("*.pixels")
    assert [oct(each.stat().st_mode & 0o777) for each in (kept.parent, kept, file)] == [
        "0o755",
        "0o755",
        "0o600",
    ]


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_in_the_cache_was_writable_by_others(d, kept, mode, make, greys, on_disk) -> None:
    """What others wrote while the folder was open to them would be believed later."""
    make(d)
    plant(kept).chmod(mode)
    assert greys(make(d, again=True)) == on_disk(d)


def test_a_file_in_the_cache_was_a_link(d, kept, tmp_path, make, greys, on_disk) -> None:
    """A link would lead to pixels from anywhere."""
    make(d)
    file = plant(kept)
    os.rename(file, tmp_path / "planted")
    os.symlink(tmp_path / "planted", file)
    assert greys(make(d, again=True)) == on_disk(d)


def test_a_file_in_the_cache_was_a_fifo(d, kept, make, greys, on_disk) -> None:
    """Reading it would hang for ever."""
    make(d)
    file = plant(kept)
    file.unlink()
    os.mkfifo(file)
    assert greys(make(d, again=True)) == on_disk(d)


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can give files away")
@pytest.mark.parametrize("whose", ["file", "folder", "cache"])
def test_the_cache_belonged_to_another_user(d, kept, tmp_path, whose, make, greys, on_disk) -> None:
    """Another user, who may always write there, would decide what one trains on."""
    make(d)
    file = plant(kept)
    os.chown({"file": file, "folder": kept, "cache": tmp_path / "cache"}[whose], 12345, -1)
    if whose == "file":
        assert greys(make(d, again=True)) == on_disk(d)
        return
    with pytest.warns(UserNotice, match=r"belongs to another user\)"):
        assert greys(make(d, again=True)) == on_disk(d)


def test_the_user_was_another_one(d, kept, monkeypatch, make, greys, on_disk) -> None:
    """As above, where tests are not run by the superuser."""
    make(d)
    plant(kept)
    monkeypatch.setattr(private.os, "geteuid", lambda: 54321)
    with pytest.warns(UserNotice, match=r"belongs to another user\)"):
        assert greys(make(d, again=True)) == on_disk(d)


def test_one_tree_was_kept_under_the_name_of_another(
    d, kept, tmp_path, paint, make, greys, on_disk
) -> None:
    """Files of the cache that change names would give one tree the images of another."""
    make(d)
    (file,) = kept.glob("*.pixels")
    mine = file.read_bytes()
    paint(tmp_path / "aside.bmp", 77)
    shutil.copytree(d, tmp_path / "e")
    shutil.copy(tmp_path / "aside.bmp", tmp_path / "e/train/cat/0.bmp")
    make(tmp_path / "e")
    for other in kept.glob("*.pixels"):
        other.write_bytes(mine)
    assert greys(make(tmp_path / "e", again=True)) == on_disk(tmp_path / "e")


def test_a_lock_was_a_link_to_a_file_of_value(kept, tmp_path) -> None:
    """Locking would empty whatever file a link in the cache names."""
    (tmp_path / "thesis").write_text("four years")
    with exclusive("x"):
        pass
    (lock,) = (kept / "locks").iterdir()
    lock.unlink()
    os.symlink(tmp_path / "thesis", lock)
    with exclusive("x"):
        pass
    assert (tmp_path / "thesis").read_text() == "four years"


def test_a_header_named_a_huge_shape(d, kept, monkeypatch, make, greys, on_disk) -> None:
    """A few bytes in the cache would end every run with a MemoryError until deleted by hand."""
    make(d)
    (file,) = kept.glob("*.pixels")
    _, facts, pixels = file.read_bytes().split(b"\n", 2)
    huge = json.dumps({**json.loads(facts), "shape": [6, 3, 2**31, 2**31]}).encode()
    rest = huge + b"\n" + pixels
    file.write_bytes(hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest)
    with monkeypatch.context() as patch:
        patch.setattr(cache.np, "empty", lambda *args, **kwargs: pytest.fail("room was asked for"))
        assert cache.load(file.stem, json.loads(facts)["key"], 6) is None
    assert greys(make(d, again=True)) == on_disk(d)
