"""``pathnet-evo export``: a run's results as tables, and its networks, for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from pathnet_evo.cli.terminal import say


def export(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="DIR", help="Write CSV files to this folder.")
    ] = None,
    parquet: Annotated[
        Path | None,
        typer.Option("--parquet", metavar="DIR", help="Write Parquet files to this folder."),
    ] = None,
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
        typer.Option(metavar="NAME", help="Licence of the network, such as CC-BY-4.0."),
    ] = None,
    load_plugins: Annotated[
        bool, typer.Option("--load-plugins", help="Execute the plugin files that the run used.")
    ] = False,
) -> None:
    """Export a run's results as tables, finished or not, or a stage's trained network.

    Tables are for pandas, R or a spreadsheet: one file each for stages, scores, curves,
    generations, evaluations, replacements and episodes. A network works without its run.
    """
    from pathnet_evo.cli.opening import opened
    from pathnet_evo.errors import UserError
    from pathnet_evo.running.loading import load_run
    from pathnet_evo.running.shipping import ship
    from pathnet_evo.running.table_files import require_tables, write_tables

    if not any((csv, parquet, model, onnx, card)):
        raise UserError(
            f"export {folder}: say what: --csv DIR, --parquet DIR, --model FILE, --onnx FILE or "
            "--card FILE"
        )
    wanted: dict[Literal["csv", "parquet"], Path | None] = {"csv": csv, "parquet": parquet}
    tables = {form: to for form, to in wanted.items() if to is not None}
    for form in tables:
        require_tables(form)
    if any((model, onnx, card)):
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
        for path in files:
            say(path)
    for form, to in tables.items():
        for path in write_tables(load_run(folder), to, form):
            say(path)
