"""Splitting pictures into training and test pictures by what their files hold."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from pathnet_evo_images.stamps import file_digest
from pathnet_evo_images.walk import Found


class LonelyClassError(ValueError):
    """A class has fewer than two different pictures; ``label`` is its index."""

    def __init__(self, label: int) -> None:
        super().__init__(label)
        self.label = label


def digests(files: Sequence[Found]) -> tuple[str, ...]:
    """SHA-256 of each file's bytes, hexadecimal.

    Raises:
        OSError: a file cannot be read.
    """
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        return tuple(threads.map(file_digest, [file.stamp.path for file in files]))


def for_testing(digests: Sequence[str], labels: Sequence[int], fraction: float) -> list[bool]:
    """Which pictures are for testing: those whose digest is among the lowest.

    The side of a picture depends on its content alone, so copies are never on different sides, and
    pictures that are added later move no other. Only a class that would be left without training or
    test pictures gives the other side its picture that is nearest to the limit; as long as it is
    that small, pictures that are added can move that one.

    Args:
        digests: hexadecimal SHA-256 of each picture.
        labels: the class of each picture, from 0.
        fraction: the share for testing, in (0, 1).

    Raises:
        LonelyClassError: a class has fewer than two different pictures.
    """
    of_class: list[set[str]] = [set() for _ in range(max(labels, default=-1) + 1)]
    for digest, label in zip(digests, labels, strict=True):
        of_class[label].add(digest)
    limit = int(fraction * 2**64)
    tested = {digest for digest in digests if int(digest[:16], 16) < limit}
    lent: set[str] = set()
    for label, own in enumerate(of_class):
        if len(own) < 2:
            raise LonelyClassError(label)
        if not own & tested:
            lent.add(min(own))
            tested.add(min(own))
        elif own <= tested:
            if own <= lent:
                raise LonelyClassError(label)
            tested.remove(max(own - lent))
    for label, own in enumerate(of_class):
        if not own & tested or own <= tested:  # it shares its pictures with other classes
            raise LonelyClassError(label)
    return [digest in tested for digest in digests]
