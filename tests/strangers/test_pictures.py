"""Trees of images as users have them: edited, copied about, from cameras, archives and servers."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from pathnet_evo.core.streams import Streams
from pathnet_evo.errors import UserNotice
from pathnet_evo.interfaces.tasks import SupervisedTask, TaskContext, TaskError
from pathnet_evo_images import cache, mnist, picture, private, source, stamps, tree, walk
from pathnet_evo_images.folder import Folder
from pathnet_evo_images.lock import exclusive
from pathnet_evo_images.mnist import Mnist
from pathnet_evo_images.source import decoded

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SIDE = 4


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, on disk and in the process."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    decoded.cache_clear()
    return tmp_path / "cache" / "pathnet-evo" / "images"


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    """The fuzz of the benchmarks."""
    spec = importlib.util.spec_from_file_location("fuzz_images", BENCHMARKS / "fuzz_images.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def limit(fuzz: ModuleType) -> Iterator[None]:
    """What hangs, fails."""
    with fuzz.limit(40):
        yield


@pytest.fixture
def d(tmp_path: Path) -> Path:
    """Cats and dogs, two images of each for training and one for testing, each of one grey."""
    for number, name in enumerate(("train/cat/0", "train/cat/1", "train/dog/0", "train/dog/1")):
        paint(tmp_path / "d" / f"{name}.bmp", 10 + number)
    for number, name in enumerate(("test/cat/0", "test/dog/0")):
        paint(tmp_path / "d" / f"{name}.bmp", 20 + number)
    return tmp_path / "d"


def paint(file: Path, grey: int) -> None:
    """Write an image of one grey; all have one size in bytes, and one time of modification."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (SIDE, SIDE), grey).save(file)
    os.utime(file, ns=(10**18, 10**18))


def make(root: Path, again: bool = False, **settings: object) -> SupervisedTask:
    """The task, in this process or, again, as another one would find it."""
    if again:
        decoded.cache_clear()
    return Folder(root=root, **settings).make(TaskContext(Streams(0)))


def greys(task: SupervisedTask) -> dict[str, list[int]]:
    """The greys of a task's images, by split and class."""
    found: dict[str, list[int]] = {}
    for split, images, labels in (
        ("train", task.inputs, task.labels),
        ("test", task.test_inputs, task.test_labels),
    ):
        for image, label in zip(images, labels.tolist(), strict=True):
            found.setdefault(f"{split}/{task.class_names[label]}", []).append(int(image[0, 0, 0]))
    return {place: sorted(values) for place, values in found.items()}


def on_disk(root: Path) -> dict[str, list[int]]:
    """The same, read from the files by Pillow."""
    found: dict[str, list[int]] = {}
    for folder in (*(root / "train").iterdir(), *(root / "test").iterdir()):
        values = [Image.open(file).getpixel((0, 0)) for file in folder.iterdir()]
        found[f"{folder.parent.name}/{folder.name}"] = sorted(values)
    return found


# Files that are replaced, and decoded images that are not theirs any more


def edit_in_place(d: Path) -> None:
    """``convert`` or an editor that writes into the file; then the time is put back."""
    changed = d.parent / "changed.bmp"
    paint(changed, 99)
    with (d / "train/cat/0.bmp").open("r+b") as file:
        file.write(changed.read_bytes())
    os.utime(d / "train/cat/0.bmp", ns=(10**18, 10**18))


def move_over(d: Path) -> None:
    """``mv``, or ``rsync -t``: another file takes the name."""
    paint(d.parent / "other.bmp", 99)
    os.replace(d.parent / "other.bmp", d / "train/cat/0.bmp")


def delete_and_copy(d: Path) -> None:
    """``rm`` and ``cp -p``; the file system may give the inode away again at once."""
    (d / "train/cat/0.bmp").unlink()
    paint(d / "train/cat/0.bmp", 99)


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
    paint(d.parent / "new/train/cat/0.bmp", 99)
    os.rename(d, d.parent / "old")
    os.rename(d.parent / "new", d)


def point_elsewhere(d: Path) -> None:
    """A link is pointed to another image."""
    (d / "train/cat/0.bmp").unlink()
    os.symlink(d.parent / "second.bmp", d / "train/cat/0.bmp")


def link_hard(d: Path) -> None:
    """Files are deduplicated by hard links, one of them wrongly."""
    (d / "train/cat/0.bmp").unlink()
    os.link(d.parent / "second.bmp", d / "train/cat/0.bmp")


