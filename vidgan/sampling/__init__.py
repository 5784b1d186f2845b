"""From seeds to clips."""

# Steps of an inversion's search for every stretch of a clip; here, where it costs no import.
DEFAULT_UPDATES = 250
