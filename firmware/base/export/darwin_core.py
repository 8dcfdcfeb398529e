"""Darwin Core: occurrence.csv, and the meta.xml that makes it an archive. Pure.

People, vehicles and what nobody could name are no occurrences. Dataset metadata (EML) are added
where the archive is published, as GBIF's toolkit asks for them there.
"""

from xml.sax.saxutils import quoteattr

from firmware.base.export.camtrap_dp import degrees, timestamp
from firmware.base.export.dataset import Dataset, Occurrence
from firmware.base.export.taxa import RANKS
from firmware.base.survey.report import csv_text
from firmware.base.survey.settings import SurveySettings

TERMS = (
    "occurrenceID", "basisOfRecord", "eventID", "parentEventID", "eventDate", "samplingProtocol",
    "scientificName", "taxonRank", "kingdom", *RANKS, "vernacularName", "individualCount", "sex",
    "lifeStage", "occurrenceStatus", "locality", "decimalLatitude", "decimalLongitude",
    "geodeticDatum", "coordinateUncertaintyInMeters", "dataGeneralizations", "identifiedBy",
    "identificationVerificationStatus", "datasetName",
)  # fmt: skip
_TERM_URI = "http://rs.tdwg.org/dwc/terms/"
LICENCE_URI = "http://purl.org/dc/terms/license"


def files(found: Dataset, settings: SurveySettings, _now_s: float) -> dict[str, str]:
    """The archive's text files."""
    rows = [
        (*_row(one, settings.project, coarse=found.precision is not None), settings.data_licence)
        for one in found.occurrences if one.taxon and one.kind == "animal"
    ]  # fmt: skip
    return {"occurrence.csv": csv_text((*TERMS, "license"), rows), "meta.xml": _meta()}


def _row(one: Occurrence, project: str, *, coarse: bool) -> tuple[str | int | None, ...]:
    taxon, place = one.taxon, one.place
    assert taxon is not None
    said = "coordinates are the centres of 0.1 degree cells, dates are months" if coarse else ""
    return (
        one.id, "MachineObservation", one.id, place.id, _date(one, coarse), "camera trap",
        taxon.name, taxon.rank, "Animalia", *(taxon.part(rank) for rank in RANKS), taxon.english,
        one.count or None, one.sex, one.age, "present", place.name, degrees(place.latitude),
        degrees(place.longitude), "WGS84", place.radius_m, said, one.by,
        "verified by human" if one.reviewed else "unverified", project,
    )  # fmt: skip


def _date(one: Occurrence, coarse: bool) -> str:
    if coarse:
        return timestamp(one.start_s)[:7]
    return f"{timestamp(one.start_s)}/{timestamp(one.end_s)}"


def _meta() -> str:
    terms = [_TERM_URI + term for term in TERMS]
    fields = "".join(
        f"    <field index={quoteattr(str(at))} term={quoteattr(term)}/>\n"
        for at, term in enumerate([*terms, LICENCE_URI])
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<archive xmlns="http://rs.tdwg.org/dwc/text/">\n'
        '  <core encoding="UTF-8" fieldsTerminatedBy="," linesTerminatedBy="\\n"'
        ' fieldsEnclosedBy="&quot;" ignoreHeaderLines="1"'
        ' rowType="http://rs.tdwg.org/dwc/terms/Occurrence">\n'
        "    <files><location>occurrence.csv</location></files>\n"
        '    <id index="0"/>\n'
        f"{fields}"
        "  </core>\n</archive>\n"
    )