def empty_and_fill(d: Path) -> None:
    """A file is cut to nothing and written again."""
    data = (d.parent / "second.bmp").read_bytes()
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
def test_an_image_was_replaced_and_its_size_and_time_kept(d, replace, again) -> None:
    """A corrected image would be trained on as it was before, for good."""
    paint(d.parent / "second.bmp", 98)
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
def test_an_image_was_replaced_where_nothing_tells(d, replace, monkeypatch) -> None:
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
    paint(d.parent / "second.bmp", 98)
    before = make(d)
    replace(d)
    assert greys(make(d)) == on_disk(d) != greys(before)


def test_an_image_was_replaced_while_it_was_read(d, monkeypatch) -> None:
    """Pixels of the new file would be kept as those of the old one."""
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


def test_files_are_from_the_future(d, monkeypatch, kept) -> None:
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


def test_a_run_was_started_again(d, monkeypatch) -> None:
    """60,000 files would be opened every time, though nothing has changed."""
    first = make(d)

    def opened(*args: object) -> None:
        raise AssertionError("a file was opened")

    monkeypatch.setattr(picture, "open_regular", opened)
    monkeypatch.setattr(stamps, "file_digest", opened)
    assert torch.equal(make(d, again=True).inputs, first.inputs)


def test_images_were_edited_again_and_again(d, kept) -> None:
    """Every edit would leave another copy of all pixels in the cache."""
    for _ in range(3):
        make(d, again=True)
        move_over(d)
    assert len(list(kept.glob("*.pixels"))) == 1


# Somebody else who can write the cache


def plant(kept: Path, grey: int = 200) -> Path:
    """Put other pixels into what is kept, under a digest that is right."""
    (file,) = kept.glob("*.pixels")
    _, facts, pixels = file.read_bytes().split(b"\n", 2)
    rest = facts + b"\n" + bytes([grey]) * len(pixels)
    file.write_bytes(hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest)
    return file


def test_what_is_planted_would_be_read_from_a_folder_of_ones_own(d, kept) -> None:
    """The tests below would show nothing."""
    make(d)
    plant(kept)
    assert set(greys(make(d, again=True))["train/cat"]) == {200}


@pytest.mark.parametrize(
    ("mode", "where"),
    [(0o770, "cache"), (0o777, "cache"), (0o777, "."), (0o775, ".")],
    ids=["group", "everybody", "above", "above, group"],
)
def test_the_cache_was_in_a_shared_folder(d, kept, tmp_path, mode, where) -> None:
    """Whoever can write a shared cache folder would decide what others train on."""
    make(d)
    plant(kept)
    (tmp_path / where).chmod(mode)
    with pytest.warns(UserNotice, match=r"(cache|in_a_shared\w*) can be written by others\)"):
        assert greys(make(d, again=True)) == on_disk(d)


def test_the_cache_was_writable_for_a_group_by_a_lax_umask(d, kept) -> None:
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
def test_a_file_in_the_cache_was_writable_by_others(d, kept, mode) -> None:
    """What others wrote while the folder was open to them would be believed later."""
    make(d)
    plant(kept).chmod(mode)
    assert greys(make(d, again=True)) == on_disk(d)


def test_a_file_in_the_cache_was_a_link(d, kept, tmp_path) -> None:
    """A link would lead to pixels from anywhere."""
    make(d)
    file = plant(kept)
    os.rename(file, tmp_path / "planted")
    os.symlink(tmp_path / "planted", file)
    assert greys(make(d, again=True)) == on_disk(d)


def test_a_file_in_the_cache_was_a_fifo(d, kept) -> None:
    """Reading it would hang for ever."""
    make(d)
    file = plant(kept)
    file.unlink()
    os.mkfifo(file)
    assert greys(make(d, again=True)) == on_disk(d)


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can give files away")
@pytest.mark.parametrize("whose", ["file", "folder", "cache"])
def test_the_cache_belonged_to_another_user(d, kept, tmp_path, whose) -> None:
    """Another user, who may always write there, would decide what one trains on."""
    make(d)
    file = plant(kept)
    os.chown({"file": file, "folder": kept, "cache": tmp_path / "cache"}[whose], 12345, -1)
    if whose == "file":
        assert greys(make(d, again=True)) == on_disk(d)
        return
    with pytest.warns(UserNotice, match=r"belongs to another user\)"):
        assert greys(make(d, again=True)) == on_disk(d)


def test_the_user_was_another_one(d, kept, monkeypatch) -> None:
    """As above, where tests are not run by the superuser."""
    make(d)
    plant(kept)
    monkeypatch.setattr(private.os, "geteuid", lambda: 54321)
    with pytest.warns(UserNotice, match=r"belongs to another user\)"):
        assert greys(make(d, again=True)) == on_disk(d)


