"""The pages that are served: what they hold, and what nobody gets through them."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from pathnet_evo.cli.watch import watch
from pathnet_evo.errors import UserError
from pathnet_evo.interfaces.records import TrialFinished
from pathnet_evo.watch import following
from pathnet_evo.watch.following import Followers
from pathnet_evo.watch.reader import reader
from pathnet_evo.watch.runs import RunsFolder
from pathnet_evo.watch.server import application
from pathnet_evo.watch.serving import is_loopback, listen


class Client:
    """Asks the application as a browser on this machine does."""

    def __init__(self, runs: RunsFolder, hosts: list[str] | None = None) -> None:
        self.runs, self.hosts = runs, hosts

    def ask(self, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
        """One request."""

        async def ask() -> httpx.Response:
            with ThreadPoolExecutor(1) as executor:
                app = httpx.ASGITransport(application(self.runs, executor, self.hosts))
                async with httpx.AsyncClient(transport=app, base_url="http://localhost") as client:
                    return await client.request(method, path, headers=headers)

        return asyncio.run(ask())

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask to see."""
        return self.ask("GET", path, {k.replace("_", "-"): v for k, v in headers.items()})


@pytest.fixture
def folder(tmp_path: Path, made_up: SimpleNamespace) -> Path:
    """A folder with a finished run, a file, and a secret beside the folder."""
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "runs"
    (folder / "one").mkdir(parents=True)
    made_up.two_arms(folder / "one", [0.1, 0.2])
    (folder / "notes.txt").write_text("notes")
    return folder


@pytest.fixture
def client(folder: Path) -> Client:
    """The folder's."""
    return Client(RunsFolder(folder), ["localhost"])


def test_the_list_and_a_run(client: Client) -> None:
    """Nothing could be watched."""
    page = client.get("/")
    assert '<a href="/runs/one/">one</a>' in page.text
    assert "finished" in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "live.js" in client.get("/runs/one/").text
    content = client.get("/runs/one/content").text
    assert "pathnet is better" in content or "do not tell the two apart" in content
    assert "<script>alert" not in content
    for file in ("page.css", "plotly.js", "report.js", "live.js"):
        answer = client.get(f"/static/{file}")
        assert answer.status_code == 200
        again = client.get(f"/static/{file}", if_none_match=answer.headers["etag"])
        assert again.status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "/runs/../secret.txt",
        "/runs/%2e%2e/",
        "/runs/..%2f/content",
        "/runs/%2e%2e%2fsecret.txt/content",
        "/runs/one%2f..%2f..%2fsecret.txt/content",
        "/runs/one/lineage.sqlite",
        "/runs/one/content/../run.toml",
        "/runs/notes.txt/content",
        "/runs/one%00/content",
        "/runs//etc/passwd",
        "/static/../one/run.toml",
        "/static/%2e%2e%2frun.toml",
        "/static//etc/passwd",
        "/one/run.toml",
    ],
)
def test_no_file_is_reached(client: Client, path: str) -> None:
    """Whoever reaches the port could read files of this machine."""
    answer = client.get(path)
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_links_lead_nowhere(client: Client, folder: Path, made_up: SimpleNamespace) -> None:
    """A link in the runs folder would open what lies outside it."""
    outside = folder.parent / "outside"
    outside.mkdir()
    made_up.two_arms(outside, [0.1])
    (folder / "linked").symlink_to(outside)
    (folder / "inner").mkdir()
    for file in ("run.toml", "lineage.sqlite"):
        (folder / "inner" / file).symlink_to(outside / file)
    (folder / ".hidden").mkdir()
    made_up.two_arms(folder / ".hidden", [0.1])
    for name in ("linked", "inner", ".hidden"):
        assert client.get(f"/runs/{name}/content").status_code == 404
        assert f"/runs/{name}/" not in client.get("/").text


def test_other_sites_are_not_answered(client: Client) -> None:
    """A page on the web could read runs through the reader's browser, by a name of its own."""
    assert client.get("/", host="evil.example").status_code == 400


