"""The report of runs that were written record by record, so that what it must say is known."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import matplotlib
import pytest
from PIL import Image

from pathnet_evo.learners import Candidate, Evaluation
from pathnet_evo.records import (
    Evaluated,
    Record,
    StageFinished,
    StageStarted,
    TrialFinished,
    TrialStarted,
)
from pathnet_evo.report import write_report
from pathnet_evo.report.data import PathView, read_report_data, trailing_means
from pathnet_evo.report.words import censored_times, sentences, shown, shown_interval
from pathnet_evo.run.lineage import Lineage
from pathnet_evo.run.summary import RunError, summarise

NAMES = ("<script>alert(1)</script> $x_", "b & <b>")
FIRST = ((0, 1), (2, 3))
SECOND = ((1, 2), (0, 3))
NOTHING = ((), ())


def write_toml(folder: Path, seeds: int, arms: Sequence[str]) -> None:
    """A run's configuration."""
    stages = "".join(f'[[stages]]\nname = "{name}"\ntask = "none"\n' for name in NAMES)
    (folder / "run.toml").write_text(
        f'name = "made-up"\narms = {json.dumps(list(arms))}\nseeds = {seeds}\n'
        "[pool]\nmodules = 4\nwidth = 2\n"
        '[[pool.layers]]\nkind = "linear"\nrepeat = 2\n' + stages
    )


