import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firmware.sim.camera import (
    BlackCamera,
    FolderCamera,
    HangingCamera,
    RaisingCamera,
    RenderedCamera,
    Rgb,
    read,
)
from firmware.sim.card import find_bursts
from firmware.sim.clock import VirtualClock
from firmware.sim.scene import Site, Visit

SMALL = Site(seed=1, width=320, height=180)


@dataclass(frozen=True)
class Taken:
    jpeg: bytes
    rgb: Rgb
    time_s: float
    night: bool


def picture(path: Path, colour: tuple[int, int, int] = (200, 90, 30), size: int = 32) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size, size), colour).save(path)


def folder_camera(path: Path, clock: VirtualClock) -> FolderCamera[Taken]:
    return FolderCamera(path, Taken, clock.now, clock.wait)


def test_a_folder_of_bursts_is_replayed_in_order_one_burst_per_trigger(tmp_path: Path) -> None:
    for burst, red in (("a", 10), ("b", 200)):
        for number in range(4):
            picture(tmp_path / burst / f"frame_{number:02}.jpg", (red, 90, 30))
    clock = VirtualClock(1000)
    camera = folder_camera(tmp_path, clock)
    first, second, third = (camera.burst(3, 0.5) for _ in range(3))
    assert [frame.time_s for frame in first] == [1000, 1000.5, 1001]
    assert [burst[0].rgb[0, 0, 0] > 100 for burst in (first, second, third)] == [False, True, False]
    assert first[0].jpeg == (tmp_path / "a" / "frame_00.jpg").read_bytes()


def test_single_pictures_are_bursts_of_one(tmp_path: Path) -> None:
    for name in ("IMG_0007.JPG", "IMG_0008.JPG", "fox.jpg"):
        picture(tmp_path / name)
    assert [len(burst) for burst in find_bursts(tmp_path)] == [1, 1, 1]


def test_pictures_whose_names_count_up_are_one_burst(tmp_path: Path) -> None:
    for name in ("visit1_0.jpg", "visit1_1.jpg", "visit2_0.jpg", "visit2_1.jpg", "visit2_2.jpg"):
        picture(tmp_path / name)
    assert [len(burst) for burst in find_bursts(tmp_path)] == [2, 3]


def test_a_long_burst_needs_a_folder_of_its_own(tmp_path: Path) -> None:
    for number in range(30):
        picture(tmp_path / "alone" / f"frame_{number:02}.jpg")
        picture(tmp_path / "mixed" / f"frame_{number:02}.jpg")
    picture(tmp_path / "mixed" / "zoo.jpg")
    assert [len(burst) for burst in find_bursts(tmp_path)] == [30] + 31 * [1]


def test_pictures_taken_within_seconds_are_one_burst(tmp_path: Path) -> None:
    for number, second in ((101, 0), (102, 1), (103, 40), (104, 42)):
        exif = Image.Exif()
        exif[0x0132] = f"2024:01:09 03:12:{second:02}"
        Image.new("RGB", (8, 8)).save(tmp_path / f"IMG_0{number}.jpg", exif=exif)
    assert [len(burst) for burst in find_bursts(tmp_path)] == [2, 2]


def test_a_shuffled_card_shows_every_burst_once_and_the_same_way_again(tmp_path: Path) -> None:
    for name in "abcdefgh":
        picture(tmp_path / f"{name}.jpg")

    def order() -> list[tuple[Path, ...]]:
        clock = VirtualClock()
        rng = np.random.default_rng(3)
        return FolderCamera(tmp_path, Taken, clock.now, clock.wait, rng).bursts

    assert order() == order() != find_bursts(tmp_path)
    assert sorted(order()) == find_bursts(tmp_path)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no pictures")
    with pytest.raises(FileNotFoundError, match="no pictures"):
        find_bursts(tmp_path)


