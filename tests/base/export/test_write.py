import csv
import io
import re
import sqlite3
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from firmware.base.export.taxa import RANKS, TAXA
from firmware.base.export.write import FORMS
from firmware.base.store import DATABASE, Store
from firmware.base.survey.book import Survey, SurveyError
from firmware.base.survey.reading import Reader
from firmware.base.survey.statements import EMPTY, PEOPLE, UNCERTAIN, Exported
from firmware.wire.alert import SPECIES
from firmware.wire.ids import ItemId
from tests.base.export.exported import NOW_S, PLACES, contents, fill, run, telling_picture
from tests.base.pictures import frame_arrival
from tests.base.survey.survey_store import DAY_S, T0


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "b"
    fill(folder)
    return folder


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / name).read_text())))


def test_public_has_confirmed_animals_by_cell_and_month_up_to_the_embargo(
    data_dir: Path, tmp_path: Path
) -> None:
    done = run(data_dir, tmp_path / "out", "public")
    assert (done.places, done.occurrences, done.pictures) == (2, 5, 3)
    for place in rows(tmp_path / "out", "deployments.csv"):
        assert place["latitude"] in ("43.05", "43.15")
        assert place["longitude"] == "131.45"
        assert (place["locationName"], place["cameraID"], place["deploymentComments"]) == ("",) * 3
        assert re.fullmatch(r"2\d{3}-\d\d-01T00:00:00Z", place["deploymentStart"])
        assert place["deploymentEnd"] <= "2027-02-01T00:00:00Z"
    found = rows(tmp_path / "out", "observations.csv")
    assert {o["observationType"] for o in found} == {"animal"}
    assert all(o["eventStart"] == o["eventEnd"] for o in found)
    assert {o["eventStart"][7:] for o in found} == {"-01T00:00:00Z"}
    assert max(o["eventStart"] for o in found) < "2027-01"
    assert "Secretova" not in str(found)


def test_partner_is_exact_without_people_and_needs_a_recipient(
    data_dir: Path, tmp_path: Path
) -> None:
    with pytest.raises(SurveyError, match="recipient"):
        run(data_dir, tmp_path / "out", "partner", recipient=" ")
    assert not (tmp_path / "out").exists()
    run(data_dir, tmp_path / "out", "partner", recipient="WWF")
    places = rows(tmp_path / "out", "deployments.csv")
    assert [p["latitude"] for p in places] == ["43.09871", "43.11317"]
    found = rows(tmp_path / "out", "observations.csv")
    assert {o["observationType"] for o in found} == {"animal", "unknown"}
    pictures = {m["mediaID"] for m in rows(tmp_path / "out", "media.csv")}
    assert pictures == {
        "T0007-000001-frame-1", "T0007-000002-frame-1", "T0008-000005-frame-1",
        "T0008-000008-frame-1",
    }  # fmt: skip


def test_internal_lists_people_but_no_profile_ever_has_their_pictures(
    data_dir: Path, tmp_path: Path
) -> None:
    run(data_dir, tmp_path / "out", "internal")
    found = rows(tmp_path / "out", "observations.csv")
    assert {o["observationType"] for o in found} == {"animal", "unknown", "human"}
    pictures = {m["mediaID"][6:12] for m in rows(tmp_path / "out", "media.csv")}
    # Not the person (3), not the leopard with somebody beside it (7), not what the machine could
    # not tell (6); but the deer that only the machine has looked at (4).
    assert pictures == {"000001", "000002", "000004", "000005", "000008"}


@pytest.mark.parametrize("profile", ["public", "partner", "internal"])
@pytest.mark.parametrize("form", FORMS)
def test_no_file_of_any_export_says_more_of_a_picture_than_the_picture(
    data_dir: Path, tmp_path: Path, profile: str, form: str
) -> None:
    run(data_dir, tmp_path / "out", profile, form)
    pictures = {n: b for n, b in contents(tmp_path / "out").items() if n.startswith("media/")}
    assert pictures
    for body in pictures.values():
        for word in (b"Exif", b"Secret", b"43.09871", b"xap", b"TRAILER", b"salt"):
            assert word not in body


def test_without_media_there_is_no_picture_and_no_row_of_one(
    data_dir: Path, tmp_path: Path
) -> None:
    assert run(data_dir, tmp_path / "out", "internal", media=False).pictures == 0
    assert rows(tmp_path / "out", "media.csv") == []
    assert not (tmp_path / "out/media").exists()


def test_every_export_has_its_line_in_the_audit(data_dir: Path, tmp_path: Path) -> None:
    run(data_dir, tmp_path / "out", "partner", recipient="WWF")
    with Reader(data_dir) as reader:
        said = reader.statements()[-1]
    assert (said.who, said.said_s) == ("Ivan", NOW_S)
    assert isinstance(said.statement, Exported)
    assert (said.statement.profile, said.statement.recipient) == ("partner", "WWF")
    assert (said.statement.rows, said.statement.pictures) == (7, 4)


