import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from firmware.base.listing import list_sightings, print_sightings
from firmware.base.settings import BaseSettings, StoreSettings
from firmware.base.store import Store, StoreError
from firmware.broker import Broker
from firmware.wire.ids import ItemId
from tests.base.pictures import frame_arrival, picture, sighting, sighting_arrival

ROOT = Path(__file__).parents[2]


def settings(data_dir: Path) -> BaseSettings:
    return BaseSettings(Broker(host="127.0.0.1"), StoreSettings(data_dir))


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Sighting 1 with two of three frames, one twice; then a frame of sighting 2 alone."""
    folder = tmp_path / "base"
    with Store(folder) as store:
        store.put([sighting_arrival(sighting(1), 1.8e9)])
        store.put([frame_arrival(ItemId(7, 1, "frame", n), picture(n)) for n in (1, 2)])
        store.put([frame_arrival(ItemId(7, 1, "frame", 1), picture(9))])
        store.put([frame_arrival(ItemId(7, 2, "frame", 1), picture(3), 1.8e9 + 60)])
    return folder


def test_each_sighting_is_listed_once_newest_last_also_without_its_record(data_dir: Path) -> None:
    first, second = list_sightings(settings(data_dir))
    assert (first.sighting, first.pictures, first.frames, first.conflicts) == (
        "T0007-000001", 2, 3, 1,
    )  # fmt: skip
    assert (first.species, first.night, first.received_s) == ("leopard", True, 1.8e9)
    assert (second.sighting, second.pictures, second.species) == ("T0007-000002", 1, None)


def test_the_text_and_the_json_say_the_same(data_dir: Path) -> None:
    text, lines = io.StringIO(), io.StringIO()
    print_sightings(list_sightings(settings(data_dir)), as_json=False, out=text)
    print_sightings(list_sightings(settings(data_dir)), as_json=True, out=lines)
    assert text.getvalue().splitlines() == [
        f"2027-01-15T08:00:00Z  T0007-000001  {'leopard 0.97 x1':28} pictures 2/3  CONFLICTS 1",
        f"2027-01-15T08:01:00Z  T0007-000002  {'(record not here yet)':28} pictures 1/?",
    ]
    first, second = map(json.loads, lines.getvalue().splitlines())
    assert (first["species"], first["night"], second["species"]) == ("leopard", True, None)


def test_pictures_that_came_by_lora_are_counted_apart(data_dir: Path) -> None:
    with Store(data_dir) as store:
        items = [ItemId(7, 2, "preview", index) for index in (0, 1)]
        store.put([frame_arrival(item, picture(item.index + 5)) for item in items])
        store.put([frame_arrival(ItemId(7, 3, "preview", 0), picture(7))])
    first, second, third = list_sightings(settings(data_dir))
    assert (first.previews, second.previews, third.previews) == (0, 2, 1)
    assert (second.pictures, third.pictures) == (1, 0)
    text = io.StringIO()
    print_sightings([second], as_json=False, out=text)
    assert "pictures 1/?  by LoRa 2" in text.getvalue()


def test_listing_works_while_the_store_is_being_written(data_dir: Path) -> None:
    with Store(data_dir) as store:
        listing = list_sightings(settings(data_dir))
        next(listing)
        assert store.put([sighting_arrival(sighting(3))]) == ["stored"]
        assert len(list(listing)) == 1
    assert len(list(list_sightings(settings(data_dir)))) == 3


def test_a_store_that_is_not_there_is_a_clear_error_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="has the base run yet"):
        list(list_sightings(settings(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_the_command_lists_what_is_stored_and_fails_with_one_line(
    data_dir: Path, tmp_path: Path
) -> None:
    config = tmp_path / "base.toml"
    command = [sys.executable, "-m", "firmware", "base", "list", "--json", "--config", str(config)]
    outcomes = []
    for folder in (data_dir, tmp_path / "absent"):
        config.write_text(f'[mqtt]\nhost = "localhost"\n[store]\ndata_dir = "{folder}"\n')
        outcomes.append(subprocess.run(command, cwd=ROOT, capture_output=True, text=True))
    good, bad = outcomes
    assert good.returncode == 0
    assert len(good.stdout.splitlines()) == 2
    assert bad.returncode == 1
    assert "has the base run yet" in bad.stderr
    assert len(bad.stderr.splitlines()) == 1
