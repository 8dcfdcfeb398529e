"""How the virtual animals are built: proportions of each kind in metres, standing, looking ahead.

Promises: shoulder height, trunk length, leg and tail proportions within the range of adult animals
of north-east China and Primorye. Does not promise sexes, ages or seasons.
"""

from dataclasses import dataclass, replace

from firmware.sim.body import Node


@dataclass(frozen=True)
class Limb:
    """A leg hung at a joint (x, y): its bones and its radii down to the foot, all in metres."""

    x: float
    y: float
    upper: float
    lower: float
    pastern: float  # length from the lower joint to the ground when standing
    radii: tuple[float, float, float, float]  # joint, knee, lower joint, foot


@dataclass(frozen=True)
class Build:
    torso: tuple[Node, ...]  # from rump to shoulder
    neck: tuple[Node, ...]
    head: tuple[Node, ...]  # from skull to nose
    ear: tuple[Node, ...]
    tail: tuple[Node, ...]  # hanging or carried as in a walk, from root to tip
    front: Limb
    hind: Limb
    stride_m: float  # ground covered in one gait cycle
    eye: Node


LEOPARD = Build(
    torso=(
        (-0.50, 0.53, 0.12), (-0.40, 0.55, 0.15), (-0.16, 0.53, 0.145), (0.06, 0.52, 0.155),
        (0.26, 0.52, 0.165), (0.40, 0.55, 0.14),
    ),
    neck=((0.38, 0.57, 0.135), (0.50, 0.605, 0.11), (0.60, 0.63, 0.10)),
    head=((0.62, 0.645, 0.098), (0.69, 0.635, 0.088), (0.755, 0.605, 0.062), (0.795, 0.592, 0.045)),
    ear=((0.615, 0.725, 0.028), (0.605, 0.752, 0.022)),
    tail=(
        (-0.52, 0.55, 0.055), (-0.68, 0.44, 0.045), (-0.86, 0.30, 0.042), (-1.04, 0.24, 0.04),
        (-1.20, 0.27, 0.04), (-1.32, 0.36, 0.038),
    ),
    front=Limb(0.33, 0.50, 0.23, 0.22, 0.075, (0.105, 0.062, 0.042, 0.040)),
    hind=Limb(-0.40, 0.52, 0.25, 0.22, 0.145, (0.13, 0.085, 0.040, 0.038)),
    stride_m=0.98,
    eye=(0.725, 0.655, 0.012),
)  # fmt: skip

_DEER = Build(
    torso=(
        (-0.44, 0.66, 0.10), (-0.36, 0.68, 0.125), (-0.12, 0.66, 0.125), (0.10, 0.65, 0.135),
        (0.28, 0.66, 0.14), (0.38, 0.70, 0.11),
    ),
    neck=((0.36, 0.72, 0.10), (0.46, 0.84, 0.07), (0.54, 0.96, 0.055)),
    head=((0.56, 1.00, 0.058), (0.64, 0.985, 0.052), (0.72, 0.945, 0.034), (0.77, 0.92, 0.026)),
    ear=((0.53, 1.05, 0.02), (0.49, 1.10, 0.032), (0.46, 1.15, 0.012)),
    tail=((-0.50, 0.72, 0.03), (-0.54, 0.68, 0.022)),
    front=Limb(0.29, 0.62, 0.25, 0.29, 0.13, (0.085, 0.042, 0.022, 0.021)),
    hind=Limb(-0.35, 0.66, 0.26, 0.29, 0.27, (0.12, 0.062, 0.024, 0.021)),
    stride_m=0.95,
    eye=(0.62, 1.01, 0.011),
)  # fmt: skip

_BOAR = Build(
    torso=(
        (-0.52, 0.50, 0.14), (-0.42, 0.52, 0.19), (-0.16, 0.52, 0.22), (0.10, 0.53, 0.245),
        (0.30, 0.55, 0.25), (0.44, 0.55, 0.20),
    ),
    neck=((0.40, 0.57, 0.21), (0.52, 0.54, 0.18), (0.60, 0.50, 0.155)),
    head=((0.60, 0.50, 0.15), (0.70, 0.44, 0.115), (0.82, 0.37, 0.072), (0.92, 0.32, 0.05)),
    ear=((0.60, 0.62, 0.035), (0.585, 0.70, 0.03), (0.575, 0.745, 0.012)),
    tail=((-0.60, 0.56, 0.022), (-0.66, 0.46, 0.016), (-0.67, 0.36, 0.02)),
    front=Limb(0.34, 0.42, 0.20, 0.17, 0.08, (0.12, 0.062, 0.036, 0.03)),
    hind=Limb(-0.42, 0.46, 0.21, 0.18, 0.15, (0.15, 0.08, 0.036, 0.03)),
    stride_m=0.75,
    eye=(0.715, 0.495, 0.01),
)  # fmt: skip

