"""How alike a population's paths are, computed from how many of them use each module."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from pathnet_evo.core.genotype import Path, n_modules


def diversity(paths: Sequence[Path], counts: Sequence[int], frozen: Path) -> dict[str, float]:
    """Measures of a population of P paths, in O(P N L).

    - ``mean_path_distance``: the mean over all ordered pairs of different slots of the share of
      the first path's modules that the second does not have; 0 where all paths are equal, 1 where
      no two share a module. Of one path alone it is 0.
    - ``distinct_paths``: number of different paths.
    - ``usage_entropy``: entropy in bits of the layer's modules, each weighted by the number of
      paths that use it; mean over the layers.
    - ``usage_entropy_normalised``: the same, each layer's over the largest possible, log2 M;
      layers of a single module are left out, and it is 0 where there are no others.
    - ``frozen_overlap``: the share of a path's active modules of a layer that are frozen; mean
      over paths and layers.
    - ``frozen_overlap_chance``: what uniformly random genotypes are expected to have of it.

    Args:
        paths: the distinct modules of each layer, at least one a layer.
        counts: number of modules of each layer, M, ``(L,)``.
        frozen: the frozen modules of each layer.

    Raises:
        ValueError: there is no path.
    """
    if not paths:
        raise ValueError("a population without paths has no diversity")
    usage = [Counter(module for path in paths for module in path[i]) for i in range(len(counts))]
    entropies = [_entropy(layer) for layer in usage]
    relative = [
        bits / math.log2(count) for bits, count in zip(entropies, counts, strict=True) if count > 1
    ]
    return {
        "mean_path_distance": _mean_distance(paths, usage),
        "distinct_paths": float(len(set(paths))),
        "usage_entropy": sum(entropies) / len(entropies),
        "usage_entropy_normalised": sum(relative) / len(relative) if relative else 0.0,
        "frozen_overlap": _frozen_share(paths, frozen),
        "frozen_overlap_chance": sum(
            len(layer) / count for layer, count in zip(frozen, counts, strict=True)
        )
        / len(counts),
    }


def _mean_distance(paths: Sequence[Path], usage: Sequence[Counter[int]]) -> float:
    """Of a module that c paths use, each of them shares it with c - 1 others."""
    others = len(paths) - 1
    if not others:
        return 0.0
    shared = 0.0
    for path in paths:
        met = sum(
            used[module] - 1 for layer, used in zip(path, usage, strict=True) for module in layer
        )
        shared += met / (n_modules(path) * others)
    return 1.0 - shared / len(paths)


def _entropy(layer: Counter[int]) -> float:
    total = layer.total()
    return math.fsum(used / total * math.log2(total / used) for used in layer.values())


def _frozen_share(paths: Sequence[Path], frozen: Path) -> float:
    """By symmetry each active module is frozen with chance F / M, whatever their number."""
    shares = [
        len(set(layer).intersection(kept)) / len(layer)
        for path in paths
        for layer, kept in zip(path, frozen, strict=True)
    ]
    return sum(shares) / len(shares)
