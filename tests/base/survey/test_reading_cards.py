"""Cards as the unit's own archive writes them, taken in beside what came by radio."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.base.admission import Limits
from firmware.base.store import Store, StoreError
from firmware.base.survey.book import Survey
from firmware.base.survey.card import CardError, Folder, folders, frames, read_verdict
from firmware.base.survey.reading import Picture, Reader
from firmware.base.survey.reading_cards import Brought, read_card
from firmware.base.survey.statements import CardRead, Review
from firmware.cli import main
from firmware.trap.capture.archive import Archive
from firmware.trap.capture.policy import Burst
from firmware.trap.capture.verdict import Verdict
from firmware.wire.ids import ItemId
from tests.base.pictures import frame_arrival, picture
from tests.base.survey.survey_store import DAY_S, T0, derived, put, seen

LIMITS = Limits(8 * 10**6, 10**8)
NOW_S = T0 + 30 * DAY_S
GOOD: dict[str, object] = {
    "unit": "T0007", "sighting": 1, "time_s": T0, "clock": "rtc", "night": True,
    "model": "0123abcd", "frames": 3, "verdict": "leopard", "confidence": 0.9,
}  # fmt: skip


def burst(number: int, label: str = "leopard", *, people: bool = False, frames: int = 2) -> Burst:
    scores = {"leopard": 0.9, "human": 0.8}
    verdict = Verdict(label, 0.91234, 0.9, scores, 1, people)
    jpegs = [picture(number * 10 + n) for n in range(frames)]
    at_s = T0 + number * 3600.25
    return Burst("T0007", number, at_s, "rtc", True, jpegs, verdict, "0123abcd")


def write(card: Path, *bursts: Burst) -> list[Path]:
    """The unit's own code writes the card."""
    archive = Archive(card / "archive", 0, set)
    card.mkdir(exist_ok=True)
    return [archive.store(one) for one in bursts]


def take(card: Path, data_dir: Path, *, empties: bool = False) -> Brought:
    with Survey(data_dir) as survey, Store(data_dir) as store:
        return read_card(card, survey, store, LIMITS, "Olga", NOW_S, empties=empties)


def stored(data_dir: Path) -> list[Picture]:
    with Reader(data_dir) as reader:
        return reader.pictures()


def test_a_card_brings_what_the_radio_had_missed_and_stores_nothing_twice(tmp_path: Path) -> None:
    came, lost, half = burst(1), burst(2), burst(3, "tiger")
    put(
        tmp_path / "b",
        seen(1, came.time_s - 0.25),
        frame_arrival(ItemId(7, 1, "frame", 1), came.jpegs[0]),
        seen(3, half.time_s - 0.75, "tiger"),
    )
    write(tmp_path / "card", came, lost, half)
    brought = take(tmp_path / "card", tmp_path / "b")
    assert [one.record.sighting for one in brought.missed] == [2]
    assert (brought.new_pictures, brought.bad) == (5, [])
    assert brought.on_card == {"leopard": 2, "tiger": 1}
    with Reader(tmp_path / "b") as reader:
        assert {o.sighting: o.road for o in reader.observations()} == {
            1: "radio", 2: "card", 3: "radio",
        }  # fmt: skip
        (two,) = (o for o in reader.observations() if o.sighting == 2)
        assert (two.at_s, two.machine_confidence) == (lost.time_s, 0.9123)
        said = reader.statements()[-1].statement
    assert isinstance(said, CardRead) and (said.sightings, said.missed) == (3, 1)
    assert len(stored(tmp_path / "b")) == 6


def test_a_second_run_stores_nothing_and_tells_the_same(tmp_path: Path) -> None:
    write(tmp_path / "card", burst(1), burst(2))
    first = take(tmp_path / "card", tmp_path / "b")
    before = derived(tmp_path / "b")
    second = take(tmp_path / "card", tmp_path / "b")
    assert second.missed == first.missed and second.new_pictures == 0
    for table in ("observation", "event", "heartbeat"):
        assert derived(tmp_path / "b")[table] == before[table]