_FOX = Build(
    torso=(
        (-0.26, 0.33, 0.065), (-0.20, 0.335, 0.08), (-0.06, 0.33, 0.078), (0.06, 0.325, 0.085),
        (0.15, 0.33, 0.09), (0.22, 0.345, 0.075),
    ),
    neck=((0.20, 0.36, 0.075), (0.26, 0.40, 0.06), (0.30, 0.43, 0.055)),
    head=((0.31, 0.44, 0.056), (0.36, 0.43, 0.044), (0.41, 0.405, 0.022), (0.445, 0.395, 0.014)),
    ear=((0.295, 0.49, 0.024), (0.288, 0.53, 0.018), (0.284, 0.558, 0.006)),
    tail=(
        (-0.27, 0.34, 0.035), (-0.36, 0.29, 0.055), (-0.47, 0.235, 0.065), (-0.58, 0.21, 0.055),
        (-0.66, 0.205, 0.025),
    ),
    front=Limb(0.16, 0.31, 0.135, 0.14, 0.05, (0.055, 0.03, 0.017, 0.017)),
    hind=Limb(-0.19, 0.32, 0.14, 0.13, 0.10, (0.07, 0.042, 0.017, 0.017)),
    stride_m=0.60,
    eye=(0.365, 0.45, 0.007),
)  # fmt: skip

_HARE = Build(
    torso=(
        (-0.19, 0.15, 0.07), (-0.13, 0.18, 0.095), (-0.03, 0.19, 0.095), (0.06, 0.175, 0.085),
        (0.13, 0.165, 0.065),
    ),
    neck=((0.12, 0.18, 0.06), (0.16, 0.22, 0.048)),
    head=((0.17, 0.235, 0.046), (0.21, 0.23, 0.036), (0.24, 0.22, 0.024)),
    ear=((0.155, 0.28, 0.014), (0.13, 0.33, 0.019), (0.11, 0.385, 0.008)),
    tail=((-0.25, 0.18, 0.03), (-0.28, 0.19, 0.022)),
    front=Limb(0.10, 0.14, 0.06, 0.06, 0.02, (0.04, 0.022, 0.015, 0.015)),
    hind=Limb(-0.12, 0.15, 0.09, 0.08, 0.035, (0.08, 0.05, 0.022, 0.02)),
    stride_m=0.45,
    eye=(0.205, 0.25, 0.007),
)  # fmt: skip


def scaled(build: Build, length: float, height: float | None = None) -> Build:
    """The same build larger or smaller; `height` stretches the legs' share separately."""
    up = height or length

    def nodes(chain: tuple[Node, ...]) -> tuple[Node, ...]:
        return tuple((x * length, y * up, r * length) for x, y, r in chain)

    def limb(old: Limb) -> Limb:
        radii = tuple(r * length for r in old.radii)
        return Limb(
            old.x * length, old.y * up, old.upper * up, old.lower * up, old.pastern * up,
            (radii[0], radii[1], radii[2], radii[3]),
        )  # fmt: skip

    return replace(
        build, torso=nodes(build.torso), neck=nodes(build.neck), head=nodes(build.head),
        ear=nodes(build.ear), tail=nodes(build.tail), front=limb(build.front),
        hind=limb(build.hind), stride_m=build.stride_m * length, eye=nodes((build.eye,))[0],
    )  # fmt: skip


BUILDS = {
    "leopard": LEOPARD,
    "tiger": replace(scaled(LEOPARD, 1.42), torso=tuple(
        (x * 1.42, y * 1.42, r * 1.52) for x, y, r in LEOPARD.torso
    )),
    "deer": _DEER,
    "wild_boar": _BOAR,
    "fox": _FOX,
    "raccoon_dog": replace(
        scaled(_FOX, 0.98, 0.70),
        torso=(
            (-0.25, 0.22, 0.075), (-0.19, 0.235, 0.10), (-0.06, 0.24, 0.11), (0.06, 0.235, 0.11),
            (0.15, 0.235, 0.105), (0.21, 0.245, 0.085),
        ),
        neck=((0.20, 0.25, 0.09), (0.25, 0.265, 0.08), (0.29, 0.275, 0.07)),
        head=((0.30, 0.28, 0.062), (0.35, 0.265, 0.045), (0.39, 0.245, 0.024), (0.42, 0.24, 0.015)),
        ear=((0.285, 0.335, 0.022), (0.28, 0.352, 0.016)),
        tail=((-0.25, 0.23, 0.045), (-0.32, 0.18, 0.06), (-0.40, 0.13, 0.055), (-0.45, 0.11, 0.03)),
        eye=(0.355, 0.285, 0.007),
    ),
    "hare": _HARE,
}  # fmt: skip
