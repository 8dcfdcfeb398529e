"""A fixed camera's view of a Manchurian forest: what reflects, how far it is, what hides what.

Promises: the same site always gives the same scenery, so consecutive frames differ only by light,
noise, wind and visitors, as with a camera strapped to a tree. Does not promise botany.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from firmware.sim.texture import Array, enlarge, value_noise

Season = Literal["snow", "autumn"]
FAR_M = 60.0
_CAMERA_HEIGHT_M = 0.62
_Colour = tuple[float, float, float]  # sRGB, 0..1
_Ink = tuple[int, int, int] | float


@dataclass(frozen=True)
class Site:
    """One camera's place; everything that stands still there follows from the seed."""

    seed: int
    season: Season = "snow"
    width: int = 1280
    height: int = 720

    @property
    def focal_px(self) -> float:
        return 1.2 * self.width  # a horizontal field of view of 45 degrees

    @property
    def horizon_px(self) -> float:
        return (0.36 + 0.06 * ((self.seed * 7919) % 11) / 10) * self.height

    def ground_row(self, distance_m: float) -> float:
        """The frame row at which something standing `distance_m` away touches the ground."""
        return self.horizon_px + self.focal_px * _CAMERA_HEIGHT_M / distance_m

    def px_per_m(self, distance_m: float) -> float:
        return self.focal_px / distance_m


@dataclass(frozen=True)
class Scenery:
    """Maps of one site, height x width: reflectances in linear light, distances in metres."""

    visible: Array  # x 3
    infrared: Array
    distance: Array
    screen: Array  # distance of what can hide an animal; infinite where there is only ground
    dapple: Array  # share of direct daylight that reaches the place


@lru_cache(maxsize=2)  # 26 MB each at 1280 x 720
def scenery(site: Site) -> Scenery:
    """Draws the site from far to near; it then stands still for good."""
    rng = np.random.default_rng([site.seed, site.season == "snow"])
    canvas = _Canvas(site, rng)
    canvas.hillside()
    canvas.ground()
    canvas.litter(14000 if site.season == "autumn" else 1300)
    for distance_m in sorted(rng.uniform(4.5, 34, 62), reverse=True):
        canvas.shrub(float(distance_m) * 0.9 + 0.6)
        if rng.random() < 0.72:
            canvas.trunk(float(distance_m))
    for distance_m in sorted(rng.uniform(1.9, 7, 16), reverse=True):
        canvas.tuft(float(distance_m))
    return canvas.finish()


