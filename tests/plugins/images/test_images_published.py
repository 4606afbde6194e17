"""Published data sets, read from small files of the real formats that the tests write."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torchvision.datasets

from pathnet_evo.interfaces.tasks import TaskError
from pathnet_evo_images.cifar import Cifar10, Cifar100
from pathnet_evo_images.emnist import CLASSES, Emnist
from pathnet_evo_images.mnist import FashionMnist, Kmnist, Mnist
from pathnet_evo_images.svhn import Svhn

N = 20
"""Images in a file that the tests write: two of each class."""
LABELS = np.arange(N) % 10
ROOT = os.geteuid() == 0
"""Permissions do not bind the superuser."""


def md5(data: bytes) -> str:
    """A checksum as torchvision keeps it."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def draw(seed: int, *shape: int) -> np.ndarray:
    """Random bytes."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


class Published:
    """A data set in its published files.

    Args:
        task: the task that reads it.
        files: content by path under the root.
        train: ``(n, C, H, W)``, what the task shall read.
        test: ``(m, C, H, W)``.
        labels: of the training images.
    """

    def __init__(self, task, files, train, test, labels) -> None:
        self.task, self.files = task, files
        self.train, self.test, self.labels = train, test, labels

    def write(self, root: Path) -> None:
        """Put the files under a root."""
        for name, content in self.files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)

    def check(self, task) -> None:
        """Hold a task against what was written."""
        np.testing.assert_array_equal(task.inputs.numpy(), self.train)
        np.testing.assert_array_equal(task.test_inputs.numpy(), self.test)
        np.testing.assert_array_equal(task.labels.numpy(), self.labels)
        np.testing.assert_array_equal(task.test_labels.numpy(), LABELS)
        assert task.class_names == self.task.official


def tar(files: dict[str, bytes], folder: str) -> bytes:
    """CIFAR's archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def cifar(patch: pytest.MonkeyPatch) -> Published:
    """A small CIFAR-10, its checksums put in the place of the published ones."""
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    pixels = [draw(seed, N, 3072) for seed in range(6)]
    files = {
        name: pickle.dumps({"data": data, "labels": LABELS.tolist()}, protocol=2)
        for name, data in zip(names, pixels, strict=True)
    }
    sums = [[name, md5(content)] for name, content in files.items()]
    meta = pickle.dumps({"label_names": list(Cifar10.official)}, protocol=2)
    archive = tar({**files, "batches.meta": meta}, "cifar-10-batches-py")
    published = torchvision.datasets.CIFAR10
    patch.setattr(published, "train_list", sums[:5])
    patch.setattr(published, "test_list", sums[5:])
    patch.setattr(published, "meta", {**published.meta, "md5": md5(meta)})
    patch.setattr(published, "tgz_md5", md5(archive))
    # a row holds 1,024 reds, 1,024 greens, 1,024 blues, each row by row
    images = [np.stack(np.split(data, 3, axis=1), axis=1).reshape(N, 3, 32, 32) for data in pixels]
    train = np.concatenate(images[:5])
    name = "cifar-10-python.tar.gz"
    return Published(Cifar10, {name: archive}, train, images[5], np.tile(LABELS, 5))


def cifar100(patch: pytest.MonkeyPatch) -> Published:
    """A small CIFAR-100: both splits are one file, with labels of two kinds."""
    files, images = {}, []
    for seed, split in enumerate(("train", "test")):
        data = draw(seed, N, 3072)
        batch = {"data": data, "fine_labels": LABELS.tolist(), "coarse_labels": [0] * N}
        files[split] = pickle.dumps(batch, protocol=2)
        images.append(np.stack(np.split(data, 3, axis=1), axis=1).reshape(N, 3, 32, 32))
    names = {"fine_label_names": list(Cifar100.official), "coarse_label_names": ["all"]}
    meta = pickle.dumps(names, protocol=2)
    archive = tar({**files, "meta": meta}, "cifar-100-python")
    published = torchvision.datasets.CIFAR100
    patch.setattr(published, "train_list", [["train", md5(files["train"])]])
    patch.setattr(published, "test_list", [["test", md5(files["test"])]])
    patch.setattr(published, "meta", {**published.meta, "md5": md5(meta)})
    patch.setattr(published, "tgz_md5", md5(archive))
    return Published(Cifar100, {"cifar-100-python.tar.gz": archive}, *images, LABELS)


