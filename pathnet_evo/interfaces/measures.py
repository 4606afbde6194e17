"""Names and values of what a run measures, the same for every tracker, file and data frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pathnet_evo.core.genotype import Path, n_modules
from pathnet_evo.interfaces.summary import Summary


def generation_measures(
    best: float | None,
    mean: float | None,
    diversity: Mapping[str, float],
    metrics: Sequence[Mapping[str, float]],
) -> dict[str, float]:
    """What a generation measures; one in which all evaluations failed has no fitness.

    Args:
        best: its best fitness.
        mean: its mean fitness.
        diversity: of the population, empty where it was not measured.
        metrics: the learner's metrics of each of its evaluations.

    Returns:
        ``fitness/best``, ``fitness/mean``, ``population/NAME``, and each metric by its own name,
        averaged over the evaluations that have it.
    """
    fitness = {"fitness/best": best, "fitness/mean": mean}
    names = dict.fromkeys(name for found in metrics for name in found)
    values = {name: [found[name] for found in metrics if name in found] for name in names}
    return {
        **{name: value for name, value in fitness.items() if value is not None},
        **{f"population/{name}": value for name, value in diversity.items()},
        **{name: sum(found) / len(found) for name, found in values.items()},
    }


def score_measures(scores: Mapping[str, float]) -> dict[str, float]:
    """Test scores of a stage's network: ``score/NAME``."""
    return {f"score/{name}": value for name, value in scores.items()}


def path_measures(path: Path, reused: Path, frozen: Path) -> dict[str, float]:
    """What becomes of modules at the end of a stage.

    Args:
        path: the best path.
        reused: its modules that earlier stages froze.
        frozen: the frozen modules after the stage.

    Returns:
        ``path/reused``, a share, and ``pool/frozen``, a count.
    """
    return {
        "path/reused": n_modules(reused) / n_modules(path),
        "pool/frozen": float(n_modules(frozen)),
    }


def continual_measures(summary: Summary, arm: str, seed: int) -> dict[str, float]:
    """A trial's metrics over all stages, as far as they are known."""
    found = summary["arms"][arm].get("continual")
    if found is None:
        return {}
    named = {
        "ACC": found["acc"],
        "BWT": found["bwt"],
        "FWT": found["fwt"],
        "forgetting": found["forgetting"],
        "learning-area": found["learning_area"],
    }
    of_seed = {name: metric["seeds"].get(str(seed)) for name, metric in named.items()}
    return {f"continual/{name}": value for name, value in of_seed.items() if value is not None}
