"""Tasks on published data sets, which torchvision downloads, verifies and reads."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from pathnet_evo_images.base import ImageTask
from pathnet_evo_images.download import DownloadError
from pathnet_evo_images.lock import exclusive
from pathnet_evo_images.pixels import Frame
from pathnet_evo_images.source import Place, Source
from pathnet_evo_images.tree import Tree, is_tree
from pathnet_evo_images.walk import class_folders

NATIVE = Frame(height=32, width=32)
"""The size of the images of CIFAR-10 and SVHN."""


class PublishedTask(ImageTask):
    """A published data set: found under ``root`` in one of its forms, else downloaded."""

    wanted: ClassVar[str]
    """What a user without a network puts under ``root``."""
    official: ClassVar[tuple[str, ...]]
    """The names of the classes, in order."""

    download: bool = True
    """Download the data where they are not found."""

    @abstractmethod
    def present(self, place: Place) -> Source | None:
        """The files under ``root``; None where there are none.

        Raises:
            TaskError: there are, but they are damaged.
        """

    @abstractmethod
    def fetch(self, place: Place) -> None:
        """Download under ``root`` what ``present`` looks for.

        Raises:
            DownloadError: it failed.
        """

    def unusable(self, place: Place) -> str:
        """A sentence on files that were passed over, for the error that there are none."""
        return ""

    def find(self, place: Place) -> Source:
        """The files of the data set, downloaded if need be and allowed."""
        source = self.present(place)
        if source is not None:
            return source
        put = f"Put {self.wanted} there, or {place.setting('root=FOLDER')}."
        put += self.unusable(place)
        if not self.download:
            raise place.error(
                f"no data under {self.root}/ and download = false. {put} "
                f"With a network: {place.setting('download=true')}."
            )
        with exclusive(f"download {self.kind} {self.folder.resolve()}"):
            source = self.present(place)  # another process may have been first
            if source is None:
                try:
                    self.fetch(place)
                except DownloadError as error:
                    raise place.error(
                        f"no data under {self.root}/ and downloading failed ({error}). {put}"
                    ) from None
                source = self.present(place)
        if source is None:
            raise place.error(f"the files downloaded to {self.root}/ are gone. Try again.")
        return source

    def present_tree(self, place: Place) -> Source | None:
        """A tree of images of this data set, in a folder of its name or ``root`` itself.

        Raises:
            TaskError: the folder of its name holds other classes, or half a tree.
        """
        own = self.folder / self.kind
        if is_tree(own):
            names = class_folders(place, own / "train")
            if set(names) != set(self.official):
                raise place.error(
                    f"{own}/train holds the classes {', '.join(names) or '(none)'}; {self.kind} "
                    f"has {', '.join(self.official)}. Rename the folders, or use the task "
                    '"folder".'
                )
            return Tree.find(place, own, self.official, NATIVE)
        if is_tree(self.folder):
            names = class_folders(place, self.folder / "train")
            if set(names) == set(self.official):
                return Tree.find(place, self.folder, self.official, NATIVE)
        return None
