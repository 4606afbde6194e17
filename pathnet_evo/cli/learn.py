"""``pathnet-evo learn``: learn folders of pictures, one task each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pathnet_evo.cli.shared import (
    Device,
    ExecutorName,
    Jobs,
    PluginFiles,
    Quiet,
    RunName,
    RunsDir,
    Seeds,
    SummaryAsJson,
    Verbose,
)
from pathnet_evo.cli.terminal import say


def learn(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER...",
            help="Folders of pictures: FOLDER/CLASS/*, or FOLDER/train/CLASS/* and "
            "FOLDER/test/CLASS/*.",
        ),
    ],
    size: Annotated[
        int | None,
        typer.Option(
            min=8,
            help="Height and width in pixels. Default: what the backbone wants; without one, that "
            "of the first folder's pictures, at most 64.",
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Learn from the features of a pretrained network, or from pixels: none. Default: "
            "efficientnet-lite0 if the extra backbone is installed.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="A.B=VALUE", help="Override a key, as for run."),
    ] = None,
    name: RunName = None,
    runs_dir: RunsDir = Path("runs"),
    seeds: Seeds = None,
    jobs: Jobs = None,
    executor: ExecutorName = None,
    device: Device = None,
    plugins: PluginFiles = None,
    as_json: SummaryAsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Learn folders of pictures, one task each, with a configuration that suits them.

    The run's folder holds that configuration (run.toml), and a report with the mistakes. Add more
    folders later: pathnet-evo resume RUN --add-task FOLDER.
    """
    from pathnet_evo.cli.run import conclude, detail_of, one, options
    from pathnet_evo.plugins.files import given
    from pathnet_evo.plugins.registry import Registry
    from pathnet_evo.setup import preparing
    from pathnet_evo.setup.pictures import configuration

    detail = detail_of(quiet or as_json, verbose)
    registry = Registry(files=[given(file) for file in plugins or ()])
    extra = options(seeds=seeds, executor=executor, jobs=jobs, device=device)
    overrides = [*extra, *(settings or [])]
    data = configuration(
        folders,
        registry,
        size,
        backbone,
        overrides,
        lambda line: None if quiet or as_json else say(line, err=True),
    )
    config, label = preparing.configure(data, overrides, registry, plugins or ())
    folder, failed = one(preparing.ready(config, registry, label), registry, runs_dir, name, detail)
    conclude(folder, failed, as_json)
