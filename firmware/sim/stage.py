"""Puts visitors and the twig in front of the lens into the light of an empty scene.

Promises: an animal stands on the ground at its distance, is as large, as lit and as blurred as that
distance and its speed make it, and is hidden by what is nearer. Does not promise shadows of trees.
"""

import math
from functools import lru_cache

import numpy as np

from firmware.sim import light
from firmware.sim.animal import pose
from firmware.sim.body import Drawing, Part, View, draw
from firmware.sim.build import BUILDS
from firmware.sim.forest import Scenery, Site
from firmware.sim.fur import Hide, paint
from firmware.sim.texture import Array
from firmware.sim.visit import Visit

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels, right and bottom exclusive
_EYE_SHINE = 9.0
_EXPOSURE_S = {True: 1 / 60, False: 1 / 250}  # by night, by day


@lru_cache(maxsize=1)
def _ruffle() -> Array:
    """Tileable noise in metres that makes outlines furry."""
    noise = np.random.default_rng(7).normal(0, 1, (512, 512)).astype(np.float32)
    rows = noise + np.roll(noise, 1, 0) + np.roll(noise, -1, 0)
    return (np.float32(0.0014) * (rows + np.roll(rows, 1, 1))).astype(np.float32)


def add_visitor(
    radiance: Array, site: Site, visit: Visit, view: Scenery, night: bool, elapsed_s: float
) -> tuple[Box | None, float]:
    """Draws the visitor into the radiance; returns its box and the share of the frame it fills."""
    walked_m = visit.speed_m_s * elapsed_s
    yaw = math.radians(visit.yaw_deg)
    distance_m = max(1.2, visit.distance_m + walked_m * math.sin(yaw))
    facing = 1 if visit.heading == "right" else -1
    scale = site.px_per_m(distance_m)
    x_px = visit.start_x * site.width + facing * walked_m * math.cos(yaw) * scale
    grown = 1 + 0.07 * math.sin(2.4 * visit.individual)  # adults are not all of one size
    place = View(x_px, site.ground_row(distance_m), grown * scale, facing, math.cos(yaw))
    stepped_m = walked_m + 0.37 * visit.individual  # so that visits do not all start in step
    parts = pose(visit.kind, stepped_m)
    drawing = draw(parts, place, (site.height, site.width), _ruffle())
    if drawing is None:
        return None, 0.0
    hide = paint(visit.kind, visit.individual, visit.flank, drawing, parts)
    smear_px = visit.speed_m_s * _EXPOSURE_S[night] * scale
    rows, columns = _place(drawing)
    _shadow(radiance, place, visit.kind, night)
    cover = drawing.cover * (view.screen[rows, columns] > distance_m)
    glow = _reflect(site, drawing, hide, parts, distance_m, night)
    _blend(radiance[rows, columns], glow, cover, smear_px)
    return _box(drawing, cover), float(cover.sum()) / (site.width * site.height)


def _place(drawing: Drawing) -> tuple[slice, slice]:
    height, width = drawing.cover.shape
    return (
        slice(drawing.top, drawing.top + height),
        slice(drawing.left, drawing.left + width),
    )


def _reflect(
    site: Site, drawing: Drawing, hide: Hide, parts: list[Part], distance_m: float, night: bool
) -> Array:
    """Radiance of a body standing `distance_m` away."""
    normal = (drawing.normal_x, drawing.normal_y, drawing.normal_z)
    side = 1.0 if site.seed % 2 else -1.0
    shaded = light.shade(normal, night, side) * _self_shadow(drawing, parts)
    if night:
        lamp = _lamp_on(site, drawing, distance_m)
        return 1.15 * hide.infrared * shaded * lamp + _EYE_SHINE * hide.eye
    return hide.visible * shaded[:, :, None] * np.float32(1.05)


def _lamp_on(site: Site, drawing: Drawing, distance_m: float) -> Array:
    """The lamp's light on something flat `distance_m` away."""
    distance = np.full(drawing.cover.shape, distance_m, np.float32)
    return light.lamp_beam(site)[_place(drawing)] * light.inverse_square(distance)


