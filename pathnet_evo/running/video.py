"""Pictures as a film: an mp4 or a gif."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pathnet_evo.errors import UserError
from pathnet_evo.running.playing import Picture
from pathnet_evo.system.extras import require

SUFFIXES = (".gif", ".mp4")
SMALL = 240
"""Pictures that are lower than this are doubled."""


class Video:
    """A film that is written picture by picture.

    Args:
        path: where to; the suffix says as what.

    Raises:
        UserError: an unknown suffix, a folder that is not there, or no imageio.
    """

    def __init__(self, path: Path) -> None:
        require("--video needs", "imageio")
        if path.suffix.lower() not in SUFFIXES:
            raise UserError(f"--video {path}: unknown suffix (have: {', '.join(SUFFIXES)})")
        if not path.absolute().parent.is_dir():
            raise UserError(f"--video {path}: no such folder")
        self.path = path
        self._writer: Any = None

    def add(self, picture: Picture, rate: float) -> None:
        """Append a picture.

        Args:
            picture: ``(height, width, 3)`` uint8.
            rate: pictures a second; the first one's counts.

        Raises:
            UserError: the file cannot be written.
        """
        try:
            if self._writer is None:
                self._writer = self._open(rate)
            self._writer.append_data(_shown(picture))
        except OSError as error:
            raise UserError(f"--video {self.path}: cannot be written ({error})") from None

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()

    def _open(self, rate: float) -> Any:
        import imageio

        if self.path.suffix.lower() == ".gif":
            return imageio.get_writer(self.path, mode="I", duration=1000 / rate, loop=0)
        return imageio.get_writer(self.path, mode="I", fps=rate, macro_block_size=1)


def _shown(picture: Picture) -> Picture:
    """Large enough to see, and with even sides, as films need."""
    if len(picture) < SMALL:
        picture = picture.repeat(2, axis=0).repeat(2, axis=1)
    height, width, _ = picture.shape
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)))
