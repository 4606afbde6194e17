"""``pathnet-evo options``: what a configuration can say."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pathnet_evo.cli.layout import definitions, paragraph
from pathnet_evo.cli.shared import PluginFiles
from pathnet_evo.cli.terminal import say
from pathnet_evo.errors import UserError
from pathnet_evo.values.numbers import plain_numbers

if TYPE_CHECKING:
    from pathnet_evo.plugins.registry import Registry
    from pathnet_evo.setup.describing import Section


def options(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND]",
            help="task, stream, learner, strategy, policy, module, engine, executor, observer or "
            "operator; or a section: run, stage, arm, pool, transfer or checkpoints.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Name of a plugin of that kind.")
    ] = None,
    files: PluginFiles = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, with all options of what is listed.")
    ] = False,
) -> None:
    """List what a configuration can say: kinds, the plugins of a kind, the options of a plugin."""
    from pathnet_evo.plugins.files import given
    from pathnet_evo.plugins.registry import Registry
    from pathnet_evo.setup.describing import KINDS, describe, names

    registry = Registry(files=[given(file) for file in files or ()])
    kinds = KINDS if kind is None else (kind,)
    if as_json:
        found = []
        for each in kinds:
            for which in [name] if name else names(registry, each) or [""]:
                try:
                    found.append(describe(registry, each, which))
                except UserError:
                    if name:  # of a list, a broken plugin is left out, as of the schema
                        raise
        say(json.dumps(plain_numbers([asdict(section) for section in found]), indent=1))
    elif kind is None:
        _list_kinds(registry, kinds)
    elif name is None and (known := names(registry, kind)):
        _list_names(registry, kind, known)
    else:
        _show(describe(registry, kind, name or ""))


def _list_kinds(registry: Registry, kinds: Iterable[str]) -> None:
    from pathnet_evo.setup.describing import SECTIONS, names

    told = []
    for kind in kinds:
        listed = ", ".join(names(registry, kind)) or "a section of its own"
        told.append((kind, listed if kind != "operator" else "DEAP's, and those of plugins"))
    definitions([(kind, text) for kind, text in told if kind not in SECTIONS])
    say()
    paragraph(f"Sections: {', '.join(SECTIONS)}.")
    paragraph("pathnet-evo options KIND NAME prints options, such as: options task digits")


def _list_names(registry: Registry, kind: str, known: Sequence[str]) -> None:
    from pathnet_evo.setup.describing import meaning

    definitions([(name, meaning(registry, kind, name)) for name in known])


def _show(section: Section) -> None:
    title = f"{section.kind} {section.name}".strip()
    paragraph(f"{title}: {section.meaning}" if section.meaning else title)
    key = f"{section.place}.KEY" if section.place else "KEY"
    paragraph(f"Override a key with --set '{key}=VALUE'." if section.options else "No options.")
    for option in section.options:
        say()
        need = ", required" if option.required else ""
        paragraph(f"{option}  ({option.type}{need})")
        if option.meaning:
            paragraph(option.meaning, indent=4)
