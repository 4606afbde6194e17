"""Any tree of images as a task."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

from pathnet_evo import Shape
from pathnet_evo_images.base import ImageTask
from pathnet_evo_images.pixels import Frame
from pathnet_evo_images.source import Place, Source
from pathnet_evo_images.tree import Tree
from pathnet_evo_images.walk import class_folders


class Folder(ImageTask):
    """A tree of images of your own: ``root/train/CLASS/*`` and ``root/test/CLASS/*``.

    Classes are the folders under ``train``, in alphabetical order. All files that Pillow can read
    as images are read, in folders within folders too, upright as their EXIF orientation says; a
    line says what is skipped, and why. All images must have one size, or ``size`` be set. Colour
    and grey may be mixed: then all are colour.
    """

    kind: ClassVar[str] = "folder"

    download: Literal[False] = False
    """There is nothing to download."""

    @property
    def data_set(self) -> tuple[str, ...]:
        """Trees at different places are different data."""
        return (self.kind, str(self.folder.resolve()))

    @property
    def title(self) -> str:
        """The name of the tree's folder."""
        return self.folder.resolve().name

    def _frame(self, input_shape: Shape | None) -> Frame:
        frame = super()._frame(input_shape)
        if self.backbone is None or self.size is not None:
            return frame
        side = self.backbone.load().backbone.size
        return replace(frame, height=side, width=side)

    def find(self, place: Place) -> Source:
        """The files of the tree."""
        train = self.folder / "train"
        if not train.is_dir():
            raise place.error(
                f"no folder {train}. Put images into {train}/CLASS/ and "
                f"{self.folder / 'test'}/CLASS/, or {place.setting('root=FOLDER')}."
            )
        return Tree.find(place, self.folder, tuple(class_folders(place, train)))
