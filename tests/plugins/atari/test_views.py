"""Games shown otherwise: the same game, seen as the view says."""

import numpy as np
import pytest
from pydantic import ValidationError

from pathnet_evo import Streams, TaskContext
from pathnet_evo.interfaces.fingerprint import Fingerprint
from pathnet_evo_atari.task import AtariSettings

pytestmark = pytest.mark.slow


def made(*views, **options):
    settings = AtariSettings(game="pong", threads=1, views=views, **options)
    return settings.make(TaskContext(Streams(0), 0, [settings], None))


def played(*views):
    """What is seen of two lanes, and their rewards, under the same random actions."""
    env = made(*views).make(2, [3, 4])
    actions = np.random.default_rng(0).integers(6, size=(90, 2))
    seen, rewards = [env.reset()[0]], []
    for row in actions:
        x, reward, *_ = env.step(row)
        seen.append(x)
        rewards.append(reward)
    env.close()
    return np.array(seen).astype(int), np.array(rewards)


@pytest.mark.parametrize(
    ("view", "seen"), [("h-flip", lambda x: np.flip(x, 4)), ("v-flip", lambda x: np.flip(x, 3))]
)
def test_mirrored(view, seen):
    """The variant would be another game, or the same."""
    plain, rewards = played()
    assert rewards.any(), "nothing happened: the test must be longer"
    mirrored, same = played(view)
    assert np.array_equal(mirrored, seen(plain))
    assert np.array_equal(rewards, same), "a view changes what is seen alone"


@pytest.mark.parametrize(("view", "grey"), [("black", 0), ("white", 255)])
def test_background(view, grey):
    """Objects would vanish with the background, or the background would not be zero."""
    plain, changed = played()[0], played(view)[0]
    background = int(made().shift)
    assert set(changed[plain == background]) == {grey}
    assert np.array_equal(changed[plain != background], plain[plain != background])
    assert made(view).shift == grey
    assert made(view, shift=9).shift == 9


def test_zoom():
    """The game would be cut off, or the ball lost between pixels."""
    plain, small = played()[0], played("zoom")[0]
    thrice = plain[-1, 1, -1].repeat(3, 0).repeat(3, 1)
    wanted = thrice.reshape(63, 4, 63, 4).mean((1, 3))  # and a quarter of that
    assert abs(small[-1, 1, -1, 21:, 21:] - wanted).max() < 0.51
    assert set(small[:, :, :, :21].flat) == set(small[..., :21].flat) == {int(made().shift)}


def test_noisy():
    """Noise would hide the game, or be new in every frame, which is another difficulty."""
    plain, noisy = played()[0], played("noisy")[0]
    background = plain == int(made().shift)
    noise = (noisy - plain)[background]
    assert 20 < noise.std() < 30
    assert abs(noise.mean()) < 2
    whole = ((noisy > 0) & (noisy < 255)).all((0, 1, 2))  # never cut off at black or white
    still = (noisy - plain)[..., whole]
    assert still.shape[-1] > 1000
    assert (still == still[0, 0, 0]).all()
    assert np.array_equal(noisy, played("noisy")[0]), "it is the same in every run"


def test_views_follow_one_another():
    """A mirrored zoom would be in another corner than it says."""
    both = played("zoom", "h-flip")[0]
    assert np.array_equal(both, np.flip(played("zoom")[0], 4))
    assert set(played("white", "zoom")[0][..., :21].flat) == {255}


def test_a_variant_is_another_task_by_name_and_data():
    """A report would show two equal names, and a resumed run would go on with another game."""
    plain, seen = made(), made("h-flip", "noisy")
    assert (plain.name, seen.name) == ("pong", "pong, h-flip, noisy")
    assert Fingerprint.of(plain).digest != Fingerprint.of(seen).digest


@pytest.mark.parametrize("views", [["sideways"], ["zoom", "zoom"], ["black", "white"]])
def test_views_that_make_no_sense_are_refused(views):
    """A typing error would be the plain game."""
    with pytest.raises(ValidationError):
        AtariSettings(views=views)
