"""Odd trees of images, many of them: ``fuzz_images.py [CASES] [FIRST]``, 1,000 by default.

Each case is made from its number (``image_cases``). The task ``folder`` gives the values that were
drawn, resized by Pillow where sizes differ, or says what is wrong in one line; it does the same
again from its cache. Ends with status 1 where it does not.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import tempfile
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np
from image_cases import Array, Case, write
from PIL import Image

from pathnet_evo.core.streams import Streams
from pathnet_evo.errors import UserNotice
from pathnet_evo.interfaces.tasks import SupervisedTask, TaskContext, TaskError
from pathnet_evo_images.folder import Folder
from pathnet_evo_images.source import decoded

SECONDS = 30
"""For one case; it takes some milliseconds."""


def wrong(case: Case) -> str:
    """What is wrong with how a tree is read; nothing where all is well."""
    settings = Folder(root=case.root, size=case.size, channels=case.channels)
    read: list[SupervisedTask] = []
    for _ in range(2):
        decoded.cache_clear()
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                read.append(settings.make(TaskContext(Streams(0))))
            except TaskError as error:
                if len(str(error).splitlines()) != 1:
                    return f"an error of several lines: {error!r}"
                if not case.broken:
                    return f"refused: {error}"
                return ""
        for each in said:
            ours = issubclass(each.category, UserNotice)
            if ours and len(str(each.message).splitlines()) != 1:
                return f"a notice of several lines: {each.message!r}"
    return _difference(case, read[0]) or (
        "" if read[0].inputs.equal(read[1].inputs) else "the cache gives other values"
    )


def _difference(case: Case, task: SupervisedTask) -> str:
    images = {path: shown for path, shown in case.images.items() if not _is_left_out(path)}
    for split, inputs, labels in (
        ("train", task.inputs, task.labels),
        ("test", task.test_inputs, task.test_labels),
    ):
        own = {path[len(split) + 1 :]: s for path, s in images.items() if path.startswith(split)}
        composed = {unicodedata.normalize("NFC", path): shown for path, shown in own.items()}
        order = sorted(composed, key=lambda path: hashlib.sha256(path.encode()).digest())
        if len(order) != len(inputs):
            if any(shown is None for shown in own.values()):
                return ""  # damaged beyond recognition, so no image, which is said
            return f"{len(inputs)} images of {len(order)} in {split}"
        for path, image, label in zip(order, inputs.numpy(), labels.tolist(), strict=True):
            if task.class_names[label] != path.split("/")[0]:
                return f"{path} is labelled {task.class_names[label]}"
            shown = composed[path]
            if shown is None:
                continue  # what Pillow makes of a damaged file, whatever that is
            off = np.abs(image - _framed(case, shown, len(image)).transpose(2, 0, 1)).max()
            if off > case.tolerance + 2 * (case.size is not None) + (case.channels == 1):
                return f"{path} is off by {off}"
    return ""


def _is_left_out(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def _framed(case: Case, shown: Array, channels: int) -> Array:
    """The picture in its frame, by Pillow."""
    if case.size is not None:
        planes = [Image.fromarray(plane.astype(np.float32)) for plane in np.moveaxis(shown, 2, 0)]
        size = (case.size, case.size)
        resized = [plane.resize(size, Image.Resampling.BILINEAR) for plane in planes]
        shown = np.stack([np.asarray(plane) for plane in resized], axis=2)
    if channels == 1 and shown.shape[2] == 3:
        shown = (shown @ np.array([0.299, 0.587, 0.114]))[..., None]
    return np.broadcast_to(shown, (*shown.shape[:2], channels)).astype(float)


@contextmanager
def limit(seconds: int) -> Iterator[None]:
    """Raise where something hangs."""

    def late(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"not done in {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def check(number: int) -> tuple[str, bool]:
    """What is wrong with a case, and whether an error was allowed."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, limit(SECONDS):
        os.environ["XDG_CACHE_HOME"] = f"{folder}/cache"
        case = write(Path(folder) / "tree", number)
        return wrong(case), case.broken


def main() -> None:
    """Check as many cases as are asked for."""
    cases, first = (int(a) for a in (*sys.argv[1:], *["1000", "0"][len(sys.argv) - 1 :]))
    counts: Counter[str] = Counter()
    for number in range(first, first + cases):
        try:
            said, broken = check(number)
        except Exception as error:
            said, broken = f"{type(error).__name__}: {error}", False
        counts["wrong" if said else "may be refused" if broken else "right"] += 1
        if said:
            print(f"case {number}: {said!r}")
    print(", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
    sys.exit(counts["wrong"] > 0)


if __name__ == "__main__":
    main()
