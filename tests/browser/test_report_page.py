"""The report of real runs, opened from disk in a real browser."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pathnet_evo.analysis.comparison import compare_runs
from pathnet_evo.report import write_report
from pathnet_evo.report.across_runs import comparison_page
from pathnet_evo.values.readable import shown

pytestmark = pytest.mark.slow


def report(run: Any) -> str:
    return (run.folder / "report.html").resolve().as_uri()


@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_figure_is_there(
    digits: Any,
    visit: Callable[..., Any],
    charted: Callable[[Any], Any],
    keep: Callable[..., None],
    axe: Callable[..., list[str]],
    figures: SimpleNamespace,
    width: int,
    scheme: str,
) -> None:
    """Readers would miss a figure, or could not use the page by eye, by ear or by keyboard."""
    page = charted(visit(report(digits), width, scheme))
    keep(page, f"report-{width}-{scheme}")
    for name in figures.charts:
        assert page.locator(f'[data-figure="{name}"] .main-svg').first.is_visible(), name
    for name in figures.drawings:
        assert page.locator(f'[data-figure="{name}"] svg').is_visible(), name
    assert painted(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert axe(page) == []


@pytest.mark.parametrize("width", [1400, 390])
def test_paper_has_every_chart_and_nothing_moves(
    digits: Any, visit: Callable[..., Any], width: int
) -> None:
    """Charts that nobody has scrolled to would be missing on paper, or push the text about."""
    page = visit(report(digits), width)
    last = page.locator('[data-figure="score-1"]')
    assert last.get_attribute("data-drawn") == "false"
    height = page.evaluate("document.documentElement.scrollHeight")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    for chart in page.locator("figure:not([hidden]) .chart").all():
        assert chart.get_attribute("data-drawn") == "true"
        assert chart.locator(".main-svg").first.is_visible()
    assert page.evaluate("document.documentElement.scrollHeight") == height


def painted(page: Any) -> int:
    """How many of the canvas's pixels have a colour."""
    script = """() => {
        const canvas = document.querySelector("canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let n = 0;
        for (let i = 3; i < data.length; i += 4) n += data[i] > 0;
        return n;
    }"""
    return int(page.evaluate(script))


def test_the_player_by_hand_and_by_keyboard(digits: Any, visit: Callable[..., Any]) -> None:
    """The population could not be followed through time."""
    page = visit(report(digits))
    words = page.locator('[data-player="words"]')
    assert words.text_content().startswith("Generation 20 of 20")
    page.locator("canvas").focus()
    page.keyboard.press("Home")
    assert words.text_content().startswith("Before the first of 20 generations")
    page.keyboard.press("ArrowRight")
    assert words.text_content().startswith("Generation 1 of 20")
    page.locator('[data-player="slider"]').fill("7")
    assert words.text_content().startswith("Generation 7 of 20")
    assert words.text_content() == told(digits, 6)
    page.locator('[data-player="speed"]').select_option("120")
    page.locator("canvas").focus()
    page.keyboard.press(" ")
    page.wait_for_function(
        "() => document.querySelector('[data-player=words]')"
        ".textContent.startsWith('Generation 20')"
    )
    assert page.locator('[data-player="play"]').text_content() == "Play"


def told(run: Any, generation: int) -> str:
    """What happened in a generation of the last stage of pathnet's first seed."""
    with closing(sqlite3.connect(run.folder / "lineage.sqlite")) as db:
        ((best, data),) = db.execute(
            "SELECT g.best, v.data FROM generations g JOIN events v USING (trial, stage) "
            "WHERE trial = 0 AND stage = 1 AND generation = ? AND v.evaluation = 2 * ? + 1",
            (generation, generation),
        )
    event = json.loads(data)
    changes = ", ".join(f"layer {i + 1}: {old} → {new}" for i, _, old, new in event["changes"])
    mutated = f"mutated {changes}." if changes else "nothing mutated."
    return (
        f"Generation {generation + 1} of 20, best fitness {best:.4g}: slot {event['winner']} (W) "
        f"overwrote slot {event['loser']} (L); {mutated}"
    )


