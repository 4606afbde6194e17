"""A run's network as files that work elsewhere: all of them, or none."""

from __future__ import annotations

from pathlib import Path

from pathnet_evo.errors import UserError
from pathnet_evo.models.saving import put
from pathnet_evo.models.trained import TrainedNetwork
from pathnet_evo.running.loading import Run, RunError


def ship(
    run: Run,
    *,
    model: Path | None = None,
    onnx: Path | None = None,
    card: Path | None = None,
    stage: str | None = None,
    arm: str = "pathnet",
    seed: int | None = None,
    license: str | None = None,  # noqa: A002
) -> list[Path]:
    """Write a stage's network.

    Args:
        run: an opened run; its registry is where module kinds are found.
        model: the safetensors file to write.
        onnx: the ONNX file to write.
        card: the model card to write, in Markdown.
        stage: the stage's name, or its number from 1; None for the last finished one.
        arm: name of the arm.
        seed: the seed; None for the first.
        license: licence of the weights; None leaves it open.

    Returns:
        The files.

    Raises:
        UserError: there is no such network, or a file cannot be written; then none is.
    """
    wanted = [file for file in (model, onnx, card) if file is not None]
    for i, file in enumerate(wanted):
        if file in wanted[:i]:
            raise UserError(f"{file}: named twice; give each file a name of its own")
    network = _network(run, stage, arm, seed)
    if license is not None:
        network = network.licensed(license)
    contents: dict[Path, str | bytes] = {}
    if model is not None:
        contents[model] = network.to_bytes()
    if onnx is not None:
        contents[onnx] = network.to_onnx_bytes()
    if card is not None:
        contents[card] = network.card(run.summary)
    put(contents)
    return wanted


def _network(run: Run, stage: str | None, arm: str, seed: int | None) -> TrainedNetwork:
    if stage is not None:
        return run.network(run.stage_of(stage), arm, seed)
    finished = run.finished(arm, seed)
    if not finished:
        raise RunError(f"{run.folder}: arm {arm!r} has not finished a stage")
    return run.network(finished[-1], arm, seed)