def broken_files(folder: Path) -> dict[str, bytes]:
    buffer = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG")
    whole = buffer.getvalue()
    return {
        "truncated": whole[: len(whole) // 2],
        "empty": b"",
        "text": b"this is no picture",
        "header": whole[:20],
    }


@pytest.mark.parametrize("fault", ["truncated", "empty", "text", "header"])
def test_a_broken_picture_raises_with_its_path_and_harms_no_other(
    tmp_path: Path, fault: str
) -> None:
    (tmp_path / "a.jpg").write_bytes(broken_files(tmp_path)[fault])
    picture(tmp_path / "b.jpg")
    camera = folder_camera(tmp_path, VirtualClock())
    with pytest.raises(OSError, match=r"a\.jpg: cannot be decoded"):
        camera.burst(3, 0.5)
    assert len(camera.burst(3, 0.5)) == 1


def test_a_missing_picture_raises(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    camera = folder_camera(tmp_path, VirtualClock())
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(FileNotFoundError):
        camera.burst(1, 0.5)


def test_a_cmyk_picture_becomes_an_rgb_jpeg(tmp_path: Path) -> None:
    Image.new("CMYK", (32, 32), (0, 255, 255, 0)).save(tmp_path / "red.jpg")
    content, pixels = read(tmp_path / "red.jpg")
    red, green, blue = (int(value) for value in pixels[5, 5])
    assert red > 200 and green < 60 and blue < 60
    assert Image.open(io.BytesIO(content)).mode == "RGB"


def test_a_sixteen_bit_picture_is_scaled_not_clipped(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    content, pixels = read(tmp_path / "deep.png")
    assert pixels.shape == (64, 64, 3)
    assert 120 < pixels.mean() < 135
    assert Image.open(io.BytesIO(content)).format == "JPEG"


def test_fifty_megapixels_are_decoded_at_reduced_scale(tmp_path: Path) -> None:
    Image.new("RGB", (8660, 5780), (60, 120, 60)).save(tmp_path / "huge.jpg", quality=30)
    content, pixels = read(tmp_path / "huge.jpg")
    assert max(pixels.shape) == 1600
    assert content == (tmp_path / "huge.jpg").read_bytes()


def test_more_pixels_than_any_camera_has_are_refused(tmp_path: Path) -> None:
    Image.new("1", (12000, 12000)).save(tmp_path / "bomb.png")
    with pytest.raises(OSError, match="too many"):
        read(tmp_path / "bomb.png")


def test_grey_pictures_count_as_night(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg", (90, 90, 90))
    picture(tmp_path / "b.jpg", (150, 90, 40))
    camera = folder_camera(tmp_path, VirtualClock())
    assert [camera.burst(1, 0)[0].night for _ in range(2)] == [True, False]


def rendered(clock: VirtualClock, visits: list[Visit]) -> RenderedCamera[Taken]:
    rng = np.random.default_rng(1)
    return RenderedCamera(SMALL, visits, lambda s: s < 1000, Taken, clock.now, clock.wait, rng)


def test_a_rendered_camera_shows_its_visits_and_then_only_wind() -> None:
    clock = VirtualClock(999.9)
    camera = rendered(clock, [Visit("fox")])
    night, day = camera.burst(2, 0.4), camera.burst(1, 0.4)
    assert [frame.time_s for frame in night] == [999.9, 1000.3]
    assert [frame.night for frame in (*night, *day)] == [True, True, False]
    assert camera.last == Visit("empty")
    assert Image.open(io.BytesIO(day[0].jpeg)).size == (320, 180)
    assert day[0].rgb.shape == (180, 320, 3)


def test_a_black_camera_keeps_time_and_shows_nothing() -> None:
    clock = VirtualClock(50)
    frames = BlackCamera(Taken, clock.now, clock.wait, (64, 36)).burst(3, 1.0)
    assert [frame.time_s for frame in frames] == [50, 51, 52]
    assert not any(frame.rgb.any() for frame in frames)


def test_a_hanging_camera_keeps_its_caller_and_then_fails() -> None:
    clock = VirtualClock(0)
    inner = BlackCamera(Taken, clock.now, clock.wait, (64, 36))
    camera = HangingCamera(inner, 30, clock.wait, every=2)
    assert len(camera.burst(1, 0)) == 1
    with pytest.raises(OSError, match="no frame within 30 s"):
        camera.burst(1, 0)
    assert clock.monotonic() == 30


def test_a_raising_camera_fails_every_nth_time() -> None:
    clock = VirtualClock(0)
    camera = RaisingCamera(BlackCamera(Taken, clock.now, clock.wait, (64, 36)), every=3)
    outcomes = []
    for _ in range(6):
        try:
            outcomes.append(len(camera.burst(1, 0)))
        except OSError:
            outcomes.append(0)
    assert outcomes == [1, 1, 0, 1, 1, 0]
