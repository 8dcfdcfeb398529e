"""Bodies as chains of tapered capsules, drawn with depth, normals and skin coordinates.

Promises: every drawn pixel knows where on the animal's skin it lies, so a coat moves with
the limb it grows on and foreshortens towards the outline. Does not promise anatomy: every
cross-section is round.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware.sim.texture import Array

Node = tuple[float, float, float]  # x forward, y up, radius; metres, ground at y = 0


@dataclass(frozen=True)
class Part:
    """One chain of capsules: where it is now, and where the same nodes are on the flat skin."""

    name: str
    now: tuple[Node, ...]
    rest: tuple[Node, ...]
    depth_m: float = 0.0  # towards the viewer; far legs are negative


@dataclass(frozen=True)
class Drawing:
    """Maps over one patch of the frame, all of the same shape; `left`, `top` place it."""

    left: int
    top: int
    cover: Array  # 0..1
    part: NDArray[np.int16]  # index into the parts, -1 where there is nothing
    skin_x: Array
    skin_y: Array
    normal_x: Array  # towards the right of the frame
    normal_y: Array  # up
    normal_z: Array  # towards the viewer


@dataclass(frozen=True)
class View:
    """Where the body's origin (between its feet) stands in the frame, and how large it looks."""

    x_px: float
    y_px: float
    px_per_m: float
    facing: int  # +1 looks right, -1 looks left
    foreshortening: float = 1.0  # cosine of the angle between its path and the frame


def smooth(nodes: tuple[Node, ...], pieces: int) -> tuple[Node, ...]:
    """Catmull-Rom through the nodes, each gap cut into `pieces`."""
    points = np.array([nodes[0], *nodes, nodes[-1]])
    t = np.linspace(0, 1, pieces, endpoint=False)[:, None]
    curve = [
        p1
        + 0.5 * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)))
        for p0, p1, p2, p3 in zip(points, points[1:], points[2:], points[3:], strict=False)
    ]
    return tuple((float(x), float(y), float(r)) for x, y, r in [*np.concatenate(curve), nodes[-1]])


def draw(parts: list[Part], view: View, frame: tuple[int, int], ruffle_m: Array) -> Drawing | None:
    """Draws the parts into a frame of (height, width); None when nothing of them is inside.

    `ruffle_m` is a tileable noise texture in metres that roughens outline and coat like fur.
    """
    bounds = _bounds(parts, view, frame)
    if bounds is None:
        return None
    left, top, right, bottom = bounds
    x, y = _body_coordinates(bounds, view, ruffle_m)
    shape = (bottom - top, right - left)
    maps = {name: np.zeros(shape, np.float32) for name in ("cover", "sx", "sy", "nx", "ny", "nz")}
    depth = np.full(shape, -np.inf, np.float32)
    index = np.full(shape, -1, np.int16)
    for number, part in enumerate(parts):
        for a, b, rest_a, rest_b in zip(
            part.now, part.now[1:], part.rest, part.rest[1:], strict=False
        ):
            patch = _patch(a, b, view, bounds)
            if patch is not None:
                _capsule(
                    part, number, (a, b, rest_a, rest_b), (x, y), patch, maps, depth, index, view
                )
    if not (index >= 0).any():
        return None
    soft_px = round(0.022 * view.px_per_m)
    for name in ("nx", "ny", "nz"):
        maps[name] = _softened(maps[name], maps["cover"], soft_px)
    return Drawing(
        left, top, maps["cover"], index, maps["sx"], maps["sy"],
        maps["nx"] * view.facing, maps["ny"], maps["nz"],
    )  # fmt: skip


def _softened(field: Array, cover: Array, radius_px: int) -> Array:
    """Box mean inside the outline: joints of muscle and fur are soft where capsules are not."""
    weight, total = cover, field * cover
    for axis in (0, 1):
        weight, total = (_box_sum(values, radius_px, axis) for values in (weight, total))
    mean: Array = total / np.maximum(weight, 1e-3)
    return mean


def _box_sum(values: Array, radius_px: int, axis: int) -> Array:
    """Sum over 2 r + 1 neighbours along one axis; beyond the edge there is nothing."""
    margin = [(0, 0), (0, 0)]
    margin[axis] = (radius_px + 1, radius_px)
    running = np.cumsum(np.pad(values, margin), axis=axis, dtype=np.float32)
    first, last = (
        np.take(running, range(start, start + values.shape[axis]), axis=axis)
        for start in (0, 2 * radius_px + 1)
    )
    box: Array = last - first
    return box


