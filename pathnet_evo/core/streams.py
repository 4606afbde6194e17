"""Randomness: one seed per trial, split into named streams, and lending of global generators.

DEAP's operators draw from the global ``random``, and a plugin may draw from NumPy's or torch's
global generator as well. All three are borrowed for a trial, set to streams of its seed, and put
back afterwards: equal seeds give equal results, and a user's own draws are not disturbed. Nothing
else touches them.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.random.mtrand import get_bit_generator, set_bit_generator


def state_of(rng: random.Random) -> list[Any]:
    """The state of a generator, as plain data."""
    version, words, gauss = rng.getstate()
    return [version, list(words), gauss]


def put_at(rng: random.Random, state: Sequence[Any]) -> None:
    """Restore a generator from ``state_of``."""
    version, words, gauss = state
    rng.setstate((version, tuple(words), gauss))


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
        """The seed sequence of a stream; ``key`` distinguishes streams with one name."""
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


# The global generators -------------------------------------------------------------------

_borrowed = False
_idle: list[np.random.MT19937] = []
"""Unused bit generators for NumPy's global functions; creating one is slow."""


@contextmanager
def borrow() -> Iterator[None]:
    """Restore the three global generators after the block."""
    global _borrowed
    if _borrowed:
        yield
        return
    kept = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    cuda = torch.cuda.get_rng_state_all() if _on_cuda() else []
    _borrowed = True
    try:
        with _numpy():
            yield
    finally:
        _borrowed = False
        random.setstate(kept[0])
        np.random.set_state(kept[1])  # noqa: NPY002
        torch.set_rng_state(kept[2])
        if cuda:
            torch.cuda.set_rng_state_all(cuda)


def seed_globals(streams: Streams, name: str, *key: int) -> None:
    """Set the three global generators to the start of a stream; do so within ``borrow``.

    Args:
        streams: the streams of the trial and stage.
        name: what is about to be done; it and ``key`` tell streams apart.
        key: such as the number of the round.
    """
    for_random, for_numpy, for_torch = streams.sequence(f"global/{name}", *key).generate_state(3)
    random.seed(int(for_random))
    np.random.seed(int(for_numpy))  # noqa: NPY002
    _seed_torch(int(for_torch))


@contextmanager
def lend(rng: random.Random) -> Iterator[None]:
    """Let the global generators draw from ``rng`` within the block, then restore them.

    The global ``random`` goes on where ``rng`` is, and ``rng`` goes on where it ends. NumPy's and
    torch's begin with seeds that depend on where ``rng`` is; where they were drawn from, ``rng``
    moves on by one number, so that the next loan gives others.
    """
    with borrow(), _numpy() as lent:
        kept = random.getstate(), torch.get_rng_state()
        given = rng.getstate()
        random.setstate(given)
        words, position = given[1][:4], given[1][-1]
        start = hash((*words, position)) & 0xFFFFFFFF
        first = _first(lent, start)
        begun = _seed_torch(start)
        try:
            yield
        finally:
            rng.setstate(random.getstate())
            if lent.random_raw() != first or not torch.equal(torch.get_rng_state(), begun):
                rng.random()
            random.setstate(kept[0])
            torch.set_rng_state(kept[1])


@contextmanager
def _numpy() -> Iterator[np.random.MT19937]:
    """Our own bit generator for NumPy's global functions."""
    kept = get_bit_generator()
    lent = _idle.pop() if _idle else np.random.MT19937()
    set_bit_generator(lent)
    try:
        yield lent
    finally:
        set_bit_generator(kept)
        _idle.append(lent)


def _first(lent: np.random.MT19937, start: int) -> Any:
    """Seed NumPy's global functions; return the first number that they will use."""
    np.random.seed(start)  # noqa: NPY002
    first = lent.random_raw()
    np.random.seed(start)  # noqa: NPY002
    return first


def _seed_torch(start: int) -> torch.Tensor:
    """Seed torch's global generators; return the CPU generator's state."""
    torch.default_generator.manual_seed(start)
    if _on_cuda():
        torch.cuda.manual_seed_all(start)
    return torch.get_rng_state()


def _on_cuda() -> bool:
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]
