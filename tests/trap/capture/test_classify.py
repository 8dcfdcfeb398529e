"""`rosette classify`: every kind of file that people have, good and bad."""

import contextlib
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firmware.trap.capture.classifier import Classifier
from firmware.trap.capture.classify import Result, classify_paths, format_json, format_text
from firmware.trap.capture.picture import PictureError, decode, read_picture
from tests.trap.capture.tiny_model import BLUE, GREEN, GREY, ORANGE


def picture(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (64, 48)) -> Path:
    Image.new("RGB", size, colour).save(path)
    return path


def verdicts(
    paths: list[Path], classifier: Classifier, burst: bool = False
) -> dict[str, str | None]:
    results = classify_paths(paths, classifier, burst=burst)
    return {result.path.name: result.error or result.verdict for result in results}


def test_files_and_folders_are_judged_in_order(tmp_path: Path, classifier: Classifier) -> None:
    folder = tmp_path / "card" / "100MEDIA"
    folder.mkdir(parents=True)
    picture(folder / "b.jpg", ORANGE)
    picture(folder / "a.PNG", GREEN)
    (folder / "notes.txt").write_text("not a picture, and not asked for")
    single = picture(tmp_path / "z.jpg", BLUE)
    found = verdicts([single, tmp_path / "card"], classifier)
    assert list(found.items()) == [("z.jpg", "human"), ("a.PNG", "deer"), ("b.jpg", "leopard")]


def test_a_folder_is_one_burst_and_the_frame_with_the_animal_decides(
    tmp_path: Path, classifier: Classifier
) -> None:
    for name, colours in (("left", (ORANGE, GREY, GREY)), ("right", (GREY, GREY))):
        (tmp_path / name).mkdir()
        for number, colour in enumerate(colours):
            picture(tmp_path / name / f"frame_{number}.png", colour)
    assert verdicts([tmp_path], classifier, burst=True) == {"left": "leopard", "right": "empty"}


def test_bad_files_are_named_and_the_rest_goes_on(tmp_path: Path, classifier: Classifier) -> None:
    (tmp_path / "zero.jpg").touch()
    (tmp_path / "text.jpg").write_text("no picture")
    whole = picture(tmp_path / "a.jpg", ORANGE, (400, 300)).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "cut.png").write_bytes(picture(tmp_path / "b.png", ORANGE).read_bytes()[:80])
    found = verdicts([tmp_path, tmp_path / "missing.jpg"], classifier)
    assert found["a.jpg"] == found["b.png"] == "leopard"
    for name, says in {
        "zero.jpg": "zero.jpg: is empty (0 bytes)",
        "text.jpg": "text.jpg: is not a picture of a known format",
        "cut.jpg": "cut.jpg: is damaged: ",
        "cut.png": "cut.png: is damaged: ",
        "missing.jpg": "missing.jpg: cannot be read: No such file",
    }.items():
        assert says in str(found[name])


def test_a_bad_frame_of_a_burst_is_named_and_the_others_are_judged(
    tmp_path: Path, classifier: Classifier
) -> None:
    picture(tmp_path / "1.png", ORANGE)
    (tmp_path / "2.png").touch()
    found = verdicts([tmp_path], classifier, burst=True)
    assert found == {"2.png": f"{tmp_path / '2.png'}: is empty (0 bytes)", tmp_path.name: "leopard"}


def test_a_folder_without_pictures_is_an_error(tmp_path: Path, classifier: Classifier) -> None:
    assert "no pictures in it" in str(verdicts([tmp_path], classifier)[tmp_path.name])


def test_cmyk_is_converted(tmp_path: Path, classifier: Classifier) -> None:
    Image.new("RGB", (64, 48), ORANGE).convert("CMYK").save(tmp_path / "print.jpg")
    assert verdicts([tmp_path], classifier) == {"print.jpg": "leopard"}


@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path, name: str) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(1, 256)
    Image.fromarray(np.repeat(ramp, 8, axis=0)).save(tmp_path / name)
    pixels = read_picture(tmp_path / name)[1]
    assert pixels.shape == (8, 256, 3)
    assert np.abs(pixels[0, :, 0].astype(int) - np.arange(256)).max() <= 1


def test_fifty_megapixels_are_decoded_at_reduced_scale(
    tmp_path: Path, classifier: Classifier
) -> None:
    path = picture(tmp_path / "huge.jpg", ORANGE, (8660, 5774))
    pixels = read_picture(path)[1]
    assert 1600 <= max(pixels.shape) <= 4330
    assert verdicts([path], classifier) == {"huge.jpg": "leopard"}


@pytest.mark.parametrize("side", [10_000, 20_000])
def test_a_decompression_bomb_is_refused_by_its_header(tmp_path: Path, side: int) -> None:
    head = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    (tmp_path / "bomb.png").write_bytes(png + struct.pack(">I", 10**6) + b"IDAT" + bytes(100))
    with pytest.raises(PictureError, match=r"bomb\.png: has more than .* pixels"):
        read_picture(tmp_path / "bomb.png")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damaged_exif_data_gives_a_picture_or_a_picture_error(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0132] = 6, "Maker", "2020:01:01 00:00:00"
    path = tmp_path / "turned.jpg"
    Image.new("RGB", (30, 20)).save(path, exif=exif)
    whole = path.read_bytes()
    for at in range(whole.index(b"Exif"), whole.index(b"Exif") + 60):
        for value in (0, 1, 17, 255):
            with contextlib.suppress(PictureError):
                assert decode(whole[:at] + bytes([value]) + whole[at + 1 :]).ndim == 3


def test_a_rotated_picture_is_set_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (64, 48), ORANGE).save(tmp_path / "turned.jpg", exif=exif)
    assert read_picture(tmp_path / "turned.jpg")[1].shape == (64, 48, 3)


@pytest.mark.parametrize("mode", ["L", "P", "LA", "RGBA", "1", "YCbCr"])
def test_every_common_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    suffix = "tif" if mode == "YCbCr" else "png"
    Image.new("L", (20, 10), 255).convert(
        "RGB" if mode == "YCbCr" else mode
    ).save(tmp_path / f"any.{suffix}")  # fmt: skip
    pixels = decode((tmp_path / f"any.{suffix}").read_bytes())
    assert pixels.shape == (10, 20, 3) and pixels.min() == 255


def test_json_lines_have_the_promised_keys(tmp_path: Path, classifier: Classifier) -> None:
    picture(tmp_path / "a.jpg", ORANGE)
    (tmp_path / "b.jpg").touch()
    good, bad = (
        json.loads(format_json(result))
        for result in classify_paths([tmp_path], classifier, burst=False)
    )
    assert set(good) == {"path", "scores", "leopard", "verdict"}
    assert good["verdict"] == "leopard" and good["leopard"] == good["scores"]["leopard"] > 0.9
    assert set(bad) == {"path", "error"} and bad["path"].endswith("b.jpg")


def test_text_lines_say_the_same() -> None:
    line = format_text(Result(Path("a.jpg"), "human", 0.91, 0.02, people=True))
    assert line == "human         0.91  leopard 0.02  a.jpg  (people or vehicle on it)"
    assert "is empty" in format_text(Result(Path("b.jpg"), error="b.jpg: is empty (0 bytes)"))
