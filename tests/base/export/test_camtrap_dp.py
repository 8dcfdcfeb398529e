"""Camtrap DP exports, held against the standard's schemas by frictionless, offline."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from firmware.base.export.camtrap_dp import TABLES, package_profile, schema
from firmware.base.store import Store
from firmware.base.survey.book import Survey
from firmware.base.survey.statements import Placed
from tests.base.export.exported import NOW_S, fill, run
from tests.base.survey.survey_store import DAY_S, T0, seen


def errors(folder: Path) -> list[str]:
    """What is wrong with the package: by the profile, then by the tables' schemas."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's own deprecations
        from frictionless import Package, system

        package = json.loads((folder / "datapackage.json").read_text())
        profile = Draft7Validator(package_profile())
        found = [error.message for error in profile.iter_errors(package)]
        local = package | {
            "resources": [
                resource | {"schema": schema(resource["name"])} for resource in package["resources"]
            ]
        }
        del local["profile"]
        with system.use_context(trusted=True):
            report = Package.from_descriptor(local, basepath=str(folder)).validate()
    return found + [str(row) for row in report.flatten(["type", "message"])]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("camtrap") / "b"
    fill(folder)
    return folder


@pytest.mark.parametrize("profile", ["public", "partner", "internal"])
@pytest.mark.parametrize("media", [True, False])
def test_a_package_is_valid_in_every_profile(
    data_dir: Path, tmp_path: Path, profile: str, media: bool
) -> None:
    run(data_dir, tmp_path / "out", profile, media=media)
    assert errors(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("table", "good", "bad"),
    [("observations", ",animal,", ",beast,"), ("media", ",media/", ",../media/"),
     ("deployments", ",43.09871,", ",430.9871,"), ("observations", "D0010", "D9999"),
     ("datapackage", '"targeted"', '"lucky"')],
)  # fmt: skip
def test_the_validation_would_see_a_fault(
    data_dir: Path, tmp_path: Path, table: str, good: str, bad: str
) -> None:
    run(data_dir, tmp_path / "out", "internal")
    file = tmp_path / "out" / f"{table}.{'json' if table == 'datapackage' else 'csv'}"
    text = file.read_text().replace("D0001", "D0010") if good == "D0010" else file.read_text()
    assert good in text
    file.write_text(text.replace(good, bad))
    assert errors(tmp_path / "out")


def test_the_schemas_have_the_columns_of_the_standard() -> None:
    assert [len(schema(table)["fields"]) for table in TABLES] == [24, 11, 28]


def test_the_package_says_how_coarse_it_is_and_whose_it_is(data_dir: Path, tmp_path: Path) -> None:
    package: dict[str, Any] = {}
    for profile in ("internal", "public"):
        run(data_dir, tmp_path / profile, profile)
        package[profile] = json.loads((tmp_path / profile / "datapackage.json").read_text())
    assert package["public"]["coordinatePrecision"] == 0.1
    assert "coordinatePrecision" not in package["internal"]
    assert package["public"]["spatial"]["coordinates"][0][0] == [131.4, 43.0]
    assert {one["scope"] for one in package["public"]["licenses"]} == {"data", "media"}
    names = {taxon["scientificName"] for taxon in package["public"]["taxonomic"]}
    assert "Panthera pardus orientalis" in names


@pytest.mark.slow
def test_a_store_of_ten_thousand_events_exports_without_one_error(tmp_path: Path) -> None:
    species = ("leopard", "deer", "wild_boar", "human", "uncertain", "fox")
    with Store(tmp_path / "b") as store:
        for unit in range(1, 21):
            store.put(
                [
                    seen(n, T0 + n * 3600.0 + unit, species[n % 6], f"T{unit:04X}")
                    for n in range(1, 501)
                ]
            )
    with Survey(tmp_path / "b") as survey:
        places = [
            Placed(f"T{u:04X}", f"Place {u}", 43 + u * 0.013, 131 + u * 0.017, T0)
            for u in range(1, 21)
        ]
        survey.state(places, "Olga", T0 + DAY_S)
    done = run(tmp_path / "b", tmp_path / "internal", "internal", now_s=NOW_S)
    assert done.occurrences == 10_000
    for profile in ("internal", "public"):
        if profile == "public":
            run(tmp_path / "b", tmp_path / "public", "public", now_s=NOW_S)
        assert errors(tmp_path / profile) == []