def _self_shadow(drawing: Drawing, parts: list[Part]) -> Array:
    """Far limbs stand in the body's own shade."""
    far = [number for number, part in enumerate(parts) if part.depth_m < -0.03]
    shadow: Array = np.where(np.isin(drawing.part, far), 0.62, 1.0).astype(np.float32)
    return shadow


def _blend(target: Array, glow: Array, cover: Array, smear_px: float) -> None:
    """Puts a body over the scene, smeared by its motion during the exposure."""
    share = light.smeared(cover, smear_px)
    if target.ndim == 3:
        target += light.smeared(glow * cover[:, :, None], smear_px) - target * share[:, :, None]
    else:
        target += light.smeared(glow * cover, smear_px) - target * share


def _shadow(radiance: Array, place: View, kind: str, night: bool) -> None:
    """Darkens the ground below the body; at night the lamp beside the lens leaves hardly any."""
    half = 0.25 if kind == "human" else abs(BUILDS[kind].torso[0][0])
    x_radius = half * 1.25 * place.px_per_m * place.foreshortening
    y_radius = max(2.0, 0.13 * x_radius)
    height, width = radiance.shape[:2]
    top, bottom = (int(np.clip(place.y_px + s * 2 * y_radius, 0, height)) for s in (-1, 1))
    left, right = (int(np.clip(place.x_px + s * 2 * x_radius, 0, width)) for s in (-1, 1))
    if bottom <= top or right <= left:
        return
    y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
    near = ((x - place.x_px) / x_radius) ** 2 + ((y - place.y_px) / y_radius) ** 2
    dark = 1 - (0.30 if night else 0.50) * np.exp(-near)
    radiance[top:bottom, left:right] *= dark if radiance.ndim == 2 else dark[:, :, None]


def _box(drawing: Drawing, cover: Array) -> Box | None:
    rows, columns = np.nonzero(cover > 0.5)
    if rows.size < 12:
        return None
    return (
        drawing.left + int(columns.min()), drawing.top + int(rows.min()),
        drawing.left + int(columns.max()) + 1, drawing.top + int(rows.max()) + 1,
    )  # fmt: skip


def add_branch(radiance: Array, site: Site, night: bool, sway: float) -> None:
    """A leafy twig at the frame's upper edge, the usual cause of empty triggers."""
    left_side = site.seed % 3 != 0
    distance_m = 2.4 + 0.1 * (site.seed % 7)
    parts = _twig(sway)
    place = View(
        0.0 if left_side else site.width, 0.07 * site.height, site.px_per_m(distance_m),
        1 if left_side else -1,
    )  # fmt: skip
    drawing = draw(parts, place, (site.height, site.width), _ruffle())
    if drawing is None:
        return
    leaf = np.isin(drawing.part, [i for i, part in enumerate(parts) if part.name == "leaf"])
    if night:
        glow = np.where(leaf, 0.4, 0.24) * _lamp_on(site, drawing, distance_m)
    else:
        glow = np.where(leaf[:, :, None], (0.20, 0.12, 0.05), (0.08, 0.06, 0.05))
    _blend(radiance[_place(drawing)], glow.astype(np.float32), drawing.cover, 6 * abs(sway) + 1)


def _twig(sway: float) -> list[Part]:
    """Five shoots from one point, each with three leaves; `sway` is -1..1."""
    parts = []
    for k in range(5):
        reach = 0.35 + 0.10 * k
        droop = -0.10 * k + sway * reach * 0.5
        nodes = tuple(
            (reach * t, droop * t * t + 0.05 * k * t, 0.009 * (1.25 - t)) for t in (0, 0.3, 0.6, 1)
        )
        parts.append(Part("twig", nodes, nodes))
        parts += [
            Part("leaf", ((x, y, 0.008), (x + 0.03, y - 0.05 + 0.1 * sway, 0.016)), nodes[:2])
            for x, y, _ in nodes[1:]
        ]
    return parts
