"""Coats of virtual animals: two-stage reaction-diffusion rosettes, stripes, and fur noise.

Promises: a coat is a function of (kind, individual, flank) alone, so the same animal wears the same
coat in every frame, its two flanks differ, and no two individuals share one. Does not promise any
likeness to a real, catalogued animal.

The rosettes follow the idea of Liu, Liaw and Maini (Phys. Rev. E 74, 011914, 2006): a first
Turing-type stage lays out spots, then the skin grows and a second stage with other parameters turns
each spot into a ring that breaks up. Both stages here are Gray-Scott (Pearson, Science 261, 1993).
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from firmware.sim.texture import Array, enlarge, smoothstep, value_noise

# The skin laid flat: x along the body (0 = mid-body, tail stretched out behind), y above ground, m.
X_MIN_M, X_MAX_M = -1.75, 1.05
Y_MIN_M, Y_MAX_M = -0.1, 1.0
TEXELS_PER_M = 320
_CELL_M = 0.0098  # stage-1 cell; the spot spacing is about ten cells, a rosette and its gap
_SPOT_CELL_M = 0.0052
_GROWTH = 2.2  # linear growth of the skin between the two stages


def lookup(texture: Array, x_m: Array, y_m: Array) -> Array:
    """Nearest texel of a skin texture at rest positions in metres; outside, the edge repeats."""
    rows, columns = texture.shape[:2]
    column = ((x_m - X_MIN_M) * TEXELS_PER_M).astype(np.int32).clip(0, columns - 1)
    row = ((y_m - Y_MIN_M) * TEXELS_PER_M).astype(np.int32).clip(0, rows - 1)
    found: Array = texture[row, column]
    return found


def skin_grid(cell_m: float) -> tuple[Array, Array]:
    """x and y in metres at the cell centres of the flat skin; row 0 is the lowest."""
    y, x = np.mgrid[Y_MIN_M:Y_MAX_M:cell_m, X_MIN_M:X_MAX_M:cell_m].astype(np.float32)
    return x, y


def gray_scott(
    u: Array, v: Array, feed: float, kill: float, steps: int, diffusion: float = 1.0
) -> tuple[Array, Array]:
    """Runs u + 2v -> 3v on a torus; the wavelength grows with the root of `diffusion`."""
    field = np.stack([u, v]).astype(np.float32)
    rate = np.array([0.16, 0.08], np.float32)[:, None, None] * np.float32(diffusion)
    padded = np.empty((2, u.shape[0] + 2, u.shape[1] + 2), np.float32)
    for _ in range(steps):
        laplacian = _laplacian(field, padded)
        reaction = field[0] * field[1] * field[1]
        field += rate * laplacian
        field[0] += feed * (1 - field[0]) - reaction
        field[1] += reaction - (feed + kill) * field[1]
    return field[0], field[1]


def _laplacian(field: Array, padded: Array) -> Array:
    """Nine-point stencil, isotropic enough that the spots come out round."""
    padded[:, 1:-1, 1:-1] = field
    padded[:, 0], padded[:, -1] = padded[:, -2], padded[:, 1]
    padded[:, :, 0], padded[:, :, -1] = padded[:, :, -2], padded[:, :, 1]
    rows = padded[:, :-2] + padded[:, 2:]
    cross = rows[:, :, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
    corners = rows[:, :, :-2] + rows[:, :, 2:]
    laplacian: Array = 0.2 * cross + 0.05 * corners - field
    return laplacian


def _seeded(
    rng: np.random.Generator, shape: tuple[int, ...], share: float = 0.06
) -> tuple[Array, Array]:
    """Bare skin with random specks of v, two cells wide: a Gray-Scott start."""
    coarse = rng.random((shape[0] // 2 + 1, shape[1] // 2 + 1)) < share
    return _sown(np.repeat(np.repeat(coarse, 2, 0), 2, 1)[: shape[0], : shape[1]])


def _dashes(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Bare skin with upright dashes of v, evenly spread but never in line."""
    specks = np.zeros(shape, bool)
    for column in range(0, shape[1] - 4, 7):
        row = int(rng.integers(-30, 0))
        while row < shape[0]:
            length, left = int(rng.integers(14, 44)), column + int(rng.integers(0, 4))
            specks[max(0, row) : max(0, row + length), left : left + 2] = True
            row += length + int(rng.integers(8, 26))
    return _sown(specks)


def _sown(specks: NDArray[np.bool_]) -> tuple[Array, Array]:
    return np.where(specks, 0.4, 1).astype(np.float32), np.where(specks, 0.9, 0).astype(np.float32)


def _warp(rng: np.random.Generator, texture: Array, amount_px: float, cell_px: float) -> Array:
    """Bends a texture smoothly, so that nothing of the simulation's square grid can be seen."""
    rows, columns = np.indices(texture.shape)
    dy, dx = (amount_px * value_noise(rng, texture.shape, cell_px) for _ in range(2))
    rows = (rows + dy).astype(np.int32) % texture.shape[0]
    bent: Array = texture[rows, (columns + dx).astype(np.int32) % texture.shape[1]]
    return bent


