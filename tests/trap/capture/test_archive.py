"""The archive on a real folder; only the free space is made up."""

import dataclasses
import json
import logging
import shutil
from pathlib import Path

import pytest

from firmware.trap.capture.archive import Archive, ArchiveError
from firmware.trap.capture.policy import Burst
from firmware.trap.capture.verdict import Verdict

DAY_S = 86400
BURST = Burst(
    "T0007", 1, 1_700_000_000.0, "ntp", True, (b"1" * 600, b"2" * 400),
    Verdict("empty", 0.9, 0.01, {"empty": 0.9}), "0123abcd",
)  # fmt: skip


def burst(sighting: int, label: str, time_s: float = 1_700_000_000.0) -> Burst:
    return dataclasses.replace(
        BURST, sighting=sighting, verdict=Verdict(label, 0.9, 0.1), time_s=time_s
    )


class Card:
    """An archive on a card of `room` bytes of pictures; `unsent` is what the outbox still has."""

    def __init__(self, root: Path, room: int, min_free: int = 0) -> None:
        self.root, self.room = root, room
        self.unsent: set[int] = set()
        self.archive = Archive(root, min_free, lambda: self.unsent, self._free)

    def _free(self, path: Path) -> int:
        return self.room - sum(file.stat().st_size for file in path.rglob("*.jpg"))

    @property
    def kept(self) -> list[int]:
        return sorted(self.archive.numbers())


def test_every_frame_and_the_verdict_are_on_the_card_under_their_names(tmp_path: Path) -> None:
    folder = Card(tmp_path, 10**6).archive.store(BURST)
    assert folder == tmp_path / "2023-11-14" / "T0007-000001"
    assert sorted(file.name for file in folder.iterdir()) == [
        "frame_1.jpg", "frame_2.jpg", "verdict.json",
    ]  # fmt: skip
    assert (folder / "frame_1.jpg").read_bytes() == b"1" * 600
    verdict = json.loads((folder / "verdict.json").read_text())
    assert verdict["verdict"] == "empty" and verdict["frames"] == 2
    assert verdict["scores"] == {"empty": 0.9} and verdict["model"] == "0123abcd"


def test_under_pressure_the_oldest_empty_goes_first_and_leopards_last(tmp_path: Path) -> None:
    card = Card(tmp_path, 5000)
    for sighting, label in enumerate(("leopard", "empty", "deer", "empty", "uncertain"), 1):
        card.archive.store(burst(sighting, label))
    order = []
    for sighting in range(6, 11):
        before = set(card.kept)
        card.archive.store(burst(sighting, "leopard"))
        order += sorted(before - set(card.kept))
    assert order == [2, 4, 3, 5, 1]
    assert card.archive.deleted == {"empty": 2, "deer": 1, "uncertain": 1, "leopard": 1}


def test_age_is_by_number_so_a_wrong_clock_saves_nothing(tmp_path: Path) -> None:
    card = Card(tmp_path, 2000)
    card.archive.store(burst(1, "empty", time_s=1_900_000_000.0))
    card.archive.store(burst(2, "empty", time_s=1_000_000_000.0))
    card.archive.store(burst(3, "empty"))
    assert card.kept == [2, 3]


def test_the_unsent_go_only_when_nothing_else_fits(tmp_path: Path) -> None:
    card = Card(tmp_path, 3500, min_free=500)
    card.unsent = {1, 2}
    for sighting, label in ((1, "empty"), (2, "leopard"), (3, "leopard")):
        card.archive.store(burst(sighting, label))
    card.archive.store(burst(4, "deer"))
    assert card.kept == [1, 2, 4]
    card.room = 2000
    card.archive.store(burst(5, "deer"))
    assert card.kept == [2, 5]


def test_deleting_a_leopard_or_something_unsent_is_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    card = Card(tmp_path, 2000)
    for sighting, label in ((1, "empty"), (2, "leopard"), (3, "deer"), (4, "deer"), (5, "deer")):
        card.archive.store(burst(sighting, label))
    levels = {record.args[0]: record.levelname for record in caplog.records
              if isinstance(record.args, tuple)}  # fmt: skip
    assert levels[1] == "INFO" and levels[3] == "INFO"
    card.room = 1000
    card.archive.store(burst(6, "leopard"))
    assert "archive_deleted sighting=2 verdict=leopard" in caplog.text
    assert [r.levelname for r in caplog.records if "leopard" in r.message] == ["ERROR"]


