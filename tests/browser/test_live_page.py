"""The live page of a run that goes on, served by the program itself to a real browser."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """``pathnet-evo watch`` on an empty folder."""
    folder = tmp_path / "runs"
    folder.mkdir()
    program = "from pathnet_evo.cli import main; main()"
    command = [sys.executable, "-c", program, "watch", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield SimpleNamespace(address=process.stdout.readline().strip(), folder=folder)
        process.terminate()


def test_a_run_is_followed(
    server: SimpleNamespace,
    made_up: SimpleNamespace,
    visit: Callable[..., Any],
    charted: Callable[[Any], Any],
    keep: Callable[..., None],
    axe: Callable[..., list[str]],
) -> None:
    """A run could only be looked at by loading its page again and again."""
    from playwright.sync_api import expect

    page = visit(server.address)
    assert "No runs yet" in page.locator("main").text_content()
    name = "a b?<i>#%2e"
    folder = server.folder / name
    folder.mkdir()
    made_up.toml(folder, 1, ["pathnet"])
    begun, *more = made_up.stage(0, 0, [0.1 * n for n in range(8)], None)
    lineage = made_up.lineage(folder, [made_up.started(0), begun], closed=False)
    page.get_by_role("link", name=name).click()
    page.wait_for_selector("h1")
    assert page.locator("h1").text_content() == name
    for record in more:
        lineage.write(record)
    lineage.commit()
    words = page.locator('[data-player="words"]')
    expect(words).to_have_text(re.compile("^Generation 4 of 4"), timeout=60_000)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (1400, 390):
            page.set_viewport_size({"width": width, "height": 900})
            charted(page)
            keep(page, f"live-{width}-{scheme}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert axe(page) == []
    lineage.close()
    assert (folder / "lineage.sqlite").read_bytes()[18] == 1  # no journal is needed to read it
