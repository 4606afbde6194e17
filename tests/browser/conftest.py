"""A headless Chromium, and the runs that it looks at.

``PATHNET_CHROMIUM`` names the browser where it is not on the path; ``PATHNET_SCREENSHOTS`` a folder
to keep pictures in.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pathnet_evo import launch

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; where there is none the test is skipped, but in CI it fails.

    For a module alone: what drives it has an event loop, in which nobody else could have one.
    """
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("PATHNET_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        reason = "no Chromium on the path (Debian: apt-get install chromium)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page; at the end nothing may have gone wrong in it, nor left it."""
    open_pages: list[Any] = []
    wrong: list[str] = []

    def visit(address: str, width: int = 1400, scheme: str = "light") -> Any:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.set_default_timeout(90_000)  # a machine can be busy
        open_pages.append(page)
        home = address.split("/", 3)[:3]
        page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else 0)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "request",
            lambda r: (
                wrong.append(r.url)
                if r.url.split("/", 3)[:3] != home and not r.url.startswith("data:")
                else 0
            ),
        )
        page.goto(address)
        return page

    yield visit
    for page in open_pages:
        page.close()
    assert wrong == []


@pytest.fixture(scope="session")
def charted() -> Callable[[Any], Any]:
    """Goes to every chart of a page, as each is drawn when it comes near, and back to the top."""
    from playwright.sync_api import expect

    def charted(page: Any) -> Any:
        page.wait_for_selector("figure:not([hidden]) .chart")
        for chart in page.locator("figure:not([hidden]) .chart").all():
            chart.scroll_into_view_if_needed()
            expect(chart).to_have_attribute("data-drawn", "true", timeout=30_000)
        page.evaluate("scrollTo(0, 0)")
        return page

    return charted


@pytest.fixture(scope="session")
def keep(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any, str], None]:
    """Keeps a picture of a whole page."""
    folder = Path(os.environ.get("PATHNET_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)

    def keep(page: Any, name: str) -> None:
        page.screenshot(path=folder / f"{name}.png", full_page=True)

    return keep


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A real run of three arms, two seeds and two stages."""
    return launch(
        "digits",
        [
            'arms=["pathnet", "independent", "random"]',
            "seeds=2",
            "stages.*.generations=20",
            "strategy.population=8",
            "stages.0.name=<b>first</b> pair",
        ],
        runs_dir=tmp_path_factory.mktemp("runs"),
        name="digits & <script>alert(1)</script>".replace("/", "|"),
    )


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A real run of one arm, one seed and one stage on a tree of images in CIFAR-10's shape."""
    root = tmp_path_factory.mktemp("cifar10")
    rng = np.random.default_rng(0)
    for split, n in (("train", 20), ("test", 5)):
        for label, name in enumerate(CLASSES):
            (root / split / name).mkdir(parents=True)
            for i in range(n):
                pixels = rng.integers(0, 80, (32, 32, 3), dtype=np.uint8) + 17 * label
                picture = Image.fromarray(pixels.astype(np.uint8))
                picture.save(root / split / name / f"{i}.png")
    task = {"name": "cifar10", "root": str(root)}
    return launch(
        {
            "arms": ["pathnet"],
            "pool": {"modules": 20, "width": 5},
            "strategy": {"name": "binary-tournament", "population": 16},
            "stages": [{"task": task, "generations": 10}],
        },
        runs_dir=tmp_path_factory.mktemp("runs"),
        name="images",
    )


@pytest.fixture(scope="session")
def pong(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A real run of Pong: 2,000 steps, of four frames each, in short episodes on few lanes."""
    task = {"name": "atari", "game": "pong", "max_episode_frames": 400, "threads": 1}
    return launch(
        {
            "arms": ["pathnet"],
            "pool": {
                "modules": 4,
                "width": 2,
                "input_shape": [4, 84, 84],
                "layers": [
                    {"kind": "conv2d", "channels": 4, "kernel": 8, "stride": 8},
                    {"kind": "linear", "units": 16},
                ],
            },
            "strategy": {"name": "asynchronous-tournament", "population": 4},
            "learner": {"name": "a3c", "num_envs": 4, "episodes": 1, "score_episodes": 4},
            "stages": [{"task": task, "frames": 8_000}],
        },
        runs_dir=tmp_path_factory.mktemp("runs"),
        name="pong",
    )


@pytest.fixture(scope="session")
def axe() -> Callable[[Any], list[str]]:
    """Serious faults that axe-core finds in a page."""
    from importlib.resources import files

    source = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")

    def faults(page: Any) -> list[str]:
        page.evaluate(source + "; undefined")
        found = page.evaluate("axe.run().then((result) => result.violations)")
        return [
            f"{fault['id']}: {node['html'][:120]}"
            for fault in found
            if fault["impact"] in ("serious", "critical")
            for node in fault["nodes"]
        ]

    return faults


@pytest.fixture(scope="session")
def figures() -> SimpleNamespace:
    """What a page's figures are called."""
    return SimpleNamespace(
        charts=["genealogy", "overlap", "curve-0", "curve-1", "score-0", "score-1"],
        drawings=["architecture", "usage"],
    )
