"""Camtrap DP 1.0.2: deployments.csv, media.csv, observations.csv and datapackage.json. Pure.

Observations are event-based: one row an event, whose count is the most animals that one sighting of
it showed. Column names come from the schemas beside this file (schemas/NOTICE says whose they are).
"""

import datetime
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from firmware.base.export.dataset import Dataset, Medium, Occurrence, Place
from firmware.base.export.pictures import CONTENT_TYPE, SUFFIX
from firmware.base.export.taxa import RANKS, TAXA, Taxon
from firmware.base.survey.report import csv_text
from firmware.base.survey.settings import SurveySettings

VERSION = "1.0.2"
TABLES = ("deployments", "media", "observations")
_URL = f"https://raw.githubusercontent.com/tdwg/camtrap-dp/{VERSION}"
_SCHEMAS = Path(__file__).parent / "schemas"


def files(found: Dataset, settings: SurveySettings, now_s: float) -> dict[str, str]:
    """The package's text files."""
    return {
        "deployments.csv": _table("deployments", map(_deployment, found.places)),
        "media.csv": _table(
            "media", (_medium(one, found.profile.name == "public") for one in found.media)
        ),
        "observations.csv": _table("observations", map(_observation, found.occurrences)),
        "datapackage.json": json.dumps(
            _package(found, settings, now_s), indent=1, ensure_ascii=False
        ) + "\n",
    }  # fmt: skip


def schema(table: str) -> dict[str, Any]:
    """The vendored table schema."""
    loaded: dict[str, Any] = json.loads((_SCHEMAS / f"{table}-table-schema.json").read_text())
    return loaded


def package_profile() -> dict[str, Any]:
    """What is required of datapackage.json, as a JSON schema."""
    loaded: dict[str, Any] = json.loads((_SCHEMAS / "camtrap-dp-profile.json").read_text())
    return loaded


def media_path(medium: Medium) -> str:
    """Where the picture lies in the package."""
    return f"media/{medium.id}{SUFFIX}"


def timestamp(at_s: float) -> str:
    """`2026-03-01T09:30:00Z`."""
    return f"{datetime.datetime.fromtimestamp(at_s, datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"


def degrees(value: float) -> str:
    """Decimal degrees to a tenth of a metre, without trailing zeros."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


@cache
def _columns(table: str) -> tuple[str, ...]:
    return tuple(field["name"] for field in schema(table)["fields"])


def _table(name: str, rows: Iterable[Mapping[str, str | int | float | None]]) -> str:
    columns = _columns(name)
    return csv_text(columns, ([row.get(column) for column in columns] for row in rows))


def _deployment(place: Place) -> dict[str, str | int | float | None]:
    return {
        "deploymentID": place.id,
        "locationName": place.name,
        "latitude": degrees(place.latitude),
        "longitude": degrees(place.longitude),
        "coordinateUncertainty": place.radius_m,
        "deploymentStart": timestamp(place.start_s),
        "deploymentEnd": timestamp(place.end_s),
        "cameraID": place.unit,
        "timestampIssues": "true" if place.doubtful_times else "false",
        "deploymentComments": place.notes,
    }


def _medium(medium: Medium, public: bool) -> dict[str, str | int | float | None]:
    return {
        "mediaID": medium.id,
        "deploymentID": medium.occurrence.place.id,
        "captureMethod": "activityDetection",
        "timestamp": timestamp(medium.at_s),
        "filePath": media_path(medium),
        "filePublic": "true" if public else "false",
        "fileName": f"{medium.id}{SUFFIX}",
        "fileMediatype": CONTENT_TYPE,
    }


def _observation(one: Occurrence) -> dict[str, str | int | float | None]:
    animal = one.kind == "animal"
    return {
        "observationID": one.id,
        "deploymentID": one.place.id,
        "eventID": one.id,
        "eventStart": timestamp(one.start_s),
        "eventEnd": timestamp(one.end_s),
        "observationLevel": "event",
        "observationType": one.kind,
        "scientificName": one.taxon.name if one.taxon and animal else None,
        "count": one.count or None,
        "lifeStage": one.age,
        "sex": one.sex,
        "classificationMethod": "human" if one.reviewed else "machine",
        "classifiedBy": one.by,
        "classificationTimestamp": timestamp(one.reviewed_s) if one.reviewed_s else None,
        "classificationProbability":
            None if one.probability is None else round(one.probability, 4),
    }  # fmt: skip


def _package(found: Dataset, settings: SurveySettings, now_s: float) -> dict[str, Any]:
    package: dict[str, Any] = {
        "resources": [
            {
                "name": table, "path": f"{table}.csv", "profile": "tabular-data-resource",
                "format": "csv", "mediatype": "text/csv", "encoding": "utf-8",
                "schema": f"{_URL}/{table}-table-schema.json",
            }
            for table in TABLES
        ],
        "profile": f"{_URL}/camtrap-dp-profile.json",
        "name": f"rosette-{found.profile.name}",
        "created": timestamp(now_s),
        "title": settings.project,
        "contributors": [
            {"title": settings.organisation or settings.project, "role": "rightsHolder"}
        ],
        "licenses": [
            {"name": settings.data_licence, "scope": "data"},
            {"name": settings.media_licence, "scope": "media"},
        ],
        "project": {
            "title": settings.project, "samplingDesign": settings.design,
            "captureMethod": ["activityDetection"], "individualAnimals": False,
            "observationLevel": ["event"],
        },
        "spatial": {"type": "Polygon", "coordinates": [_box(found)]},
        "temporal": {
            "start": timestamp(min(p.start_s for p in found.places))[:10],
            "end": timestamp(max(p.end_s for p in found.places))[:10],
        },
        "taxonomic": [_taxon(taxon) for taxon in _taxa(found)],
    }  # fmt: skip
    if found.precision is not None:
        package["coordinatePrecision"] = found.precision
    return package


def _box(found: Dataset) -> list[list[float]]:
    """Around all places; around their whole cells where places are coarse."""
    edge = (found.precision or 0.0) / 2
    west = round(min(p.longitude for p in found.places) - edge, 6)
    east = round(max(p.longitude for p in found.places) + edge, 6)
    south = round(min(p.latitude for p in found.places) - edge, 6)
    north = round(max(p.latitude for p in found.places) + edge, 6)
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def _taxa(found: Dataset) -> list[Taxon]:
    present = {one.taxon.name for one in found.occurrences if one.taxon and one.kind == "animal"}
    return [taxon for taxon in TAXA.values() if taxon.name in present]


def _taxon(taxon: Taxon) -> dict[str, Any]:
    parts = {rank: taxon.part(rank) for rank in RANKS if taxon.part(rank)}
    return {
        "scientificName": taxon.name, "taxonRank": taxon.rank, "kingdom": "Animalia", **parts,
        "vernacularNames": {"eng": taxon.english},
    }  # fmt: skip
