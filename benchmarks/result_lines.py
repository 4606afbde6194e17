"""A file of results, one JSON line a measurement, that an interrupted benchmark continues."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class ResultLines:
    """What a file has so far.

    Args:
        file: the JSON lines; the start of one that was being written is cut off.
        names: what tells a line from others.
    """

    def __init__(self, file: Path, names: Sequence[str]) -> None:
        self.file, self.names = file, names
        text = file.read_text() if file.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            file.write_text(whole)
        self._known = {self._key(json.loads(line)) for line in whole.splitlines()}

    def __contains__(self, about: Mapping[str, Any]) -> bool:
        """Whether there is a line with these ``names``."""
        return self._key(about) in self._known

    def add(self, line: Mapping[str, Any]) -> None:
        """Append a line."""
        with self.file.open("a") as file:
            file.write(json.dumps(line) + "\n")
        self._known.add(self._key(line))

    def _key(self, line: Mapping[str, Any]) -> str:
        return json.dumps([line[name] for name in self.names])
