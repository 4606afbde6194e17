"""``map`` over workers of Ray."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pathnet_evo_ray.mapping import MapError, Mapper

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("joined")]

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def mapper():
    """Two workers."""
    with Mapper(workers=2, cpus_per_worker=0.5, retries=1) as made:
        yield made


def test_results_are_in_order(mapper):
    """DEAP would give individuals the fitness of others."""
    assert mapper.map(lambda a, b: 10 * a + b, range(23), range(1, 99)) == [
        10 * a + a + 1 for a in range(23)
    ]
    assert mapper.map(abs, []) == []


def test_what_the_function_raises_is_raised_here(mapper):
    """An error would look like a worker's, or be taken for a result."""

    def picky(item):
        if item == 3:
            raise KeyError("three")
        return item

    with pytest.raises(KeyError, match="three"):
        mapper.map(picky, range(5))
    assert mapper.map(abs, [-1, -2]) == [1, 2]


@pytest.mark.parametrize("error", [EOFError, ConnectionError])
def test_errors_of_a_line_are_the_functions_own(mapper, error):
    """They would be taken for the end of the worker, and the item be tried again."""

    def closed(item):
        raise error("the function's file")

    with pytest.raises(error, match="the function's file"):
        mapper.map(closed, range(3))


def test_an_error_that_does_not_come_out_whole_is_told(mapper):
    """A complaint about missing arguments would hide what went wrong."""

    class DivergedError(ArithmeticError):
        def __init__(self, item, loss):
            super().__init__(f"item {item} ended with loss {loss}")

    def diverge(item):
        raise DivergedError(item, 7.5)

    said = (
        r"^the function raised DivergedError: item 0 ended with loss 7\.5, at .*test_map\.py:\d+$"
    )
    with pytest.raises(MapError, match=said):
        mapper.map(diverge, [0])
    with pytest.raises(MapError, match=r"a result does not unpack: TypeError: .*'loss'"):
        mapper.map(lambda item: DivergedError(item, 7.5), [0])
    with pytest.raises(MapError, match=r"arguments do not unpack: TypeError: .*'loss'"):
        mapper.map(str, [DivergedError(0, 7.5)])
    assert mapper.map(abs, [-1, -2]) == [1, 2]


def test_an_item_is_tried_again(mapper, tmp_path):
    """A node that dies would cost a generation, or the whole evolution."""

    def die_once(item):
        once = tmp_path / "once"
        if item == 2 and not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    assert mapper.map(die_once, range(6)) == list(range(6))


def test_an_item_that_kills_is_given_up(mapper):
    """An item that crashes every worker would be tried for ever."""

    def die(item):
        if item == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    with pytest.raises(MapError, match=r"item 2: its worker \(process \d+ on node"):
        mapper.map(die, range(4))
    assert mapper.map(abs, [-1, -2]) == [1, 2]


def test_what_cannot_travel_is_said(mapper):
    """A lock in an individual would end in a traceback of pickle's."""
    with pytest.raises(MapError, match="cannot be sent"):
        mapper.map(id, [threading.Lock()])
    with pytest.raises(MapError, match="its result cannot be sent"):
        mapper.map(lambda _: threading.Lock(), [1])


def test_the_documented_example(tmp_path):
    """The example would not run, or give another result than the built-in map."""
    text = (DOCS / "how-to/map-with-deap.md").read_text()
    (source,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    outputs = []
    for name, script in {
        "there": source,
        "here": source.replace("pathnet_evo_ray.map", "map"),
    }.items():
        file = tmp_path / f"{name}.py"
        file.write_text(script.replace("map, workers=2", "map") if name == "here" else script)
        ended = subprocess.run([sys.executable, file], capture_output=True, text=True, timeout=300)
        assert ended.returncode == 0, ended.stderr
        outputs.append(ended.stdout)
    assert outputs[0] == outputs[1]
    assert "ones" in outputs[0]
