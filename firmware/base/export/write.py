"""One export, from the book to a folder.

Promises that the audit has its line before the first file exists, that files of two exports never
mix (the folder must be new or empty), and that every picture has nothing in its file but itself. A
picture that is gone from the disk or cannot be decoded is left out of the tables too, and counted.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from firmware.base.export import camtrap_dp, darwin_core, plain_csv, wildlife_insights
from firmware.base.export.dataset import Dataset, Medium, dataset, read_source
from firmware.base.export.pictures import PictureError, bare
from firmware.base.export.profiles import Profile
from firmware.base.media import picture_path
from firmware.base.survey.book import Survey, SurveyError
from firmware.base.survey.reading import Reader
from firmware.base.survey.settings import SurveySettings
from firmware.base.survey.statements import Exported
from firmware.durable import sync_directory, write_file

Writer = Callable[[Dataset, SurveySettings, float], dict[str, str]]
FORMS: dict[str, Writer] = {
    "camtrap-dp": camtrap_dp.files,
    "darwin-core": darwin_core.files,
    "wildlife-insights": wildlife_insights.files,
    "csv": plain_csv.files,
}


@dataclass(frozen=True)
class Order:
    """What is to be exported, by whom and for whom."""

    form: str
    profile: Profile
    folder: Path
    media: bool
    who: str
    recipient: str = ""


@dataclass(frozen=True)
class Outcome:
    """What was exported; `left_out`: pictures that were allowed but could not be read."""

    places: int
    occurrences: int
    pictures: int
    left_out: int


def export(
    survey: Survey, settings: SurveySettings, order: Order, now_s: float,
    progress: Callable[[Iterable[Medium], int], Iterable[Medium]] = lambda media, _: media,
) -> Outcome:  # fmt: skip
    """Write it. Raises SurveyError, StoreError or OSError."""
    if order.profile.recipient and not order.recipient.strip():
        raise SurveyError(f"the {order.profile.name} profile has exact places: name the recipient")
    if order.folder.exists() and any(order.folder.iterdir()):
        raise SurveyError(f"{order.folder} is not empty: give a new folder for each export")
    with Reader(survey.data_dir) as reader:
        source = read_source(reader)
    found = dataset(source, order.profile, now_s, settings.embargo_days, media=order.media)
    if not found.places:
        raise SurveyError("no deployment may be exported in this profile yet: see the embargo, and "
                          "`rosette base deployment list`")  # fmt: skip
    wanted = len(found.media)
    found = _readable(found, survey.data_dir / "media", progress)
    texts = FORMS[order.form](found, settings, now_s)
    said = Exported(
        order.form, order.profile.name, order.recipient.strip(), str(order.folder),
        len(found.occurrences), len(found.media), _digest(texts),
    )  # fmt: skip
    survey.state([said], order.who, now_s)
    _write(found, texts, order.folder, survey.data_dir / "media", progress)
    return Outcome(
        len(found.places), len(found.occurrences), len(found.media), wanted - len(found.media)
    )


def _readable(
    found: Dataset, media: Path, progress: Callable[[Iterable[Medium], int], Iterable[Medium]]
) -> Dataset:
    """Without the pictures that cannot be read."""
    good = tuple(one for one in progress(found.media, len(found.media)) if _bare(one, media))
    return replace(found, media=good)


def _write(
    found: Dataset, texts: dict[str, str], folder: Path, media: Path,
    progress: Callable[[Iterable[Medium], int], Iterable[Medium]],
) -> None:  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    if found.media:
        (folder / "media").mkdir()
    for one in progress(found.media, len(found.media)):
        body = _bare(one, media)
        if body is None:
            raise OSError(f"picture {one.id} went away while it was exported")
        write_file(folder / camtrap_dp.media_path(one), body)
    for name, text in texts.items():
        write_file(folder / name, text.encode())
    sync_directory(folder)


def _bare(medium: Medium, root: Path) -> bytes | None:
    path = picture_path(root, medium.source.sha256, medium.source.content_type)
    try:
        body = path.read_bytes()
        return bare(body) if hashlib.sha256(body).hexdigest() == medium.source.sha256 else None
    except (OSError, PictureError):
        return None


def _digest(texts: dict[str, str]) -> str:
    """Of all tables, so that an export found elsewhere can be told from another."""
    whole = hashlib.sha256()
    for name, text in sorted(texts.items()):
        whole.update(f"{name}:{len(text)}:{text}".encode())
    return whole.hexdigest()