def test_one_tree_was_kept_under_the_name_of_another(d, kept, tmp_path) -> None:
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


def test_a_header_named_a_huge_shape(d, kept, monkeypatch) -> None:
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


# Cameras


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_telephone_was_held_sideways(d, fuzz, orientation, kind) -> None:
    """Every portrait would be learned lying on its side."""
    stored = np.random.default_rng(0).integers(0, 256, (5, 3, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("train/cat/0", "train/cat/1", "train/dog/0", "train/dog/1", "test/cat/0"):
        (d / f"{name}.bmp").unlink()
        options = {"lossless": True} if kind == "WEBP" else {}
        Image.fromarray(stored).save(d / f"{name}.{kind.lower()}", exif=exif, **options)
    (d / "test/dog/0.bmp").unlink()
    shutil.copy(d / f"test/cat/0.{kind.lower()}", d / "test/dog")
    task = make(d)
    with Image.open(d / f"test/cat/0.{kind.lower()}") as image:
        by_pillow = np.asarray(ImageOps.exif_transpose(image))
    got = task.test_inputs[0].permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(got, by_pillow)
    if kind != "JPEG":
        np.testing.assert_array_equal(got, fuzz.turned(stored, orientation))


def test_exif_was_damaged(d) -> None:
    """A camera's slip in what nobody looks at would make the picture unreadable."""
    file = d / "train/cat/0.bmp"
    greys_before = on_disk(d)
    Image.open(file).save(d / "train/cat/0.png", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    file.unlink()
    assert greys(make(d)) == greys_before


def expected(samples: np.ndarray, largest: int) -> np.ndarray:
    """Samples from 0 to the largest as bytes, not rounded."""
    return samples.astype(float) * 255 / largest


def put(d: Path, data: Callable[[int], bytes], ending: str = ".png") -> list[Path]:
    """Replace all images of a tree; each is made from its number."""
    files = sorted(d.glob("*/*/*.bmp"))
    for number, file in enumerate(files):
        file.with_suffix(ending).write_bytes(data(number))
        file.unlink()
    return [file.with_suffix(ending) for file in files]


@pytest.mark.parametrize(
    "bands", [1, 2, 3, 4], ids=["grey", "grey+alpha", "colour", "colour+alpha"]
)
@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_a_camera_of_12_bits_wrote_16(d, fuzz, bands, declared, bits) -> None:
    """Of twelve bits four would be left: 16 shades of grey."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 2**bits, (6, SIDE, SIDE, bands), dtype=np.uint16)
    drawn[0, 0, 0] = 2**bits - 1
    drawn[1:] //= 3  # darker pictures keep the scale of the brightest
    put(d, lambda number: fuzz.png(drawn[number], [bits] * bands if declared else None))
    if bits < 16:
        with pytest.warns(UserNotice, match=rf"^folder: 6 images of 16 bits use {bits}: 0 to "):
            task = make(d)
    else:
        task = make(d)
    colours = 1 if bands < 3 else 3
    assert task.input_shape == (colours, SIDE, SIDE)
    want = expected(drawn[..., :colours], 2**bits - 1).transpose(0, 3, 1, 2)
    got = torch.cat([task.test_inputs, task.inputs]).numpy().astype(float)
    for image in want:
        assert min(np.abs(image - other).max() for other in got) <= 1


def test_samples_were_stretched_as_the_png_specification_wants(d, fuzz) -> None:
    """Twelve bits that lie at the upper end of sixteen would be taken for too bright ones."""
    drawn = np.random.default_rng(0).integers(0, 4096, (6, SIDE, SIDE, 1), dtype=np.uint16)
    drawn[0, 0, 0] = 4095
    put(d, lambda number: fuzz.png(drawn[number] << 4 | drawn[number] >> 8, [12]))
    got = make(d).inputs.numpy().astype(float)
    want = expected(drawn, 4095).transpose(0, 3, 1, 2)
    for image in got:
        assert min(np.abs(image - other).max() for other in want) <= 1


@pytest.mark.parametrize("largest", [255, 1023, 4095, 65535])
@pytest.mark.parametrize("binary", [True, False])
def test_a_pgm_had_16_bits(d, largest, binary) -> None:
    """Microscopes' and scanners' own format would be refused as 32 bits."""
    drawn = np.random.default_rng(0).integers(0, largest + 1, (6, SIDE, SIDE), dtype=np.uint16)

    def pgm(number: int) -> bytes:
        head = f"P{5 if binary else 2}\n{SIDE} {SIDE}\n{largest}\n".encode()
        samples = drawn[number]
        if binary:
            return head + samples.astype(">u2" if largest > 255 else "u1").tobytes()
        return head + " ".join(map(str, samples.ravel())).encode()

    put(d, pgm, ".pgm")
    got = make(d).inputs[:, 0].numpy().astype(float)
    for image in got:
        assert min(np.abs(image - o).max() for o in expected(drawn, largest)) <= 1


def test_a_scanner_wrote_white_as_zero(d) -> None:
    """Films and faxes of 16 bits would be read as negatives, as Pillow reads them."""
    drawn = np.random.default_rng(0).integers(0, 2**16, (6, SIDE, SIDE), dtype=np.uint16)

    def tiff(number: int) -> bytes:
        written = io.BytesIO()
        Image.fromarray(2**16 - 1 - drawn[number]).save(written, "TIFF")
        one, zero = (struct.pack("<HHIHH", 262, 3, 1, i, 0) for i in (1, 0))
        assert written.getvalue().count(one) == 1
        return written.getvalue().replace(one, zero)

    put(d, tiff, ".tif")
    for image in make(d).inputs[:, 0].numpy().astype(float):
        assert min(np.abs(image - other).max() for other in expected(drawn, 65535)) <= 1


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_an_image_had_32_bits(d, dtype) -> None:
    """What 0 to 1, or to 2 billion, is to be would be guessed."""
    (d / "train/cat/0.bmp").unlink()
    Image.fromarray(np.ones((SIDE, SIDE), dtype)).save(d / "train/cat/0.tif")
    with pytest.raises(TaskError, match=r"cannot read .*0\.tif \([IF] pixels of 32 bits"):
        make(d)


# File managers, servers, archives


def test_a_synology_and_a_mac_left_their_things(d) -> None:
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


def test_most_images_ended_in_jfif(d) -> None:
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


def test_a_class_held_no_image(d) -> None:
    """A class without examples would be learned."""
    (d / "test/dog/0.bmp").unlink()
    (d / "test/dog/notes.txt").write_text("none yet")
    with (
        pytest.warns(UserNotice, match="1 that are not images"),
        pytest.raises(TaskError, match=r"^folder: no images in .*test/dog "),
    ):
        make(d)


def test_a_damaged_image_had_another_ending(d) -> None:
    """An image would be dropped because half of it is missing."""
    data = (d / "train/cat/0.bmp").read_bytes()
    (d / "train/cat/2.image").write_bytes(data[:-5])
    with pytest.raises(TaskError, match=r"^folder: cannot read .*2\.image \("):
        make(d)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("other", ["NFC", "NFD"])
def test_a_class_was_named_on_a_mac(tmp_path, form, other) -> None:
    """``café`` from a Mac would not be the ``café`` of the configuration, or of ``test``."""
    for split, spelt in (("train", form), ("test", other)):
        for number, name in enumerate(("café", "zoo")):
            folder = tmp_path / "d" / split / unicodedata.normalize(spelt, name)
            paint(folder / "0.bmp", 10 * number)
    for asked in ("café", unicodedata.normalize("NFD", "café")):
        task = make(tmp_path / "d", classes=("zoo", asked))
        assert task.class_names == ("zoo", "café")
        assert greys(task)["train/café"] == [0]


def test_a_class_was_there_in_both_forms(tmp_path) -> None:
    """One of two folders that look alike would be left out, or be a class of its own."""
    for form in ("NFC", "NFD"):
        paint(tmp_path / "d/train" / unicodedata.normalize(form, "café") / "0.bmp", 1)
    paint(tmp_path / "d/test/zoo/0.bmp", 1)
    with pytest.raises(TaskError, match=r"two folders in .* are called café"):
        make(tmp_path / "d")


@pytest.mark.parametrize("name", [b"caf\xe9", b"a\nb", b"\x1b[2J"])
def test_a_class_had_a_name_that_cannot_be_shown(d, name) -> None:
    """Names from old archives would fail when the lineage is written, or clear the terminal."""
    os.rename(d / "train/cat", os.fsencode(d / "train") + b"/" + name)
    with pytest.raises(TaskError, match="not UTF-8 or holds control characters") as caught:
        make(d)
    assert str(caught.value).isprintable()


def test_an_image_had_a_name_that_cannot_be_shown(d) -> None:
    """An error would have several lines, or clear the terminal."""
    name = os.fsencode(d / "train/cat") + b"/\n\x1b[2J\xe9.png"
    os.rename(d / "train/cat/0.bmp", name)
    assert greys(make(d)) == on_disk(d)
    Path(os.fsdecode(name)).write_bytes(b"damaged")
    with pytest.raises(TaskError, match=r"cannot read .*\\n\\x1b\[2J\\udce9\.png") as caught:
        make(d)
    assert str(caught.value).isprintable()


# What is no file


def fifo(place: Path) -> None:
    """A pipe."""
    os.mkfifo(place)


def listen(place: Path) -> None:
    """A socket."""
    with socket.socket(socket.AF_UNIX) as made:
        before = Path.cwd()
        os.chdir(place.parent)  # a socket's whole path is short
        try:
            made.bind(place.name)
        finally:
            os.chdir(before)


def device(place: Path) -> None:
    """A link to a device that never ends."""
    os.symlink("/dev/zero", place)


def pipe(place: Path) -> None:
    """A link to a pipe."""
    os.mkfifo(place.parents[3] / "pipe")
    os.symlink(place.parents[3] / "pipe", place)


@pytest.mark.parametrize("something", [fifo, listen, device, pipe])
@pytest.mark.parametrize("name", ["x.png", "x"])
def test_a_fifo_was_named_like_an_image(d, something, name) -> None:
    """The program would wait for ever, or read until memory is full."""
    before = on_disk(d)
    something(d / "train/cat" / name)
    with pytest.warns(UserNotice, match=rf"1 that are not regular files \({name}\)$"):
        assert greys(make(d)) == before


def test_an_image_became_a_fifo(d, fuzz, monkeypatch) -> None:
    """It would hang after all, where a file is exchanged after it was looked at."""
    file = d / "train/cat/0.bmp"
    os.mkfifo(d / "fifo")
    with fuzz.limit(10), pytest.raises(OSError, match="not a regular file"):
        picture.read(str(d / "fifo"))  # in a thread, a hang could not be ended
    wait = tree.settle

    def exchange(found):
        file.unlink()
        os.mkfifo(file)
        return wait(found)

    monkeypatch.setattr(tree, "settle", exchange)
    with pytest.raises(TaskError, match=r"cannot read .*cat/0\.bmp \(not a regular file\)"):
        make(d)


@pytest.mark.parametrize("target", ["nothing", "x.png"], ids=["dangling", "circular"])
def test_an_image_was_a_link_to_nothing(d, target) -> None:
    """Data that were not fetched would be left out, or end in a traceback."""
    os.symlink(target, d / "train/cat/x.png")
    with pytest.raises(TaskError, match=r"^folder: cannot read .*x\.png \("):
        make(d)


def test_links_led_elsewhere(d) -> None:
    """A link upwards would be walked for ever, or leave out images without a word."""
    before = on_disk(d)
    os.symlink("..", d / "train/cat/up")
    os.symlink("nothing", d / "train/cat/lock")
    os.symlink("loop", d / "train/dog/loop")
    os.rename(d / "test/dog", d.parent / "dogs")
    os.symlink(d.parent / "dogs", d / "test/dog")
    said = r"1 links to folders \(up\), 2 links to nothing \(lock, loop\)$"
    with pytest.warns(UserNotice, match=said):
        assert greys(make(d)) == before


def test_folders_lay_deep_in_one_another(d) -> None:
    """A tree that a program made would exhaust Python's stack."""
    here = os.getcwd()
    os.chdir(d / "train/cat")
    try:
        for _ in range(1200):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(here)
    assert greys(make(d))["train/cat"] == [10, 11]
    subprocess.run(["rm", "-r", d / "train/cat/d"], check=True)  # pytest cannot


def test_a_postscript_file_was_named_like_an_image(d, monkeypatch) -> None:
    """Pillow would run Ghostscript on a file from anywhere."""

    def ran(*args: object, **kwargs: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", ran)
    (d / "train/cat/0.bmp").write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\nshowpage\n"
    )
    with pytest.raises(TaskError, match=r"cannot read .*0\.bmp \(not an image\)"):
        make(d)


@pytest.mark.slow
def test_a_notice_is_one_line_in_a_terminal(d) -> None:
    """What is skipped would be said with the program's own code around it."""
    (d / "train/cat/notes.txt").write_text("x")
    script = (
        "from pathnet_evo import cli; from pathnet_evo_images.source import Place; "
        "cli.app = lambda **options: Place('folder').say('s'); cli.main()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    assert ran.stderr == "folder: s\n"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", range(40))
def test_a_tree_was_odd(fuzz, number, monkeypatch) -> None:
    """One tree of a thousand would be read wrong, hang or end in a traceback."""
    monkeypatch.setenv("XDG_CACHE_HOME", "")  # set by the case
    assert fuzz.check(number)[0] == ""
