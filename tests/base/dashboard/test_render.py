"""Pictures as pages show them."""

import io
from functools import partial

import pytest
from PIL import Image

from firmware.base.dashboard.render import FULL, SIZES, Cache, render
from firmware.base.export.pictures import PictureError
from tests.base.export.exported import telling_picture
from tests.base.pictures import picture


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize("size", [*SIZES, FULL])
@pytest.mark.parametrize("blurred", [True, False])
def test_any_picture_comes_out_as_a_plain_jpeg(form: str, size: str, blurred: bool) -> None:
    made = render(picture(1, form, (600, 300)), size, blurred=blurred)
    with Image.open(io.BytesIO(made)) as image:
        assert image.format == "JPEG" and not image.getexif()
        assert max(image.size) == min(600, SIZES.get(size, 600))


def test_a_small_picture_is_not_made_larger() -> None:
    with Image.open(io.BytesIO(render(picture(), "large", blurred=False))) as image:
        assert image.size == (16, 12)


def test_a_picture_that_its_metadata_turn_is_turned() -> None:
    made = render(telling_picture(1, orientation=6), "small", blurred=False)
    with Image.open(io.BytesIO(made)) as image:
        assert image.size == (32, 48)


@pytest.mark.parametrize("body", [b"", b"\xff\xd8\xff\xe0", b"<svg/>", b"GIF89a"])
@pytest.mark.parametrize("size", ["small", FULL])
def test_what_is_no_picture_is_said_to_be_none(body: bytes, size: str) -> None:
    with pytest.raises(PictureError):
        render(body, size, blurred=False)


def test_of_a_blurred_picture_nothing_fine_is_left() -> None:
    out = io.BytesIO()
    Image.effect_noise((800, 600), 90).convert("RGB").save(out, "JPEG", quality=95)
    with Image.open(io.BytesIO(render(out.getvalue(), "medium", blurred=True))) as image:
        grey = image.convert("L").tobytes()
    assert max(grey) - min(grey) < 60, "noise of 0..255 must have become nearly one grey"


def test_the_cache_makes_a_picture_once_and_stays_within_its_bytes() -> None:
    cache = Cache(most_bytes=100)
    made = []

    def make(name: str) -> bytes:
        made.append(name)
        return b"x" * 40

    for name in ("a", "b", "a", "c", "a", "b"):
        assert len(cache.get(name, partial(make, name))) == 40
    assert made == ["a", "b", "c", "b"]
