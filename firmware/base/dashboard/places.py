"""The map: no tiles, a grid of 0.1 degree cells with the cameras in it, drawn here as SVG.

Who may see exact places gets each camera where it stands, and that look is audited before the page
goes out. A viewer gets cells with the number of cameras in each, computed from the cell alone: no
unit, no name, nothing that moves when a camera moves within its cell.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from firmware.base.dashboard.books import Books
from firmware.base.dashboard.roles import EXACT
from firmware.base.dashboard.site import Site
from firmware.base.dashboard.units import read_units
from firmware.base.dashboard.visit import Visit, html
from firmware.base.export.profiles import CELL_DEGREES, CELLS_A_DEGREE, cell_centre
from firmware.base.survey.reading import Deployment

WIDTH, MARGIN, MOST_CELLS = 560.0, 46.0, 40


@dataclass(frozen=True)
class Line:
    """A line of the grid: where on the drawing, and its degrees."""

    at: float
    label: str


@dataclass(frozen=True)
class Cell:
    """Cameras in one cell."""

    x: float
    y: float
    width: float
    height: float
    count: int


@dataclass(frozen=True)
class Spot:
    """One camera where it stands."""

    x: float
    y: float
    unit: str
    place: str
    latitude: float
    longitude: float
    silent: bool


@dataclass(frozen=True)
class Drawing:
    """What the template draws."""

    width: float
    height: float
    meridians: Sequence[Line]
    parallels: Sequence[Line]
    cells: Sequence[Cell]
    spots: Sequence[Spot]
    margin: float = MARGIN


class _Frame:
    """Whole cells around all cameras, one more on each side; knows cell centres, nothing finer."""

    def __init__(self, centres: Sequence[tuple[float, float]]) -> None:
        souths, wests = (
            [round(c[0] - 0.05, 1) for c in centres],
            [round(c[1] - 0.05, 1) for c in centres],
        )
        self.south, self.north = min(souths) - CELL_DEGREES, max(souths) + 2 * CELL_DEGREES
        self.west, self.east = min(wests) - CELL_DEGREES, max(wests) + 2 * CELL_DEGREES
        self.scale = (WIDTH - 2 * MARGIN) / (self.east - self.west)
        self._stretch = 1 / max(0.2, math.cos(math.radians((self.south + self.north) / 2)))
        self.height = (self.north - self.south) * self.scale * self._stretch + 2 * MARGIN

    def x(self, longitude: float) -> float:
        return MARGIN + (longitude - self.west) * self.scale

    def y(self, latitude: float) -> float:
        return MARGIN + (self.north - latitude) * self.scale * self._stretch


async def map_page(site: Site, visit: Visit) -> Response:
    """The cameras that stand now."""
    exact = visit.may(EXACT)

    def work(books: Books) -> Drawing | None:
        books.fresh()
        standing = [d for d in books.reader.deployments() if _stands(d, visit.now_s)]
        if exact and standing:
            what = f"map with {len(standing)} cameras"
            books.accounts.audit(visit.who.name, "coordinates", what, visit.now_s)
        units = read_units(books.db, visit.now_s, site.settings.survey.downtime_s)
        silent = {unit.name for unit in units if unit.silent}
        return draw(standing, silent, exact=exact)

    drawing = await site.ask(work)
    return html(site, visit, "map.html", {"drawing": drawing, "exact": exact})


def draw(standing: Sequence[Deployment], silent: set[str], *, exact: bool) -> Drawing | None:
    """The drawing; None where no camera stands."""
    centres = [(cell_centre(d.latitude, 90), cell_centre(d.longitude)) for d in standing]
    if not centres:
        return None
    frame = _Frame(centres)
    cells = [
        Cell(
            frame.x(east - CELL_DEGREES / 2), frame.y(north + CELL_DEGREES / 2),
            CELL_DEGREES * frame.scale,
            frame.y(north - CELL_DEGREES / 2) - frame.y(north + CELL_DEGREES / 2), count,
        )
        for (north, east), count in sorted(Counter(centres).items())
    ]  # fmt: skip
    spots = [
        Spot(frame.x(d.longitude), frame.y(d.latitude), d.unit, d.place, d.latitude, d.longitude,
             d.unit in silent)
        for d in standing
    ] if exact else []  # fmt: skip
    return Drawing(
        WIDTH, frame.height, _lines(frame.west, frame.east, frame.x),
        _lines(frame.south, frame.north, frame.y), cells, spots,
    )  # fmt: skip


def _lines(low: float, high: float, place: Callable[[float], float]) -> list[Line]:
    first, last = round(low * CELLS_A_DEGREE), round(high * CELLS_A_DEGREE)
    step = max(1, math.ceil((last - first) / MOST_CELLS))
    return [
        Line(place(at / CELLS_A_DEGREE), f"{at / CELLS_A_DEGREE:.1f}°")
        for at in range(first, last + 1, step)
    ]


def _stands(deployment: Deployment, now_s: float) -> bool:
    return deployment.start_s <= now_s and (deployment.end_s is None or deployment.end_s > now_s)
