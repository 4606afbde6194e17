"""What stands in a tree of images and is no file, or no image."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pathnet_evo.errors import UserNotice
from pathnet_evo.interfaces.tasks import TaskError
from pathnet_evo_images import picture, tree


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
def test_a_fifo_was_named_like_an_image(d, something, name, make, greys, on_disk) -> None:
    """The program would wait for ever, or read until memory is full."""
    before = on_disk(d)
    something(d / "train/cat" / name)
    with pytest.warns(UserNotice, match=rf"1 that are not regular files \({name}\)$"):
        assert greys(make(d)) == before


def test_an_image_became_a_fifo(d, fuzz, monkeypatch, make) -> None:
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
def test_an_image_was_a_link_to_nothing(d, target, make) -> None:
    """Data that were not fetched would be left out, or end in a traceback."""
    os.symlink(target, d / "train/cat/x.png")
    with pytest.raises(TaskError, match=r"^folder: cannot read .*x\.png \("):
        make(d)


def test_links_led_elsewhere(d, make, greys, on_disk) -> None:
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


def test_folders_lay_deep_in_one_another(d, make, greys) -> None:
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


def test_a_postscript_file_was_named_like_an_image(d, monkeypatch, make) -> None:
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