def test_the_replay_is_the_lineage(digits: Any, visit: Callable[..., Any]) -> None:
    """The animation would show a population that never was, once one jumps in it."""
    page = visit("about:blank")
    text = files("pathnet_evo.report.page").joinpath("static", "replay.js").read_text("utf-8")
    page.add_script_tag(content=f"{text}\nwindow.Replay = Replay;")
    html = (digits.folder / "report.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html)
    assert found
    trial = next(
        t for t in json.loads(found[1])["trials"] if (t["arm"], t["stage"]) == ("pathnet", 1)
    )
    with closing(sqlite3.connect(digits.folder / "lineage.sqlite")) as db:
        rows = db.execute(
            "SELECT generation, place, genotype FROM evaluations "
            "WHERE trial = 0 AND stage = 1 ORDER BY evaluation"
        ).fetchall()
    script = """([trial, moments]) => {
        const replay = new Replay(trial);
        return moments.map(([g, p]) => [...replay.seek(g - 1).genotype(p)]);
    }"""
    moments = [(generation, place) for generation, place, _ in rows]
    moments = [*moments, *moments[::-1]]
    genotypes = [[g for row in json.loads(genotype) for g in row] for *_, genotype in rows]
    assert page.evaluate(script, [trial, moments]) == [*genotypes, *genotypes[::-1]]


def test_another_arm_seed_and_stage(digits: Any, visit: Callable[..., Any]) -> None:
    """Only one trial of a run could be looked at."""
    page = visit(report(digits))
    page.locator("#choose-stage").select_option("0")
    page.locator("#choose-arm").select_option("random")
    assert "re-initialised" in page.locator('[data-player="words"]').text_content()
    page.locator("#choose-arm").select_option("independent")
    assert not page.locator("#player").is_visible()
    assert "the same path throughout" in page.locator("#player-none").text_content()
    assert page.locator('[data-figure="architecture"] .module.new').count() == 9


def test_an_arm_can_be_hidden(
    digits: Any, visit: Callable[..., Any], charted: Callable[[Any], Any]
) -> None:
    """Curves that lie on one another could not be told apart."""
    page = charted(visit(report(digits)))
    lines = '[data-figure="curve-0"] .scatterlayer path.js-line'
    before = page.locator(lines).count()
    page.get_by_role("button", name="random").click()
    assert page.get_by_role("button", name="random").get_attribute("aria-pressed") == "false"
    page.wait_for_function(
        "([lines, before]) => document.querySelectorAll(lines).length < before", arg=[lines, before]
    )


def test_the_theme_can_be_chosen(digits: Any, visit: Callable[..., Any]) -> None:
    """A dark page could not be shown on a projector."""
    page = visit(report(digits), scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    page.get_by_role("button", name="Use light colours").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_numbers_are_those_of_the_summary(digits: Any, visit: Callable[..., Any]) -> None:
    """The page would say something else than summary.json."""
    summary = json.loads((digits.folder / "summary.json").read_text())
    page = visit(report(digits))
    table = page.get_by_role("group", name="Test scores").locator("tbody tr")
    for row, (arm, result) in zip(table.all(), summary["arms"].items(), strict=True):
        assert row.locator("th").text_content() == arm
        means = [stage["scores"]["test_accuracy"]["mean"] for stage in result["stages"]]
        assert row.locator("td b").all_text_contents() == [
            shown(mean, "test_accuracy") for mean in means
        ]
    assert page.locator("h1").text_content() == digits.folder.name
    assert summary["digest"] in page.locator("#repeat").text_content()


def test_one_arm_one_stage_one_seed(
    images: Any, visit: Callable[..., Any], charted: Callable[[Any], Any], keep: Callable[..., None]
) -> None:
    """A first try with one arm would have a broken page."""
    page = charted(visit(report(images)))
    keep(page, "images-1400-light")
    assert page.locator('[data-player="words"]').text_content().startswith("Generation 10 of 10")
    assert "Nothing was frozen before" in page.locator("#evolution").text_content()
    assert "nothing was transferred" in page.locator("#transfer").text_content()


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_a_game(
    pong: Any,
    visit: Callable[..., Any],
    charted: Callable[[Any], Any],
    keep: Callable[..., None],
    axe: Callable[..., list[str]],
    width: int,
    scheme: str,
) -> None:
    """A game's page would lack a figure, or say something else than its summary."""
    summary = json.loads((pong.folder / "summary.json").read_text())
    page = charted(visit(report(pong), width, scheme))
    keep(page, f"pong-{width}-{scheme}")
    for name in ("genealogy", "curve-0", "score-0"):
        assert page.locator(f'[data-figure="{name}"] .main-svg').first.is_visible(), name
    assert painted(page)
    page.locator("canvas").focus()
    page.keyboard.press("Home")
    words = page.locator('[data-player="words"]').text_content()
    assert words.startswith("Before the first of")
    table = page.get_by_role("group", name="Test scores").locator("td b")
    scores = [arm["stages"][0]["scores"]["mean_return"] for arm in summary["arms"].values()]
    assert table.all_text_contents() == [shown(score["mean"]) for score in scores]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert axe(page) == []


@pytest.mark.parametrize(
    ("width", "scheme"), [(1400, "light"), (1400, "dark"), (390, "light"), (390, "dark")]
)
def test_runs_side_by_side(
    two_runs: Path,
    visit: Callable[..., Any],
    charted: Callable[[Any], Any],
    keep: Callable[..., None],
    axe: Callable[..., list[str]],
    width: int,
    scheme: str,
) -> None:
    """Runs could not be compared by eye, by ear or on a telephone."""
    page = charted(visit(two_runs.as_uri(), width, scheme))
    keep(page, f"compare-{width}-{scheme}")
    charts = page.locator("figure .chart")
    assert charts.count() == 6
    assert all(chart.locator(".main-svg").first.is_visible() for chart in charts.all())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert axe(page) == []


@pytest.fixture(scope="session")
def two_runs(tmp_path_factory: pytest.TempPathFactory, made_up: SimpleNamespace) -> Path:
    """The page of two runs with two arms each."""
    folder = tmp_path_factory.mktemp("compared")
    for name, differences in (("first", [0.1, 0.2, 0.15]), ("a <second> run", [0.3, 0.1, 0.2])):
        (folder / name).mkdir()
        made_up.two_arms(folder / name, differences)
    runs = [folder / "first", folder / "a <second> run"]
    page = folder / "compared.html"
    page.write_text(comparison_page(compare_runs(runs), runs), encoding="utf-8")
    return page


def test_an_unfinished_game(
    tmp_path: Path,
    made_up: SimpleNamespace,
    visit: Callable[..., Any],
    charted: Callable[[Any], Any],
    keep: Callable[..., None],
) -> None:
    """A game's curve would not be there before its first evaluation is over, or count the wrong."""
    made_up.toml(tmp_path, 1, ["pathnet"], stages=1)
    made_up.lineage(tmp_path, made_up.episodes(0))
    page = charted(visit(write_report(tmp_path).as_uri()))
    keep(page, "game-1400-light")
    text = page.locator('[data-figure="curve-0"]').text_content()
    assert "frames" in text
    assert "mean return, smoothed" in text
    assert "random actions" in text
    assert not page.locator("#player").is_visible()
