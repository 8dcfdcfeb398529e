"""From reflectances to a picture: daylight or infrared lamp, lens, sensor, tone curve.

Promises: night light falls off with the inverse square of distance, near fur blooms, noise grows in
the dark, night frames are grey. Does not promise the response of any particular sensor.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from firmware.sim.forest import Scenery, Site
from firmware.sim.texture import Array

Picture = NDArray[np.uint8]
_CURVE_STEPS = 4095
_HAZE = np.array((0.55, 0.56, 0.58), np.float32)
_SUN = np.array((1.10, 1.0, 0.86), np.float32)
_SKY = np.array((0.86, 0.95, 1.12), np.float32)


def daylight(view: Scenery) -> Array:
    """Radiance of the scenery by day, x 3: sky light, dappled sun, and haze with distance."""
    lit = view.visible * (0.55 * _SKY + 0.75 * _SUN * view.dapple[:, :, None])
    haze = (1 - np.exp(-view.distance / 95))[:, :, None]
    radiance: Array = lit + (0.8 * _HAZE - lit) * haze
    return radiance


def lamp_beam(site: Site) -> Array:
    """Share of the lamp's power by direction: a wide cone aimed like the lens."""
    rows = (np.arange(site.height, dtype=np.float32)[:, None] / site.height - 0.50) / 0.42
    columns = (np.arange(site.width, dtype=np.float32)[None, :] / site.width - 0.5) / 0.55
    beam: Array = 0.06 + 0.94 * np.exp(-(rows * rows + columns * columns))
    return beam


def lamplight(site: Site, view: Scenery) -> Array:
    """Radiance of the scenery under the lamp: inverse square, grazing on open ground."""
    open_ground = ~np.isfinite(view.screen) & (view.distance < 59)
    graze = np.where(open_ground, (1.6 / view.distance).clip(0.2, 1) ** 0.45, 1)
    radiance: Array = view.infrared * graze * lamp_beam(site) * inverse_square(view.distance)
    return radiance.astype(np.float32)


def inverse_square(distance_m: Array) -> Array:
    """1 at four metres."""
    result: Array = 16 / (distance_m * distance_m + 0.4)
    return result


def shade(normal: tuple[Array, Array, Array], night: bool, side: float) -> Array:
    """How a round body catches the light: from the sky and one side by day, head-on at night."""
    x, y, z = normal
    if night:
        return np.float32(0.25) + np.float32(0.75) * z
    lit: Array = (0.52 + 0.48 * y + 0.12 * z + 0.22 * side * x).clip(0.13, 1.4).astype(np.float32)
    return lit


def blurred(field: Array, radius_px: float, shrink: int = 1) -> Array:
    """Gaussian blur of one channel; `shrink` trades fineness for speed on wide blurs."""
    image = Image.fromarray(field)
    small = image.reduce(shrink) if shrink > 1 else image
    # Pillow blurs only 8-bit pictures; 1/64 of the range is finer than any use of this needs.
    eight = Image.fromarray((np.asarray(small) * 64).clip(0, 255).astype(np.uint8))
    eight = eight.filter(ImageFilter.GaussianBlur(radius_px / shrink))
    wide = Image.fromarray(np.asarray(eight, dtype=np.float32) / 64)
    if shrink > 1:
        wide = wide.resize(image.size, Image.Resampling.BILINEAR)
    return np.asarray(wide, dtype=np.float32)


def smeared(field: Array, length_px: float) -> Array:
    """Motion blur along the rows: a box of the given length."""
    length = round(length_px)
    if length < 2:
        return field
    padding = [(0, 0), (length, length)] + [(0, 0)] * (field.ndim - 2)
    total = np.cumsum(np.pad(field, padding), axis=1, dtype=np.float32)
    start = length // 2
    width = field.shape[1]
    ahead = total[:, length + start : length + start + width]
    behind = total[:, start : start + width]
    box: Array = (ahead - behind) / length
    return box


def develop(radiance: Array, night: bool, gain: float, rng: np.random.Generator) -> Picture:
    """Radiance (height x width, or x 3) to an 8-bit RGB picture of the same size."""
    exposed = radiance * np.float32(gain)
    grey = exposed if exposed.ndim == 2 else exposed[:, :, 1]
    glow = blurred((grey - 1).clip(0, 4), 22, 4) * (0.30 if night else 0.10)
    exposed = exposed + (glow if exposed.ndim == 2 else glow[:, :, None])
    noisy = _sensor(exposed, night, gain, rng)
    index = (noisy * (_CURVE_STEPS / 2)).clip(0, _CURVE_STEPS).astype(np.uint16)
    picture: Picture = _curve(night)[index]
    if picture.ndim == 2:
        picture = np.repeat(picture[:, :, None], 3, axis=2)
    return picture


def _curve(night: bool) -> Picture:
    """Gamma with a soft shoulder; 2.0 of exposure is the end of the table."""
    x = np.linspace(0, 2, _CURVE_STEPS + 1)
    shoulder = 1 - np.exp(-x * (1.5 if night else 1.35))
    black = 10 if night else 4
    level = (shoulder / shoulder[-1]) ** (1 / 2.3 if night else 1 / 2.0)
    curve: Picture = (black + (255 - black) * level).astype(np.uint8)
    return curve


def _sensor(exposed: Array, night: bool, gain: float, rng: np.random.Generator) -> Array:
    """Shot noise grows with the root of the light, read noise with the gain."""
    read = 0.007 * min(3.0, gain) if night else 0.003
    shot = 0.028 if night else 0.012
    noise = rng.standard_normal(exposed.shape[:2], dtype=np.float32)
    sigma = read + shot * np.sqrt(exposed.clip(0, 2))
    noisy: Array = exposed + (noise * sigma if exposed.ndim == 2 else noise[:, :, None] * sigma)
    return noisy


def lens(picture: Picture, blur_px: float) -> Image.Image:
    return Image.fromarray(picture).filter(ImageFilter.GaussianBlur(blur_px))


def strip(image: Image.Image, text: str) -> Image.Image:
    """The black strip with white text that trail cameras print along the lower edge."""
    stamped, height = image.copy(), max(12, image.height // 26)
    pen = ImageDraw.Draw(stamped)
    pen.rectangle((0, image.height - height, image.width, image.height), fill=(0, 0, 0))
    font = ImageFont.load_default(height * 0.75)
    pen.text((height, image.height - height), text, fill=(235, 235, 235), font=font)
    return stamped