def test_what_cannot_be_audited_is_not_exported(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> list[int]:
        raise SurveyError("the disk is full")

    monkeypatch.setattr(Survey, "state", refuse)
    with pytest.raises(SurveyError):
        run(data_dir, tmp_path / "out", "public")
    assert not (tmp_path / "out").exists()


def test_two_exports_never_mix_in_one_folder(data_dir: Path, tmp_path: Path) -> None:
    run(data_dir, tmp_path / "out", "internal")
    with pytest.raises(SurveyError, match="not empty"):
        run(data_dir, tmp_path / "out", "public")


def test_nothing_to_export_is_said_before_anything_is_written(tmp_path: Path) -> None:
    fill(tmp_path / "b")
    with pytest.raises(SurveyError, match="embargo"):
        run(tmp_path / "b", tmp_path / "out", "public", now_s=T0 + 9 * DAY_S)
    assert not (tmp_path / "out").exists()


def test_a_picture_that_is_gone_or_changed_on_the_disk_is_left_out_and_counted(
    tmp_path: Path,
) -> None:
    fill(tmp_path / "b")
    first, second = sorted((tmp_path / "b/media").rglob("*.jpg"))[:2]
    first.unlink()
    second.write_bytes(b"\xff\xd8\xff rotten")
    whole = run(tmp_path / "b", tmp_path / "out", "internal")
    assert whole.pictures + whole.left_out == 5
    assert len(list((tmp_path / "out/media").iterdir())) == whole.pictures
    assert len(rows(tmp_path / "out", "media.csv")) == whole.pictures


def test_a_second_picture_under_one_name_goes_along_under_its_own(tmp_path: Path) -> None:
    fill(tmp_path / "b")
    with Store(tmp_path / "b") as store:
        store.put([frame_arrival(ItemId(7, 1, "frame", 1), telling_picture(99))])
    run(tmp_path / "b", tmp_path / "out", "internal")
    names = [m["mediaID"] for m in rows(tmp_path / "out", "media.csv")]
    assert sum(n.startswith("T0007-000001-frame-1") for n in names) == 2
    assert len(set(names)) == 6


def test_public_names_stay_the_same_from_one_export_to_the_next(
    data_dir: Path, tmp_path: Path
) -> None:
    run(data_dir, tmp_path / "one", "public")
    run(data_dir, tmp_path / "two", "public", now_s=NOW_S + 40 * DAY_S)
    one, two = (
        {o["observationID"] for o in rows(tmp_path / out, "observations.csv")}
        for out in ("one", "two")
    )
    assert one <= two and len(one) == 5


def test_darwin_core_has_animals_with_their_names_and_a_readable_archive_head(
    data_dir: Path, tmp_path: Path
) -> None:
    run(data_dir, tmp_path / "out", "public", "darwin-core")
    found = rows(tmp_path / "out", "occurrence.csv")
    assert {o["scientificName"] for o in found} == {
        "Panthera pardus orientalis", "Panthera tigris altaica", "Artiodactyla",
    }  # fmt: skip
    assert {len(o["eventDate"]) for o in found} == {7}
    assert all(o["dataGeneralizations"] for o in found)
    root = ElementTree.fromstring((tmp_path / "out/meta.xml").read_bytes())
    space = "{http://rs.tdwg.org/dwc/text/}"
    fields = root.findall(f"{space}core/{space}field")
    assert [f.attrib["term"].rsplit("/", 1)[1] for f in fields] == list(found[0])


def test_wildlife_insights_has_its_four_tables_with_one_row_an_image(
    data_dir: Path, tmp_path: Path
) -> None:
    run(data_dir, tmp_path / "out", "partner", "wildlife-insights", recipient="WI")
    assert rows(tmp_path / "out", "projects.csv")[0]["embargo"] == "12"
    assert [c["camera_id"] for c in rows(tmp_path / "out", "cameras.csv")] == ["T0007", "T0008"]
    for image in rows(tmp_path / "out", "images.csv"):
        assert (tmp_path / "out" / image["location"]).is_file()
        assert image["class"] == "Mammalia"
    assert rows(tmp_path / "out", "deployments.csv")[0]["placename"] == PLACES[0].place


def test_every_label_of_an_animal_has_a_name_and_no_other_has() -> None:
    assert set(TAXA) == set(SPECIES) - {EMPTY, UNCERTAIN, *PEOPLE}
    for taxon in TAXA.values():
        if taxon.rank in RANKS:
            assert taxon.name == taxon.part(taxon.rank)
        if taxon.rank in ("species", "subspecies"):
            assert taxon.name.split()[0] == taxon.part("genus")


def test_exports_change_nothing_but_the_audit(data_dir: Path, tmp_path: Path) -> None:
    def raw() -> list[tuple[object, ...]]:
        db = sqlite3.connect(data_dir / DATABASE)
        try:
            return db.execute("SELECT seq, sha256 FROM raw").fetchall()
        finally:
            db.close()

    before = raw()
    run(data_dir, tmp_path / "out", "internal")
    assert raw() == before