def test_an_import_that_was_cut_short_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "card", *(burst(n) for n in range(1, 9)))
    put_all, calls = Store.put, [0]

    def failing(self: Store, arrivals: list[object]) -> list[object]:
        calls[0] += 1
        if calls[0] == 5:
            raise StoreError("the disk is full")
        return put_all(self, arrivals)  # type: ignore[arg-type,return-value]

    monkeypatch.setattr(Store, "put", failing)
    with pytest.raises(StoreError):
        take(tmp_path / "card", tmp_path / "b")
    monkeypatch.undo()
    assert 0 < len(stored(tmp_path / "b")) < 16
    brought = take(tmp_path / "card", tmp_path / "b")
    assert len(brought.missed) == 8
    assert len(stored(tmp_path / "b")) == 16


def test_the_radio_may_come_after_the_card(tmp_path: Path) -> None:
    one = burst(1)
    write(tmp_path / "card", one)
    take(tmp_path / "card", tmp_path / "b")
    put(tmp_path / "b", seen(1, float(int(one.time_s))))
    with Survey(tmp_path / "b"), Reader(tmp_path / "b") as reader:
        assert [o.road for o in reader.observations()] == ["card"]


def test_empties_are_counted_and_their_pictures_stay_on_the_card_unless_asked_for(
    tmp_path: Path,
) -> None:
    write(tmp_path / "card", burst(1, "empty"), burst(2, "deer"))
    assert take(tmp_path / "card", tmp_path / "b").new_pictures == 2
    with Reader(tmp_path / "b") as reader:
        assert [o.machine_species for o in reader.observations()] == ["empty", "deer"]
    assert take(tmp_path / "card", tmp_path / "b", empties=True).new_pictures == 2


def test_people_whom_the_unit_saw_beside_an_animal_are_known_before_any_picture_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "card", burst(1, people=True), burst(2))
    put_all = Store.put

    def only_records(self: Store, arrivals: list[object]) -> list[object]:
        if any(a.is_picture for a in arrivals):  # type: ignore[attr-defined]
            raise StoreError("cut short")
        return put_all(self, arrivals)  # type: ignore[arg-type,return-value]

    monkeypatch.setattr(Store, "put", only_records)
    with pytest.raises(StoreError):
        take(tmp_path / "card", tmp_path / "b")
    with Survey(tmp_path / "b") as survey, Reader(tmp_path / "b") as reader:
        one, two = reader.observations()
        assert (one.people, one.reviewed, two.people) == (True, False, False)
        survey.state([Review(one.seq, "confirm")], "Olga", NOW_S)
        assert reader.observation(one.seq).people
        survey.state([Review(one.seq, "correct", people=False)], "Olga", NOW_S)
        assert not reader.observation(one.seq).people


def test_every_bad_file_is_one_warning_and_the_rest_is_taken(tmp_path: Path) -> None:
    one, two, three, four, five = write(tmp_path / "card", *(burst(n) for n in range(1, 6)))
    (one / "verdict.json").write_text('{"unit": "T0007", ')
    (two / "frame_1.jpg").write_bytes(b"\x00" * 512)
    (three / "verdict.json").unlink()
    (three / "frame_2.jpg").write_bytes(b"")
    four_said = json.loads((four / "verdict.json").read_text())
    (four / "verdict.json").write_text(json.dumps(four_said | {"sighting": 5}))
    (five / "frame_1.jpg").unlink()
    (five / "frame_1.jpg").symlink_to("/etc/passwd")
    brought = take(tmp_path / "card", tmp_path / "b")
    assert len(brought.bad) == 6
    assert [kept.record.sighting for kept in brought.missed] == [2, 5]
    assert brought.on_card == {"leopard": 2, "unknown": 3}
    assert {(p.sighting, p.index) for p in stored(tmp_path / "b")} == {
        (1, 1), (1, 2), (2, 2), (3, 1), (4, 1), (4, 2), (5, 2),
    }  # fmt: skip


