"""What is between files and tasks: a place for errors, a source of images, decoded images."""

from __future__ import annotations

import multiprocessing
import unicodedata
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache

from torch import Tensor

from pathnet_evo import TaskError, UserNotice, on_one_line
from pathnet_evo_images.pixels import Frame
from pathnet_evo_images.stamps import Stamp, settle, stamp


def composed(name: str) -> str:
    """A name in composed Unicode (NFC): the same name, however a file system spells it."""
    return unicodedata.normalize("NFC", name)


@dataclass(frozen=True)
class Place:
    """Where in a configuration a task stands, for errors that say where, what and the way out.

    Args:
        kind: the task's registered name.
        stage: index of the stage that asks for it.
    """

    kind: str
    stage: int = 0

    def error(self, text: str) -> TaskError:
        """An error of this task, on one line."""
        return TaskError(f"{self.kind}: {on_one_line(text)}")

    def check_unchanged(self, stamps: Iterable[Stamp]) -> None:
        """Compare files with their stamps, after reading them.

        Raises:
            TaskError: one has changed.
        """
        for each in stamps:
            if stamp(each.path) != each:
                raise self.error(f"{each.path} changed while it was read. Try again.")

    def say(self, text: str) -> None:
        """Warn of something once in a run, on one line: workers leave it to the main process."""
        if multiprocessing.parent_process() is None:
            warnings.warn(f"{self.kind}: {on_one_line(text)}", UserNotice, stacklevel=2)

    def setting(self, assignment: str) -> str:
        """The command-line option that changes a field of this task."""
        return f"--set stages.{self.stage}.task.{assignment}"


@dataclass(frozen=True, eq=False)
class Images:
    """A data set decoded whole; shared between tasks, so never changed in place.

    Args:
        train: ``(n, C, H, W)`` uint8.
        labels: ``(n,)`` int64, indices into ``names``.
        test: ``(m, C, H, W)`` uint8.
        test_labels: ``(m,)`` int64.
        names: all classes of the data set, in order.
    """

    train: Tensor
    labels: Tensor
    test: Tensor
    test_labels: Tensor
    names: tuple[str, ...]


@dataclass(frozen=True)
class Source(ABC):
    """Files of a data set that were found; equal sources hold equal images.

    Args:
        place: who asks; no part of the comparison.
        stamps: the files as they were found.
    """

    place: Place = field(compare=False)
    stamps: tuple[Stamp, ...]

    @abstractmethod
    def read(self, frame: Frame) -> Images:
        """Read and decode everything.

        Args:
            frame: the shape that is wanted; a source may leave it to the caller.

        Raises:
            TaskError: a file is missing, damaged or unreadable.
        """


@lru_cache(maxsize=4)
def decoded(source: Source, frame: Frame) -> Images:
    """The images of a source in the shape that is wanted, read once in a process.

    Raises:
        TaskError: unreadable files, or that change meanwhile, or images that do not fit the frame.
    """
    if source.stamps:
        settle(source.stamps)
    images = source.read(frame)
    source.place.check_unchanged(source.stamps)
    try:
        frame.check(len(images.train) + len(images.test), images.train.shape[1:])
        return replace(images, train=frame.apply(images.train), test=frame.apply(images.test))
    except ValueError as error:
        raise source.place.error(f"{error}") from None
