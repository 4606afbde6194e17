"""``pathnet-evo schema``: the JSON Schema of configurations, for editors."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from pathnet_evo.cli.shared import PluginFiles
from pathnet_evo.cli.terminal import say


def schema(
    files: PluginFiles = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="The schema of sweeps, with search spaces as values.")
    ] = False,
) -> None:
    """Print the JSON Schema of configurations, with the options of all installed plugins.

    Save it as pathnet-evo.schema.json beside a TOML file whose first line is
    "#:schema ./pathnet-evo.schema.json", as in presets and runs: editors complete and check it.
    """
    from pathnet_evo.plugins.files import given
    from pathnet_evo.plugins.registry import Registry
    from pathnet_evo.setup.json_schema import configuration_schema, sweep_schema

    registry = Registry(files=[given(file) for file in files or ()])
    made = sweep_schema if sweep else configuration_schema
    say(json.dumps(made(registry), indent=1))
