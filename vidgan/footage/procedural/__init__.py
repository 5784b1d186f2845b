"""Procedural footage: shots that the toolkit makes itself, for its demo, its tests and a first look.

Shot n of a class is a pure function of its name and a seed; motion is in seconds, so any rate films the same event.

    figures    walk, wave, jump     an articulated figure in a lit room
    scenes     landscape            hills in parallax past a moving camera
    effects    smoke, fire          a small fluid simulation, lit or glowing

    make_footage("footage", height=64, width=64, rate=Fraction(24), num_frames=48, shots_per_class=24)
"""

from vidgan.footage.procedural.make import CLASSES, make_footage, render_shot

__all__ = ["CLASSES", "make_footage", "render_shot"]
