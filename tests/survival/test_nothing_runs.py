"""Opening what somebody else wrote executes nothing of it."""

from __future__ import annotations

import ast
import contextlib
import pickle
import shutil
import sqlite3
from pathlib import Path

import pytest

from pathnet_evo.errors import UserError
from pathnet_evo.report import write_report
from pathnet_evo.running import holding
from pathnet_evo.running.checking import inspect
from pathnet_evo.running.loading import load_run

pytestmark = pytest.mark.slow

SOURCE = [
    file
    for folder in ("pathnet_evo", "plugins")
    for file in (Path(__file__).parents[2] / folder).rglob("*.py")
]
LOADERS = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml"}
"""Modules that can execute what they read."""


def planted(target: Path) -> dict[str, bytes]:
    """Payloads that leave a file behind, if anything executes them."""

    class Payload:
        def __reduce__(self):
            return Path.touch, (target,)

    line = f"__import__('pathlib').Path({str(target)!r}).touch()"
    return {
        "pickle": pickle.dumps(Payload()),
        "yaml": f"!!python/object/apply:pathlib.Path.touch [{target}]".encode(),
        "template": f"{{{{ cycler.__init__.__globals__.os.system('touch {target}') }}}}".encode(),
        "python": line.encode(),
    }


@pytest.mark.parametrize("kind", ["pickle", "yaml", "template", "python"])
def test_no_payload_in_any_file_runs(halfway, tmp_path, kind):
    """Whoever sends a run to somebody else could take over the machine."""
    target = tmp_path / "executed"
    payload = planted(target)[kind]
    files = sorted(f.relative_to(halfway) for f in halfway.rglob("*") if f.is_file())
    for file in files:
        folder = tmp_path / "copy"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(halfway, folder)
        (folder / file).write_bytes(payload)
        for read in (inspect, load_run, lambda f: load_run(f).network(0)):
            with contextlib.suppress(UserError):
                read(folder)
        if "checkpoints" in file.parts or file.suffix == ".toml":
            with contextlib.suppress(UserError):
                reopened = holding.reopen(folder, (), "", lambda text: None)
                reopened.lineage.abandon()
                reopened.lock.release()
        assert not target.exists(), file


def test_no_payload_in_a_text_of_the_lineage_runs(whole, tmp_path):
    """Names of tasks and causes of failures come from others, and are shown."""
    target = tmp_path / "executed"
    folder = tmp_path / "copy"
    shutil.copytree(whole.folder, folder)
    payloads = [p.decode() for k, p in planted(target).items() if k != "pickle"]
    payloads += ["<script>alert(1)</script>", "[link=file:///etc/passwd]x[/link]"]
    with contextlib.closing(sqlite3.connect(folder / "lineage.sqlite")) as db:
        for payload in payloads:
            db.execute("UPDATE stages SET task = ?, fitness_name = ?", (payload, payload))
            db.execute("UPDATE evaluations SET cause = ?", (payload,))
            db.commit()
            page = write_report(folder).read_text()
            assert "<script>alert(1)</script>" not in page
            assert not target.exists()


def test_the_source_has_no_loader_that_executes():
    """One convenient line would undo all of the above."""
    found = []
    for file in SOURCE:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name.split(".")[0] for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [(node.module or "").split(".")[0]]
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if (node.value.id, node.attr) == ("os", "system"):
                    found.append((file.name, "os.system"))
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                safe = any(ast.unparse(k) == "weights_only=True" for k in node.keywords)
                found += [(file.name, "torch.load")] * (not safe)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id in ("eval", "exec"):
                    found.append((file.name, node.func.id))
            elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                found += [(file.name, "allow_pickle")] * (ast.unparse(node.value) != "False")
            found += [(file.name, name) for name in names if name in LOADERS]
    # A plugin's file is executed because a user asks for it by name, and no other way.
    # Messages between a cluster's own processes are Ray's calls, which Ray pickles as well.
    assert set(found) == {("files.py", "exec"), ("packing.py", "pickle")}
