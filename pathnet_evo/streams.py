"""Randomness: one seed a trial, split into named streams, and the loan of one to DEAP."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Streams:
    """Independent random streams, keyed by seed, stage and name; not by arm.

    Equal keys give equal streams, so all arms of a seed start from the same weights and see the
    same data in the same order, whatever else runs.

    Args:
        seed: the trial's seed, not negative.
        stage: the stage's index; None for what belongs to the whole trial.
    """

    seed: int
    stage: int | None = None

    def at(self, stage: int) -> Streams:
        """The streams of one stage."""
        return Streams(self.seed, stage)

    def sequence(self, name: str, *key: int) -> np.random.SeedSequence:
        """The seed sequence of a stream; ``key`` tells streams of one name apart."""
        stage = 0 if self.stage is None else self.stage + 1
        return np.random.SeedSequence(self.seed, spawn_key=(stage, zlib.crc32(name.encode()), *key))

    def numpy(self, name: str, *key: int) -> np.random.Generator:
        """A new NumPy generator at the start of a stream."""
        return np.random.Generator(np.random.PCG64(self.sequence(name, *key)))

    def torch(self, name: str, *key: int) -> torch.Generator:
        """A new CPU generator of torch at the start of a stream."""
        state = self.sequence(name, *key).generate_state(1, np.uint64)
        return torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))

    def python(self, name: str, *key: int) -> random.Random:
        """A new ``random.Random`` at the start of a stream."""
        words = self.sequence(name, *key).generate_state(4, np.uint64)
        return random.Random(int.from_bytes(words.tobytes(), "little"))


@contextmanager
def lend(rng: random.Random) -> Iterator[None]:
    """Let DEAP's operators, which draw from the global ``random``, draw from ``rng``.

    The only place that touches the global generator; it is left as it was.
    """
    kept = random.getstate()
    random.setstate(rng.getstate())
    try:
        yield
    finally:
        rng.setstate(random.getstate())
        random.setstate(kept)
