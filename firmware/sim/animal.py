"""Poses: where the limbs of a virtual animal or person are after a given distance walked.

Promises: feet that stand do not slide (the gait phase is the distance walked over the stride), and
left and right limbs alternate as in a lateral-sequence walk. Does not promise runs, jumps or rests.
"""

import math
from itertools import pairwise

from firmware.sim.body import Node, Part, smooth
from firmware.sim.build import BUILDS, Build, Limb

_STANCE = 0.62  # share of the cycle in which a foot is on the ground, for a walk
_WALK = {"near_hind": 0.0, "near_front": 0.25, "far_hind": 0.5, "far_front": 0.75}


def pose(kind: str, walked_m: float) -> list[Part]:
    """Parts of an animal of this kind, far side first, after walking `walked_m`."""
    if kind == "human":
        return _person(walked_m)
    build = BUILDS[kind]
    return _quadruped(build, walked_m / build.stride_m)


def _quadruped(build: Build, cycles: float) -> list[Part]:
    width = max(r for _, _, r in build.torso) * 0.62
    bob = 0.012 * build.front.y * math.sin(4 * math.pi * cycles)
    nod = bob - 0.11 * build.front.y * (0.5 + 0.5 * math.sin(1.7 * cycles))
    legs = {
        name: _leg(name, build.front if "front" in name else build.hind, build, cycles + offset)
        for name, offset in _WALK.items()
    }
    tail = _part("tail", _swing_tail(build.tail, cycles), rest=_straight_tail(build.tail))
    body = [
        _part("torso", _lift(build.torso, bob), build.torso, pieces=4),
        _part("neck", _stretch(build.neck, bob, nod), build.neck),
        _part("head", _lift(build.head, nod), build.head, 0.02),
    ]
    ear_m = 0.55 * build.head[0][2]
    ear = _lift(build.ear, nod)
    return [
        _shift(legs["far_hind"], -width), _shift(legs["far_front"], -width),
        _part("ear", tuple((x + 0.03, y, r) for x, y, r in ear), build.ear, -ear_m),
        tail, *body, _shift(legs["near_hind"], width * 0.45),
        _shift(legs["near_front"], width * 0.5), _part("ear", ear, build.ear, ear_m),
    ]  # fmt: skip


def _part(
    name: str, now: tuple[Node, ...], rest: tuple[Node, ...], depth_m: float = 0.0, pieces: int = 3
) -> Part:
    return Part(name, smooth(now, pieces), smooth(rest, pieces), depth_m)


def _shift(part: Part, depth_m: float) -> Part:
    return Part(part.name, part.now, part.rest, depth_m)


def _lift(nodes: tuple[Node, ...], up_m: float) -> tuple[Node, ...]:
    return tuple((x, y + up_m, r) for x, y, r in nodes)


def _stretch(nodes: tuple[Node, ...], first_m: float, last_m: float) -> tuple[Node, ...]:
    """Lifts the first node and the last by their own amounts, and those between by a share."""
    last = len(nodes) - 1
    return tuple(
        (x, y + first_m + (last_m - first_m) * i / last, r) for i, (x, y, r) in enumerate(nodes)
    )


def _swing_tail(tail: tuple[Node, ...], cycles: float) -> tuple[Node, ...]:
    """A wave that grows towards the tip."""
    last = max(1, len(tail) - 1)
    sway = 0.06 * abs(tail[-1][0] - tail[0][0])
    return tuple(
        (x, y + sway * (i / last) ** 2 * math.sin(2 * math.pi * cycles - i), r)
        for i, (x, y, r) in enumerate(tail)
    )


def _straight_tail(tail: tuple[Node, ...]) -> tuple[Node, ...]:
    """The tail stretched out straight behind, as the flat skin has it."""
    x, y, _ = tail[0]
    nodes = [(x, y, tail[0][2])]
    for (ax, ay, _), (bx, by, r) in pairwise(tail):
        x -= math.hypot(bx - ax, by - ay)
        nodes.append((x, y, r))
    return tuple(nodes)


def _leg(name: str, limb: Limb, build: Build, cycles: float) -> Part:
    phase = cycles % 1.0
    rest = _joints(limb, name, 0.0, 0.0)
    reach = build.stride_m * _STANCE
    if phase < _STANCE:
        now = _joints(limb, name, reach * (0.5 - phase / _STANCE), 0.0)
    else:
        swing = (phase - _STANCE) / (1 - _STANCE)
        ease = swing * swing * (3 - 2 * swing)
        lift = 0.16 * limb.y * math.sin(math.pi * swing)
        now = _joints(limb, name, reach * (ease - 0.5), lift)
    return _part(name, now, rest, pieces=3)


