"""The how-to page on shipping: its code runs, and its tables name every field."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pathnet_evo.interfaces.signature import Signature
from pathnet_evo.models.info import NetworkInfo, PathInfo

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "ship-a-model.md"
ALONE = """
import sys
for name in ("pathnet_evo", "pathnet_evo_images", "pydantic"):
    sys.modules[name] = None  # as if it were not installed
from safetensors.torch import load_file, save_file
{code}
x = load_file("x")["x"]
save_file({{name: logits(name, x) for name in sys.argv[1:]}}, "outputs")
"""


@pytest.mark.slow
def test_the_lines_of_the_page_open_every_file_without_pathnet_evo(make_network, images, tmp_path):
    """An archived model could only be used as long as this package can be installed."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (code,) = [block for block in blocks if "def logits" in block]
    assert len(code[code.index("def") :].splitlines()) <= 30
    networks = {
        f"{kind}-{mean}": make_network(kind, mean=mean)
        for kind in ("linear", "convolution", "residual", "vectors")
        for mean in (False, True)
    }
    for kind in ("linear", "convolution"):
        networks[f"{kind}-fitted"] = make_network(kind, fitted=True)
    for name, network in networks.items():
        network.save(tmp_path / name)
    save_file({"x": images}, tmp_path / "x")
    script = ALONE.format(code=code)
    command = [sys.executable, "-c", script, *networks]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = load_file(tmp_path / "outputs")
    with torch.no_grad():
        for name, network in networks.items():
            torch.testing.assert_close(found[name], network(images), rtol=1e-5, atol=1e-5)


def test_the_page_names_every_field_of_the_format():
    """Whoever reads a file in another language would have to guess."""
    text = PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", text, re.MULTILINE))))
    fields = {name for kind in (NetworkInfo, PathInfo, Signature) for name in kind.model_fields}
    assert fields <= named
