"""Wildlife Insights' batch upload: projects.csv, cameras.csv, deployments.csv, images.csv. Pure.

One row an image, as that platform counts; so an export without pictures has no images. Taxa go by
their names: the platform's own taxon numbers are left to its upload page to match.
"""

import datetime

from firmware.base.export.camtrap_dp import degrees, media_path
from firmware.base.export.dataset import Dataset, Medium, Place
from firmware.base.survey.report import csv_text
from firmware.base.survey.settings import SurveySettings

PROJECTS = (
    "project_name", "project_id", "project_short_name", "project_objectives", "project_species",
    "project_species_individual", "project_sensor_layout", "project_sensor_layout_targeted_type",
    "project_bait_use", "project_bait_type", "project_stratification",
    "project_stratification_type", "project_sensor_method", "project_sensor_cluster",
    "project_blank_images", "project_sensor_cluster_size", "project_admin",
    "project_admin_organization", "country_code", "embargo", "initiative_id", "metadata_license",
    "image_license",
)  # fmt: skip
CAMERAS = ("project_id", "camera_id", "make", "model", "serial_number", "year_purchased")
DEPLOYMENTS = (
    "project_id", "deployment_id", "subproject_name", "subproject_design", "placename", "longitude",
    "latitude", "start_date", "end_date", "event_name", "event_description", "event_type",
    "bait_type", "bait_description", "feature_type", "feature_type_methodology", "camera_id",
    "quiet_period", "camera_functioning", "sensor_height", "height_other", "sensor_orientation",
    "orientation_other", "recorded_by",
)  # fmt: skip
IMAGES = (
    "project_id", "deployment_id", "image_id", "location", "is_blank", "identified_by",
    "wi_taxon_id", "class", "order", "family", "genus", "species", "common_name", "uncertainty",
    "timestamp", "age", "sex", "animal_recognizable", "individual_id", "individual_animal_notes",
    "number_of_objects", "highlighted", "markings",
)  # fmt: skip
MOST_EMBARGO_MONTHS = 48  # the platform takes no longer one
_SPECIES_RANKS = ("species", "subspecies")


def files(found: Dataset, settings: SurveySettings, _now_s: float) -> dict[str, str]:
    """The upload's text files."""
    project = "rosette"
    cameras = sorted({_camera(place) for place in found.places})
    embargo = min(MOST_EMBARGO_MONTHS, round(settings.embargo_days / 30.44))
    head: dict[str, str | int | None] = {
        "project_name": settings.project, "project_id": project,
        "project_admin_organization": settings.organisation, "embargo": embargo,
        "project_sensor_method": "Sensor Detection", "metadata_license": settings.data_licence,
        "image_license": settings.media_licence,
    }  # fmt: skip
    return {
        "projects.csv": csv_text(PROJECTS, [[head.get(name) for name in PROJECTS]]),
        "cameras.csv": csv_text(
            CAMERAS, ((project, name, "Rosette", None, name, None) for name in cameras)
        ),
        "deployments.csv": csv_text(
            DEPLOYMENTS, (_deployment(place, project) for place in found.places)
        ),
        "images.csv": csv_text(IMAGES, (_image(one, project) for one in found.media)),
    }


def _camera(place: Place) -> str:
    return place.unit or place.id


def _deployment(place: Place, project: str) -> list[str | int | None]:
    said: dict[str, str | int | None] = {
        "project_id": project, "deployment_id": place.id, "placename": place.name or place.id,
        "longitude": degrees(place.longitude), "latitude": degrees(place.latitude),
        "start_date": _time(place.start_s), "end_date": _time(place.end_s),
        "camera_id": _camera(place), "camera_functioning": "Camera Functioning",
    }  # fmt: skip
    return [said.get(name) for name in DEPLOYMENTS]


def _image(medium: Medium, project: str) -> list[str | int | None]:
    one = medium.occurrence
    taxon = one.taxon
    assert taxon is not None  # pictures go along with animals only
    parts = {rank: taxon.part(rank) for rank in ("class", "order", "family", "genus")}
    epithet = taxon.name.split(" ", 1)[1] if taxon.rank in _SPECIES_RANKS else ""
    said: dict[str, str | int | None] = {
        "project_id": project, "deployment_id": one.place.id, "image_id": medium.id,
        "location": media_path(medium), "is_blank": "No", "identified_by": one.by, **parts,
        "species": epithet, "common_name": taxon.english, "timestamp": _time(medium.at_s),
        "age": one.age, "sex": one.sex, "number_of_objects": one.count or 1, "highlighted": "0",
    }  # fmt: skip
    return [said.get(name) for name in IMAGES]


def _time(at_s: float) -> str:
    return f"{datetime.datetime.fromtimestamp(at_s, datetime.UTC):%Y-%m-%d %H:%M:%S}"
