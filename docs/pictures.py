"""The pictures of the README and the documentation, from real runs; Chromium takes the page's.

``python docs/pictures.py`` learns the preset ``digits``; ``--data FOLDER`` learns CIFAR-10 and then
MNIST from there instead, with the network of the paper, which takes a while.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from PIL import Image

from pathnet_evo import launch, save_figures

IMAGES = Path(__file__).parent / "images"


def main() -> None:
    """Run, and write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="Folder of CIFAR-10 and MNIST.")
    parser.add_argument("--generations", type=int, default=250, help="A stage's, with --data.")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--run", type=Path, help="Take the pictures of this run.")
    parser.add_argument("--images", type=Path, default=IMAGES, help="Where to write them.")
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    options = parser.parse_args()
    options.images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as runs:
        folder = options.run or learn(options, Path(runs))
        take(folder, options.images, options.chromium)


def learn(options: argparse.Namespace, runs: Path) -> Path:
    """Make the run."""
    settings = [f"seeds={options.seeds}"]
    if options.data is None:
        return launch("digits", settings, runs_dir=runs).folder
    root = options.data.resolve()
    tasks = [
        f'stages.0.task={{name="cifar10", root="{root}"}}',
        f'stages.1.task={{name="mnist", root="{root}", fit="pad", size=32, channels=3}}',
    ]
    settings += [f"stages.*.generations={options.generations}", *tasks]
    return launch("cifar-svhn-2017", settings, runs_dir=runs, name="cifar-mnist").folder


def take(folder: Path, images: Path, chromium: str | None) -> None:
    """Figures of the second stage; and the population's part of the page, light and dark."""
    save_figures(folder, ["png"])
    for name in ("population", "path"):
        small(folder / "figures" / f"{name}-2.png", images / f"{name}-figure.png", 2)
    if chromium is None:
        print("no Chromium: the page's pictures stay as they are")
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": 1100, "height": 900}, color_scheme=scheme)
            page.goto((folder / "report.html").resolve().as_uri())
            last = int(page.locator("[data-player=slider]").get_attribute("max"))
            page.locator("[data-player=slider]").fill(str(last // 3))
            page.locator("[data-player=slider]").blur()
            picture = images / f"population-page-{scheme}.png"
            page.locator(".player").screenshot(path=picture)
            small(picture, picture)
            page.close()
        browser.close()


def small(picture: Path, target: Path, divided: int = 1) -> None:
    """Write a picture, its width and height divided, in few colours: a tenth of the bytes."""
    with Image.open(picture) as opened:
        size = (opened.width // divided, opened.height // divided)
        found = opened.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    found.quantize(96, dither=Image.Dither.NONE).save(target, optimize=True)


if __name__ == "__main__":
    main()