def _joints(limb: Limb, name: str, ahead_m: float, lift_m: float) -> tuple[Node, ...]:
    """Joint, knee, lower joint, heel of the foot, toe: for a foot `ahead_m` of the hip."""
    hind = "hind" in name
    r0, r1, r2, r3 = limb.radii
    foot_x, foot_y = limb.x + ahead_m + (-0.10 if hind else 0.02) * limb.y, r3 * 0.8 + lift_m
    lean = (0.35 if hind else -0.1) - 0.9 * ahead_m / limb.y + 2.2 * lift_m / limb.y
    low_x = foot_x - limb.pastern * math.sin(lean)
    low_y = foot_y + limb.pastern * math.cos(lean)
    knee_x, knee_y = _knee(limb, low_x, low_y, bend=1.0 if hind else -1.0)
    return (
        (limb.x, limb.y, r0), (knee_x, knee_y, r1), (low_x, low_y, r2), (foot_x, foot_y, r3),
        (foot_x + 1.5 * r3, foot_y - 0.1 * r3, r3 * 0.85),
    )  # fmt: skip


def _knee(limb: Limb, x: float, y: float, bend: float) -> tuple[float, float]:
    """Two-bone inverse kinematics; a leg too short for its reach is drawn straight."""
    dx, dy = x - limb.x, y - limb.y
    distance = max(1e-6, math.hypot(dx, dy))
    reach = min(distance, 0.999 * (limb.upper + limb.lower))
    along = (limb.upper**2 - limb.lower**2 + reach**2) / (2 * reach)
    out = bend * math.sqrt(max(0.0, limb.upper**2 - along**2))
    ux, uy = dx / distance, dy / distance
    return limb.x + ux * along - uy * out, limb.y + uy * along + ux * out


def _person(walked_m: float) -> list[Part]:
    cycles = walked_m / 1.45
    parts = [_person_leg("far_leg", cycles + 0.5, -0.09), _person_arm("far_arm", cycles, -0.2)]
    torso = ((0.0, 0.92, 0.15), (0.0, 1.10, 0.155), (0.02, 1.32, 0.17), (0.02, 1.44, 0.11))
    head = ((0.03, 1.53, 0.06), (0.045, 1.62, 0.095), (0.045, 1.70, 0.10))
    pack = ((-0.17, 1.08, 0.10), (-0.18, 1.35, 0.11))
    parts += [
        _part("pack", pack, pack, -0.02), _part("torso", torso, torso),
        _part("head", head, head), _person_leg("near_leg", cycles, 0.06),
        _person_arm("near_arm", cycles + 0.5, 0.16),
    ]  # fmt: skip
    return parts


def _person_leg(name: str, cycles: float, depth_m: float) -> Part:
    swing = math.sin(2 * math.pi * cycles)
    hip, bent = 0.48 * swing, 0.25 + 0.45 * max(0.0, math.cos(2 * math.pi * cycles))
    knee = (0.44 * math.sin(hip), 0.92 - 0.44 * math.cos(hip))
    shin = hip - bent
    ankle = (knee[0] + 0.42 * math.sin(shin), max(0.07, knee[1] - 0.42 * math.cos(shin)))
    nodes = (
        (0.0, 0.92, 0.115), (*knee, 0.075), (*ankle, 0.055),
        (ankle[0] + 0.16, max(0.045, ankle[1] - 0.03), 0.045),
    )  # fmt: skip
    return _part(name, nodes, nodes, depth_m)


def _person_arm(name: str, cycles: float, depth_m: float) -> Part:
    swing = 0.45 * math.sin(2 * math.pi * cycles)
    elbow = (0.02 + 0.30 * math.sin(swing), 1.40 - 0.30 * math.cos(swing))
    hand = (elbow[0] + 0.27 * math.sin(swing + 0.4), elbow[1] - 0.27 * math.cos(swing + 0.4))
    nodes = ((0.02, 1.40, 0.07), (*elbow, 0.055), (*hand, 0.045))
    return _part(name, nodes, nodes, depth_m)
