"""One articulated figure: how it is built, where its joints are, and how it is painted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidgan.footage.procedural.canvas import Capsule, View, hue_colour, paint_limb, to_light

# Lengths as fractions of the figure's height, after the anthropometric tables of Drillis and Contini (1966);
# the head is a third larger than life and the limbs are stout, so that both are still there at 32 x 32 pixels.
THIGH, SHIN, ANKLE, FOOT = 0.235, 0.225, 0.045, 0.12
HIP = THIGH + SHIN + ANKLE
TRUNK, UPPER_ARM, FOREARM = 0.295, 0.165, 0.16
HEAD_CENTRE, HEAD_RADIUS = 0.105, 0.082

SKINS = ["#f3d0b4", "#e8b894", "#d9a074", "#c08552", "#9a6237", "#6f4426", "#4c2d1a"]
HAIRS = ["#1c1512", "#2e1d14", "#4f2f1b", "#7d4f2a", "#b98645", "#8c3b1e", "#9a948c"]
TROUSERS = ["#27364f", "#3d5170", "#2b2b30", "#5d5d62", "#6e5f45", "#35492f", "#5a2430", "#c2b590"]
SHOES = ["#17151a", "#3a2417", "#e6e2da", "#a32d25"]


@dataclass(frozen=True)
class Figure:
    """The build and the clothes of one figure; lengths are fractions of `height`, which is in frame heights."""

    height: float
    legs: float
    arms: float
    girth: float
    long_sleeves: bool
    long_trousers: bool
    long_hair: bool
    skin: np.ndarray
    hair: np.ndarray
    shirt: np.ndarray
    trousers: np.ndarray
    shoes: np.ndarray
    lamp: np.ndarray

    @classmethod
    def drawn(cls, random: np.random.Generator, *, height: float, lamp_x: float, wall_hue: float) -> Figure:
        """A figure at random, whose shirt stands out from a wall of hue `wall_hue` (turns)."""
        lamp = np.array([0.75 * lamp_x, 0.55, 0.6])
        return cls(
            height=height,
            legs=random.uniform(0.94, 1.05),
            arms=random.uniform(0.95, 1.08),
            girth=random.uniform(0.88, 1.2),
            long_sleeves=bool(random.random() < 0.5),
            long_trousers=bool(random.random() < 0.75),
            long_hair=bool(random.random() < 0.4),
            skin=_picked(random, SKINS),
            hair=_picked(random, HAIRS),
            shirt=hue_colour(
                wall_hue + random.uniform(0.3, 0.7), random.uniform(0.6, 0.88), random.uniform(0.65, 0.95)
            ),
            trousers=_picked(random, TROUSERS),
            shoes=_picked(random, SHOES),
            lamp=(lamp / np.linalg.norm(lamp)).astype(np.float32),
        )

    @property
    def thigh(self) -> float:
        """Hip to knee, frame heights."""
        return self.height * self.legs * THIGH

    @property
    def shin(self) -> float:
        """Knee to ankle, frame heights."""
        return self.height * self.legs * SHIN

    @property
    def ankle(self) -> float:
        """Sole to ankle, frame heights."""
        return self.height * ANKLE

    @property
    def upper_arm(self) -> float:
        """Shoulder to elbow, frame heights."""
        return self.height * self.arms * UPPER_ARM

    @property
    def forearm(self) -> float:
        """Elbow to wrist, frame heights."""
        return self.height * self.arms * FOREARM


def _picked(random: np.random.Generator, hexes: list[str]) -> np.ndarray:
    colour = hexes[random.integers(len(hexes))]
    return to_light([int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)])


@dataclass(frozen=True)
class Leg:
    """Joints [T, 2] of a leg in frame coordinates."""

    hip: np.ndarray
    knee: np.ndarray
    ankle: np.ndarray
    heel: np.ndarray
    toe: np.ndarray


@dataclass(frozen=True)
class Arm:
    """Joints [T, 2] of an arm in frame coordinates."""

    shoulder: np.ndarray
    elbow: np.ndarray
    wrist: np.ndarray


@dataclass(frozen=True)
class Pose:
    """Joints of a figure; `far` is painted behind the trunk and `near` before it.

    `facing` is -1 or 1 for a profile to the left or to the right, and 0 for a figure that faces the camera.
    """

    pelvis: np.ndarray
    chest: np.ndarray
    head: np.ndarray
    near_leg: Leg
    far_leg: Leg
    near_arm: Arm
    far_arm: Arm
    facing: int


def paint_figure(light: np.ndarray, view: View, figure: Figure, pose: Pose) -> None:
    """Paint `figure` in `pose` over `light` [C, T, H, W] in place, from the far side to the near."""
    far_shade = 0.62 if pose.facing else 1.0
    _paint_arm(light, view, figure, pose.far_arm, far_shade)
    _paint_leg(light, view, figure, pose.far_leg, far_shade)
    _paint_leg(light, view, figure, pose.near_leg, 1.0)
    _paint_trunk(light, view, figure, pose)
    _paint_head(light, view, figure, pose)
    _paint_arm(light, view, figure, pose.near_arm, 1.0)


def _painter(light: np.ndarray, view: View, figure: Figure):
    """`paint(colour, (start, end, start radius, end radius), ...)`, radii as fractions of the figure's height."""
    unit = figure.height

    def paint(colour: np.ndarray, *limbs: tuple[np.ndarray, np.ndarray, float, float], blend: float = 0.012) -> None:
        capsules = [Capsule(start, end, unit * first, unit * second) for start, end, first, second in limbs]
        paint_limb(light, view, capsules, colour, lamp=figure.lamp, blend=unit * blend)

    return paint


