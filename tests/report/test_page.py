"""The page of runs that were written record by record, so that what it must say is known."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scipy import stats

from pathnet_evo.analysis.summary import summarise
from pathnet_evo.cli.tables import results
from pathnet_evo.interfaces.records import Record, TrialFinished, TrialStarted
from pathnet_evo.report import write_report
from pathnet_evo.report.speeds import censored_times
from pathnet_evo.report.words import sentences
from pathnet_evo.store.reading import RunError
from pathnet_evo.values.readable import shown, shown_interval


class Page(HTMLParser):
    """The tags, addresses and text of a page; fails on tags that do not close in order."""

    VOID = ("meta", "br", "link", "img", "input")

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


def data_of(folder: Path) -> Any:
    """What the page's scripts draw from."""
    text = (folder / "report.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text)
    assert found
    return json.loads(found[1])


def test_the_page_needs_nothing_else(tmp_path: Path, made_up: SimpleNamespace) -> None:
    """A report that is sent by mail would be broken, or would call home."""
    made_up.two_arms(tmp_path, [0.1, 0.2])
    page = read(tmp_path)
    assert not page.tags & {"link", "img", "iframe", "object"}
    assert all(address.startswith("#") for address in page.addresses)
    text = html.unescape((tmp_path / "report.html").read_text())
    assert re.search(r"default-src 'none'; img-src data:; .*script-src 'sha256-", text)
    assert len(text) < 6_000_000


def test_names_from_outside_are_escaped(tmp_path: Path, made_up: SimpleNamespace) -> None:
    """A task's name could run a script in the browser of whoever reads the report."""
    made_up.two_arms(tmp_path, [0.1, 0.2])
    page = read(tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert "<script>alert" not in text
    for name in made_up.names:
        assert name in page.text
    assert [stage["name"] for stage in data_of(tmp_path)["stages"]] == list(made_up.names)


def test_ids_are_unique(tmp_path: Path, made_up: SimpleNamespace) -> None:
    """A figure would be drawn with the clip path or hatch of another."""
    made_up.two_arms(tmp_path, [0.1, 0.2])
    text = write_report(tmp_path).read_text()
    text = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    ids = re.findall(r'\bid="([^"]*)"', text)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ([0.10, 0.12, 0.11], "pathnet is better"),
        ([-0.10, -0.12, -0.11], "independent is better"),
        ([0.10, -0.12, 0.01], "these seeds do not tell the two apart"),
        ([0.10], "A single seed gives no interval, so this may be chance"),
    ],
)
def test_what_came_out_is_said_honestly(
    tmp_path: Path, made_up: SimpleNamespace, differences: list[float], verdict: str
) -> None:
    """The report would claim a success that the numbers do not show, or hide a defeat."""
    made_up.two_arms(tmp_path, differences)
    said = sentences(summarise(tmp_path), "pathnet")
    (about_second,) = [s for s in said if s.startswith("Stage 2") and "against" in s]
    mean = 100 * sum(differences) / len(differences)
    assert f"the difference is {mean:+.1f} points" in about_second
    assert verdict in about_second
    (kept,) = [s for s in said if s.startswith("After the last stage, pathnet")]
    assert "forgot nothing" in kept


def test_verdicts_are_corrected_for_their_number(tmp_path: Path, made_up: SimpleNamespace) -> None:
    """Of many comparisons one in twenty would be called better by chance.

    Four arms make six comparisons; p values from scipy, and Holm's correction step by step.
    """
    arms = {
        "pathnet": [0.600, 0.610, 0.650],
        "independent": [0.500, 0.490, 0.540],
        "fine-tuning": [0.570, 0.570, 0.595],
        "random-columns": [0.600, 0.580, 0.680],
    }
    made_up.toml(tmp_path, 3, list(arms), stages=1)
    records: list[Record] = []
    for k, (arm, scores) in enumerate(arms.items()):
        for seed, score in enumerate(scores):
            trial = 3 * k + seed
            records += [TrialStarted(trial, arm, seed)]
            records += made_up.stage(trial, 0, [0.1, 0.2], {0: score})
            records += [TrialFinished(trial, "finished")]
    made_up.lineage(tmp_path, records)
    raw = {pair: stats.ttest_rel(*map(arms.get, pair)).pvalue for pair in combinations(arms, 2)}
    corrected, most = {}, 0.0
    for rank, (p, pair) in enumerate(sorted((p, pair) for pair, p in raw.items())):
        most = max(most, min(1.0, (6 - rank) * p))
        corrected[frozenset(pair)] = most
    assert raw["pathnet", "fine-tuning"] < 0.05 < corrected[frozenset({"pathnet", "fine-tuning"})]
    summary = summarise(tmp_path)
    for one in summary["comparisons"]:
        wanted = corrected[frozenset({one["arm"], one["control"]})]
        assert one["p_holm"] == pytest.approx(wanted, rel=1e-6)
    first, second, third = (s for s in sentences(summary, "pathnet") if "against" in s)
    assert "with Holm's correction for 6 comparisons): pathnet is better." in first
    assert "with Holm's correction for 6 comparisons): pathnet is possibly better." in second
    assert third.endswith("these seeds do not tell the two apart.")
    page = read(tmp_path)
    assert "corrected for the number" in page.text


