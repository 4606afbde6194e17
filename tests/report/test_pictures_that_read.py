"""Pictures that can be read: ten arms apart, names whole, nothing over another, axes of data."""

from __future__ import annotations

import itertools
import re
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from pathnet_evo.interfaces.records import TrialFinished, TrialStarted
from pathnet_evo.report.data import ReportData, read_report_data
from pathnet_evo.report.figures import evolution, learning, paths
from pathnet_evo.report.figures.style import (
    ARM_COLOURS,
    colour_of,
    line_of,
    marker_of,
    style,
    wrapped,
)
from pathnet_evo.values.stage_numbers import renumbered, stage_number, stage_title

CSS = files("pathnet_evo.report.page").joinpath("static/page.css").read_text(encoding="utf-8")
PALETTES = [
    dict(re.findall(r"--(paper|arm-\d): (#[0-9a-f]{6});", block))
    for block in re.findall(r":root[^{]*\{[^}]*\}", CSS)
]
LONG = "a_quite_long_name_of_an-arm that nobody would cut"


def linear(colour: str) -> np.ndarray:
    """Linear RGB of a hexadecimal colour."""
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def oklab(colour: str) -> np.ndarray:
    """Björn Ottosson's OKLab, in which distances are about as eyes see them."""
    lms = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    ) @ linear(colour)
    return np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    ) @ np.cbrt(lms)


def contrast(colour: str, other: str) -> float:
    """WCAG's ratio."""
    bright, dark = sorted(
        (float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (colour, other)), reverse=True
    )
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", PALETTES, ids=["light", "system dark", "chosen dark"])
def test_ten_arms_have_colours_apart(palette: dict[str, str]) -> None:
    """Two of ten arms would be one to the eye, or hardly stand out from the paper."""
    colours = [palette[f"arm-{k}"] for k in range(10)]
    assert (
        min(
            float(np.linalg.norm(oklab(a) - oklab(b)))
            for a, b in itertools.combinations(colours, 2)
        )
        > 0.09
    )
    assert min(contrast(colour, palette["paper"]) for colour in colours) >= 3


def test_figures_have_the_pages_colours() -> None:
    """A paper's figure and the page would name one arm by two colours."""
    assert list(ARM_COLOURS) == [PALETTES[0][f"arm-{k}"] for k in range(10)]


def test_arms_of_one_colour_differ_in_their_line() -> None:
    """Of fifty arms, two would look the same; of ten, two have one marker in black and white."""
    looks = [(colour_of(k), str(line_of(k)), marker_of(k)) for k in range(50)]
    assert len(set(looks)) == 50
    assert len({marker for _, _, marker in looks[:10]}) == 10


@pytest.mark.parametrize("name", [LONG, "x" * 70, "a", "two words", "trailing-"])
def test_wrapped_names_are_whole(name: str) -> None:
    """A reader could not tell arms whose names begin alike."""
    lines = wrapped(name, 20).split("\n")
    assert "".join(lines).replace(" ", "") == name.replace(" ", "")
    assert max(map(len, lines)) <= 20


def many(folder: Path, made_up: SimpleNamespace, arms: list[str], wide: bool = False) -> ReportData:
    """A run of some arms under three seeds, whose scores are close or far apart."""
    made_up.toml(folder, 3, [])
    text = (folder / "run.toml").read_text().replace("arms = []\n", "")
    text += "".join(f'[[arms]]\nname = "{arm}"\nstrategy = "fixed-path"\n' for arm in arms)
    (folder / "run.toml").write_text(text)
    records: list[Any] = []
    for trial, (seed, arm) in enumerate(itertools.product(range(3), range(len(arms)))):
        level = 0.5 + 0.01 * arm + (0.02 * seed if wide else 0.001 * seed)
        rising = [level + 0.004 * n for n in range(40)]
        records.append(TrialStarted(trial, arms[arm], seed))
        records += made_up.stage(trial, 0, rising, {0: level})
        records += made_up.stage(trial, 1, rising, {0: level, 1: level})
        records.append(TrialFinished(trial, "finished"))
    made_up.lineage(folder, records)
    return read_report_data(folder)


ARMS = [f"arm {i} {LONG}" if i % 3 == 0 else f"arm {i}" for i in range(10)]


def texts(figure: Figure) -> list[Text]:
    """The texts of a figure that are drawn: not the ticks beyond an axis."""
    FigureCanvasAgg(figure).draw()
    beyond = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low <= tick.get_loc() <= high:
                    beyond |= {tick.label1, tick.label2}
    found = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
    return [text for text in found if text not in beyond]