def test_a_folder_that_cannot_be_listed_is_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, _ = write(tmp_path / "card", burst(1), burst(30))
    listing = Path.iterdir

    def rotten(self: Path) -> object:
        if self == bad.parent:
            raise OSError(5, os.strerror(5))
        return listing(self)

    monkeypatch.setattr(Path, "iterdir", rotten)
    brought = take(tmp_path / "card", tmp_path / "b")
    assert [one.split(": ")[1] for one in brought.bad] == ["cannot be listed"]
    assert brought.on_card.total() == 1


def test_other_files_on_the_card_are_none_of_ours(tmp_path: Path) -> None:
    (folder,) = write(tmp_path / "card", burst(1))
    (folder / ".frame_3.jpg.tmp").write_bytes(b"half")
    (folder / "frame_999.jpg").write_bytes(b"?")
    (folder.parent / "holiday").mkdir()
    shutil.copytree(folder, folder.parent.parent / "not a day" / folder.name)
    brought = take(tmp_path / "card", tmp_path / "b")
    assert (brought.on_card.total(), brought.new_pictures, brought.bad) == (1, 2, [])
    assert take(tmp_path / "card" / "archive", tmp_path / "b").on_card.total() == 1


@settings(max_examples=60, deadline=None)
@given(
    verdict=st.one_of(
        st.binary(max_size=300),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=9) | st.integers(),
            lambda inner: st.dictionaries(
                st.sampled_from(("unit", "sighting", "time_s", "clock", "frames", "verdict")), inner
            ), max_leaves=8,
        ).map(lambda value: json.dumps(value).encode()),
        st.fixed_dictionaries({}, optional={
            "time_s": st.floats() | st.integers(), "verdict": st.text(max_size=40),
            "confidence": st.floats(), "frames": st.integers(), "model": st.text(max_size=9),
            "clock": st.sampled_from(("rtc", "sundial")), "people": st.just("yes"),
        }).map(lambda change: json.dumps(GOOD | change).encode()),
    )
)  # fmt: skip
def test_whatever_a_card_says_only_card_errors_escape(
    tmp_path_factory: pytest.TempPathFactory, verdict: bytes
) -> None:
    folder = tmp_path_factory.mktemp("card") / "2026-09-21" / "T0007-000001"
    folder.mkdir(parents=True)
    (folder / "verdict.json").write_bytes(verdict)
    (one,) = folders(folder.parent.parent)
    assert isinstance(one, Folder)
    assert frames(one) == []
    try:
        kept = read_verdict(one)
    except CardError as error:
        assert str(folder) in str(error)
    else:
        assert (kept.record.unit, kept.record.sighting) == ("T0007", 1)


def test_the_command_tells_what_was_missed(tmp_path: Path) -> None:
    config = tmp_path / "base.toml"
    config.write_text(f'[mqtt]\nhost = "localhost"\n[store]\ndata_dir = "{tmp_path / "b"}"\n')
    write(tmp_path / "card", burst(1), burst(2, "deer"))
    put(tmp_path / "b", seen(2, burst(2).time_s, "deer"))
    at = ["base", "import", "--config", str(config)]
    done = CliRunner().invoke(main, [*at, str(tmp_path / "card")])
    assert done.exit_code == 0, done.output
    assert "missed: leopard T0007-000001" in done.output
    assert "4 new pictures; 0 files could not be read" in done.output
    again = CliRunner().invoke(main, [*at, str(tmp_path / "card"), "--json"])
    assert [json.loads(line)["sighting"] for line in again.output.splitlines()] == [1]
    (tmp_path / "nothing").mkdir()
    none = CliRunner().invoke(main, [*at, str(tmp_path / "nothing")])
    assert none.exit_code == 1 and "2026-03-01/T0007-000123" in none.output


def test_a_number_that_a_unit_used_twice_is_two_sightings(tmp_path: Path) -> None:
    put(tmp_path / "b", seen(1, T0 - 50 * DAY_S))
    write(tmp_path / "card", replace(burst(1), time_s=T0))
    assert len(take(tmp_path / "card", tmp_path / "b").missed) == 1
    with Reader(tmp_path / "b") as reader:
        assert len(reader.observations()) == 2