def _trunk(x: Array, y: Array) -> Array:
    """1 where rosettes open (back, flanks, rump), 0 where spots stay solid (legs, head, belly)."""
    along = smoothstep(-0.64, -0.5, x) * (1 - smoothstep(0.38, 0.5, x))
    return along * smoothstep(0.36, 0.47, y)


def _fine_shape() -> tuple[int, int]:
    height, width = Y_MAX_M - Y_MIN_M, X_MAX_M - X_MIN_M
    return int(height * TEXELS_PER_M), int(width * TEXELS_PER_M)


@lru_cache(maxsize=32)
def rosettes(individual: int, flank: str) -> tuple[Array, Array]:
    """Two textures in 0..1 for one flank of a leopard: dark marks, and the tawny ring centres."""
    rng, fine = np.random.default_rng([individual, flank == "left", 289]), _fine_shape()
    x, y = skin_grid(_CELL_M)
    u, v = gray_scott(*_seeded(rng, x.shape), 0.03, 0.062, 2400)
    grown = (int(x.shape[0] * _GROWTH), int(x.shape[1] * _GROWTH))
    _, v2 = gray_scott(enlarge(u, grown), enlarge(v, grown), 0.033, 0.0585, 170)
    bend = int(rng.integers(2**31))  # both stages bend alike, or the rings would lose their centres
    spots, rings = (
        _warp(np.random.default_rng(bend), enlarge(field, fine), 6, 26) for field in (v, v2)
    )
    solid = _solid_spots(rng, fine)
    x, y = (enlarge(axis, fine) for axis in (x, y))
    trunk = _trunk(x, y)
    dark = trunk * smoothstep(0.13, 0.22, rings) + (1 - trunk) * solid
    dark = np.maximum(dark * (x > -0.78), _tail_marks(rng, x, solid))
    centre = trunk * smoothstep(0.05, 0.2, spots) * (1 - dark)
    return dark, centre


def _solid_spots(rng: np.random.Generator, fine: tuple[int, int]) -> Array:
    """Small full spots for legs, head and belly: the first stage alone, on a finer skin, tiled."""
    rows, columns = (int(side / TEXELS_PER_M / _SPOT_CELL_M / 2) for side in fine)
    _, v = gray_scott(*_seeded(rng, (rows, columns), 0.10), 0.03, 0.0625, 1500)
    return smoothstep(0.14, 0.22, _warp(rng, enlarge(np.tile(v, (2, 2)), fine), 4, 22))


def _tail_marks(rng: np.random.Generator, x: Array, spots: Array) -> Array:
    """Spots run together into bands towards a dark tip, as on any tapering tail (Murray 1981)."""
    wobble = 0.012 * value_noise(rng, x.shape, 14)
    bands = smoothstep(-0.1, 0.45, np.sin(2 * np.pi * (x + wobble) / 0.105))
    share = smoothstep(0.75, 1.15, -x)
    marks: Array = (1 - share) * spots + share * bands
    marks = np.maximum(marks, smoothstep(1.62, 1.68, -x))
    return np.where(x < -0.7, marks, np.float32(0))


@lru_cache(maxsize=32)
def stripes(individual: int, flank: str) -> Array:
    """Dark marks in 0..1 for one flank of a tiger: upright dashes grown until they nearly meet."""
    rng, fine = np.random.default_rng([individual, flank == "left", 293]), _fine_shape()
    x, _ = skin_grid(_CELL_M)
    _, v = gray_scott(*_dashes(rng, x.shape), 0.037, 0.0638, 260, 0.9)
    bend = _warp(rng, _warp(rng, enlarge(v, fine), 9, 34), 16, 110)
    thick = 0.03 * value_noise(rng, fine, 18)  # stripes swell and taper
    return smoothstep(0.0, 0.07, bend - 0.15 + thick)


@lru_cache(maxsize=1)
def hairs() -> Array:
    """Strands of fur, a skin texture about 0 with a spread of about one, lying back and down."""
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 1, _fine_shape()).astype(np.float32)
    strands = sum((np.roll(noise, (-k // 2, -k), (0, 1)) for k in range(1, 9)), noise) / 3
    return (strands + value_noise(rng, noise.shape, 9)).astype(np.float32)


@lru_cache(maxsize=32)
def fallow_spots(individual: int, flank: str) -> Array:
    """White flecks in 0..1 for one flank of a sika deer."""
    rng = np.random.default_rng([individual, flank == "left", 353])
    x, y = skin_grid(_CELL_M)
    _, v = gray_scott(*_seeded(rng, x.shape, 0.12), 0.035, 0.064, 1600, 0.8)
    fine = _fine_shape()
    flecks = smoothstep(0.18, 0.26, _warp(rng, enlarge(v, fine), 6, 25))
    return flecks * _trunk(enlarge(x, fine), enlarge(y, fine))
