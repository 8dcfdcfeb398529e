"""Plain tables for spreadsheets and R: places.csv, events.csv, pictures.csv. Pure."""

from firmware.base.export.camtrap_dp import degrees, media_path, timestamp
from firmware.base.export.dataset import Dataset
from firmware.base.survey.report import csv_text
from firmware.base.survey.settings import SurveySettings


def files(found: Dataset, _settings: SurveySettings, _now_s: float) -> dict[str, str]:
    """The tables."""
    return {
        "places.csv": csv_text(
            ("deployment", "place", "unit", "latitude", "longitude", "uncertainty_m", "start",
             "end", "notes"),
            ((p.id, p.name, p.unit, degrees(p.latitude), degrees(p.longitude), p.radius_m,
              timestamp(p.start_s), timestamp(p.end_s), p.notes) for p in found.places),
        ),
        "events.csv": csv_text(
            ("event", "deployment", "start", "end", "kind", "scientific_name", "english", "count",
             "sex", "age", "reviewed", "by", "probability"),
            ((o.id, o.place.id, timestamp(o.start_s), timestamp(o.end_s), o.kind,
              o.taxon.name if o.taxon else None, o.taxon.english if o.taxon else None, o.count,
              o.sex, o.age, int(o.reviewed), o.by,
              None if o.probability is None else round(o.probability, 4))
             for o in found.occurrences),
        ),
        "pictures.csv": csv_text(
            ("picture", "event", "deployment", "time", "file"),
            ((m.id, m.occurrence.id, m.occurrence.place.id, timestamp(m.at_s), media_path(m))
             for m in found.media),
        ),
    }  # fmt: skip
