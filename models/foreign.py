"""Other people's labelled camera-trap images: Camtrap DP and COCO Camera Traps.

Promises `Example`s like those of `manifest`, so that a team with NTLNP, LILA or its own data can
retrain. A sequence or a deployment stays on one side of the split; images whose label maps to
none of ours are left out and counted in the log.
"""

import csv
import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.labels import LABEL_TABLE, NTLNP_TO_LABEL
from models.manifest import Box, Example, carve_validation

log = logging.getLogger(__name__)


def read_camtrap_dp(root: Path, names: Mapping[str, str] | None = None) -> list[Example]:
    """A Camtrap DP 1.x folder (`media.csv`, `observations.csv`); files relative to `root`.

    `names` maps scientific names to our labels; without it, the labels' own taxa are used.
    Raises ValueError if one of the two tables is missing.
    """
    by_taxon = dict(names or taxa())
    media = {row["mediaID"]: row for row in _rows(root / "media.csv")}
    seen = []
    for row in _rows(root / "observations.csv"):
        label = _camtrap_label(row, by_taxon)
        medium = media.get(row.get("mediaID", ""))
        if medium is None:
            continue
        box = [row.get(f"bbox{side}", "") for side in ("X", "Y", "Width", "Height")]
        boxes = (Box(*(float(part) for part in box)),) if all(box) else ()
        seen.append((label, root / medium["filePath"], medium["deploymentID"], boxes))
    return _examples(seen, "Camtrap DP")


def _camtrap_label(row: Mapping[str, str], by_taxon: Mapping[str, str]) -> str | None:
    kind = row.get("observationType", "")
    if kind in ("human", "vehicle"):
        return kind
    if kind == "blank":
        return "empty"
    return by_taxon.get(row.get("scientificName", ""))


def read_coco_camera_traps(
    path: Path, images: Path, names: Mapping[str, str] | None = None
) -> list[Example]:
    """A COCO Camera Traps JSON; boxes are pixels and become fractions.

    `names` maps category names to our labels; without it, NTLNP's names and ours are known.
    """
    known = {label.name: label.name for label in LABEL_TABLE} | NTLNP_TO_LABEL | dict(names or {})
    content: dict[str, Any] = json.loads(path.read_text())
    categories = {c["id"]: known.get(c["name"]) for c in content["categories"]}
    pictures = {image["id"]: image for image in content["images"]}
    seen = []
    for found in content["annotations"]:
        image = pictures[found["image_id"]]
        place = image.get("location", image.get("seq_id", image["id"]))
        boxes: tuple[Box, ...] = ()
        if "bbox" in found:
            x, y, width, height = found["bbox"]
            w, h = image["width"], image["height"]
            boxes = (Box(x / w, y / h, width / w, height / h),)
        label = categories[found["category_id"]]
        seen.append((label, images / image["file_name"], str(place), boxes))
    return _examples(seen, "COCO Camera Traps")


def taxa() -> dict[str, str]:
    """Scientific name to label, from the label table."""
    pairs = {}
    for label in LABEL_TABLE:
        listed = label.taxon.split(": ")[-1]
        for taxon in listed.split(", "):
            pairs[taxon] = label.name
            pairs[" ".join(taxon.split()[:2])] = label.name
    return pairs


def _examples(
    seen: Iterable[tuple[str | None, Path, str, tuple[Box, ...]]], source: str
) -> list[Example]:
    """One example an image; an image with two labels is left out, its label being unclear."""
    found: dict[Path, Example | None] = {}
    left_out: Counter[str] = Counter()
    for label, path, group, boxes in seen:
        if label is None:
            left_out["no_label"] += 1
            continue
        before = found.get(path)
        if before is None and path not in found:
            found[path] = Example(
                path, label, label, "train", True, group, source, "as the data set says", "", boxes
            )
        elif before is not None and before.label == label:
            found[path] = replace(before, boxes=before.boxes + boxes)
        else:
            found[path] = None
            left_out["two_labels"] += 1
    if left_out:
        log.warning("images_left_out %s", " ".join(f"{k}={v}" for k, v in left_out.items()))
    return carve_validation(example for example in found.values() if example is not None)


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise ValueError(f"{path} is missing; a Camtrap DP folder has media.csv, observations.csv")
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))
