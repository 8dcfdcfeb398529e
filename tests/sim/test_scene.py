from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from firmware.sim import coat, scene
from firmware.sim.forest import scenery
from firmware.sim.scene import KINDS, Kind, Site, Visit, film, render_burst
from firmware.sim.stage import add_visitor
from firmware.sim.visit import visitors

SNOW = Site(seed=3, season="snow", width=480, height=270)
AUTUMN = replace(SNOW, season="autumn")


def pixels(
    visit: Visit, site: Site = SNOW, night: bool = False, frames: int = 1, seed: int = 1
) -> list[npt.NDArray[np.int16]]:
    rng = np.random.default_rng(seed)
    images = render_burst(site, visit, night, frames, 0.5, rng)
    return [np.asarray(image, dtype=np.int16) for image in images]


def likeness(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_equal_arguments_give_equal_pictures() -> None:
    visit = Visit("leopard", 2)
    one, other = pixels(visit, night=True, frames=2), pixels(visit, night=True, frames=2)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_equal_arguments_give_equal_pictures_when_nothing_is_cached() -> None:
    visit = Visit("leopard", 2)
    one = pixels(visit)[0]
    coat.rosettes.cache_clear()
    scenery.cache_clear()
    scene._lit.cache_clear()
    assert np.array_equal(one, pixels(visit)[0])


def test_another_seed_is_another_place() -> None:
    one, other = pixels(Visit("empty"))[0], pixels(Visit("empty"), replace(SNOW, seed=4))[0]
    assert np.abs(one - other).mean() > 10


def test_the_background_of_one_site_stays_the_same_between_bursts() -> None:
    one = pixels(Visit("empty"), seed=1)[0][80:]
    other = pixels(Visit("empty"), seed=2)[0][80:]
    centred = np.abs((one - one.mean()) - (other - other.mean()))
    assert centred.mean() < 8


@pytest.mark.parametrize("site", [SNOW, AUTUMN])
def test_night_frames_are_grey_and_dark_behind(site: Site) -> None:
    frame = pixels(Visit("empty"), site, night=True)[0]
    assert np.ptp(frame, axis=2).max() == 0
    behind = frame[int(site.horizon_px) - 60 : int(site.horizon_px) - 10]
    ground = frame[-60:]
    assert behind.mean() < 0.6 * ground.mean()


def test_day_frames_have_colour() -> None:
    assert np.ptp(pixels(Visit("empty"), AUTUMN)[0], axis=2).mean() > 10


def test_a_leopard_keeps_its_coat() -> None:
    first, again = coat.rosettes(5, "left"), coat.rosettes.__wrapped__(5, "left")
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_individuals_and_flanks_differ() -> None:
    own, _ = coat.rosettes(5, "left")
    for other in (coat.rosettes(6, "left"), coat.rosettes(5, "right")):
        assert abs(likeness(own, other[0])) < 0.5
        trunk = slice(150, 250), slice(420, 660)
        assert abs(likeness(own[trunk], other[0][trunk])) < 0.15


def test_rosettes_are_rings_around_a_tawny_centre() -> None:
    dark, centre = coat.rosettes(1, "left")
    trunk = slice(160, 240), slice(420, 640)
    assert 0.15 < dark[trunk].mean() < 0.55
    assert 0.03 < (centre[trunk] > 0.5).mean() < 0.4


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "empty"])
@pytest.mark.parametrize("night", [False, True])
def test_the_box_holds_the_animal(kind: Kind, night: bool) -> None:
    base, _ = scene._lit(AUTUMN, night)
    lit = base.copy()
    visit = Visit(kind, 1, distance_m=4)
    box, share = add_visitor(lit, AUTUMN, visit, scenery(AUTUMN), night, 0.0)
    assert box is not None
    left, top, right, bottom = box
    changed = np.abs(lit - base).reshape(*lit.shape[:2], -1).max(axis=2) > 0.02
    assert changed[top:bottom, left:right].mean() > 0.15
    assert 0 < share <= (right - left) * (bottom - top) / (AUTUMN.width * AUTUMN.height)
    edge = 4  # smear and soft outline
    changed[max(0, top - edge) : bottom + edge, max(0, left - edge) : right + edge] = False
    shadow = int(AUTUMN.ground_row(4)) - 30
    assert not changed[:shadow].any()


def test_an_empty_frame_has_no_box_but_a_moving_branch() -> None:
    shots = film(SNOW, Visit("empty"), False, 3, 0.5, np.random.default_rng(1))
    assert [shot.box for shot in shots] == [None] * 3
    first, last = (np.asarray(shots[i].image, dtype=np.int16) for i in (0, 2))
    moved = np.abs(first - last).mean(axis=2)
    assert moved[:120].max() > 60


def test_an_animal_walks_the_way_it_heads() -> None:
    for heading, sign in (("left", -1), ("right", 1)):
        visit = Visit("fox", heading="left" if heading == "left" else "right")
        shots = film(SNOW, visit, False, 2, 0.5, np.random.default_rng(1))
        boxes = [shot.box for shot in shots]
        assert boxes[0] is not None and boxes[1] is not None
        assert np.sign(boxes[1][0] - boxes[0][0]) == sign


def test_a_farther_animal_is_smaller() -> None:
    widths = []
    for distance_m in (3.0, 6.0):
        visit = Visit("leopard", distance_m=distance_m)
        box = film(SNOW, visit, True, 1, 0.5, np.random.default_rng(1))[0].box
        assert box is not None
        widths.append((box[2] - box[0]) / SNOW.width)
    assert widths[0] > 1.6 * widths[1] > 0.2


def test_an_animal_outside_the_frame_has_no_box() -> None:
    shot = film(SNOW, Visit("hare", start_x=-1.0), True, 1, 0.5, np.random.default_rng(1))[0]
    assert shot.box is None


def test_a_partial_body_at_the_edge_has_a_clipped_box() -> None:
    shot = film(SNOW, Visit("leopard", start_x=0.02), True, 1, 0.5, np.random.default_rng(1))[0]
    assert shot.box is not None
    assert shot.box[0] == 0


def test_a_stamped_frame_says_that_it_is_simulated_and_when() -> None:
    rng = np.random.default_rng(1)
    shot = film(SNOW, Visit("empty"), True, 1, 0.5, rng, stamp_s=1_700_000_000)[0]
    strip = np.asarray(shot.image)[-8:]
    assert strip.min() == 0 and strip.max() > 150


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "yeti"}, "unknown"),
        ({"distance_m": 0.1}, "distance_m"),
        ({"yaw_deg": 90}, "yaw_deg"),
    ],
)
def test_an_impossible_visit_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(Visit("leopard"), **change)  # type: ignore[arg-type]


def test_visitors_are_mostly_leopards_of_a_small_population_and_reproducible() -> None:
    def some() -> list[Visit]:
        source = visitors(np.random.default_rng(1), leopards=3, leopard_share=0.6)
        return [next(source) for _ in range(200)]

    leopards = [visit for visit in some() if visit.kind == "leopard"]
    assert 90 < len(leopards) < 150
    assert {visit.individual for visit in leopards} == {0, 1, 2}
    assert some() == some()


def test_the_command_writes_a_contact_sheet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scene, "contact_sheet", lambda rng: Image.new("RGB", (8, 8)))
    assert scene.main(["--out", str(tmp_path / "new")]) == 0
    assert (tmp_path / "new" / "rendered.jpg").is_file()
    assert "not photographs" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert scene.main(["--out", str(tmp_path / "file" / "below")]) == 1