def stage(
    trial: int, i: int, fitnesses: Sequence[float | None], scores: dict[int, float] | None
) -> list[Record]:
    """A stage's records; without scores it is not finished."""
    before = FIRST if i else NOTHING
    records: list[Record] = [
        StageStarted(
            trial, i, NAMES[i], 40, False, None, (FIRST,), before, (4, 4), "accuracy", "examples"
        )
    ]
    for n, fitness in enumerate(fitnesses):
        cause = "the <loss> is not finite" if fitness is None else None
        told = Evaluation(Candidate(n, 0, FIRST, None, n), fitness, cause, examples=8)
        records.append(Evaluated(trial, i, n, n // 2, told, ()))
    if scores is not None:
        records.append(
            StageFinished(
                trial=trial,
                stage=i,
                evaluations=len(fitnesses),
                examples=0,
                seconds=1.0,
                genotype=FIRST,
                path=SECOND if i else FIRST,
                fitness=0.5,
                reused=((1,), (3,)) if i else NOTHING,
                frozen=FIRST,
                scores={j: {"test_accuracy": score} for j, score in scores.items()},
                checkpoint=None,
            )
        )
    return records


def write_lineage(folder: Path, records: Sequence[Record]) -> None:
    """A whole lineage."""
    lineage = Lineage(folder / "lineage.sqlite")
    for record in records:
        lineage.write(record)
    lineage.close()


def two_arms(folder: Path, differences: Sequence[float]) -> None:
    """Pathnet is better than independent on the second stage by these, seed by seed."""
    write_toml(folder, len(differences), ["pathnet", "independent"])
    records: list[Record] = []
    rising = [0.02 * n for n in range(40)]
    for seed, difference in enumerate(differences):
        for k, arm in enumerate(("pathnet", "independent")):
            trial = 2 * seed + k
            records.append(TrialStarted(trial, arm, seed))
            records += stage(trial, 0, [None, *rising], {0: 0.75})
            better = 0.5 + (difference if k == 0 else 0)
            kept = {0: 0.75, 1: better} if k == 0 else {1: better}
            records += [*stage(trial, 1, rising, kept), TrialFinished(trial, "finished")]
    write_lineage(folder, records)


class Page(HTMLParser):
    """The tags, addresses and text of a page; fails on tags that do not close in order."""

    VOID = ("meta", "br", "link", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.add(tag)
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href", "xlink:href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag that closes itself, as SVG's do."""
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that the innermost tag closes."""
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect text."""
        self.text += data


def read(folder: Path) -> Page:
    """The report of a run."""
    return Page(write_report(folder).read_text(encoding="utf-8"))


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    """A report that is sent by mail would be broken, or would call home."""
    two_arms(tmp_path, [0.1, 0.2])
    page = read(tmp_path)
    assert not page.tags & {"script", "link", "img", "iframe", "object"}
    assert all(address.startswith("#") for address in page.addresses)
    assert "@import" not in page.text
    assert not re.search(r"url\((?!#)", (tmp_path / "report.html").read_text())


def test_names_from_outside_are_escaped(tmp_path: Path) -> None:
    """A task's name could run a script in the browser of whoever reads the report."""
    two_arms(tmp_path, [0.1, 0.2])
    page = read(tmp_path)
    assert "script" not in page.tags
    for name in NAMES:
        assert name in page.text


def test_ids_are_unique(tmp_path: Path) -> None:
    """A figure would be drawn with the clip path or hatch of another."""
    two_arms(tmp_path, [0.1, 0.2])
    ids = re.findall(r'\bid="([^"]*)"', write_report(tmp_path).read_text())
    assert len(ids) == len(set(ids))


def test_figures_follow_the_page_colours(tmp_path: Path) -> None:
    """Dark figures on a dark page could not be read."""
    two_arms(tmp_path, [0.1, 0.2])
    text = write_report(tmp_path).read_text()
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"(fill|stroke): #", text[text.index("<body") :])


def test_figures_are_saved(tmp_path: Path) -> None:
    """There would be no picture to show elsewhere."""
    two_arms(tmp_path, [0.1, 0.2])
    write_report(tmp_path)
    files = sorted(f.name for f in (tmp_path / "figures").iterdir())
    assert files == ["learning-curves.png", "paths-0.png", "paths-1.png", "scores.png"]
    for name in files:
        with Image.open(tmp_path / "figures" / name) as image:
            image.load()
            assert image.width > 600


def test_settings_of_matplotlib_are_left_alone(tmp_path: Path) -> None:
    """A report written in a notebook would change the user's own figures."""
    two_arms(tmp_path, [0.1])
    with matplotlib.rc_context({"font.size": 31.0}):
        write_report(tmp_path)
        assert matplotlib.rcParams["font.size"] == 31.0


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ([0.10, 0.12, 0.11], "pathnet is better"),
        ([-0.10, -0.12, -0.11], "independent is better"),
        ([0.10, -0.12, 0.01], "these seeds do not tell the two apart"),
        ([0.10], "One seed allows no interval, so this may be chance"),
    ],
)
def test_what_came_out_is_said_honestly(
    tmp_path: Path, differences: list[float], verdict: str
) -> None:
    """The report would claim a success that the numbers do not show, or hide a defeat."""
    two_arms(tmp_path, differences)
    said = sentences(summarise(tmp_path), "pathnet")
    (about_second,) = [s for s in said if s.startswith("Stage 2") and "reached" in s]
    mean = 100 * sum(differences) / len(differences)
    assert f"the difference is {mean:+.1f} points" in about_second
    assert verdict in about_second
    (kept,) = [s for s in said if s.startswith("After the last stage, pathnet")]
    assert "forgot nothing" in kept


@pytest.mark.parametrize(
    ("pair", "text"),
    [
        ({"value": 0.5, "censored": "arm"}, "< 0.50"),
        ({"value": 2.0, "censored": "control"}, "> 2.00"),
        ({"value": None, "censored": "both"}, "neither got there"),
        ({"value": 1.18, "censored": None}, "1.18"),
    ],
)
def test_censored_speed_ups_are_bounds(pair: dict[str, float | str | None], text: str) -> None:
    """A budget that ran out would be shown as a measured speed-up."""
    assert censored_times(pair).startswith(text)


def test_numbers_are_shown_as_a_reader_wants_them() -> None:
    """Counts would read 8e+05, and a difference of two accuracies as if it were relative."""
    assert shown(800_000) == "800,000"
    assert shown(0.3571, "test_accuracy") == "35.7 %"
    assert shown(-0.012, "test_accuracy", sign=True) == "-1.2 points"
    assert shown_interval([-0.01, 0.02], "test_accuracy", sign=True) == "-1.0 to +2.0 points"
    assert shown(0.0) == "0"


