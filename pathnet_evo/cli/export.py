"""``pathnet-evo export``: take a trained network out of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pathnet_evo.cli.terminal import say


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
    from pathnet_evo.running.shipping import ship

    if not (model or onnx or card):
        raise UserError("nothing to export: give --model FILE, --onnx FILE or --card FILE")
    with opened(folder, load_plugins) as run:
        files = ship(
            run,
            model=model,
            onnx=onnx,
            card=card,
            stage=stage,
            arm=arm,
            seed=seed,
            license=license,
        )
    for file in files:
        say(file)