def _extent(nodes: list[Node], view: View) -> tuple[float, float, float, float]:
    """Pixel bounds (left, top, right, bottom) of capsules through the nodes."""
    scale_x = view.px_per_m * view.foreshortening
    points = np.array(nodes)
    x = view.x_px + view.facing * points[:, 0] * scale_x
    y = view.y_px - points[:, 1] * view.px_per_m
    r = points[:, 2] * view.px_per_m + 3
    return (x - r).min(), (y - r).min(), (x + r).max(), (y + r).max()


def _bounds(
    parts: list[Part], view: View, frame: tuple[int, int]
) -> tuple[int, int, int, int] | None:
    left, top, right, bottom = _extent([node for part in parts for node in part.now], view)
    clipped = (
        max(0, int(left)),
        max(0, int(top)),
        min(frame[1], int(right)),
        min(frame[0], int(bottom)),
    )
    return clipped if clipped[2] > clipped[0] + 1 and clipped[3] > clipped[1] + 1 else None


def _body_coordinates(
    bounds: tuple[int, int, int, int], view: View, ruffle_m: Array
) -> tuple[Array, Array]:
    """Body x and y in metres at each pixel of the patch, ruffled."""
    left, top, right, bottom = bounds
    columns = np.arange(left, right, dtype=np.float32)
    rows = np.arange(top, bottom, dtype=np.float32)
    x = (columns - view.x_px) * view.facing / (view.px_per_m * view.foreshortening)
    y = (view.y_px - rows) / view.px_per_m
    tile = ruffle_m.shape[0]
    u = ((x + 4) * 420).astype(np.int32) % tile
    v = ((y + 4) * 300).astype(np.int32) % tile
    shift = ruffle_m[v[:, None], u[None, :]]
    return x[None, :] + shift, y[:, None] + shift[:, ::-1] * 0.8


def _patch(
    a: Node, b: Node, view: View, bounds: tuple[int, int, int, int]
) -> tuple[slice, slice] | None:
    left, top, right, bottom = _extent([a, b], view)
    x0, x1 = max(0, int(left) - bounds[0]), min(bounds[2], int(right) + 1) - bounds[0]
    y0, y1 = max(0, int(top) - bounds[1]), min(bounds[3], int(bottom) + 1) - bounds[1]
    return (slice(y0, y1), slice(x0, x1)) if x1 > x0 and y1 > y0 else None


def _capsule(
    part: Part,
    number: int,
    nodes: tuple[Node, Node, Node, Node],
    body: tuple[Array, Array],
    patch: tuple[slice, slice],
    maps: dict[str, Array],
    depth: NDArray[np.float32],
    index: NDArray[np.int16],
    view: View,
) -> None:
    """Draws one tapered capsule into the maps where it is nearer than what is there."""
    (ax, ay, ar), (bx, by, br), (rax, ray, _), (rbx, rby, _) = nodes
    length = max(1e-6, float(np.hypot(bx - ax, by - ay)))
    ux, uy = (bx - ax) / length, (by - ay) / length
    px, py = body[0][patch] - ax, body[1][patch] - ay
    along = px * ux + py * uy
    across = py * ux - px * uy
    t = (along / length).clip(0, 1)
    radius = ar + t * (br - ar)
    over = along - t * length
    distance = np.sqrt(over * over + across * across)
    cover = ((radius - distance) * view.px_per_m + 0.5).clip(0, 1)
    flat = (distance / radius).clip(0, 1)
    rise = np.sqrt(1 - flat * flat)
    z = part.depth_m + radius * rise
    seen = (cover > 0) & (z > depth[patch])
    rest_length = max(1e-6, float(np.hypot(rbx - rax, rby - ray)))
    wx, wy = (rbx - rax) / rest_length, (rby - ray) / rest_length
    arc = radius * np.arcsin((across / radius).clip(-1, 1))  # the skin that foreshortening hides
    step = t * rest_length + over
    for name, value in (
        ("cover", np.maximum(cover, maps["cover"][patch])),
        ("sx", rax + wx * step - wy * arc),
        ("sy", ray + wy * step + wx * arc),
        ("nx", (ux * over - uy * across) / radius),
        ("ny", (uy * over + ux * across) / radius),
        ("nz", rise),
    ):
        np.copyto(maps[name][patch], value, where=seen)
    np.copyto(depth[patch], z, where=seen)
    np.copyto(index[patch], np.int16(number), where=seen)