def assert_apart(figure: Figure) -> None:
    """No text lies over another or leaves the picture."""
    found = texts(figure)
    boxes = [(t.get_text(), t.get_window_extent()) for t in found]
    for (a, one), (b, other) in itertools.combinations(boxes, 2):
        wide = min(one.x1, other.x1) - max(one.x0, other.x0)
        high = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert min(wide, high) < 2, f"{a!r} lies over {b!r}"
    for text, box in boxes:
        assert box.x0 >= -1, text
        assert box.x1 <= figure.bbox.x1 + 1, text


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 4, 10])
def test_no_label_lies_over_another(n: int, tmp_path: Path, made_up: SimpleNamespace) -> None:
    """A figure would have to be mended by hand before it can go into a paper."""
    data = many(tmp_path, made_up, ARMS[:n])
    (view, *_) = [view for view in data.paths if view.stage == 1]
    use = next(use for use in data.usage if use.stage == 1)
    with style():
        for figure in (
            learning.learning_curve(data, 1),
            learning.scores(data, 1),
            paths.architecture(view),
            paths.population(view),
            paths.usage(use, view.history.frozen),
            evolution.ancestry(view, "accuracy"),
        ):
            assert_apart(figure)


def test_levels_have_their_names_apart(tmp_path: Path, made_up: SimpleNamespace) -> None:
    """A threshold near the score of random actions would hide its name."""
    from matplotlib.axes import Axes

    from pathnet_evo.report.figures.learning import _draw_levels
    from pathnet_evo.report.figures.style import panel

    with style():
        figure, axes = panel(2.0)
        assert isinstance(axes, Axes)
        _draw_levels(axes, {"threshold": 0.5, "random actions": 0.49})
        axes.set_xticks([])
        axes.set_yticks([])
        assert_apart(figure)


@pytest.mark.slow
def test_data_rule_the_axes(tmp_path: Path, made_up: SimpleNamespace) -> None:
    """One interval of three seeds would press all curves into a line."""
    data = many(tmp_path, made_up, ["pathnet", "other", "third"], wide=True)
    with style():
        (axes,) = learning.learning_curve(data, 1).axes
        low, high = axes.get_ylim()
        values = [v for arm in data.arms for s in data.curve(arm, 1).seeds.values() for v in s]
        known = [v for v in values if v is not None]
        intervals = [v for arm in data.arms for v in data.curve(arm, 1).low if v is not None]
        assert min(intervals) < low, "the fixture has an interval that is wider than the data"
        assert high - low < 1.25 * (max(known) - min(known))
        (axes,) = learning.scores(data, 1).axes
        low, high = axes.get_xlim()
        assert high - low < 2.5 * 100 * (0.02 * 2 + 0.02)


@pytest.mark.slow
def test_bands_do_not_merge(tmp_path: Path, made_up: SimpleNamespace) -> None:
    """Four bands over one another are grey: nobody knows whose interval is whose."""
    for n, bands, bars in ((2, 2, 0), (4, 0, 4), (10, 0, 0)):
        folder = tmp_path / str(n)
        folder.mkdir()
        data = many(folder, made_up, ARMS[:n])
        with style():
            (axes,) = learning.learning_curve(data, 1).axes
        fills = [c for c in axes.collections if type(c).__name__.startswith(("FillB", "Poly"))]
        assert (len(fills), len(axes.containers)) == (bands, bars)


@pytest.mark.slow
def test_figures_hatch_what_is_frozen_and_number_modules(
    tmp_path: Path, made_up: SimpleNamespace
) -> None:
    """A reader of the paper could not find a module of the text in the figure."""
    data = many(tmp_path, made_up, ["pathnet"])
    (view, *_) = [view for view in data.paths if view.stage == 1]
    use = next(use for use in data.usage if use.stage == 1)
    frozen = sum(map(len, view.history.frozen))
    assert frozen
    with style():
        figure = paths.architecture(view)
        numbers = [t.get_text() for t in texts(figure) if t.get_text().isdigit()]
        assert sorted(numbers) == sorted(str(m) for n in view.counts for m in range(n))
        figure = paths.usage(use, view.history.frozen)
        assert sum(bool(p.get_hatch()) for p in figure.axes[0].patches) == frozen
        assert [t.get_text() for t in texts(figure)].count("100 %") == len(view.counts)
        figure = paths.population(view)
        for axes in figure.axes:
            assert sum(bool(p.get_hatch()) for p in axes.patches) == frozen
        said = [t.get_text() for t in texts(figure)]
        assert "frozen" in said
        assert any(re.fullmatch(r"\d+ of \d+ paths", text) for text in said)


def test_people_count_stages_from_one() -> None:
    """A page would name another stage than the command line that it leads to."""
    assert (stage_number(0), stage_title(1, "high")) == (1, "2. high")
    assert renumbered("copies of stage 0, to be retrained") == "copies of stage 1, to be retrained"
