"""``pathnet-evo compare``: several runs side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from pathnet_evo.cli.terminal import say
from pathnet_evo.values.stage_numbers import stage_title


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, with the tests of all pairs.")
    ] = False,
    page: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write a page, with curves.")
    ] = None,
) -> None:
    """Compare arms across runs: scores, costs and significance tests.

    Means have 95 % intervals over seeds. Each arm is compared with the arm of the same name in the
    first run, or else with the first arm: by Wilcoxon's signed-rank test, paired by seed, if they
    share two seeds or more, else by the Mann-Whitney U test. Holm's correction covers all pairs of
    arms. A is the chance that a seed of one arm scores higher than one of the other.
    """
    from pathnet_evo.analysis.comparison import compare_runs

    found = compare_runs(runs)
    if page is not None:
        _write(page, found, runs)
    if as_json:
        say(json.dumps(found))
        return
    _show(found)


def _write(page: Path, found: dict[str, Any], runs: list[Path]) -> None:
    from pathnet_evo.errors import UserError
    from pathnet_evo.report.across_runs import comparison_page
    from pathnet_evo.system.replacing import replace

    text = comparison_page(found, runs)
    try:
        if page.exists() and not page.is_file():  # a pipe, or /dev/stdout
            page.write_text(text, encoding="utf-8", errors="replace")
        else:
            replace(page.resolve(), text)
    except OSError as error:
        raise UserError(f"--html {page}: cannot be written ({error.strerror})") from None


def _show(found: dict[str, Any]) -> None:
    from pathnet_evo.analysis.compared import cannot_tell
    from pathnet_evo.cli.layout import paragraph, show
    from pathnet_evo.cli.tables import continual, costs, differences
    from pathnet_evo.report.words import not_finite

    for stage in found["stages"]:
        paragraph(f"stage {stage_title(stage['stage'], stage['name'])}")
        show(costs(stage))
        show(differences(found, stage["tests"]))
        if note := cannot_tell(stage["tests"]):
            paragraph(note)
        if not stage["same_budget"]:
            paragraph("The budgets differ, so these scores are not directly comparable.")
    if found["continual"]:
        paragraph("all stages")
        show(continual(found["continual"]))
        show(differences(found, found["continual_tests"]))
        if note := cannot_tell(found["continual_tests"]):
            paragraph(note)
    for difference in found["differences"]:
        values = ", ".join(json.dumps(value) for value in difference["values"])
        paragraph(f"{difference['key']}: {values}")
    for run in found["runs"]:
        for text in not_finite(run["not_finite"]):
            paragraph(f"{run['run']}: {text}")
    for reason in found["not_compared"]:
        paragraph(reason)
