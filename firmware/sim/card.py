"""Which pictures on somebody's memory card are one burst.

Promises every picture of the tree exactly once, in order of name. Pictures of one folder belong
together when their names count up from 0 or 1 (`frame_00`, `frame_01`; `visit7-1`, `visit7-2`), or
when their EXIF times lie within seconds of each other. All others are bursts of one. Opens only
the headers of pictures, and takes a picture whose header cannot be read for a burst of one.
"""

import datetime
import re
import warnings
from itertools import groupby
from pathlib import Path

from PIL import Image

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp"})
LONGEST = 10  # more pictures than this that count up are one burst only with a folder of their own
GAP_S = 5.0  # between the exposures of one burst, which EXIF tells to the second
_COUNTED = re.compile(r"(.*\D)?(\d{1,2})")
_DATE_TIME, _EXIF_IFD, _DATE_TIME_ORIGINAL = 0x0132, 0x8769, 0x9003

Burst = tuple[Path, ...]


def find_bursts(path: Path) -> list[Burst]:
    """Raises FileNotFoundError when there is no picture at `path` or below it."""
    folders = sorted({picture.parent for picture in path.rglob("*") if _is_picture(picture)})
    found = [burst for folder in folders for burst in _bursts_of(folder)]
    if not found:
        raise FileNotFoundError(f"{path}: no pictures ({', '.join(sorted(SUFFIXES))}) in it")
    return found


def _is_picture(path: Path) -> bool:
    hidden = path.name.startswith(".")  # macOS leaves ._IMG_0001.JPG beside IMG_0001.JPG
    return path.suffix.lower() in SUFFIXES and not hidden and path.is_file()


def _bursts_of(folder: Path) -> list[Burst]:
    pictures = sorted(filter(_is_picture, folder.iterdir()))
    bursts: list[Burst] = []
    for _, group in groupby(pictures, key=_prefix):
        named = tuple(group)
        together = _counts_up(named) and (len(named) <= LONGEST or len(named) == len(pictures))
        bursts += [named] if together else _by_time(named)
    return bursts


def _prefix(picture: Path) -> str:
    match = _COUNTED.fullmatch(picture.stem)
    return match[1] or "" if match else ""


def _counts_up(pictures: Burst) -> bool:
    numbers = [int(m[2]) for p in pictures if (m := _COUNTED.fullmatch(p.stem))]
    return (
        1 < len(numbers) == len(pictures)
        and numbers[0] in (0, 1)
        and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    )


def _by_time(pictures: Burst) -> list[Burst]:
    bursts: list[list[Path]] = []
    before_s: float | None = None
    for picture in pictures:
        taken_s = _taken_s(picture)
        if before_s is not None and taken_s is not None and 0 <= taken_s - before_s <= GAP_S:
            bursts[-1].append(picture)
        else:
            bursts.append([picture])
        before_s = taken_s
    return [tuple(burst) for burst in bursts]


def _taken_s(picture: Path) -> float | None:
    """The camera's own time of exposure; its zone is unknown and does not matter here."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged EXIF is none
            with Image.open(picture) as image:
                exif = image.getexif()
            text = exif.get_ifd(_EXIF_IFD).get(_DATE_TIME_ORIGINAL) or exif.get(_DATE_TIME)
        moment = datetime.datetime.strptime(f"{text} +0000", "%Y:%m:%d %H:%M:%S %z")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    return moment.timestamp()