def svhn(patch: pytest.MonkeyPatch) -> Published:
    """A small SVHN."""
    files, images, published = {}, [], {}
    for seed, split in enumerate(("train", "test")):
        pixels = draw(seed, 32, 32, 3, N)  # height, width, channels, images
        written = io.BytesIO()
        ten_for_zero = np.where(LABELS == 0, 10, LABELS).astype(np.uint8)[:, None]
        scipy.io.savemat(written, {"X": pixels, "y": ten_for_zero})
        name = f"{split}_32x32.mat"
        files[name] = written.getvalue()
        published[split] = [f"http://127.0.0.1:9/{name}", name, md5(files[name])]
        images.append(np.stack([pixels[..., i].transpose(2, 0, 1) for i in range(N)]))
    patch.setattr(torchvision.datasets.SVHN, "split_list", published)
    return Published(Svhn, files, *images, LABELS)


def idx(array: np.ndarray) -> bytes:
    """An idx file of bytes."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def mnist(patch: pytest.MonkeyPatch, task=Mnist, seed: int = 0) -> Published:
    """A small MNIST."""
    train, test = draw(seed, N, 28, 28), draw(seed + 1, N, 28, 28)
    files = {
        "train-images-idx3-ubyte.gz": gzip.compress(idx(train)),
        "train-labels-idx1-ubyte.gz": gzip.compress(idx(LABELS)),
        "t10k-images-idx3-ubyte.gz": gzip.compress(idx(test)),
        "t10k-labels-idx1-ubyte.gz": gzip.compress(idx(LABELS)),
    }
    sums = [(name, md5(content)) for name, content in files.items()]
    patch.setattr(getattr(torchvision.datasets, task.published), "resources", sums)
    raw = {f"{task.published}/raw/{name}": content for name, content in files.items()}
    return Published(task, raw, train[:, None], test[:, None], LABELS)


def fashion(patch: pytest.MonkeyPatch) -> Published:
    """A small Fashion-MNIST."""
    return mnist(patch, FashionMnist, 2)


def kmnist(patch: pytest.MonkeyPatch) -> Published:
    """A small KMNIST."""
    return mnist(patch, Kmnist, 4)


def emnist(patch: pytest.MonkeyPatch, split: str = "balanced", first: int = 0) -> Published:
    """A small EMNIST in its archive: images lie on their side, and letters count from 1."""
    packed, images = io.BytesIO(), []
    with zipfile.ZipFile(packed, "w") as archive:
        for seed, half in enumerate(("train", "test")):
            pixels = draw(seed, N, 28, 28)
            for what, array in (("images-idx3", pixels), ("labels-idx1", LABELS + first)):
                name = f"gzip/emnist-{split}-{half}-{what}-ubyte.gz"
                archive.writestr(name, gzip.compress(idx(array)))
            images.append(pixels.transpose(0, 2, 1)[:, None])
    patch.setattr(torchvision.datasets.EMNIST, "md5", md5(packed.getvalue()))
    patch.setattr(Emnist, "official", tuple(CLASSES[split]), raising=False)
    return Published(Emnist, {"EMNIST/raw/gzip.zip": packed.getvalue()}, *images, LABELS)


ALL = [cifar, cifar100, svhn, mnist, fashion, kmnist, emnist]


@pytest.mark.parametrize("make", ALL)
def test_published_files_are_read(make, tmp_path, monkeypatch, context) -> None:
    """Real data would be read with rows, colours or labels mixed up."""
    published = make(monkeypatch)
    published.write(tmp_path)
    published.check(published.task(root=tmp_path, download=False).make(context()))


@pytest.mark.parametrize("make", ALL)
def test_files_in_a_folder_of_the_name_are_found(make, tmp_path, monkeypatch, context) -> None:
    """Data sets could not be kept apart in folders of one root."""
    published = make(monkeypatch)
    own = tmp_path / published.task.kind
    own.mkdir()
    for name, content in published.files.items():
        (own / Path(name).name).write_bytes(content)
    for root in (tmp_path, own):
        published.check(published.task(root=root, download=False).make(context()))


@pytest.mark.parametrize("make", ALL)
def test_what_was_read_is_not_read_again(make, tmp_path, monkeypatch, context) -> None:
    """Every arm and seed would decode all data anew."""
    published = make(monkeypatch)
    published.write(tmp_path)
    task = published.task(root=tmp_path, download=False)
    task.make(context())
    first, second = task.make(context(seed=1)), task.make(context(seed=2))
    assert first.inputs.data_ptr() == second.inputs.data_ptr()


def test_cifar_is_extracted_once_and_whole(tmp_path, monkeypatch, context) -> None:
    """Every process would extract the archive again, or leave its pieces about."""
    published = cifar(monkeypatch)
    published.write(tmp_path)
    Cifar10(root=tmp_path).make(context())
    names = {path.name for path in tmp_path.iterdir()} - {"cache"}
    assert names == {"cifar-10-python.tar.gz", "cifar-10-batches-py"}
    (tmp_path / "cifar-10-python.tar.gz").unlink()
    published.check(Cifar10(root=tmp_path, download=False).make(context()))


def test_cifar_is_read_where_nothing_can_be_written(tmp_path, monkeypatch, context) -> None:
    """Data on a read-only disk could not be used."""
    published = cifar(monkeypatch)
    published.write(tmp_path)
    import pathnet_evo_images.cifar as module

    extract = module._extract
    monkeypatch.setattr(
        module, "_extract", lambda archive, at, name: at != tmp_path and extract(archive, at, name)
    )
    published.check(Cifar10(root=tmp_path, download=False).make(context()))
    assert not (tmp_path / "cifar-10-batches-py").exists()


class Bomb:
    """Unpickling it is seen."""

    def __reduce__(self):
        return (os.mkdir, ("exploded",))


@pytest.mark.parametrize("victim", ["data_batch_3", "test_batch", "batches.meta"])
def test_pickles_of_unknown_origin_are_never_loaded(victim, tmp_path, monkeypatch, context) -> None:
    """Anybody's batch file would run code on the user's machine."""
    cifar(monkeypatch).write(tmp_path)
    Cifar10(root=tmp_path).make(context())
    (tmp_path / "cifar-10-python.tar.gz").unlink()
    (tmp_path / "cifar-10-batches-py" / victim).write_bytes(pickle.dumps(Bomb()))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TaskError, match=rf"^cifar10: .*{victim} is missing or does not have its"):
        Cifar10(root=tmp_path).make(context())
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("make", [cifar, cifar100, svhn, emnist])
def test_files_without_their_checksum_are_refused(make, tmp_path, monkeypatch, context) -> None:
    """A damaged or exchanged file would be read, or replaced without asking."""
    published = make(monkeypatch)
    published.write(tmp_path)
    name = next(iter(published.files))
    (tmp_path / name).write_bytes(published.files[name][:-7])
    message = rf"^{published.task.kind}: .*{name} does not have its published checksum"
    with pytest.raises(TaskError, match=message):
        published.task(root=tmp_path).make(context())
    assert (tmp_path / name).read_bytes() == published.files[name][:-7]


def test_damaged_batches_are_extracted_again(tmp_path, monkeypatch, context) -> None:
    """An extraction that was interrupted would block the data set until cleaned up by hand."""
    published = cifar(monkeypatch)
    published.write(tmp_path)
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"half")
    published.check(Cifar10(root=tmp_path, download=False).make(context()))


@pytest.mark.parametrize(
    "content",
    [b"", b"not gzip", gzip.compress(b"nor idx"), gzip.compress(idx(draw(0, N, 28, 28)))[:-100]],
    ids=["empty", "no gzip", "no idx", "truncated"],
)
def test_damaged_idx_files_are_named(content, tmp_path, monkeypatch, context) -> None:
    """A half-copied file would crash without saying which."""
    published = mnist(monkeypatch)
    published.write(tmp_path)
    (tmp_path / "MNIST/raw/train-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(TaskError, match=r"^mnist: .*train-images-idx3-ubyte.gz is damaged \("):
        Mnist(root=tmp_path).make(context())


def test_idx_files_that_do_not_belong_together(tmp_path, monkeypatch, context) -> None:
    """Images would be trained with the labels of others."""
    published = mnist(monkeypatch)
    published.write(tmp_path)
    name = "MNIST/raw/train-labels-idx1-ubyte.gz"
    (tmp_path / name).write_bytes(gzip.compress(idx(LABELS[:-1])))
    with pytest.raises(TaskError, match="do not belong together"):
        Mnist(root=tmp_path).make(context())


def test_unpacked_idx_files_are_read(tmp_path, monkeypatch, context) -> None:
    """Torchvision's own folder, where it unpacks the archives, would not be found."""
    published = mnist(monkeypatch)
    for name, content in published.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name.removesuffix(".gz")).write_bytes(gzip.decompress(content))
    published.check(Mnist(root=tmp_path, download=False).make(context()))


