"""Downloading: from a server of the tests' own, and from nowhere."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import importlib
import socket
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torchvision.datasets

import pathnet_evo_images.download as module
from pathnet_evo.interfaces.tasks import TaskError
from pathnet_evo_images.cifar import Cifar10
from pathnet_evo_images.mnist import Mnist
from pathnet_evo_images.svhn import Svhn

NAMES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
CLOSED = "http://127.0.0.1:1/"
"""Nobody listens at port 1."""


class Server(http.server.ThreadingHTTPServer):
    """Serves a folder and keeps what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        server = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                server.asked.append(f"{self.command} {self.path}")

        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(folder)))

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}/"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A mirror of a small MNIST."""
    folder = tmp_path / "served"
    folder.mkdir()
    sums = []
    for name in NAMES:
        shape = (10, 28, 28) if "images" in name else (10,)
        values = range(10) if "labels" in name else [7] * 7840
        header = bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
        content = gzip.compress(header + bytes(values))
        (folder / f"{name}-ubyte.gz").write_bytes(content)
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        sums.append((f"{name}-ubyte.gz", digest))
    with Server(folder) as served:
        thread = threading.Thread(target=served.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        monkeypatch.setattr(torchvision.datasets.MNIST, "resources", sums)
        monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [served.url])
        yield served
        served.shutdown()
        thread.join()


def left(root: Path) -> set[str]:
    """The files under a folder."""
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_data_are_downloaded_quietly_and_once(server, tmp_path, context, capfd) -> None:
    """The first run would fail, be noisy, or download again the next time."""
    root = tmp_path / "new" / "data"
    task = Mnist(root=root).make(context())
    assert task.labels.tolist() == list(range(10))
    assert left(root) == {f"MNIST/raw/{name}-ubyte.gz" for name in NAMES}
    asked = list(server.asked)
    Mnist(root=root).make(context())
    assert server.asked == asked
    assert capfd.readouterr() == ("", "")


def test_torchvision_accepts_what_was_downloaded(server, tmp_path, context) -> None:
    """Data would have to be downloaded twice to be used with other programs too."""
    Mnist(root=tmp_path / "d").make(context())
    asked = len([line for line in server.asked if line.startswith("GET")])
    assert len(torchvision.datasets.MNIST(tmp_path / "d", download=True)) == 10
    assert len([line for line in server.asked if line.startswith("GET")]) == asked


def test_the_next_mirror_is_asked(server, tmp_path, monkeypatch, context) -> None:
    """One mirror that is down would stop everything."""
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [CLOSED, server.url])
    assert len(Mnist(root=tmp_path / "d").make(context()).labels) == 10


def test_only_missing_files_are_downloaded(server, tmp_path, context) -> None:
    """An interrupted download would begin anew."""
    Mnist(root=tmp_path / "d").make(context())
    (tmp_path / f"d/MNIST/raw/{NAMES[3]}-ubyte.gz").unlink()
    server.asked.clear()
    Mnist(root=tmp_path / "d").make(context())
    assert {line.split("/")[-1] for line in server.asked} == {f"{NAMES[3]}-ubyte.gz"}


def test_a_download_with_a_wrong_checksum_is_dropped(server, tmp_path, context) -> None:
    """A captive portal's page would be kept as data."""
    (tmp_path / f"served/{NAMES[0]}-ubyte.gz").write_bytes(b"<html>please log in</html>")
    with pytest.raises(TaskError, match=r"\(the download does not match the published checksum\)"):
        Mnist(root=tmp_path / "d").make(context())
    assert left(tmp_path / "d") == set()


def test_a_server_that_refuses(server, tmp_path, context) -> None:
    """The error would not tell a blocked or moved file from a missing network."""
    (tmp_path / f"served/{NAMES[0]}-ubyte.gz").unlink()
    with pytest.raises(TaskError, match=r"downloading failed \(HTTP 404 from 127\.0\.0\.1\)"):
        Mnist(root=tmp_path / "d").make(context())
    assert left(tmp_path / "d") == set()


@pytest.mark.parametrize(
    ("task", "wanted"),
    [
        (Cifar10, "cifar-10-python.tar.gz"),
        (Svhn, "train_32x32.mat and test_32x32.mat"),
        (Mnist, "the four *-ubyte.gz files of MNIST"),
    ],
)
def test_without_a_network(task, wanted, tmp_path, monkeypatch, context, capfd) -> None:
    """The first thing that most users meet would be a long wait, noise or a riddle."""
    sources = torchvision.datasets
    monkeypatch.setattr(sources.CIFAR10, "url", CLOSED)
    lists = {k: [CLOSED, *v[1:]] for k, v in sources.SVHN.split_list.items()}
    monkeypatch.setattr(sources.SVHN, "split_list", lists)
    monkeypatch.setattr(sources.MNIST, "mirrors", [CLOSED, CLOSED])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TaskError) as caught:
        task().make(context(stage=1))
    assert str(caught.value) == (
        f"{task.kind}: no data under data/ and downloading failed (network unreachable). "
        f"Put {wanted} there, or --set stages.1.task.root=FOLDER."
    )
    assert not (tmp_path / "data").exists()
    assert capfd.readouterr() == ("", "")


def test_a_network_that_never_answers(tmp_path, monkeypatch, context) -> None:
    """Behind a firewall that drops everything, a run would hang for minutes."""
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", f"http://127.0.0.1:{port}/")
        start = time.monotonic()
        with pytest.raises(TaskError, match="network unreachable"):
            Cifar10(root=tmp_path / "d").make(context())
        assert time.monotonic() - start < 5


def test_downloading_can_be_forbidden(server, tmp_path, context) -> None:
    """A cluster's node would try the network against the configuration."""
    with pytest.raises(TaskError, match=r"^mnist: no data under .*/ and download = false\. Put"):
        Mnist(root=tmp_path / "d", download=False).make(context())
    assert server.asked == []


def test_torchvision_of_another_place_than_torch(tmp_path, monkeypatch, context) -> None:
    """The commonest broken installation would show as a riddle about ``nms``."""
    real = importlib.import_module

    def broken(name: str) -> object:
        if name.startswith("torchvision"):
            raise RuntimeError("operator torchvision::nms does not exist")
        return real(name)

    monkeypatch.setattr(module.importlib, "import_module", broken)
    with pytest.raises(TaskError) as caught:
        Cifar10(root=tmp_path).make(context())
    assert "operator torchvision::nms does not exist" in str(caught.value)
    assert "install both again with one command" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_locks_are_not_needed(server, tmp_path, monkeypatch, context) -> None:
    """Without a writable cache folder nothing could be downloaded."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(Mnist(root=tmp_path / "d").make(context()).labels) == 10


@pytest.mark.skipif(sys.platform == "win32", reason="no locks on Windows")
def test_two_at_a_time_download_once(server, tmp_path, context) -> None:
    """Trials that start together would all download the same files."""
    threads = [
        threading.Thread(target=Mnist(root=tmp_path / "d").make, args=(context(),))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([line for line in server.asked if line.startswith("HEAD")]) == 4
