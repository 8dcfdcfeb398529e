"""`rosette classify`: verdicts on pictures, folders and bursts that lie on a disk.

Promises one result per picture (or per burst) in a fixed order, sorted within folders; a file
that cannot be read gives a result with `error`, and the others are judged all the same. Uses the
capture daemon's own `Look`, so a burst on disk is judged as it would have been in the field, but
without earlier empty frames of its camera.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from firmware.trap.capture.camera import Frame
from firmware.trap.capture.classifier import Classifier
from firmware.trap.capture.picture import SUFFIXES, PictureError, read_picture
from firmware.trap.capture.verdict import Judge, Look, Verdict


@dataclass(frozen=True)
class Result:
    """The verdict on a picture or burst, or why there is none. `people`: see Verdict."""

    path: Path
    verdict: str = ""
    confidence: float = 0.0
    leopard: float = 0.0
    people: bool = False
    scores: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None


def classify_paths(
    paths: Sequence[Path], classifier: Classifier, *, burst: bool
) -> Iterator[Result]:
    """Results in order, as they come. With `burst`, the pictures that lie in one folder are one
    burst and its path is the folder. Shows progress on stderr when that is a terminal."""
    judge = judge_of(classifier)
    pictures, missing = find_pictures(paths)
    yield from (Result(path, error=reason) for path, reason in missing)
    if burst:
        for folder, group in _progress(_by_folder(pictures)):
            yield from _burst(folder, group, classifier, judge)
    else:
        for picture in _progress(pictures):
            yield from _burst(picture, [picture], classifier, judge)


def find_pictures(paths: Sequence[Path]) -> tuple[list[Path], list[tuple[Path, str]]]:
    """Files as named, folders searched through for picture suffixes; and what gave nothing."""
    found: list[Path] = []
    missing: list[tuple[Path, str]] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = [p for p in sorted(path.rglob("*"))
                  if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")]  # fmt: skip
        found += inside
        if not inside:
            missing.append((path, f"{path}: no pictures in it ({', '.join(sorted(SUFFIXES))})"))
    return found, missing


def format_json(result: Result) -> str:
    """One line: {"path","scores":{label:p},"leopard":p,"verdict"}, or {"path","error"}."""
    if result.error is not None:
        return json.dumps({"path": str(result.path), "error": result.error})
    scores = {label: round(score, 4) for label, score in result.scores.items()}
    line: dict[str, Any] = {
        "path": str(result.path), "scores": scores, "leopard": round(result.leopard, 4),
        "verdict": result.verdict,
    }  # fmt: skip
    return json.dumps(line)


def format_text(result: Result) -> str:
    """One line for people."""
    if result.error is not None:
        return f"error         {result.error}"
    people = "  (people or vehicle on it)" if result.people else ""
    figures = f"{result.verdict:<13} {result.confidence:4.2f}  leopard {result.leopard:4.2f}"
    return f"{figures}  {result.path}{people}"


def judge_of(classifier: Classifier) -> Judge:
    """The judge for a model's labels and thresholds."""
    sidecar = classifier.sidecar
    return Judge(sidecar.labels, frozenset(sidecar.independent), classifier.thresholds)


def _burst(
    path: Path, pictures: Sequence[Path], classifier: Classifier, judge: Judge
) -> Iterator[Result]:
    """An error for each picture that cannot be read, then the verdict on the rest."""
    look, seen = Look(classifier.scores, judge), False
    for picture in pictures:
        try:
            content, rgb = read_picture(picture)
        except PictureError as error:
            yield Result(picture, error=str(error))
        else:
            look.add(Frame(content, rgb, time_s=0.0, night=False))
            seen = True
    if seen:
        yield _result(path, look.verdict(()))


def _result(path: Path, verdict: Verdict) -> Result:
    return Result(
        path, verdict.label, verdict.confidence, verdict.leopard, verdict.people, verdict.scores
    )


def _by_folder(pictures: Sequence[Path]) -> list[tuple[Path, list[Path]]]:
    ordered = sorted(pictures, key=lambda p: (p.parent, p.name))
    return [(folder, list(group)) for folder, group in groupby(ordered, key=lambda p: p.parent)]


def _progress(items: Sequence[Any]) -> Iterator[Any]:
    """The items, with a bar on stderr where somebody watches it."""
    if not sys.stderr.isatty() or len(items) < 20:
        yield from items
        return
    from rich.console import Console  # not needed on the unit
    from rich.progress import track

    yield from track(items, "classifying", console=Console(stderr=True), transient=True)