def test_a_new_process_knows_what_the_card_holds(tmp_path: Path) -> None:
    Card(tmp_path, 10**6).archive.store(burst(1, "leopard"))
    Card(tmp_path, 10**6).archive.store(burst(2, "deer", 1_700_000_000.0 + DAY_S))
    later = Card(tmp_path, 2000)
    assert later.kept == [1, 2]
    later.archive.store(burst(3, "empty"))
    assert later.kept == [1, 3]
    assert not (tmp_path / "2023-11-15").exists()


def test_a_half_written_sighting_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    card = Card(tmp_path, 2000)
    (card.archive.store(burst(1, "leopard")) / "verdict.json").unlink()
    card.archive.store(burst(2, "empty"))
    card.archive.store(burst(3, "empty"))
    assert card.kept == [1, 3]


def test_what_a_person_has_tidied_away_costs_no_later_sighting(tmp_path: Path) -> None:
    card = Card(tmp_path, 3000)
    for sighting in (1, 2, 3):
        card.archive.store(burst(sighting, "empty", 1_700_000_000.0 + sighting * DAY_S))
    card.room = 2000
    card.archive.store(burst(4, "empty"))  # now it has read what the card holds
    assert card.kept == [3, 4]
    shutil.rmtree(tmp_path / "2023-11-17")
    card.archive.store(burst(5, "deer"))
    card.archive.store(burst(6, "deer"))
    assert card.kept == [5, 6]


def test_a_sighting_that_cannot_be_deleted_is_told_and_the_next_one_goes_instead(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    card = Card(tmp_path, 2000)
    stuck = card.archive.store(burst(1, "empty"))
    card.archive.store(burst(2, "deer"))
    card.unsent = {2}
    for file in stuck.iterdir():
        file.unlink()
    stuck.rmdir()
    stuck.write_bytes(b"a damaged directory, as the file system sees it")
    card.room = 1500
    card.archive.store(burst(3, "deer"))
    assert card.archive.deleted == {"deer": 1} and (stuck.parent / "T0007-000003").exists()
    assert "archive_stuck" in caplog.text and str(stuck) in caplog.text


def test_what_a_full_disk_left_half_written_goes_when_room_is_needed(tmp_path: Path) -> None:
    card = Card(tmp_path, 2500)
    card.archive.store(burst(1, "leopard"))
    card.archive.store(burst(2, "leopard"))
    card.archive.store(burst(3, "leopard"))  # it has read what the card holds
    (tmp_path / "2023-11-14" / "T0007-000004" / "verdict.json").mkdir(parents=True)
    with pytest.raises(ArchiveError):
        card.archive.store(burst(4, "leopard"))
    card.archive.store(burst(5, "leopard"))
    assert card.kept == [3, 5], "the half-written one went before any leopard"


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    card = Card(tmp_path, 0)
    (tmp_path / "2023-11-14").mkdir()
    (tmp_path / "2023-11-14" / "notes.txt").write_text("ours")
    (tmp_path / "2023-11-14" / "T0007-abc").mkdir()
    card.archive.store(burst(1, "empty"))
    assert (tmp_path / "2023-11-14" / "notes.txt").exists() and card.kept == [1]


def test_a_disk_that_cannot_be_written_is_an_archive_error(tmp_path: Path) -> None:
    (tmp_path / "2023-11-14").write_text("a file where the day's folder should be")
    with pytest.raises(ArchiveError, match=r"cannot be written: (Not a directory|File exists)"):
        Card(tmp_path, 10**6).archive.store(BURST)


def test_a_real_free_space_is_read(tmp_path: Path) -> None:
    archive = Archive(tmp_path, 0, set)
    archive.store(BURST)
    assert list(archive.numbers()) == [1] and not archive.deleted