def test_modules_of_a_path(tmp_path: Path) -> None:
    """The picture would show modules as new that were reused, or the other way round."""
    two_arms(tmp_path, [0.1])
    first, second = read_report_data(tmp_path).paths
    assert [first.role(0, m) for m in range(4)] == ["new", "new", "unused", "unused"]
    assert [second.role(0, m) for m in range(4)] == ["frozen", "reused", "new", "unused"]
    assert isinstance(second, PathView)


def test_module_usage_counts_evaluations(tmp_path: Path) -> None:
    """Bars would show something else than how often a module was used."""
    two_arms(tmp_path, [0.1])
    (first, _) = read_report_data(tmp_path).usage
    assert first.shares == ((1.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 1.0))


def test_layers_that_grew_differently_are_all_counted(tmp_path: Path) -> None:
    """A run whose layers grow would end in a traceback instead of a report."""
    write_toml(tmp_path, 2, ["pathnet"])
    records: list[Record] = []
    for seed, counts in enumerate([(9, 4), (4, 10)]):
        started, *others = stage(seed, 0, [0.5], {0: 0.5})
        assert isinstance(started, StageStarted)
        records += [TrialStarted(seed, "pathnet", seed), replace(started, counts=counts), *others]
    write_lineage(tmp_path, records)
    (usage,) = read_report_data(tmp_path).usage
    assert [len(layer) for layer in usage.shares] == [9, 10]


def test_trailing_means() -> None:
    """Curves would lag, lead or break at failed evaluations."""
    assert trailing_means([1.0, 2.0, None, 6.0], 2) == [1.0, 1.5, 2.0, 6.0]
    assert trailing_means([None, 1.0], 2) == [None, 1.0]


def test_failed_evaluations_are_listed(tmp_path: Path) -> None:
    """A user could not see why a run went wrong."""
    write_toml(tmp_path, 1, ["pathnet"])
    start = TrialStarted(0, "pathnet", 0)
    end = TrialFinished(0, "failed", "1 evaluation failed & that was <all>")
    write_lineage(tmp_path, [start, *stage(0, 0, [0.5, None], None), end])
    page = read(tmp_path)
    assert "the <loss> is not finite" in page.text
    assert "1 evaluation failed & that was <all>" in page.text
    assert "No stage is finished yet" in page.text


@pytest.mark.parametrize("done", ["nothing", "a trial", "a stage begun", "a stage"])
def test_unfinished_runs_have_a_report(tmp_path: Path, done: str) -> None:
    """A run could not be looked at before it ends, nor after it was killed."""
    write_toml(tmp_path, 2, ["random", "independent"])
    records: list[Record] = [] if done == "nothing" else [TrialStarted(0, "random", 0)]
    if done.startswith("a stage"):
        records += stage(0, 0, [0.1, 0.2] if done == "a stage" else [], None)
    if done == "a stage":
        records[1:] = stage(0, 0, [0.1, 0.2], {0: 0.5})
    write_lineage(tmp_path, records)
    page = read(tmp_path)
    assert "made-up" in page.text
    assert ("50.0 %" in page.text) == (done == "a stage")


def test_the_command_that_repeats_it(tmp_path: Path) -> None:
    """A reader would not know how to repeat the run."""
    two_arms(tmp_path, [0.1])
    about = {"command": "pathnet-evo run <mine> --seeds 1", "plugins": {"core": "1.0"}}
    (tmp_path / "about.json").write_text(json.dumps(about))
    page = read(tmp_path)
    assert "pathnet-evo run <mine> --seeds 1" in page.text
    assert "core (1.0)" in page.text


def test_no_run_no_report(tmp_path: Path) -> None:
    """A mistyped folder would end in a traceback, or in an empty report."""
    with pytest.raises(RunError, match="not a run's folder"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []
