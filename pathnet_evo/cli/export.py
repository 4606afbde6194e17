"""``pathnet-evo export``: take a trained network out of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pathnet_evo.cli.terminal import say

if TYPE_CHECKING:
    from pathnet_evo.models.trained import TrainedNetwork
    from pathnet_evo.running.loading import Run


def export(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a network to a safetensors file."),
    ] = None,
    onnx: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a network to an ONNX file (extra onnx)."),
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a network's model card, in Markdown."),
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option(
            help="Stage of the network: its name, or number from 1. Default: the last finished."
        ),
    ] = None,
    arm: Annotated[str, typer.Option(help="Arm of the network.")] = "pathnet",
    seed: Annotated[
        int | None, typer.Option(help="Seed of the network. Default: the first.")
    ] = None,
    license: Annotated[  # noqa: A002
        str | None,
        typer.Option(metavar="NAME", help="Licence of the weights, such as CC-BY-4.0."),
    ] = None,
    load_plugins: Annotated[
        bool, typer.Option("--load-plugins", help="Execute the plugin files that the run used.")
    ] = False,
) -> None:
    """Take a stage's trained network out of a run, as files that work elsewhere."""
    from pathnet_evo.cli.opening import opened
    from pathnet_evo.errors import UserError
    from pathnet_evo.models.saving import put

    if not (model or onnx or card):
        raise UserError("nothing to export: give --model FILE, --onnx FILE or --card FILE")
    wanted = [file for file in (model, onnx, card) if file is not None]
    if len(set(wanted)) < len(wanted):
        raise UserError(f"{wanted[-1]}: named twice; give each file a name of its own")
    with opened(folder, load_plugins) as run:
        network = _network(run, stage, arm, seed)
        if license is not None:
            network = network.licensed(license)
        contents: dict[Path, str | bytes] = {
            file: make()
            for file, make in (
                (model, network.to_bytes),
                (onnx, network.to_onnx_bytes),
                (card, lambda: network.card(run.summary)),
            )
            if file is not None
        }
    put(contents)
    for file in contents:
        say(file)


def _network(run: Run, stage: str | None, arm: str, seed: int | None) -> TrainedNetwork:
    """The network of a stage; by default of the last one that is finished."""
    from pathnet_evo.running.loading import RunError

    if stage is not None:
        return run.network(run.stage_of(stage), arm, seed)
    finished = run.finished(arm, seed)
    if not finished:
        raise RunError(f"{run.folder}: arm {arm!r} has not finished a stage")
    return run.network(finished[-1], arm, seed)
