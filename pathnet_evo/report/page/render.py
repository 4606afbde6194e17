"""From a run's data to HTML; every name from outside is escaped."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pathnet_evo.analysis import compared
from pathnet_evo.core.genotype import Path, n_modules
from pathnet_evo.interfaces.summary import FrontSummary, StageSummary
from pathnet_evo.report import speeds, words
from pathnet_evo.report.data import ReportData
from pathnet_evo.report.data.transfer import transfer_matrix
from pathnet_evo.report.page.assets import integrity, plotly, script, style
from pathnet_evo.report.page.payload import as_json, payload
from pathnet_evo.values import readable
from pathnet_evo.values.stage_numbers import stage_title


def render_page(data: ReportData) -> str:
    """One HTML document that needs no other file and asks for none."""
    return render_alone("page.html", "report", **_content(data))


def render_alone(template: str, name: str, charts: bool = True, **values: Any) -> str:
    """A template with everything that it needs inside, and a policy that lets nothing else in.

    Args:
        template: its file, which extends ``page.html``.
        name: of the script that belongs to it.
        charts: whether it needs plotly.
        values: what the template shows.
    """
    inline = [script(name), *([plotly()] if charts else [])]
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src {' '.join(map(integrity, inline))}; base-uri 'none'; form-action 'none'"
    )
    return (
        environment()
        .get_template(template)
        .render(
            **values,
            style=Markup(style()),  # noqa: S704 - our own file
            script=Markup(inline[0]),  # noqa: S704 - our own files
            plotly=Markup("".join(inline[1:])),  # noqa: S704 - a published script
            policy=policy,
        )
    )


def render_content(data: ReportData) -> str:
    """What is inside the page's ``main``: all that changes as a run goes on."""
    return environment().get_template("content.html").render(**_content(data))


def render_live(name: str) -> str:
    """The page of a run that is served: empty until its content is asked for."""
    return environment().get_template("live.html").render(title=name, run=name)


@cache
def environment() -> Environment:
    """Where templates are found, and how numbers are written."""
    found = Environment(
        loader=PackageLoader("pathnet_evo.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "place": stage_title,
        "number": readable.shown,
        "interval": readable.shown_interval,
        "times": readable.times,
        "used": compared.used,
        "pair": speeds.censored_times,
        "speed_up": speeds.speed_up,
        "speed_up_interval": speeds.speed_up_interval,
        "area_gain": speeds.area_gain,
        "area_gain_interval": speeds.area_gain_interval,
        "costs": words.costs_of,
    }
    return found


def _content(data: ReportData) -> dict[str, Any]:
    brief = words.sentences(data.summary, data.shown, brief=True)
    return {
        "data": data,
        "summary": data.summary,
        "title": data.folder.resolve().name,
        "sentences": brief,
        "further": [s for s in words.sentences(data.summary, data.shown) if s not in brief],
        "promises": words.promises(data.summary, data.n_failures),
        "command": _command(data.summary["about"]),
        "payload": Markup(as_json(payload(data))),  # noqa: S704 - escaped as JSON
        "matrix": transfer_matrix(data),
        "capacity": _capacity(data),
        "fronts": list(_fronts(data)),
    }


def _capacity(data: ReportData) -> dict[str, list[dict[str, float] | None]]:
    """For arms that freeze: of how many modules how many were frozen as each stage began."""
    found: dict[str, list[dict[str, float] | None]] = {}
    for arm in (a.name for a in data.config.arms if a.may_freeze):
        stages = [data.of(arm, i) for i in range(len(data.stages))]
        before = [_mean_frozen([(v.counts, v.history.frozen) for v in views]) for views in stages]
        after = _mean_frozen([(v.counts, v.frozen_after) for v in stages[-1] if v.history.path])
        if any(before):
            found[arm] = [*before, after]
    return found


def _mean_frozen(seeds: list[tuple[tuple[int, ...], Path]]) -> dict[str, float] | None:
    if not seeds:
        return None
    frozen = sum(n_modules(path) for _, path in seeds) / len(seeds)
    return {"frozen": frozen, "modules": sum(sum(counts) for counts, _ in seeds) / len(seeds)}


def _fronts(data: ReportData) -> Iterator[tuple[str, StageSummary, FrontSummary]]:
    """Arm, stage and front, of the first seed that has one."""
    for arm, result in data.summary["arms"].items():
        for stage, found in zip(data.stages, result["stages"], strict=True):
            for front in [*found["fronts"].values()][:1]:
                yield arm, stage, front


def _command(about: dict[str, Any]) -> str:
    command = about.get("command")
    if isinstance(command, list):
        return shlex.join(map(str, command))
    return str(command) if command else "pathnet-evo run run.toml"
