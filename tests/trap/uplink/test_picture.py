"""Crops as pictures for the air: small enough, in few tries, and nothing in them but pixels."""

import csv
import io
import struct
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from firmware.sim.scene import Site, Visit, film
from firmware.trap.uplink import picture
from firmware.trap.uplink.picture import (
    PREVIEW_TRIES,
    REFINEMENT_TRIES,
    PictureError,
    Refiner,
    next_quality,
    pixels_of,
    preview,
)

SECRETS = (b"SECRET", b"Exif", b"EXIF", b"GPS", b"ICC_PROFILE", b"ICCP", b"XMP ", b"xmp", b"prof",
           b"rICC", b"http", b"Photoshop", b"JFIF")  # fmt: skip


@cache
def rendered(night: bool) -> Image.Image:
    """A leopard's crop as capture would cut it."""
    site = Site(seed=3, season="snow" if night else "autumn", width=640, height=360)
    (shot,) = film(
        site, Visit("leopard", 1, distance_m=2.5), night, 1, 0.0, np.random.default_rng(5)
    )
    assert shot.box is not None
    left, top, right, bottom = (int(side) for side in shot.box)
    return shot.image.crop((left, top, right, bottom))


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """The worst case: nothing about it can be compressed."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3))
    return Image.fromarray(values.astype(np.uint8))


def laden(image: Image.Image) -> bytes:
    """A JPEG full of what must not go out."""
    exif = Image.Exif()
    exif[0x010F] = "SECRET maker"
    exif[0x8825] = {1: "N", 2: (43.0, 7.0, 12.0), 3: "E", 4: (131.0, 30.0, 1.0)}  # GPS
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    file = io.BytesIO()
    image.save(
        file, "JPEG", quality=80, exif=exif, icc_profile=icc, comment=b"SECRET comment",
        xmp=b'<x:xmpmeta xmlns:x="adobe:ns:meta/">SECRET http</x:xmpmeta>',
    )  # fmt: skip
    return file.getvalue()


def test_what_goes_out_is_pixels_and_nothing_else() -> None:
    crop = laden(rendered(night=False))
    assert all(secret in crop for secret in (b"SECRET", b"Exif", b"ICC_PROFILE"))
    image = pixels_of(crop)
    assert image.info == {}
    image.info.update(exif=b"Exif\0\0SECRET", icc_profile=b"SECRET", xmp=b"SECRET xmp")
    refined = Refiner().refine(image, 4096)
    assert refined is not None
    for sent in (preview(image, 600), refined):
        assert not [secret for secret in SECRETS if secret in sent]
        opened = Image.open(io.BytesIO(sent))
        assert not opened.getexif() and "icc_profile" not in opened.info


def test_a_webp_has_one_chunk_and_that_is_the_picture() -> None:
    sent = preview(pixels_of(laden(rendered(night=False))), 600)
    kind, length = sent[12:16], struct.unpack_from("<I", sent, 16)[0]
    assert kind == b"VP8 " and 20 + length + length % 2 == len(sent)


@pytest.mark.parametrize("night", [False, True])
def test_a_rendered_leopard_fits_and_fills_its_bytes(night: bool) -> None:
    image = rendered(night)
    small, refiner = preview(image, 600), Refiner(speed=8)
    large = refiner.refine(image, 3000)
    assert 300 < len(small) <= 600
    assert large is not None and 1500 < len(large) <= 3000
    assert max(Image.open(io.BytesIO(small)).size) >= 64
    assert max(Image.open(io.BytesIO(large)).size) >= 160


def test_the_same_crop_gives_the_same_bytes() -> None:
    image = rendered(night=True)
    assert preview(image, 600) == preview(image.copy(), 600)
    assert Refiner(8).refine(image, 2048) == Refiner(8).refine(image.copy(), 2048)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(300, 1000))
def test_no_preview_is_ever_larger_than_asked_for(width: int, height: int, most: int) -> None:
    assert len(preview(noise(width, height), most)) <= most


def test_a_preview_that_cannot_be_that_small_is_an_error() -> None:
    with pytest.raises(PictureError, match="gives no preview of 60 bytes"):
        preview(noise(64, 64), 60)


def test_encodes_are_few_however_hard_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = {"_webp": 0, "_avif": 0}
    for name in tries:
        real = getattr(picture, name)

        def counting(*how: Any, name: str = name, real: Any = real) -> bytes:
            tries[name] += 1
            return bytes(real(*how))

        monkeypatch.setattr(picture, name, counting)
    for image in (noise(320, 240), Image.new("RGB", (320, 240), "grey"), rendered(night=True)):
        tries.update(_webp=0, _avif=0)
        preview(image, 600)
        Refiner(speed=10).refine(image, 2000)
        assert 0 < tries["_webp"] <= PREVIEW_TRIES
        assert 0 < tries["_avif"] <= REFINEMENT_TRIES


def test_a_refinement_starts_from_what_did_for_the_last_one() -> None:
    refiner, image = Refiner(speed=8), rendered(night=False)
    refiner.refine(image, 2500)
    learnt = refiner.quality
    assert learnt != picture.FIRST_QUALITY
    refiner.refine(image, 2500)
    assert abs(refiner.quality - learnt) < 8


def test_too_small_a_budget_gives_no_refinement() -> None:
    assert Refiner().refine(noise(64, 64), 500) is None


def test_the_secant_finds_the_quality_of_a_straight_line() -> None:
    at = [(40.0, 4000), (60.0, 8000)]
    assert 50 - 1 < next_quality(at, 5657, 1.0) < 50 + 1


def test_a_crop_that_is_no_picture_is_an_error() -> None:
    with pytest.raises(PictureError):
        pixels_of(b"\xff\xd8 not really")


def test_real_crops_fit_in_three_tries(frames_dir: Path) -> None:
    with (frames_dir / "images.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["boxes"] and row["class"] == "leopard"]
    refiner, fill = Refiner(speed=8), []
    assert len(rows) >= 10
    for row in rows[:: len(rows) // 10]:
        image = pixels_of((frames_dir / "images" / row["file"]).read_bytes())
        crop = image.crop(first_box(row["boxes"], *image.size))
        assert len(preview(crop, 600)) <= 600
        refined = refiner.refine(crop, 4096)
        assert refined is not None
        fill.append(len(refined) / 4096)
    assert np.median(fill) > 0.8


def first_box(boxes: str, width: int, height: int) -> tuple[int, int, int, int]:
    """In whole pixels, at least 16 a side."""
    x, y, w, h = map(float, boxes.split(";")[0].split())
    left, top = int(x * width), int(y * height)
    return left, top, left + max(int(w * width), 16), top + max(int(h * height), 16)
