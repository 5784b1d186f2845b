"""Performances: a figure walks past, waves, or jumps. Each is `(random, view, times) -> light, piece by piece`.

`times` [T] are seconds; what a figure does at second 1.5 does not depend on the rate it is filmed at.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vidgan.footage.procedural.canvas import View
from vidgan.footage.procedural.figure import FOOT, HEAD_CENTRE, TRUNK, Arm, Figure, Leg, Pose, paint_figure
from vidgan.footage.procedural.motion import bent_joint, cyclic, hanging, hermite
from vidgan.footage.procedural.room import Room, shadow

GROUND = 0.075  # frame heights from the lower edge to the soles

# Degrees at tenths of a stride from heel strike: flexion of hip and knee, dorsiflexion of the ankle.
# Level walking, after Winter, "Biomechanics and Motor Control of Human Movement", chapter 3.
HIP_STRIDE = np.radians([28.0, 24.0, 16.0, 6.0, -4.0, -11.0, -6.0, 11.0, 25.0, 31.0])
KNEE_STRIDE = np.radians([6.0, 16.0, 17.0, 10.0, 6.0, 11.0, 36.0, 62.0, 52.0, 17.0])
ANKLE_STRIDE = np.radians([0.0, -5.0, 3.0, 7.0, 10.0, 4.0, -16.0, -8.0, 0.0, 2.0])


def _cast(random: np.random.Generator, view: View, *, height: float) -> tuple[Room, Figure]:
    """A room and a figure under one lamp; the figure shrinks where a narrow frame would cut off its arms."""
    lamp_x = float(random.choice([-1.0, 1.0]))
    room = Room.drawn(random, lamp_x=lamp_x)
    height = height * min(1.0, view.aspect / 0.8)
    return room, Figure.drawn(random, height=height, lamp_x=lamp_x, wall_hue=room.hue)


def _points(x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
    """Positions [T, 2] from coordinates [T] or constants."""
    return np.stack(np.broadcast_arrays(x, y), axis=-1)


def _walking_leg(figure: Figure, phase: np.ndarray, *, swing: float) -> tuple[np.ndarray, ...]:
    """Knee, ankle, heel and toe [T, 2] from the hip of a figure that faces +x; `phase` in strides from heel strike."""
    hip = swing * cyclic(HIP_STRIDE, phase)
    shin_angle = hip - cyclic(KNEE_STRIDE, phase)
    pitch = shin_angle + cyclic(ANKLE_STRIDE, phase)
    knee = hanging(hip, figure.thigh)
    ankle = knee + hanging(shin_angle, figure.shin)
    forward = _points(np.cos(pitch), np.sin(pitch))
    down = _points(np.sin(pitch), -np.cos(pitch))
    sole = ankle + down * (figure.ankle - 0.03 * figure.height)
    return knee, ankle, sole - 0.025 * figure.height * forward, sole + (FOOT - 0.03) * figure.height * forward


def _standing_height(bones: list[tuple[np.ndarray, ...]]) -> np.ndarray:
    """Height [T] of the pelvis that puts the lowest foot on the floor: the bob of a walk comes from the legs."""
    depths = np.stack([-point[:, 1] for bone in bones for point in bone[2:]])
    # A soft maximum: the weight passes from one foot to the other without a jolt.
    sharpness = 120.0
    return np.log(np.exp(sharpness * depths).sum(axis=0)) / sharpness + 0.015


def _walking_speed(figure: Figure, *, swing: float) -> float:
    """Frame heights a stride: as fast as the standing foot slides back, so that feet do not skate."""
    _, ankle, *_ = _walking_leg(figure, np.array([0.1, 0.4]), swing=swing)
    return float((ankle[0, 0] - ankle[1, 0]) / 0.3)


def _front_leg(figure: Figure, pelvis: np.ndarray, side: int, foot_x: float | np.ndarray, sole_y) -> Leg:
    """A leg seen from the front whose sole is at (`foot_x`, `sole_y`); the knee gives outwards."""
    hip = pelvis + np.array([side * 0.055 * figure.girth * figure.height, 0.0])
    ankle = _points(foot_x, sole_y + figure.ankle + 0 * pelvis[:, 1])
    knee = bent_joint(hip, ankle, figure.thigh, figure.shin, side=side)
    heel = ankle - np.array([0.0, 0.4 * figure.ankle])
    toe = ankle + np.array([side * 0.025 * figure.height, -0.5 * figure.ankle])
    return Leg(hip, knee, ankle, heel, toe)


def _front_arm(figure: Figure, shoulder: np.ndarray, side: int, upper: np.ndarray, fore: np.ndarray) -> Arm:
    """An arm seen from the front; both angles from hanging, outwards."""
    outwards = np.array([side, 1.0])
    elbow = shoulder + outwards * hanging(upper, figure.upper_arm)
    return Arm(shoulder, elbow, elbow + outwards * hanging(fore, figure.forearm))


def _stand_in_shadow(light: np.ndarray, view: View, figure: Figure, legs: list[Leg], pelvis: np.ndarray) -> None:
    """Contact shadows under both feet and under the body: fainter the higher they are."""
    for leg in legs:
        lift = np.maximum(leg.ankle[:, 1] - GROUND - figure.ankle, 0.0)
        shadow(light, view, _points(leg.ankle[:, 0], GROUND), reach=0.1, strength=0.6 * np.exp(-lift / 0.05))
    shadow(light, view, _points(pelvis[:, 0], GROUND), reach=0.22, strength=np.full(len(pelvis), 0.4))


def walk(random: np.random.Generator, view: View, times: np.ndarray) -> Iterator[np.ndarray]:
    """A walk in profile, to the left or to the right; the camera tracks it and drifts a little."""
    facing = int(random.choice([-1, 1]))
    room, figure = _cast(random, view, height=random.uniform(0.76, 0.84))
    period = random.uniform(0.95, 1.3)
    first_phase, drift_phase = random.uniform(0.0, 1.0, 2)
    swing = random.uniform(0.85, 1.15)
    arm_swing = np.radians(random.uniform(20.0, 32.0))
    elbow_bend = np.radians(random.uniform(8.0, 26.0))
    lean = np.radians(random.uniform(0.0, 5.0))
    drift = random.uniform(0.03, 0.08) * min(1.0, view.aspect)
    speed = _walking_speed(figure, swing=swing) / period

    for moments in view.chunks(times):
        phase = first_phase + moments / period
        off_centre = drift * np.sin(2 * np.pi * (moments / 4.0 + drift_phase))
        scroll = facing * speed * moments - off_centre
        mirror = np.array([facing, 1.0])
        bones = [_walking_leg(figure, phase + offset, swing=swing) for offset in (0.0, 0.5)]
        pelvis = np.stack([off_centre, GROUND + _standing_height(bones)], axis=-1)
        legs = [Leg(pelvis, *(pelvis + mirror * joint for joint in leg)) for leg in bones]
        chest = pelvis + mirror * TRUNK * figure.height * np.array([np.sin(lean), np.cos(lean)])
        head = chest + mirror * np.array([0.012, HEAD_CENTRE]) * figure.height
        arms = []
        for offset in (0.5, 0.0):
            forward = np.cos(2 * np.pi * (phase + offset - 0.03))
            upper = arm_swing * (forward - 0.25)
            elbow = chest + mirror * hanging(upper, figure.upper_arm)
            bend = elbow_bend + 0.18 * (1.0 + forward)
            arms.append(Arm(chest, elbow, elbow + mirror * hanging(upper + bend, figure.forearm)))

        light = room.painted(view, scroll=scroll, ground=GROUND)
        _stand_in_shadow(light, view, figure, legs, pelvis)
        pose = Pose(pelvis, chest, head, legs[0], legs[1], arms[0], arms[1], facing)
        paint_figure(light, view, figure, pose)
        yield light


def wave(random: np.random.Generator, view: View, times: np.ndarray) -> Iterator[np.ndarray]:
    """A figure that faces the camera, sways, and waves one raised hand from the elbow."""
    room, figure = _cast(random, view, height=random.uniform(0.74, 0.82))
    side = int(random.choice([-1, 1]))
    centre = random.uniform(-0.06, 0.06) * min(1.0, view.aspect) - 0.04 * side
    period = random.uniform(0.6, 1.0)
    first_phase, sway_phase = random.uniform(0.0, 1.0, 2)
    raised = np.radians(random.uniform(95.0, 125.0))
    upright = np.radians(random.uniform(168.0, 182.0))
    wave_angle = np.radians(random.uniform(24.0, 36.0))
    sway, sway_period = random.uniform(0.008, 0.02), random.uniform(1.8, 2.8)
    hand_on_hip = bool(random.random() < 0.35)
    stance = random.uniform(0.07, 0.11) * figure.height

    for moments in view.chunks(times):
        phase = 2 * np.pi * (first_phase + moments / period)
        weight = sway * np.sin(2 * np.pi * (sway_phase + moments / sway_period))
        pelvis = _points(
            centre + weight, GROUND + figure.ankle + 0.996 * (figure.thigh + figure.shin) - 4.0 * weight**2
        )
        chest = pelvis + _points(0.5 * weight, TRUNK * figure.height)
        head = chest + _points(-0.6 * weight + 0.006 * side * np.sin(phase), HEAD_CENTRE * figure.height)
        legs = [_front_leg(figure, pelvis, side * leg, centre + side * leg * stance, GROUND) for leg in (1, -1)]

        shoulders = [chest + np.array([side * arm * 0.098 * figure.girth * figure.height, 0.0]) for arm in (1, -1)]
        upper = raised + 0.12 * np.sin(phase - 0.5)
        waving = _front_arm(figure, shoulders[0], side, upper, upright - wave_angle * (np.sin(phase) + 0.25))
        rest = np.full_like(moments, 0.75 if hand_on_hip else 0.16) + 0.03 * np.sin(phase - 1.0)
        resting = _front_arm(figure, shoulders[1], -side, rest, rest - (1.9 if hand_on_hip else 0.12))

        light = room.painted(view, scroll=np.full_like(moments, 0.3 * centre), ground=GROUND)
        _stand_in_shadow(light, view, figure, legs, pelvis)
        paint_figure(light, view, figure, Pose(pelvis, chest, head, *legs, waving, resting, facing=0))
        yield light


def jump(random: np.random.Generator, view: View, times: np.ndarray) -> Iterator[np.ndarray]:
    """A figure that faces the camera and jumps again and again: crouch, launch, flight, landing."""
    room, figure = _cast(random, view, height=random.uniform(0.62, 0.68))
    centre = random.uniform(-0.04, 0.04) * min(1.0, view.aspect)
    crouch = random.uniform(0.08, 0.13) * figure.height
    rise = random.uniform(0.15, 0.22) * figure.height / 0.65
    flight = random.uniform(0.5, 0.62)
    arms_up = np.radians(random.uniform(135.0, 165.0))
    spread = random.choice([0.0, 0.06, 0.15]) * figure.height
    stance = random.uniform(0.075, 0.11) * figure.height

    # A parabola of height h and duration d leaves and lands at the speed 4 h / d.
    launch = 4.0 * rise / flight
    take_off = random.uniform(0.5, 0.6)
    land = take_off + flight
    period = land + random.uniform(0.45, 0.6)
    dip = take_off - 0.2
    height_keys = np.array([
        [0.0, 0.0, 0.0], [dip, -crouch, 0.0], [take_off, 0.0, launch], [land, 0.0, -launch],
        [land + 0.16, -0.7 * crouch, 0.0], [period - 0.02, 0.0, 0.0],
    ])  # fmt: skip
    arm_keys = np.array([
        [0.0, 0.15, 0.0], [dip, 0.4, 0.0], [take_off + 0.12, arms_up, 0.0], [take_off + 0.6 * flight, arms_up, 0.0],
        [land + 0.14, 0.5, -1.5], [period - 0.02, 0.15, 0.0],
    ])  # fmt: skip
    spread_keys = np.array([[take_off, 0.0, 0.0], [take_off + 0.5 * flight, 1.0, 0.0], [land, 0.0, 0.0]])
    first_moment = random.uniform(0.0, period)

    for moments in view.chunks(times):
        clock = (moments + first_moment) % period
        lift = hermite(height_keys, clock)
        arm = hermite(arm_keys, clock)
        apart = stance + spread * hermite(spread_keys, clock)
        airborne = np.maximum(lift, 0.0)
        squash = np.minimum(lift, 0.0)
        pelvis = _points(centre, GROUND + figure.ankle + 0.992 * (figure.thigh + figure.shin) + lift)
        chest = pelvis + _points(0.0, TRUNK * figure.height + 0.25 * squash)
        head = chest + _points(0.0, HEAD_CENTRE * figure.height + 0.08 * squash)
        legs = [_front_leg(figure, pelvis, side, centre + side * apart, GROUND + airborne) for side in (1, -1)]
        arms = []
        for side in (1, -1):
            shrug = 0.012 * figure.height * (1.0 - np.cos(arm))
            shoulder = chest + _points(side * 0.098 * figure.girth * figure.height, shrug)
            arms.append(_front_arm(figure, shoulder, side, arm, 1.12 * arm - 0.14))

        light = room.painted(view, scroll=np.full_like(moments, 0.3 * centre), ground=GROUND)
        _stand_in_shadow(light, view, figure, legs, pelvis)
        paint_figure(light, view, figure, Pose(pelvis, chest, head, *legs, *arms, facing=0))
        yield light