def _paint_arm(light: np.ndarray, view: View, figure: Figure, arm: Arm, shade: float) -> None:
    paint = _painter(light, view, figure)
    skin, shirt, girth = figure.skin * shade, figure.shirt * shade, figure.girth
    sleeve_end = arm.shoulder + 0.62 * (arm.elbow - arm.shoulder)
    forearm = (arm.elbow, arm.wrist, 0.029 * girth, 0.022 * girth)
    hand = (arm.wrist, arm.wrist + 0.16 * (arm.wrist - arm.elbow), 0.026, 0.028)
    if figure.long_sleeves:
        paint(skin, hand)
        paint(shirt, (arm.shoulder, arm.elbow, 0.042 * girth, 0.034 * girth), forearm)
    else:
        paint(skin, (arm.shoulder, arm.elbow, 0.034 * girth, 0.029 * girth), forearm, hand)
        paint(shirt, (arm.shoulder, sleeve_end, 0.043 * girth, 0.04 * girth))


def _paint_leg(light: np.ndarray, view: View, figure: Figure, leg: Leg, shade: float) -> None:
    paint = _painter(light, view, figure)
    girth = figure.girth
    thigh = (leg.hip, leg.knee, 0.062 * girth, 0.043 * girth)
    shin = (leg.knee, leg.ankle, 0.041 * girth, 0.031 * girth)
    paint(figure.shoes * shade, (leg.heel, leg.toe, 0.03, 0.022), (leg.ankle, leg.heel, 0.026, 0.026))
    if figure.long_trousers:
        paint(figure.trousers * shade, thigh, shin)
    else:
        hem = leg.hip + 0.85 * (leg.knee - leg.hip)
        paint(figure.skin * shade, (leg.hip, leg.knee, 0.05 * girth, 0.038 * girth), shin)
        paint(figure.trousers * shade, (leg.hip, hem, 0.064 * girth, 0.054 * girth))


def _paint_trunk(light: np.ndarray, view: View, figure: Figure, pose: Pose) -> None:
    paint = _painter(light, view, figure)
    girth = figure.girth
    neck = pose.chest + 0.35 * (pose.head - pose.chest)
    waist = pose.pelvis + 0.22 * (pose.chest - pose.pelvis)
    paint(figure.skin, (neck, pose.head, 0.033, 0.033))
    if pose.facing:
        paint(figure.trousers, (pose.pelvis, waist, 0.066 * girth, 0.062 * girth))
        low_chest = pose.chest - 0.2 * (pose.chest - pose.pelvis)
        paint(figure.shirt, (low_chest, waist, 0.076 * girth, 0.064 * girth), (neck, low_chest, 0.03, 0.07 * girth))
    else:
        near, far = pose.near_arm.shoulder, pose.far_arm.shoulder
        near_hip = waist + 0.42 * (near - pose.chest)
        far_hip = waist + 0.42 * (far - pose.chest)
        paint(figure.trousers, (pose.near_leg.hip, pose.far_leg.hip, 0.062 * girth, 0.062 * girth), blend=0.03)
        paint(
            figure.shirt,
            (near, far, 0.042 * girth, 0.042 * girth),
            (near + 0.25 * (pose.chest - near), near_hip, 0.058 * girth, 0.05 * girth),
            (far + 0.25 * (pose.chest - far), far_hip, 0.058 * girth, 0.05 * girth),
            (pose.chest, waist, 0.07 * girth, 0.06 * girth),
            blend=0.035,
        )


def _paint_head(light: np.ndarray, view: View, figure: Figure, pose: Pose) -> None:
    """Skull, hair, and just enough of a face to see which way it looks."""
    paint = _painter(light, view, figure)
    unit = figure.height
    up = (pose.head - pose.chest) / np.linalg.norm(pose.head - pose.chest, axis=-1, keepdims=True)
    right = np.stack([up[:, 1], -up[:, 0]], axis=-1)

    def at(forward: float, above: float) -> np.ndarray:
        """A point of the head in its own axes, fractions of the figure's height."""
        return pose.head + unit * (forward * (pose.facing or 1) * right + above * up)

    dark = 0.15 * figure.skin
    if pose.facing:
        if figure.long_hair:
            paint(figure.hair, (at(-0.035, 0.02), at(-0.062, -0.1), 0.06, 0.034))
        paint(
            figure.skin,
            (at(0.012, 0.01), at(0.022, -0.03), 0.07, 0.052),
            (at(0.07, -0.012), at(0.088, -0.02), 0.01, 0.01),
        )
        paint(dark, (at(0.058, 0.012), at(0.058, 0.004), 0.009, 0.009))
        paint(
            figure.hair,
            (at(-0.03, 0.02), at(0.03, 0.062), 0.066, 0.026),
            (at(-0.03, 0.02), at(-0.04, -0.02), 0.06, 0.04),
        )
    else:
        if figure.long_hair:
            paint(
                figure.hair,
                (at(-0.055, 0.02), at(-0.062, -0.1), 0.038, 0.028),
                (at(0.055, 0.02), at(0.062, -0.1), 0.038, 0.028),
            )
        paint(figure.skin, (at(0, 0.012), at(0, -0.03), 0.075, 0.058))
        paint(
            figure.hair,
            (at(-0.045, 0.052), at(0.045, 0.052), 0.036, 0.036),
            (at(-0.02, 0.07), at(0.02, 0.07), 0.03, 0.03),
        )
        for side in (-1, 1):
            paint(dark, (at(side * 0.029, 0.005), at(side * 0.029, -0.005), 0.009, 0.009))
        paint(figure.skin * np.array([0.75, 0.4, 0.4]), (at(-0.018, -0.045), at(0.018, -0.045), 0.006, 0.006))
