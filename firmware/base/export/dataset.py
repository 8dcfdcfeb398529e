"""What an export holds, whatever its form: the survey's rows as the profile allows them.

This is the only gate: the writers of the forms get a `Dataset` and nothing else, so what is not in
one cannot leave the base. Rows stand in the order of their names, which in the public profile says
nothing of when they were made.

A picture goes along only if its sighting is an animal for certain: no person or vehicle on it by
the machine's word or a reviewer's, and, outside the internal profile, confirmed by a reviewer.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from firmware.base.export.profiles import (
    Profile,
    cell_centre,
    cell_radius_m,
    month_end,
    month_start,
    opaque,
)
from firmware.base.export.taxa import TAXA, Taxon
from firmware.base.survey.reading import Deployment, Event, Observation, Picture, Reader
from firmware.base.survey.statements import EMPTY, PEOPLE

DAY_S = 86400.0


@dataclass(frozen=True)
class Place:
    """A deployment as exported. Times are unix seconds UTC."""

    id: str
    name: str
    unit: str
    latitude: float
    longitude: float
    radius_m: int | None
    start_s: float
    end_s: float
    notes: str
    doubtful_times: bool


@dataclass(frozen=True)
class Occurrence:
    """An event as exported. `kind`: animal, human, vehicle or unknown."""

    id: str
    place: Place
    start_s: float
    end_s: float
    kind: str
    taxon: Taxon | None
    count: int
    sex: str
    age: str
    reviewed: bool
    by: str
    reviewed_s: float | None
    probability: float | None


@dataclass(frozen=True)
class Medium:
    """A picture as exported; `source` is the stored one."""

    id: str
    occurrence: Occurrence
    at_s: float
    source: Picture


@dataclass(frozen=True)
class Dataset:
    """All rows. `precision`: of the coordinates in degrees, where they were made coarse."""

    profile: Profile
    places: tuple[Place, ...]
    occurrences: tuple[Occurrence, ...]
    media: tuple[Medium, ...]
    precision: float | None


@dataclass(frozen=True)
class Source:
    """What the dataset is made from."""

    key: bytes
    deployments: Sequence[Deployment]
    observations: Sequence[Observation]
    events: Sequence[Event]
    pictures: Sequence[Picture]


def read_source(reader: Reader) -> Source:
    """All of the book that exports may need."""
    return Source(reader.key(), reader.deployments(), reader.observations(), reader.events(),
                  reader.pictures())  # fmt: skip


def dataset(
    source: Source, profile: Profile, now_s: float, embargo_days: int, *, media: bool
) -> Dataset:
    """The rows that the profile allows at this time."""
    until_s = now_s if profile.exact else month_start(now_s - embargo_days * DAY_S)
    seen = _by_event(source.observations)
    places = {
        d.id: _place(d, seen, source, profile, until_s)
        for d in source.deployments if d.start_s < until_s
    }  # fmt: skip
    found: dict[int, Occurrence] = {}
    for event in source.events:
        if event.deployment in places and event.start_s < until_s:
            place = places[event.deployment]
            occurrence = _occurrence(event, place, seen[event.seq], source.key, profile)
            if occurrence:
                found[event.seq] = occurrence
    pictures = _media(source, found, profile) if media else []
    return Dataset(
        profile,
        tuple(sorted(places.values(), key=lambda p: p.id)),
        tuple(sorted(found.values(), key=lambda o: o.id)),
        tuple(sorted(pictures, key=lambda m: m.id)),
        None if profile.exact else 0.1,
    )


def _by_event(observations: Iterable[Observation]) -> Mapping[int, list[Observation]]:
    groups: dict[int, list[Observation]] = defaultdict(list)
    for one in observations:
        if one.event is not None:
            groups[one.event].append(one)
    return groups


def _place(
    deployment: Deployment, seen: Mapping[int, list[Observation]], source: Source,
    profile: Profile, until_s: float,
) -> Place:  # fmt: skip
    end_s = min(until_s, until_s if deployment.end_s is None else deployment.end_s)
    if not profile.exact:
        return Place(
            opaque(source.key, "deployment", deployment.name), "", "",
            cell_centre(deployment.latitude, 90), cell_centre(deployment.longitude),
            cell_radius_m(deployment.latitude), month_start(deployment.start_s),
            min(until_s, month_end(end_s)), "", doubtful_times=False,
        )  # fmt: skip
    doubtful = any(
        one.doubt for group in seen.values() for one in group if one.deployment == deployment.id
    )
    return Place(
        deployment.name, deployment.place, deployment.unit, deployment.latitude,
        deployment.longitude, None, deployment.start_s, end_s, deployment.notes, doubtful,
    )  # fmt: skip


def _occurrence(
    event: Event, place: Place, seen: Sequence[Observation], key: bytes, profile: Profile
) -> Occurrence | None:
    """The event as exported; None where the profile does not list it."""
    kind = _kind(event.species)
    if kind in PEOPLE and not profile.people:
        return None
    if kind != "animal" and not profile.exact:
        return None
    reviewed = all(one.reviewed for one in seen)
    name = f"E{event.seq:06d}"
    exact = profile.exact
    return Occurrence(
        id=name if exact else opaque(key, "event", name),
        place=place,
        start_s=event.start_s if exact else month_start(event.start_s),
        end_s=event.end_s if exact else month_start(event.start_s),
        kind=kind, taxon=TAXA.get(event.species), count=event.count,
        sex=_agreed(one.sex for one in seen), age=_agreed(one.age for one in seen),
        reviewed=reviewed,
        by=_by(seen, exact, reviewed),
        reviewed_s=max(one.reviewed_s or 0 for one in seen) if reviewed and exact else None,
        probability=None if reviewed else max(one.machine_confidence for one in seen),
    )  # fmt: skip


def _media(source: Source, found: Mapping[int, Occurrence], profile: Profile) -> list[Medium]:
    """The pictures that may go along: frames, and a preview only where there is no frame."""
    by_name: dict[tuple[str, int], list[Observation]] = defaultdict(list)
    for one in source.observations:
        by_name[one.unit, one.sighting].append(one)
    with_frames = {(p.unit, p.sighting) for p in source.pictures if p.kind == "frame"}
    media: dict[str, Medium] = {}
    for picture in source.pictures:
        name = (picture.unit, picture.sighting)
        if picture.kind != "frame" and name in with_frames:
            continue
        seen = by_name.get(name, [])
        if len(seen) != 1 or not _may_leave(seen[0], profile):
            continue  # a number used twice: nobody can say whose picture it is
        occurrence = found.get(seen[0].event or 0)
        if occurrence is None:
            continue
        plain = f"{picture.unit}-{picture.sighting:06d}-{picture.kind}-{picture.index}"
        if plain in media:
            plain += f"-{picture.sha256[:8]}"
        at_s = seen[0].at_s if profile.exact else occurrence.start_s
        shown = plain if profile.exact else opaque(source.key, "picture", plain)
        media[plain] = Medium(shown, occurrence, at_s, picture)
    return list(media.values())


def _may_leave(one: Observation, profile: Profile) -> bool:
    people = one.people or one.species in PEOPLE
    if not one.reviewed:
        return profile.unreviewed and not people and one.machine_species in TAXA
    return not people and one.species in TAXA


def _kind(species: str) -> str:
    if species in PEOPLE:
        return species
    return "animal" if species in TAXA and species != EMPTY else "unknown"


def _agreed(values: Iterable[str]) -> str:
    """What all that say something say."""
    said = {value for value in values if value}
    return said.pop() if len(said) == 1 else ""


def _by(seen: Sequence[Observation], exact: bool, reviewed: bool) -> str:
    """Who says so; in public no person is named."""
    if not reviewed:
        return "rosette model " + " ".join(sorted({one.model for one in seen}))
    return ", ".join(sorted({one.reviewed_by or "" for one in seen})) if exact else ""
