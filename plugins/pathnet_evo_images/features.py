"""Features of many images, each computed once and kept on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pathnet_evo import TaskError, memory
from pathnet_evo_images.backbone import Loaded
from pathnet_evo_images.encoder import ImageEncoder
from pathnet_evo_images.lock import exclusive
from pathnet_evo_images.progress import Advance, progress
from pathnet_evo_images.shards import Features, Shard, Shards
from pathnet_evo_images.source import Place

CACHE_FORMAT = 1
"""To be raised whenever the computation of features changes."""
AT_ONCE = 2048
"""Images whose features are kept together: no more are lost if the program is interrupted."""


def encoded(place: Place, loaded: Loaded, *splits: Tensor) -> list[Tensor]:
    """Features of images, from the cache as far as they are known.

    Every image goes through the backbone alone and on one thread, so its features do not depend on
    the other images, their order or the number of threads.

    Args:
        place: who asks.
        loaded: the backbone.
        splits: each ``(n, channels, height, width)`` uint8, of one shape of image.

    Returns:
        Each ``(n, features)`` float32; mapped from the cache where it holds just these.

    Raises:
        TaskError: the backbone does not take such images, or there is too little memory.
    """
    try:
        encoder = loaded.encoder(splits[0].shape[1:])
    except TaskError as error:
        raise place.error(str(error)) from None
    key = _key(encoder, loaded.digest)
    return [_split(place, encoder, key, images.contiguous()) for images in splits]


def _split(place: Place, encoder: ImageEncoder, key: str, images: Tensor) -> Tensor:
    n, width = len(images), encoder.output_shape[0]
    if lack := memory.lacking(f"features of {n:,} images", n * width * memory.NUMBER):
        raise place.error(lack)
    names = [hashlib.sha256(image.data).digest() for image in images.numpy()]
    shards = Shards(key, width, place.say)
    with exclusive(f"features {key}"):
        known = shards.load(names)
        lacking = {name: i for i, name in enumerate(names) if name not in known}
        if lacking:
            wanted = [(name, images[i]) for name, i in lacking.items()]
            made = _make(place, encoder, shards, wanted)
            known |= {name: (shard, row) for shard in made for row, name in enumerate(shard.names)}
    return torch.from_numpy(_gathered(names, known, width))


def feature_moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of each feature, and the standard deviation of all around their means.

    One deviation for all keeps features that hardly vary from being blown up. NumPy adds in one
    order, whatever the number of threads.

    Args:
        features: ``(n, features)`` float32.

    Returns:
        ``(features,)`` and ``(1,)``, float64.
    """
    values = features.numpy()
    mean = values.mean(0, dtype=np.float64)
    squares = 0.0
    for start in range(0, len(values), AT_ONCE):
        squares += float(np.square(values[start : start + AT_ONCE] - mean).sum())
    deviation = (squares / values.size) ** 0.5
    return torch.from_numpy(mean), torch.tensor([deviation], dtype=torch.float64)


def _key(encoder: ImageEncoder, digest: str) -> str:
    """Stands for all that decides about features besides the image.

    The features of a fixed image tell of what has no version: the code of a plugin's network, and
    the processor's arithmetic.
    """
    facts = [
        CACHE_FORMAT,
        torch.__version__,
        digest,
        encoder.input_shape,
        encoder.rows.shape[0],
        encoder.mean.flatten().tolist(),
        encoder.deviation.flatten().tolist(),
    ]
    (sample,) = _computed(encoder, [encoder.sample], lambda done: None)
    return hashlib.sha256(json.dumps(facts).encode() + sample.tobytes()).hexdigest()


def _make(
    place: Place, encoder: ImageEncoder, shards: Shards, wanted: Sequence[tuple[bytes, Tensor]]
) -> list[Shard]:
    """Compute features, keep them part by part, and in the end as one."""
    parts: list[Shard] = []
    what = f"{place.kind}: computing features of {len(wanted):,} images"
    with progress(what, len(wanted)) as advance:
        for start in range(0, len(wanted), AT_ONCE):
            part = wanted[start : start + AT_ONCE]
            values = np.stack(list(_computed(encoder, [image for _, image in part], advance)))
            parts.append(shards.keep(tuple(name for name, _ in part), values))
    return [shards.merge(parts)] if len(parts) > 1 else parts


def _computed(
    encoder: ImageEncoder, images: Sequence[Tensor], advance: Advance
) -> Iterator[npt.NDArray[np.float32]]:
    """Features of images, one by one; several at the same time, each on one thread."""
    threads = torch.get_num_threads()

    @torch.inference_mode()
    def compute(image: Tensor) -> npt.NDArray[np.float32]:
        found: npt.NDArray[np.float32] = encoder(image[None])[0].numpy()
        return found

    try:
        with ThreadPoolExecutor(threads, "features", torch.set_num_threads, (1,)) as pool:
            for found in pool.map(compute, images):
                advance(1)
                yield found
    finally:
        torch.set_num_threads(threads)  # the last call counts for all


def _gathered(
    names: Sequence[bytes], known: dict[bytes, tuple[Shard, int]], width: int
) -> Features:
    """Features by name in this order; those of a shard itself where they are just its own."""
    shard, start = known[names[0]]
    if shard.names[start : start + len(names)] == tuple(names):
        return shard.values[start : start + len(names)]
    found = np.empty((len(names), width), dtype=np.float32)
    for i, name in enumerate(names):
        shard, row = known[name]
        found[i] = shard.values[row]
    return found