class _Canvas:
    """Three pictures drawn in step: colour, infrared, and distance."""

    def __init__(self, site: Site, rng: np.random.Generator) -> None:
        self.site, self.rng = site, rng
        size = (site.width, site.height)
        self.colour = Image.new("RGB", size)
        self.infrared = Image.new("L", size)
        self.distance = Image.new("F", size, FAR_M)
        self.screen = Image.new("F", size, float("inf"))
        self._attach()

    def _attach(self) -> None:
        layers = (self.colour, self.infrared, self.distance, self.screen)
        self._pens = [ImageDraw.Draw(layer) for layer in layers]

    def polygon(
        self, points: list[tuple[float, float]], colour: _Colour, infrared: float,
        distance_m: float, hides: bool = True,
    ) -> None:  # fmt: skip
        screen = distance_m if hides else float("inf")
        inks: list[_Ink] = [_ink(colour), int(255 * min(1, infrared)), distance_m, screen]
        for pen, ink in zip(self._pens, inks, strict=True):
            pen.polygon(points, fill=ink)

    def stroke(
        self, points: list[tuple[float, float]], width_px: float, colour: _Colour, infrared: float,
        distance_m: float,
    ) -> None:  # fmt: skip
        inks: list[_Ink] = [_ink(colour), int(255 * min(1, infrared)), distance_m, distance_m]
        for pen, ink in zip(self._pens, inks, strict=True):
            pen.line(points, fill=ink, width=max(1, round(width_px)))

    def place(self, x_m: float, y_m: float, distance_m: float) -> tuple[float, float]:
        scale = self.site.px_per_m(distance_m)
        return self.site.width / 2 + x_m * scale, self.site.ground_row(distance_m) - y_m * scale

    def anywhere(self, distance_m: float) -> float:
        half = 0.5 * self.site.width / self.site.focal_px * distance_m
        return float(self.rng.uniform(-1.1 * half, 1.1 * half))

    def hillside(self) -> None:
        """Sky between far stems, and the brush of the slope behind."""
        site, rng = self.site, self.rng
        snow = site.season == "snow"
        rows = np.linspace(0, 1, site.height, dtype=np.float32)[:, None, None]
        high = np.array((0.78, 0.80, 0.83) if snow else (0.80, 0.82, 0.80), np.float32)
        low = np.array((0.62, 0.60, 0.58) if snow else (0.55, 0.47, 0.36), np.float32)
        share = (rows * site.height / site.horizon_px).clip(0, 1)
        shape = (site.height, site.width)
        brush = value_noise(rng, shape, 9) + value_noise(rng, shape, 45)
        picture = high + (low - high) * share + 0.05 * brush[:, :, None]
        picture[..., :] -= 0.16 * (value_noise(rng, shape, 4) > 0.25)[:, :, None] * share
        self.colour.paste(Image.fromarray((255 * picture.clip(0, 1)).astype(np.uint8)))
        self.infrared.paste(Image.fromarray((130 + 60 * brush).clip(0, 255).astype(np.uint8)))
        self._attach()
        for _ in range(170):
            x, lean = rng.uniform(0, site.width), rng.normal(0, 0.02)
            grey = rng.uniform(0.36, 0.56)
            foot = site.horizon_px + rng.uniform(0, 0.03) * site.height
            top = (x + lean * site.height, -2.0)
            ink = (grey * 1.02, grey * 0.97, grey * 0.92)
            self.stroke([(x, foot), top], rng.uniform(1, 5) * site.width / 1280, ink, 0.4, 45.0)

    def ground(self) -> None:
        """Bare ground in perspective: noise in metres, not in pixels."""
        site, rng = self.site, self.rng
        first = int(site.horizon_px) + 1
        row = np.arange(first, site.height, dtype=np.float32)[:, None]
        along = site.focal_px * _CAMERA_HEIGHT_M / (row - site.horizon_px)
        distance: Array = np.repeat(np.minimum(FAR_M, along), site.width, axis=1)
        column = np.arange(site.width, dtype=np.float32) - site.width / 2
        across: Array = column * distance / np.float32(site.focal_px)
        bumps = _perspective(value_noise(rng, (512, 512), 24), across, distance, 40)
        grain = _perspective(rng.normal(0, 1, (512, 512)).astype(np.float32), across, distance, 170)
        grain *= (3.0 / distance).clip(0.15, 1)
        if site.season == "snow":
            base, swing, infrared = (0.86, 0.88, 0.92), 0.06 * bumps + 0.015 * grain, 0.80
        else:
            base, swing, infrared = (0.46, 0.37, 0.27), 0.08 * bumps + 0.09 * grain, 0.52
        picture = np.array(base, np.float32) + swing[:, :, None]
        self.colour.paste(Image.fromarray((255 * picture.clip(0, 1)).astype(np.uint8)), (0, first))
        warm = (255 * (infrared + 1.3 * swing)).clip(0, 255).astype(np.uint8)
        self.infrared.paste(Image.fromarray(warm), (0, first))
        self.distance.paste(Image.fromarray(distance), (0, first))
        self._attach()

    def litter(self, leaves: int) -> None:
        """Fallen leaves, each a bent diamond lying on the ground."""
        rng = self.rng
        for distance_m in np.sort(1.5 * np.exp(rng.uniform(0, 2.6, leaves)))[::-1]:
            x, y = self.place(self.anywhere(distance_m), 0, float(distance_m))
            size = rng.uniform(0.02, 0.055) * self.site.px_per_m(float(distance_m))
            flat = rng.uniform(0.25, 0.6)
            turn = rng.uniform(0, np.pi)
            points = [
                (x + size * r * np.cos(turn + a), y + flat * size * r * np.sin(turn + a))
                for r, a in ((1, 0), (0.5, 1.4), (0.9, 3.1), (0.45, 4.6))
            ]
            glow = rng.uniform(0.55, 1.25)
            tint = rng.choice(3, p=(0.6, 0.25, 0.15))
            ink = ((0.50, 0.37, 0.25), (0.60, 0.48, 0.34), (0.34, 0.26, 0.20))[tint]
            colour = (ink[0] * glow, ink[1] * glow, ink[2] * glow)
            self.polygon(points, colour, 0.3 + 0.4 * glow, float(distance_m), hides=False)

    def trunk(self, distance_m: float) -> None:
        rng, site = self.rng, self.site
        x_m, radius = self.anywhere(distance_m), rng.uniform(0.05, 0.21)
        if abs(x_m) < 0.28 * distance_m and distance_m < 6.5:
            x_m = float(np.copysign(0.30 * distance_m + radius, x_m))  # nobody straps a camera so
        lean, birch = rng.normal(0, 0.05), rng.random() < 0.18
        base = (0.66, 0.64, 0.60) if birch else (0.33, 0.29, 0.25)
        height_m = site.height / site.px_per_m(distance_m) + 1
        strips = max(3, int(2 * radius * site.px_per_m(distance_m) / 4))
        for i in range(strips):
            a, b = 2 * i / strips - 1, 2 * (i + 1) / strips - 1
            round_off = 0.62 + 0.45 * np.sqrt(1 - ((a + b) / 2) ** 2) + 0.12 * (a + b)
            glow = round_off * rng.uniform(0.82, 1.14)
            points = [
                self.place(x_m + a * 1.25 * radius, _round_foot(a, radius), distance_m),
                self.place(x_m + a * radius, 0.35, distance_m),
                self.place(x_m + a * radius * 0.85 + lean * height_m, height_m, distance_m),
                self.place(x_m + b * radius * 0.85 + lean * height_m, height_m, distance_m),
                self.place(x_m + b * radius, 0.35, distance_m),
                self.place(x_m + b * 1.25 * radius, _round_foot(b, radius), distance_m),
            ]
            colour = (base[0] * glow, base[1] * glow, base[2] * glow)
            self.polygon(points, colour, (0.62 if birch else 0.42) * glow, distance_m)
        self._boughs(x_m, lean, radius, distance_m, base)
        if site.season == "snow":
            self._drift(x_m, radius, distance_m)

    def _boughs(
        self, x_m: float, lean: float, radius: float, distance_m: float, base: _Colour
    ) -> None:
        rng, scale = self.rng, self.site.px_per_m(distance_m)
        for _ in range(rng.integers(2, 7)):
            y, reach = rng.uniform(0.9, 4.5), rng.choice((-1, 1)) * rng.uniform(0.4, 1.6)
            x = x_m + lean * y
            points = [
                self.place(x + reach * t, y + abs(reach) * (0.55 * t + 0.3 * t * t), distance_m)
                for t in (0, 0.3, 0.65, 1)
            ]
            self.stroke(points[:3], 0.5 * radius * scale * 0.5, base, 0.42, distance_m)
            self.stroke(points[2:], 0.5 * radius * scale * 0.25, base, 0.42, distance_m)

    def _drift(self, x_m: float, radius: float, distance_m: float) -> None:
        x, y = self.place(x_m, 0, distance_m)
        r = radius * self.site.px_per_m(distance_m)
        points = [
            (x + 2.4 * r * np.cos(a), y - 0.5 * r * np.sin(a)) for a in np.linspace(0, 6.3, 14)
        ]
        self.polygon(points, (0.87, 0.89, 0.93), 0.8, distance_m, hides=False)

    def shrub(self, distance_m: float) -> None:
        """A fan of thin stems; in autumn some keep their leaves."""
        rng, scale = self.rng, self.site.px_per_m(distance_m)
        x_m = self.anywhere(distance_m)
        if distance_m < 6 and abs(x_m) < 0.3 * distance_m:
            return  # the strip in front of the camera is kept clear when it is set up
        grey = rng.uniform(0.28, 0.5)
        colour = (grey, grey * 0.9, grey * 0.8)
        for _ in range(rng.integers(4, 12)):
            spread, height = rng.normal(0, 0.35), rng.uniform(0.5, 2.4)
            points = [
                self.place(x_m + 0.05 * spread + spread * height * t**1.4, height * t, distance_m)
                for t in (0, 0.35, 0.7, 1)
            ]
            self.stroke(points, 0.011 * scale, colour, 0.5, distance_m)
            if self.site.season == "autumn" and rng.random() < 0.45:
                self._leaves(points[1:], distance_m)

    def _leaves(self, points: list[tuple[float, float]], distance_m: float) -> None:
        rng, size = self.rng, 0.05 * self.site.px_per_m(distance_m)
        for px, py in points:
            for dx, dy in rng.normal(0, 2.2 * size, (5, 2)):
                x, y, r = px + dx, py + dy, size * rng.uniform(0.5, 1.1)
                glow = rng.uniform(0.6, 1.2)
                colour = (0.58 * glow, 0.42 * glow, 0.20 * glow)
                diamond = [(x - r, y), (x, y - 0.5 * r), (x + r, y), (x, y + 0.6 * r)]
                self.polygon(diamond, colour, 0.7 * glow, distance_m)

    def tuft(self, distance_m: float) -> None:
        """Dry grass, short in front of the lens."""
        rng, x_m = self.rng, self.anywhere(distance_m)
        for _ in range(rng.integers(8, 26)):
            bend, height = rng.normal(0, 0.12), rng.uniform(0.06, 0.24)
            foot = x_m + rng.normal(0, 0.07)
            points = [self.place(foot + bend * t * t, height * t, distance_m) for t in (0, 0.5, 1)]
            glow = rng.uniform(0.7, 1.1)
            colour = (0.66 * glow, 0.56 * glow, 0.38 * glow)
            self.stroke(points, 0.004 * self.site.px_per_m(distance_m), colour, 0.75, distance_m)

    def finish(self) -> Scenery:
        shape = (self.site.height, self.site.width)
        rng = self.rng
        grain = 1 + 0.10 * value_noise(rng, shape, 3) + 0.06 * value_noise(rng, shape, 1.5)
        colour = (np.asarray(self.colour, dtype=np.float32) / 255) ** 2.2 * grain[:, :, None]
        warm = (np.asarray(self.infrared, dtype=np.float32) / 255) ** 1.6 * grain
        tall = value_noise(rng, (shape[0] // 4, shape[1]), 26)
        dapple = 0.62 + 0.38 * np.tanh(2.5 * enlarge(tall, shape) + value_noise(rng, shape, 90))
        return Scenery(
            colour.astype(np.float32), warm.astype(np.float32),
            np.asarray(self.distance, dtype=np.float32), np.asarray(self.screen, dtype=np.float32),
            dapple.astype(np.float32),
        )  # fmt: skip


def _perspective(tile: Array, across_m: Array, distance_m: Array, texels_per_m: float) -> Array:
    rows, columns = (
        np.abs((along * texels_per_m).astype(np.int32) % (2 * side) - side) % side
        for along, side in zip((distance_m, across_m), tile.shape, strict=True)
    )  # there and back over the tile, so that it has no seams
    spread: Array = tile[rows, columns]
    return spread


def _round_foot(share: float, radius_m: float) -> float:
    """Height at which a trunk's foot meets the ground: its front is nearer, so lower in view."""
    return float(0.02 - 0.25 * radius_m * np.sqrt(max(0.0, 1 - share * share)))


def _ink(colour: _Colour) -> tuple[int, int, int]:
    red, green, blue = (int(255 * max(0.0, min(1.0, c))) for c in colour)
    return red, green, blue
