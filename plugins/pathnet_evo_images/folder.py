"""Any tree of images as a task."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from pathnet_evo import Shape, SupervisedTask, TaskContext
from pathnet_evo_images.base import Count, ImageTask
from pathnet_evo_images.pixels import Frame
from pathnet_evo_images.sides import SMALLEST, shorter_side
from pathnet_evo_images.source import Place, Source
from pathnet_evo_images.tree import SPLITS, Tree, is_tree
from pathnet_evo_images.walk import class_folders


class Folder(ImageTask):
    """A tree of images of your own: ``root/train/CLASS/*`` and ``root/test/CLASS/*``.

    Classes are the folders under ``train``, in alphabetical order. Without ``train`` and ``test``,
    they are the folders under ``root``, and each image's content decides whether it is for training
    or for testing: equal files are always on the same side. All files that Pillow can read
    as images are read, in folders within folders too, upright as their EXIF orientation says; a
    line says what is skipped, and why. All images must have one size, or ``size`` be set. Colour
    and grey may be mixed: then all are colour.
    """

    kind: ClassVar[str] = "folder"

    download: Literal[False] = False
    """There is nothing to download."""
    test_fraction: float = Field(0.2, gt=0, lt=1)
    """Share of the images for testing, if there are no folders ``train`` and ``test``."""
    max_size: Count | None = Field(None, ge=SMALLEST)
    """Images may have any sizes; unless ``size``, the pool or a backbone says another, they are
    brought to the median of their shorter sides, at most this. Images of fewer than 8 pixels are
    refused. Default: all images must have one size."""

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
        return self._tree(place)

    def make(self, context: TaskContext) -> SupervisedTask:
        """The task; see ``ImageTask``."""
        if self.max_size is None:
            return super().make(context)
        place = Place(self.kind, context.stage)
        with self.readable(place):
            side = shorter_side(place, self._tree(place))
        given = any(one is not None for one in (self.size, self.backbone, context.input_shape))
        size = self.size if given else min(side, self.max_size)
        return self.model_copy(update={"size": size, "max_size": None}).make(context)

    def _check_names(self, place: Place) -> None:
        """Refuse a class that is called like one of the folders that divide the images."""
        lacking = [name for name in SPLITS if not (self.folder / name).is_dir()]
        if len(lacking) != 1:
            return
        (split,) = {*SPLITS} - {*lacking}
        others = [name for name in class_folders(place, self.folder) if name != split]
        if others:
            raise place.error(
                f"{self.folder} has the folders {split} and {others[0]}. Images are divided into "
                f"train/CLASS/ and test/CLASS/: if {split} is a class, rename it; if not, move "
                f"some images of each class into {self.folder / lacking[0]}/CLASS/."
            )

    def _tree(self, place: Place) -> Tree:
        root, train = self.folder, self.folder / "train"
        self._check_names(place)
        classes = () if is_tree(root) else tuple(class_folders(place, root))
        if classes:
            return Tree.find_unsplit(place, root, classes, self.test_fraction)
        if not train.is_dir():
            empty = root.is_dir() and not is_tree(root)
            lacks = f"folders of classes in {root}" if empty else f"folder {train}"
            elsewhere = "" if empty else f", or {place.setting('root=FOLDER')}"
            raise place.error(
                f"no {lacks}. Put images into {root}/CLASS/, or into {train}/CLASS/ and "
                f"{root / 'test'}/CLASS/{elsewhere}."
            )
        return Tree.find(place, root, tuple(class_folders(place, train)))
