"""Images that are replaced, and decoded ones that are not theirs any more."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pathnet_evo.core.streams import Streams
from pathnet_evo.errors import UserNotice
from pathnet_evo.interfaces.tasks import TaskContext, TaskError
from pathnet_evo_images import mnist, picture, source, stamps, tree, walk
from pathnet_evo_images.mnist import Mnist
from pathnet_evo_images.source import decoded


def other(d: Path) -> Path:
    """The image that comes into the tree."""
    return d.parent / "other.bmp"


def edit_in_place(d: Path) -> None:
    """``convert`` or an editor that writes into the file; then the time is put back."""
    with (d / "train/cat/0.bmp").open("r+b") as file:
        file.write(other(d).read_bytes())
    os.utime(d / "train/cat/0.bmp", ns=(10**18, 10**18))


def move_over(d: Path) -> None:
    """``mv``, or ``rsync -t``: another file takes the name."""
    shutil.copy2(other(d), d.parent / "new.bmp")
    os.replace(d.parent / "new.bmp", d / "train/cat/0.bmp")


def delete_and_copy(d: Path) -> None:
    """``rm`` and ``cp -p``; the file system may give the inode away again at once."""
    (d / "train/cat/0.bmp").unlink()
    shutil.copy2(other(d), d / "train/cat/0.bmp")


def swap_two(d: Path) -> None:
    """Two mislabelled images change places."""
    one, other, aside = d / "train/cat/0.bmp", d / "train/dog/0.bmp", d.parent / "aside"
    os.rename(one, aside)
    os.rename(other, one)
    os.rename(aside, other)


def swap_classes(d: Path) -> None:
    """Two folders change names, and their files do not notice."""
    os.rename(d / "train/cat", d.parent / "aside")
    os.rename(d / "train/dog", d / "train/cat")
    os.rename(d.parent / "aside", d / "train/dog")


def replace_tree(d: Path) -> None:
    """A later version of the data is unpacked in the place of the first."""
    shutil.copytree(d, d.parent / "new")
    shutil.copy2(other(d), d.parent / "new/train/cat/0.bmp")
    os.rename(d, d.parent / "old")
    os.rename(d.parent / "new", d)


def point_elsewhere(d: Path) -> None:
    """A link is pointed to another image."""
    (d / "train/cat/0.bmp").unlink()
    os.symlink(other(d), d / "train/cat/0.bmp")


def link_hard(d: Path) -> None:
    """Files are deduplicated by hard links, one of them wrongly."""
    (d / "train/cat/0.bmp").unlink()
    os.link(other(d), d / "train/cat/0.bmp")


def empty_and_fill(d: Path) -> None:
    """A file is cut to nothing and written again."""
    data = other(d).read_bytes()
    os.truncate(d / "train/cat/0.bmp", 0)
    (d / "train/cat/0.bmp").write_bytes(data)
    os.utime(d / "train/cat/0.bmp", ns=(10**18, 10**18))


WAYS = [
    edit_in_place,
    move_over,
    delete_and_copy,
    swap_two,
    swap_classes,
    replace_tree,
    point_elsewhere,
    link_hard,
    empty_and_fill,
]


@pytest.mark.parametrize("replace", WAYS)
@pytest.mark.parametrize("again", [True, False], ids=["another process", "one process"])
def test_an_image_was_replaced_and_its_size_and_time_kept(
    d, replace, again, paint, make, greys, on_disk
) -> None:
    """A corrected image would be trained on as it was before, for good."""
    paint(other(d), 98)
    if replace is point_elsewhere:
        paint(d.parent / "first.bmp", 97)
        (d / "train/cat/0.bmp").unlink()
        os.symlink(d.parent / "first.bmp", d / "train/cat/0.bmp")
    before = make(d)
    assert greys(before) == on_disk(d)
    replace(d)
    after = make(d, again)
    assert greys(after) == on_disk(d) != greys(before)
    assert greys(make(d, again=True)) == on_disk(d)


@pytest.mark.parametrize("replace", WAYS)
def test_an_image_was_replaced_where_nothing_tells(
    d, replace, monkeypatch, paint, make, greys, on_disk
) -> None:
    """On a memory card, where times can be set and inodes are invented, nothing would show it."""
    monkeypatch.setattr(stamps, "_faithful", lambda path, device: False)
    plain = stamps.stamp

    def invented(path, status=None):
        status = os.stat(path) if status is None else status
        known = ("st_size", "st_mtime_ns", "st_dev")
        told = SimpleNamespace(
            **{name: getattr(status, name) for name in known}, st_ctime_ns=10**18, st_ino=1
        )
        return plain(path, told)

    monkeypatch.setattr(walk, "stamp", invented)
    monkeypatch.setattr(source, "stamp", invented)
    paint(other(d), 98)
    before = make(d)
    replace(d)
    assert greys(make(d)) == on_disk(d) != greys(before)


def test_an_image_was_replaced_while_it_was_read(d, monkeypatch, paint, make) -> None:
    """Pixels of the new file would be kept as those of the old one."""
    paint(other(d), 98)
    read = picture.read

    def slowly(path, *rest):
        found = read(path, *rest)
        edit_in_place(d)
        return found

    monkeypatch.setattr("pathnet_evo_images.decode.read", slowly)
    with pytest.raises(TaskError, match=r"^folder: .*cat/0\.bmp changed while it was read\."):
        make(d)


def test_the_files_of_mnist_were_replaced(tmp_path, monkeypatch) -> None:
    """Other digits under the same names, sizes and times would not be read in the same process."""

    def write(grey: int) -> None:
        for part, n in (("train", 20), ("t10k", 10)):
            images = bytes([0, 0, 8, 3]) + struct.pack(">3I", n, 28, 28) + bytes([grey]) * n * 784
            labels = bytes([0, 0, 8, 1]) + struct.pack(">I", n) + bytes(i % 10 for i in range(n))
            for name, data in (("images-idx3", images), ("labels-idx1", labels)):
                file = tmp_path / "mnist" / f"{part}-{name}-ubyte"
                file.write_bytes(data)
                os.utime(file, ns=(10**18, 10**18))

    (tmp_path / "mnist").mkdir()
    for grey in (1, 2):
        write(grey)
        task = Mnist(root=tmp_path, download=False).make(TaskContext(Streams(0)))
        assert task.inputs.unique().tolist() == [grey]

    def slowly(found, frame):
        found = read_idx(found, frame)
        write(3)
        return found

    read_idx = mnist.Idx.read
    monkeypatch.setattr(mnist.Idx, "read", slowly)
    decoded.cache_clear()
    with pytest.raises(TaskError, match=r"^mnist: .*-ubyte changed while it was read"):
        Mnist(root=tmp_path, download=False).make(TaskContext(Streams(0)))


def test_a_tree_was_written_the_moment_before(monkeypatch) -> None:
    """A file that changes twice within a tick of the clock would look the same after both."""
    slept: list[float] = []
    monkeypatch.setattr(stamps.time, "sleep", slept.append)
    now = 1_700_000_000_123_456_789
    monkeypatch.setattr(stamps.time, "time_ns", lambda: now)
    old, new, coarse, ahead = (
        stamps.Stamp("x", 1, 0, changed, 1)
        for changed in (now - 10**9, now - 10**6, now - now % 10**9, now + 60 * 10**9)
    )
    assert [stamps.settle(each) for each in ([old], [old, new], [coarse])] == [True] * 3
    assert slept == pytest.approx([0, 0.019, 1 - 0.123456789])
    assert not stamps.settle([old, ahead])


def test_two_images_were_unpacked_in_the_same_moment() -> None:
    """Folders of them that change names would look as before: nothing but inodes would differ."""
    status = {"st_size": 1, "st_mtime_ns": 2, "st_ctime_ns": 3, "st_dev": os.stat("/").st_dev}
    one, other = (stamps.stamp(__file__, SimpleNamespace(**status, st_ino=i)) for i in (1, 2))
    assert one != other


def test_files_are_from_the_future(d, monkeypatch, kept, make, greys, on_disk) -> None:
    """A server whose clock is ahead would make one wait, or have states of files confused."""
    monkeypatch.setattr(tree, "settle", lambda stamps: False)
    with pytest.warns(UserNotice, match="are not cached: files in .* in the future"):
        assert greys(make(d)) == on_disk(d)
    assert list(kept.glob("*.pixels")) == []


@pytest.mark.parametrize(
    ("mounted", "faithful"),
    [
        ("ext4", True),
        ("nfs4", True),
        ("vfat", False),
        ("exfat", False),
        ("fuse.sshfs", False),
        ("squashfs", False),
        ("9p", False),
    ],
)
def test_a_memory_card_was_plugged_in(mounted, faithful, tmp_path, monkeypatch) -> None:
    """Times of change would be relied on where there are none."""
    card = tmp_path / "my card"
    card.mkdir()
    point = str(card).replace(" ", "\\040")
    (tmp_path / "mountinfo").write_text(
        "1 0 8:1 / / rw - ext4 /dev/sda rw\n"
        f"2 1 8:2 / {point} rw shared:3 - {mounted} /dev/sdb rw\n"
        f"3 1 8:3 / {point}s rw - tmpfs none rw\n"
    )
    monkeypatch.setattr(stamps, "MOUNTS", tmp_path / "mountinfo")
    assert stamps._keeps_change_times(str(card / "x.png")) is faithful
    assert stamps._keeps_change_times(str(tmp_path / "x.png"))


def test_a_run_was_started_again(d, monkeypatch, make) -> None:
    """60,000 files would be opened every time, though nothing has changed."""
    first = make(d)

    def opened(*args: object) -> None:
        raise AssertionError("a file was opened")

    monkeypatch.setattr(picture, "open_regular", opened)
    monkeypatch.setattr(stamps, "file_digest", opened)
    assert torch.equal(make(d, again=True).inputs, first.inputs)


def test_images_were_edited_again_and_again(d, kept, paint, make) -> None:
    """Every edit would leave another copy of all pixels in the cache."""
    for grey in (97, 98, 99):
        make(d, again=True)
        paint(other(d), grey)
        move_over(d)
    assert len(list(kept.glob("*.pixels"))) == 1
