"""What a drawn body reflects, by day and in near infrared.

Promises: countershading, marks and masks of each kind in its winter coat; infrared reflectance
brightens fur far more than dark marks, as in real night frames. Does not promise colour accuracy.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware.sim.body import Drawing, Part
from firmware.sim.build import BUILDS
from firmware.sim.coat import fallow_spots, hairs, lookup, rosettes, stripes
from firmware.sim.texture import Array, smoothstep

_Rgb = tuple[int, int, int]
_Masks = dict[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class Palette:
    """sRGB colours of a coat, and how bright its fur is in infrared (0..1)."""

    back: _Rgb
    side: _Rgb
    belly: _Rgb
    legs: _Rgb
    tail_tip: _Rgb
    dark: _Rgb
    infrared: float


PALETTES = {
    "leopard": Palette((164, 124, 78), (196, 160, 112), (232, 222, 206), (204, 174, 132),
                       (30, 24, 20), (30, 23, 18), 0.80),
    "tiger": Palette((172, 108, 56), (192, 130, 74), (236, 228, 216), (196, 142, 88),
                     (34, 26, 20), (30, 22, 18), 0.82),
    "deer": Palette((122, 98, 72), (140, 114, 84), (190, 174, 150), (116, 92, 66),
                    (232, 228, 220), (60, 46, 36), 0.72),
    "wild_boar": Palette((52, 46, 42), (72, 64, 56), (88, 78, 66), (44, 38, 34),
                         (30, 28, 26), (28, 26, 24), 0.34),
    "fox": Palette((178, 96, 42), (196, 116, 58), (228, 220, 210), (52, 38, 30),
                   (240, 236, 230), (40, 30, 24), 0.84),
    "raccoon_dog": Palette((104, 92, 76), (138, 122, 100), (96, 80, 64), (44, 36, 30),
                           (60, 50, 42), (36, 30, 26), 0.62),
    "hare": Palette((158, 138, 112), (176, 158, 134), (230, 226, 220), (176, 156, 130),
                    (238, 236, 232), (48, 40, 34), 0.80),
    "human": Palette((64, 72, 52), (70, 78, 58), (60, 66, 50), (46, 48, 54),
                     (40, 40, 40), (196, 152, 124), 0.60),
}  # fmt: skip
_ROUGHNESS = {"wild_boar": 0.24, "raccoon_dog": 0.20, "deer": 0.13}  # of the fur, as a spread
_JACKETS: tuple[_Rgb, ...] = ((64, 72, 52), (38, 52, 92), (150, 46, 40), (92, 84, 66), (40, 40, 44))


@dataclass(frozen=True)
class Hide:
    """Reflectances over a drawing: linear visible (x 3), infrared, and where an eye may shine."""

    visible: Array
    infrared: Array
    eye: Array


def linear(colour: _Rgb) -> Array:
    return ((np.array(colour, np.float32) / 255) ** 2.2).astype(np.float32)


def paint(kind: str, individual: int, flank: str, drawing: Drawing, parts: list[Part]) -> Hide:
    masks = {name: np.zeros(drawing.part.shape, bool) for name in ("leg", "tail", "head", "ear")}
    masks |= {name: np.zeros(drawing.part.shape, bool) for name in ("torso", "neck", "pack", "arm")}
    for number, part in enumerate(parts):
        masks[_region(part.name)] |= drawing.part == number
    if kind == "human":
        return _clothes(individual, drawing, masks)
    return _fur(kind, individual, flank, drawing, masks)


def _region(name: str) -> str:
    return "leg" if name.endswith(("hind", "front", "leg")) else name.split("_")[-1]


def _mix(under: Array, over: _Rgb | Array, share: Array) -> Array:
    colour = linear(over) if isinstance(over, tuple) else over
    mixed: Array = under + (colour - under) * share[:, :, None]
    return mixed


def _fur(kind: str, individual: int, flank: str, drawing: Drawing, masks: _Masks) -> Hide:
    palette, build = PALETTES[kind], BUILDS[kind]
    up, x, y = drawing.normal_y, drawing.skin_x, drawing.skin_y
    coat = np.broadcast_to(linear(palette.side), (*up.shape, 3)).astype(np.float32)
    coat = _mix(coat, palette.back, smoothstep(0.1, 0.9, up) * ~masks["leg"])
    pale = smoothstep(0.35, 0.95, -up) * (masks["torso"] | masks["neck"] | masks["head"])
    coat = _mix(coat, palette.belly, pale)
    low = 1 - smoothstep(0.35, 0.95, y / build.front.y)
    coat = _mix(coat, palette.legs, masks["leg"] * low)
    bright = np.full(up.shape, palette.infrared, np.float32) + 0.12 * pale
    dark, centre, tip = _marks(kind, individual, flank, x, y, masks)
    eye_x, eye_y, eye_r = build.eye
    eye = (masks["head"] & (np.hypot(x - eye_x, y - eye_y) < eye_r)).astype(np.float32)
    nose_x, nose_y, nose_r = build.head[-1]
    nose = (masks["head"] & (np.hypot(x - nose_x - nose_r, y - nose_y) < 0.8 * nose_r)).astype(
        np.float32
    )
    coat = _mix(coat, (150, 104, 58), 0.6 * centre)
    coat = _mix(coat, palette.tail_tip, tip)
    coat = _mix(coat, palette.dark, np.maximum(dark, np.maximum(eye, nose)))
    ink = 0.10 if kind in ("leopard", "tiger") else 0.16
    bright = (
        bright
        * (1 - 0.22 * centre)
        * (1 - low * masks["leg"] * (palette.legs < (90, 90, 90)) * 0.5)
    )
    bright = bright + (ink - bright) * np.maximum(dark, nose)
    if sum(palette.tail_tip) > 600:
        bright = bright + (0.95 - bright) * tip
    rough = 1 + _ROUGHNESS.get(kind, 0.10) * lookup(hairs(), x, y).clip(-2.2, 2.2)
    return Hide(coat * rough[:, :, None], (bright * rough).astype(np.float32), eye)


def _marks(
    kind: str, individual: int, flank: str, x: Array, y: Array, masks: _Masks
) -> tuple[Array, Array, Array]:
    """Dark marks, tawny rosette centres, and the coloured end of the tail."""
    none = np.zeros(x.shape, np.float32)
    build = BUILDS[kind]
    if kind == "leopard":
        dark, centre = (lookup(texture, x, y) for texture in rosettes(individual, flank))
        return dark, centre, none
    if kind == "tiger":
        return lookup(stripes(individual, flank), x / 1.42, y / 1.42), none, none
    length = build.tail[0][0] - x
    tip = (masks["tail"] * smoothstep(0.24, 0.34, length)) if kind == "fox" else none
    if kind == "deer":
        rump = masks["torso"] * smoothstep(0.44, 0.50, -x)
        flecks = lookup(fallow_spots(individual, flank), x, y) * 0.8 if individual % 2 else none
        return none, none, np.maximum(rump, flecks * masks["torso"]).astype(np.float32)
    if kind == "raccoon_dog":
        mask = masks["head"] * smoothstep(0.0, 0.02, x - build.eye[0] + 0.03)
        return (mask * (y < build.eye[1] + 0.01)).astype(np.float32), none, none
    if kind == "hare":
        tips = masks["ear"] * smoothstep(build.ear[1][1], build.ear[2][1], y)
        return tips.astype(np.float32), none, (masks["tail"] * 1.0).astype(np.float32)
    if kind == "fox":
        return (masks["ear"] * 0.7).astype(np.float32), none, tip.astype(np.float32)
    return none, none, none


def _clothes(individual: int, drawing: Drawing, masks: _Masks) -> Hide:
    palette = PALETTES["human"]
    jacket = _JACKETS[individual % len(_JACKETS)]
    coat = np.broadcast_to(linear(jacket), (*drawing.cover.shape, 3)).astype(np.float32)
    bright = np.full(drawing.cover.shape, 0.35 + 0.1 * (individual % 5), np.float32)
    trousers = masks["leg"] | (masks["torso"] & (drawing.skin_y < 0.95))
    coat = _mix(coat, palette.legs, trousers * 1.0)
    coat = _mix(coat, _JACKETS[(individual + 2) % len(_JACKETS)], masks["pack"] * 1.0)
    hat = masks["head"] & (drawing.skin_y > 1.68)
    face = masks["head"] & ~hat
    hand = masks["arm"] & (drawing.skin_y < 0.9)
    coat = _mix(coat, palette.dark, (face | hand) * 1.0)
    bright = np.where(trousers | hat, 0.5 * bright, bright)
    bright = np.where(face | hand, 0.75, bright).astype(np.float32)
    return Hide(coat, bright, np.zeros_like(bright))
