"""Images as telephones, cameras, microscopes and scanners write them."""

from __future__ import annotations

import io
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from pathnet_evo.errors import UserNotice
from pathnet_evo.interfaces.tasks import TaskError

SIDE = 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_telephone_was_held_sideways(d, cases, orientation, kind, make) -> None:
    """Every portrait would be learned lying on its side."""
    stored = np.random.default_rng(0).integers(0, 256, (5, 3, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("train/cat/0", "train/cat/1", "train/dog/0", "train/dog/1", "test/cat/0"):
        (d / f"{name}.bmp").unlink()
        options = {"lossless": True} if kind == "WEBP" else {}
        Image.fromarray(stored).save(d / f"{name}.{kind.lower()}", exif=exif, **options)
    (d / "test/dog/0.bmp").unlink()
    shutil.copy(d / f"test/cat/0.{kind.lower()}", d / "test/dog")
    task = make(d)
    with Image.open(d / f"test/cat/0.{kind.lower()}") as image:
        by_pillow = np.asarray(ImageOps.exif_transpose(image))
    got = task.test_inputs[0].permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(got, by_pillow)
    if kind != "JPEG":
        np.testing.assert_array_equal(got, cases.turned(stored, orientation))


def test_exif_was_damaged(d, make, greys, on_disk) -> None:
    """A camera's slip in what nobody looks at would make the picture unreadable."""
    file = d / "train/cat/0.bmp"
    greys_before = on_disk(d)
    Image.open(file).save(d / "train/cat/0.png", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    file.unlink()
    assert greys(make(d)) == greys_before


def expected(samples: np.ndarray, largest: int) -> np.ndarray:
    """Samples from 0 to the largest as bytes, not rounded."""
    return samples.astype(float) * 255 / largest


def put(d: Path, data: Callable[[int], bytes], ending: str = ".png") -> list[Path]:
    """Replace all images of a tree; each is made from its number."""
    files = sorted(d.glob("*/*/*.bmp"))
    for number, file in enumerate(files):
        file.with_suffix(ending).write_bytes(data(number))
        file.unlink()
    return [file.with_suffix(ending) for file in files]


@pytest.mark.parametrize(
    "bands", [1, 2, 3, 4], ids=["grey", "grey+alpha", "colour", "colour+alpha"]
)
@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_a_camera_of_12_bits_wrote_16(d, cases, bands, declared, bits, make) -> None:
    """Of twelve bits four would be left: 16 shades of grey."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 2**bits, (6, SIDE, SIDE, bands), dtype=np.uint16)
    drawn[0, 0, 0] = 2**bits - 1
    drawn[1:] //= 3  # darker pictures keep the scale of the brightest
    put(d, lambda number: cases.png(drawn[number], [bits] * bands if declared else None))
    if bits < 16:
        with pytest.warns(UserNotice, match=rf"^folder: 6 images of 16 bits use {bits}: 0 to "):
            task = make(d)
    else:
        task = make(d)
    colours = 1 if bands < 3 else 3
    assert task.input_shape == (colours, SIDE, SIDE)
    want = expected(drawn[..., :colours], 2**bits - 1).transpose(0, 3, 1, 2)
    got = torch.cat([task.test_inputs, task.inputs]).numpy().astype(float)
    for image in want:
        assert min(np.abs(image - other).max() for other in got) <= 1


def test_samples_were_stretched_as_the_png_specification_wants(d, cases, make) -> None:
    """Twelve bits that lie at the upper end of sixteen would be taken for too bright ones."""
    drawn = np.random.default_rng(0).integers(0, 4096, (6, SIDE, SIDE, 1), dtype=np.uint16)
    drawn[0, 0, 0] = 4095
    put(d, lambda number: cases.png(drawn[number] << 4 | drawn[number] >> 8, [12]))
    got = make(d).inputs.numpy().astype(float)
    want = expected(drawn, 4095).transpose(0, 3, 1, 2)
    for image in got:
        assert min(np.abs(image - other).max() for other in want) <= 1


@pytest.mark.parametrize("largest", [255, 1023, 4095, 65535])
@pytest.mark.parametrize("binary", [True, False])
def test_a_pgm_had_16_bits(d, largest, binary, make) -> None:
    """Microscopes' and scanners' own format would be refused as 32 bits."""
    drawn = np.random.default_rng(0).integers(0, largest + 1, (6, SIDE, SIDE), dtype=np.uint16)

    def pgm(number: int) -> bytes:
        head = f"P{5 if binary else 2}\n{SIDE} {SIDE}\n{largest}\n".encode()
        samples = drawn[number]
        if binary:
            return head + samples.astype(">u2" if largest > 255 else "u1").tobytes()
        return head + " ".join(map(str, samples.ravel())).encode()

    put(d, pgm, ".pgm")
    got = make(d).inputs[:, 0].numpy().astype(float)
    for image in got:
        assert min(np.abs(image - o).max() for o in expected(drawn, largest)) <= 1


def test_a_scanner_wrote_white_as_zero(d, make) -> None:
    """Films and faxes of 16 bits would be read as negatives, as Pillow reads them."""
    drawn = np.random.default_rng(0).integers(0, 2**16, (6, SIDE, SIDE), dtype=np.uint16)

    def tiff(number: int) -> bytes:
        written = io.BytesIO()
        Image.fromarray(2**16 - 1 - drawn[number]).save(written, "TIFF")
        one, zero = (struct.pack("<HHIHH", 262, 3, 1, i, 0) for i in (1, 0))
        assert written.getvalue().count(one) == 1
        return written.getvalue().replace(one, zero)

    put(d, tiff, ".tif")
    for image in make(d).inputs[:, 0].numpy().astype(float):
        assert min(np.abs(image - other).max() for other in expected(drawn, 65535)) <= 1


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_an_image_had_32_bits(d, dtype, make) -> None:
    """What 0 to 1, or to 2 billion, is to be would be guessed."""
    (d / "train/cat/0.bmp").unlink()
    Image.fromarray(np.ones((SIDE, SIDE), dtype)).save(d / "train/cat/0.tif")
    with pytest.raises(TaskError, match=r"cannot read .*0\.tif \([IF] pixels of 32 bits"):
        make(d)
