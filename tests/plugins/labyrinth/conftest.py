"""What the tests of the labyrinth share: a cache of their own, and environments that are closed."""

import importlib.util
from pathlib import Path

import pytest

engine = pytest.mark.skipif(
    importlib.util.find_spec("vizdoom") is None, reason="vizdoom is not installed"
)


@pytest.fixture(scope="session")
def player():
    """The module with the scripted player."""
    file = Path(__file__).with_name("player.py")
    spec = importlib.util.spec_from_file_location("tests_labyrinth_player", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """Levels are built into a folder of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture
def lanes(request):
    """Makes vector environments of a level; needs vizdoom."""
    pytest.importorskip("vizdoom", reason="vizdoom is not installed")
    from pathnet_evo_labyrinth.catalogue import game
    from pathnet_evo_labyrinth.vector import LabyrinthVectorEnv

    def make(level="seekavoid_arena", n=1, seeds=None, workers=None, **options):
        env = LabyrinthVectorEnv(game(level, **options), n, seeds, workers)
        request.addfinalizer(env.close)
        return env

    return make
