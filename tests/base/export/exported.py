"""A survey to export: two units in two cells, animals and people, pictures that know too much."""

import contextlib
import io
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from firmware.base.export.profiles import PROFILES
from firmware.base.export.write import Order, Outcome, export
from firmware.base.store import DATABASE, Store
from firmware.base.survey.book import Survey
from firmware.base.survey.reading import Reader
from firmware.base.survey.settings import SurveySettings
from firmware.base.survey.statements import Placed, Review
from firmware.wire.ids import ItemId
from tests.base.pictures import frame_arrival
from tests.base.survey.survey_store import DAY_S, T0, seen

NOW_S = T0 + 500 * DAY_S
PLACES = (
    Placed("T0007", "Kedrovaya ridge", 43.09871, 131.40213, T0 - DAY_S, T0 + 90 * DAY_S, "by oak"),
    Placed("T0008", "Spring", 43.11317, 131.44456, T0 - DAY_S, None, "salt lick"),
)
GPS_IFD, XMP = 0x8825, b"http://ns.adobe.com/xap/1.0/\x00<x:xmpmeta>lat 43.09871</x:xmpmeta>"


def telling_picture(seed: int, orientation: int = 1) -> bytes:
    """A JPEG with position, maker, comment and thumbnail, and something after its end."""
    noise = np.random.default_rng(seed).integers(0, 256, (32, 48, 3), np.uint8)
    image = Image.fromarray(noise)
    exif = Image.Exif()
    exif[0x010F], exif[0x0112], exif[0x9286] = "Secret Maker", orientation, "at the salt lick"
    exif.get_ifd(GPS_IFD).update({1: "N", 2: (43.0, 5.0, 55.3), 3: "E", 4: (131.0, 24.0, 7.6)})
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif, xmp=XMP, comment=b"camera at 43.09871")
    return out.getvalue() + b"TRAILER 43.09871"


def fill(data_dir: Path) -> None:
    """The sightings, and what is said of them."""
    put_sightings(data_dir)
    say(data_dir, PLACES)


def put_sightings(data_dir: Path, later_s: float = 0.0, key: bytes | None = None) -> None:
    """Nine sightings with a frame each, in a book of which nobody has said anything yet."""
    what = (
        ("T0007", 1, "leopard", 0.1), ("T0007", 2, "leopard", 0.2), ("T0007", 3, "human", 1.0),
        ("T0007", 4, "deer", 40.0), ("T0008", 5, "tiger", 41.0), ("T0008", 6, "uncertain", 42.0),
        ("T0008", 7, "leopard", 43.0), ("T0008", 8, "deer", 499.0), ("T0008", 9, "empty", 44.0),
    )  # fmt: skip
    with Store(data_dir) as store:
        for unit, number, species, day in what:
            store.put([seen(number, T0 + day * DAY_S + later_s, species, unit)])
            item = ItemId(int(unit[1:], 16), number, "frame", 1)
            store.put([frame_arrival(item, telling_picture(number))])
    if key is not None:
        with contextlib.closing(sqlite3.connect(data_dir / DATABASE)) as db:
            db.execute("CREATE TABLE survey_key (key BLOB NOT NULL) STRICT")
            db.execute("INSERT INTO survey_key VALUES (?)", (key,))
            db.commit()
    Survey(data_dir).close()


def say(data_dir: Path, places: Iterable[Placed]) -> None:
    """Where the units stand, and reviews: 1, 2, 3 and 8 confirmed, 5 a female, and somebody beside
    the leopard of 7."""
    with Survey(data_dir) as survey, Reader(data_dir) as reader:
        survey.state(list(places), "Olga Secretova", T0)
        numbers = {o.sighting: o.seq for o in reader.observations()}
        reviews = [Review(numbers[n], "confirm") for n in (1, 2, 3, 8)]
        reviews += [
            Review(numbers[5], "correct", sex="female"), Review(numbers[7], "correct", people=True),
        ]  # fmt: skip
        survey.state(reviews, "Olga Secretova", T0 + DAY_S)


def run(data_dir: Path, out: Path, profile: str, form: str = "camtrap-dp", **how: Any) -> Outcome:
    order = Order(form, PROFILES[profile], out, how.get("media", True), "Ivan",
                  how.get("recipient", "GBIF"))  # fmt: skip
    with Survey(data_dir) as survey:
        return export(survey, SurveySettings(), order, how.get("now_s", NOW_S))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }  # fmt: skip