@pytest.mark.parametrize(
    ("pair", "text"),
    [
        ({"value": 0.5, "censored": "arm"}, "< 0.50"),
        ({"value": 2.0, "censored": "control"}, "> 2.00"),
        ({"value": None, "censored": "both"}, "neither reached it"),
        ({"value": 1.18, "censored": None}, "1.18"),
    ],
)
def test_censored_speed_ups_are_bounds(pair: dict[str, float | str | None], text: str) -> None:
    """A budget that ran out would be shown as a measured speed-up."""
    assert censored_times(pair).startswith(text)


def test_areas_without_a_ratio(
    tmp_path: Path, made_up: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    """A game whose control learned nothing would have no result on the page."""
    made_up.toml(tmp_path, 1, ["pathnet", "independent"], stages=1)
    _, begun, played = made_up.episodes(0)
    bad = tuple(replace(episode, score=-3.0) for episode in played.episodes)
    records: list[Record] = []
    for trial, arm in enumerate(["pathnet", "independent"]):
        done = replace(played, trial=trial, episodes=bad if trial else played.episodes)
        records += [TrialStarted(trial, arm, 0), replace(begun, trial=trial), done]
        finished = replace(made_up.stage(trial, 0, [], {})[-1], examples=begun.budget)
        records += [finished, TrialFinished(trial, "finished")]
    made_up.lineage(tmp_path, records)
    summary = summarise(tmp_path)
    (speed,) = summary["speed_up"]["pathnet"]
    assert speed["mean"] is None
    difference = shown(speed["difference"]["mean"], sign=True)
    results(summary)
    shown_here, page = capsys.readouterr().out, read(tmp_path).text
    for text in (difference, "no ratio"):
        assert text in shown_here
        assert text in page


def test_numbers_are_shown_as_a_reader_wants_them() -> None:
    """Counts would read 8e+05, and a difference of two accuracies as if it were relative."""
    assert shown(800_000) == "800,000"
    assert shown(0.3571, "test_accuracy") == "35.7 %"
    assert shown(-0.012, "test_accuracy", sign=True) == "-1.2 points"
    assert shown_interval([-0.01, 0.02], "test_accuracy", sign=True) == "-1.0 to +2.0 points"
    assert shown(0.0) == "0"


def test_failed_evaluations_are_listed(tmp_path: Path, made_up: SimpleNamespace) -> None:
    """A user could not see why a run went wrong."""
    made_up.toml(tmp_path, 1, ["pathnet"])
    start = TrialStarted(0, "pathnet", 0)
    end = TrialFinished(0, "failed", "1 evaluation failed & that was <all>")
    made_up.lineage(tmp_path, [start, *made_up.stage(0, 0, [0.5, None], None), end])
    page = read(tmp_path)
    assert "the <loss> is not finite" in page.text
    assert "1 evaluation failed & that was <all>" in page.text
    assert "No stage is finished yet" in page.text


@pytest.mark.parametrize("done", ["nothing", "a trial", "a stage begun", "a stage"])
def test_unfinished_runs_have_a_report(tmp_path: Path, made_up: SimpleNamespace, done: str) -> None:
    """A run could not be looked at before it ends, nor after it was killed."""
    made_up.toml(tmp_path, 2, ["random", "independent"])
    records: list[Record] = [] if done == "nothing" else [TrialStarted(0, "random", 0)]
    if done.startswith("a stage"):
        records += made_up.stage(0, 0, [0.1, 0.2] if done == "a stage" else [], None)
    if done == "a stage":
        records[1:] = made_up.stage(0, 0, [0.1, 0.2], {0: 0.5})
    made_up.lineage(tmp_path, records)
    page = read(tmp_path)
    assert "made-up" in page.text
    assert ("50.0 %" in page.text) == (done == "a stage")


def test_the_command_that_repeats_it(tmp_path: Path, made_up: SimpleNamespace) -> None:
    """A reader would not know how to repeat the run."""
    made_up.two_arms(tmp_path, [0.1])
    about = {
        "command": "pathnet-evo run <mine> --seeds 1",
        "plugins": {"core": "1.0"},
        "resumed": [{"at": "noon", "command": "pathnet-evo resume <mine>", "from": {}}, {}, 3],
    }
    (tmp_path / "about.json").write_text(json.dumps(about))
    page = read(tmp_path)
    assert "pathnet-evo run <mine> --seeds 1" in page.text
    assert "core (1.0)" in page.text
    assert "noon: pathnet-evo resume <mine>" in page.text


def test_work_is_counted_in_its_unit(tmp_path: Path, made_up: SimpleNamespace) -> None:
    """Frames of a game would be told as examples."""
    made_up.toml(tmp_path, 1, ["pathnet"], stages=1)
    made_up.lineage(tmp_path, made_up.episodes(0))
    assert "generationsframesfinal fitness" in read(tmp_path).text


def test_no_run_no_report(tmp_path: Path, made_up: SimpleNamespace) -> None:
    """A mistyped folder would end in a traceback, or in an empty report."""
    with pytest.raises(RunError, match="not a run's folder"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []
