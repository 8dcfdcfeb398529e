import io
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from firmware.base.export.pictures import PictureError, bare
from tests.base.export.exported import telling_picture

TELLING = (b"Exif", b"43.09871", b"Secret", b"xmp", b"salt", b"TRAILER", b"Photoshop")


def pixels(body: bytes) -> np.ndarray:  # type: ignore[type-arg]
    with Image.open(io.BytesIO(body)) as image:
        return np.asarray(image.convert("RGB"))


def saved(form: str, **how: object) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((40, 30), 50).convert("RGB").save(out, form, **how)
    return out.getvalue()


def test_nothing_but_the_picture_is_left_and_its_pixels_are_the_same_bit_for_bit() -> None:
    body = telling_picture(1)
    assert all(word in body for word in (b"Exif", b"43.09871", b"Secret Maker", b"TRAILER"))
    plain = bare(body)
    assert not any(word in plain for word in TELLING)
    assert (pixels(plain) == pixels(body)).all()
    with Image.open(io.BytesIO(plain)) as image:
        assert not image.getexif() and "comment" not in image.info and "xmp" not in image.info


@pytest.mark.parametrize("how", [{"progressive": True}, {"optimize": True}, {"subsampling": 0}])
def test_every_kind_of_jpeg_keeps_its_pixels(how: dict[str, object]) -> None:
    body = saved("JPEG", icc_profile=b"profile of a Secret camera", **how)
    assert (pixels(bare(body)) == pixels(body)).all()
    assert b"Secret" not in bare(body)


def test_a_picture_that_is_to_be_shown_turned_is_turned_for_good() -> None:
    body = telling_picture(1, orientation=6)
    plain = bare(body)
    assert pixels(plain).shape[:2] == (48, 32)
    assert not any(word in plain for word in TELLING)


@pytest.mark.parametrize("form", ["WEBP", "AVIF"])
def test_other_pictures_become_jpeg(form: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Secret Maker"
    body = saved(form, exif=exif)
    assert b"Secret" in body
    plain = bare(body)
    assert plain.startswith(b"\xff\xd8\xff") and b"Secret" not in plain
    assert pixels(plain).shape == (30, 40, 3)


def test_bare_pictures_stay_as_they_are() -> None:
    plain = bare(telling_picture(3))
    assert bare(plain) == plain


@pytest.mark.parametrize("body", [b"", b"\xff\xd8\xff", b"not a picture", b"\xff\xd8\xff\xe1\x00"])
def test_what_is_no_picture_is_refused(body: bytes) -> None:
    with pytest.raises(PictureError):
        bare(body)


@given(seed=st.integers(0, 2**32), changes=st.integers(1, 8), cut=st.floats(0, 1))
def test_damage_anywhere_gives_a_bare_jpeg_or_is_refused(
    seed: int, changes: int, cut: float
) -> None:
    rng = random.Random(seed)
    body = bytearray(WHOLE)
    for _ in range(changes):
        body[rng.randrange(len(body))] = rng.randrange(256)
    body = body[: int(len(body) * cut)] if cut < 0.5 else body
    try:
        plain = bare(bytes(body))
    except PictureError:
        return
    assert plain.startswith(b"\xff\xd8") and plain.endswith(b"\xff\xd9")
    assert not any(word in plain for word in (b"Secret Maker", b"TRAILER", b"salt lick"))


WHOLE = telling_picture(1)