def test_mnist_and_fashion_mnist_are_not_confused(tmp_path, monkeypatch, context) -> None:
    """Their files have the same names: one would be taken for the other."""
    published, other = mnist(monkeypatch), fashion(monkeypatch)
    for name, content in published.files.items():
        (tmp_path / Path(name).name).write_bytes(content)
    published.check(Mnist(root=tmp_path, download=False).make(context()))
    monkeypatch.setattr(FashionMnist, "installed", ())
    with pytest.raises(TaskError, match=r"no data under .* is not the published file"):
        FashionMnist(root=tmp_path, download=False).make(context())
    other.write(tmp_path)
    other.check(FashionMnist(root=tmp_path, download=False).make(context()))


def test_letters_of_emnist_count_from_one(tmp_path, monkeypatch, context) -> None:
    """Every letter would be taken for the next one, and z be no class at all."""
    published = emnist(monkeypatch, "letters", first=1)
    published.write(tmp_path)
    task = Emnist(root=tmp_path, split="letters", download=False)
    published.check(task.make(context()))
    assert task.make(context()).name == "emnist letters"


def test_emnist_is_extracted_once_and_whole(tmp_path, monkeypatch, context) -> None:
    """Every process would extract the archive again, or half a file would block the data set."""
    published = emnist(monkeypatch)
    published.write(tmp_path)
    Emnist(root=tmp_path).make(context())
    raw = tmp_path / "EMNIST" / "raw"
    (raw / "gzip.zip").unlink()
    assert len(list(raw.iterdir())) == 4
    published.check(Emnist(root=tmp_path, download=False).make(context()))


def test_fashion_mnist_of_the_system_is_found(tmp_path, monkeypatch, context) -> None:
    """Debian's package would be installed in vain."""
    published = fashion(monkeypatch)
    for name, content in published.files.items():
        repacked = gzip.compress(gzip.decompress(content), compresslevel=1, mtime=1)
        (tmp_path / Path(name).name).write_bytes(repacked)
    monkeypatch.setattr(FashionMnist, "installed", (tmp_path,))
    published.check(FashionMnist(root=tmp_path / "none", download=False).make(context()))


@pytest.mark.skipif(ROOT, reason="the superuser may read everything")
def test_a_folder_that_may_not_be_read(tmp_path, context) -> None:
    """A wrong permission would end in a traceback."""
    (tmp_path / "d").mkdir(mode=0)
    with pytest.raises(TaskError, match=r"^cifar10: cannot read .* \(Permission denied\)"):
        Cifar10(root=tmp_path / "d").make(context())