def test_nothing_is_written(client: Client, folder: Path) -> None:
    """Looking at a run would change it."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    client.get("/")
    client.get("/runs/one/content")
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert client.ask("POST", "/runs/one/content", {}).status_code == 405


def test_a_damaged_run_is_said_to_be_one(client: Client, folder: Path) -> None:
    """One bad run would take the list of all down."""
    (folder / "bad").mkdir()
    (folder / "bad" / "run.toml").write_text("stages = 3")
    (folder / "bad" / "lineage.sqlite").write_text("no lineage")
    assert "unreadable" in client.get("/").text
    answer = client.get("/runs/bad/content")
    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("text/plain")
    assert "not a readable lineage" in answer.text


def test_one_run_alone(folder: Path, made_up: SimpleNamespace) -> None:
    """Who shows one run would show all the others as well."""
    (folder / "two").mkdir()
    made_up.two_arms(folder / "two", [0.1])
    client = Client(RunsFolder(folder, only="two"))
    assert client.get("/").headers["location"] == "/runs/two/"
    assert client.get("/runs/two/").status_code == 200
    assert client.get("/runs/one/").status_code == 404


def test_several_viewers_share_one_reading_and_follow_a_resumed_run(
    folder: Path, made_up: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each viewer would cost the machine a reading, or a resumed run would stand still."""
    monkeypatch.setattr(following, "LOOK", 0.01)
    run = folder / "resumed"
    run.mkdir()
    made_up.toml(run, 1, ["pathnet"])
    begun, *more = made_up.stage(0, 0, [0.1, 0.2], None)
    lineage = made_up.lineage(run, [made_up.started(0), begun], closed=False)
    readings = []

    def counted(path: Path) -> tuple[str, float]:
        readings.append(path)
        return f"reading {len(readings)}", 0.0

    monkeypatch.setattr(following, "read_content", counted)

    async def watched() -> None:
        with ThreadPoolExecutor(1) as executor:
            followers = Followers(executor)
            async with followers.of(run) as first, followers.of(run) as second:
                assert first is second
                assert await first.later_than(0) == 1
                for record in more:
                    lineage.write(record)
                lineage.commit()
                assert await asyncio.wait_for(second.later_than(1), 10) == 2
            assert followers._following == {}

    asyncio.run(watched())
    assert len(readings) == 2
    lineage.write(TrialFinished(0, "finished"))
    lineage.close()


def test_a_page_that_cannot_be_made_is_told(
    folder: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Viewers would wait for ever, without a word, for a page that cannot be made."""

    def fail(folder: Path) -> tuple[str, float]:
        raise KeyError("what")

    monkeypatch.setattr(following, "read_content", fail)
    answer = client.get("/runs/one/content")
    assert answer.status_code == 503
    assert "one: no page could be made (KeyError: 'what')" in answer.text


def test_parts_of_a_stream_are_told_apart(folder: Path) -> None:
    """A list would say ``mnist → mnist``: a task's settings are the same in all parts."""
    with closing(sqlite3.connect(folder / "one" / "lineage.sqlite")) as db, db:
        db.execute("UPDATE stages SET task = 'mnist ' || stage")
    (entry,) = RunsFolder(folder).entries()
    assert entry.what == "mnist 0 → mnist 1"


def test_a_run_ends_while_it_is_read(tmp_path: Path, made_up: SimpleNamespace) -> None:
    """A reader that holds the lineage open would make the run fail at its very end."""
    from pathnet_evo.store.lineage import open_lineage

    made_up.toml(tmp_path, 1, ["pathnet"])
    lineage = made_up.lineage(tmp_path, [made_up.started(0)], closed=False)
    lineage._db.execute("PRAGMA busy_timeout=50")
    db = open_lineage(tmp_path / "lineage.sqlite")
    db.execute("BEGIN")
    assert len(db.execute("SELECT * FROM trials").fetchall()) == 1
    lineage.close()
    db.close()
    with sqlite3.connect(tmp_path / "lineage.sqlite") as again:
        assert again.execute("SELECT count(*) FROM trials").fetchone() == (1,)
    again.close()


@pytest.mark.parametrize(
    ("host", "safe"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False)]
)
def test_only_this_machine(host: str, safe: bool) -> None:
    """Runs would be shown to the network without a warning."""
    assert is_loopback(host) is safe


@pytest.mark.slow
def test_mistakes_are_told(tmp_path: Path) -> None:
    """A taken port or a mistyped folder would end in a traceback."""
    taken = listen("127.0.0.1", 0)
    port = taken.getsockname()[1]
    with pytest.raises(UserError, match=rf"--port {port}: cannot listen .*; --port 0"):
        listen("127.0.0.1", port)
    taken.close()
    with pytest.raises(UserError, match="no such folder"):
        watch(tmp_path / "nothing")
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_it_ends_amid_a_long_read(capfd: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C would seem to have no effect while a large run is read."""
    with reader() as executor:
        assert executor.submit(int).result() == 0  # it is there
        reading = executor.submit(time.sleep, 600)
    with pytest.raises(BrokenProcessPool):
        reading.result()
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_it_ends_without_complaint_while_somebody_looks(
    folder: Path, number: signal.Signals, status: int
) -> None:
    """A server that is stopped would print a traceback for each page that is open."""
    program = "from pathnet_evo.cli import main; main()"
    command = [sys.executable, "-c", program, "watch", str(folder), "--port", "0"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        assert process.stdout
        address = process.stdout.readline().strip()
        with httpx.stream("GET", f"{address}events", timeout=60) as events:
            assert next(events.iter_lines()) == "event: changed"
            os.killpg(process.pid, number)  # as a terminal does: all its processes
            _, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (status, "")
