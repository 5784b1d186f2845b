"""Where one shot ends and the next begins, found while frames pass by, each seen once.

PySceneDetect's detectors name the frames that differ much from the one before. Three things look like that and are
no cut: a flash, a lamp that is switched, and animation that holds each picture for a few frames. Pictures around the
frame tell them apart. Dissolves have no such frame; a picture halfway between two that is also their average gives
them away. Pictures are compared as they were decoded, uint8 [h, w, 3] 0..255 BGR.
"""

from __future__ import annotations

from collections import deque
from typing import Literal, get_args

import cv2
import numpy as np
from scenedetect.common import FrameTimecode
from scenedetect.detector import SceneDetector
from scenedetect.detectors import AdaptiveDetector, ContentDetector, HashDetector, HistogramDetector

from vidgan.errors import RequestError

CutMethod = Literal["adaptive", "content", "histogram", "hash", "none"]

# Adaptive: how many times the change of its four neighbours a cut's change is. An edited concert's weakest cut makes
# 5.4; of 85 single shots the wildest makes 2.9, a camera that is struck 3.6. Content: mean change in levels 0..255.
# Histogram: 1 - correlation. Hash: part of 64 bits.
DEFAULT_THRESHOLDS = {"adaptive": 3.7, "content": 20.0, "histogram": 0.2, "hash": 0.33}

# Levels 0..255, mean over pixels and channels. Two people before the same wall differ by 8 or more, two night plates
# by 5; noise and compression, averaged over the pixels of a scored picture, by 3.
LEAST_CHANGE = 5.0

# Two cuts are at least so far apart, 1/4 s at 24 frames/s. PySceneDetect's usual 15 would leave a cut inside a shot,
# where it spoils clips; a shot too short for a clip costs nothing.
LEAST_FRAMES_BETWEEN_CUTS = 6

LONGEST_FLASH = 3  # frames
LONGEST_HOLD = 4  # frames that show one picture in animation "on twos", "threes", "fours"

# Frames over which a dissolve is looked for. Of dissolves of 6 to 24 frames between real shots it finds about two
# thirds, of longer ones few; to find more would take soft motion for dissolves.
DISSOLVE_SPAN = 24
# The picture halfway is the average of the ends but for this part of their distance. Dissolves between moving shots
# reach 0.35; moving pictures without one start at 0.42.
DISSOLVE_REMAINDER = 0.33
DISSOLVE_LEAST_CHANGE = 10.0
# What changes in half its span before or after it is at most this part of what changes during it: motion that goes on
# steadily would make half.
DISSOLVE_MOTION = 0.33

# Correlation of two pictures from which on they may show the same thing in another light.
SAME_SCENE = 0.8

# Longer side of the pictures that are compared; so small averages grain away (at 64, 128 cuts between grainy shots
# are lost), and costs little. PySceneDetect's hash and histogram take the picture as it comes.
SCORED_SIDE = 32


def new_detector(method: str, threshold: float | None) -> SceneDetector | None:
    """PySceneDetect's detector of a method, told to name every cut however near the last. None for "none".

    Raises `RequestError` for an unknown method and a threshold that is not above 0.
    """
    if method not in get_args(CutMethod):
        raise RequestError(f"cuts is {method!r} (expected one of {', '.join(get_args(CutMethod))})")
    if threshold is not None and not threshold > 0:
        raise RequestError(f"cut_threshold is {threshold} (expected a number above 0)")
    if method == "none":
        return None
    threshold = DEFAULT_THRESHOLDS[method] if threshold is None else threshold
    if method == "adaptive":
        return AdaptiveDetector(
            adaptive_threshold=threshold, min_content_val=LEAST_CHANGE, min_scene_len=0, luma_only=True
        )
    if method == "content":
        return ContentDetector(threshold=threshold, min_scene_len=0, luma_only=True)
    if method == "histogram":
        return HistogramDetector(threshold=threshold, min_scene_len=0)
    return HashDetector(threshold=threshold, min_scene_len=0)


def channels_as_light(picture: np.ndarray) -> np.ndarray:
    """uint8 [h, w, 3] -> grey uint8 [3 h, w, 3]: the channels one below the other.

    PySceneDetect measures change in hue, saturation and value. In dark pictures the hue is noise, and jumps at every
    key frame; the value alone cannot tell red from blue. The value of this picture counts each channel alike.
    """
    height, width, channels = picture.shape
    stacked = np.ascontiguousarray(picture.transpose(2, 0, 1)).reshape(channels * height, width)
    return cv2.cvtColor(stacked, cv2.COLOR_GRAY2BGR)


def reduced(picture: np.ndarray) -> np.ndarray:
    """The picture with its longer side at most `SCORED_SIDE`; each pixel is the mean of those it covers."""
    height, width = picture.shape[:2]
    scale = SCORED_SIDE / max(height, width)
    if scale >= 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def change(first: np.ndarray, second: np.ndarray) -> float:
    """Mean absolute difference over pixels and channels, 0..255."""
    return cv2.norm(first, second, cv2.NORM_L1) / first.size


def same_in_another_light(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether brightness and contrast explain how two pictures differ; never for a picture of one colour.

    With the correlation r of their luma, the best straight line from one to the other leaves a root mean square of
    deviation * sqrt(1 - r^2). That is little of what they differ by if a lamp was switched, and nearly all of it if
    another person stands in the same room.
    """
    first, second = (cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32) for picture in (first, second))
    deviations = float(first.std()), float(second.std())
    if min(deviations) < 1:
        return False
    correlation = float(((first - first.mean()) * (second - second.mean())).mean()) / (deviations[0] * deviations[1])
    remainder = max(deviations) * max(0.0, 1 - correlation**2) ** 0.5
    return correlation >= SAME_SCENE and remainder < 0.5 * float(((first - second) ** 2).mean()) ** 0.5


class CutFinder:
    """Names the cuts of one unbroken run of frames.

    frame    0  1  2  3  4  5  6  7
    shot     a  a  a  a  b  b  b  b      cut 4: the first frame of the new shot
    flash    a  a  a  *  *  a  a  a      no cut: 2 and 6 are alike
    """

    def __init__(self, method: str, threshold: float | None) -> None:
        self.detector = new_detector(method, threshold)
        self.dissolves = DissolveFinder() if method == "adaptive" else None
        self.stack_channels = method in ("adaptive", "content")
        self.recent: deque[tuple[int, np.ndarray]] = deque(maxlen=2 * LONGEST_FLASH + 3)
        self.waiting: list[int] = []
        self.found: list[int] = []
        self.num_repeats = 0

    def see(self, position: int, picture: np.ndarray, *, repeats: bool) -> None:
        """Take the frame at the next position; `repeats` says that it shows the same picture as the one before."""
        if self.detector is None:
            return
        scored = reduced(picture)
        self.recent.append((position, scored))
        self.num_repeats = self.num_repeats + 1 if repeats else 0
        # A picture held for up to four frames counts once: held pictures make each new one look like a cut.
        if not 0 < self.num_repeats < LONGEST_HOLD:
            shown = channels_as_light(scored) if self.stack_channels else picture
            named = self.detector.process_frame(FrameTimecode(position, fps=24.0), shown)
            self.waiting += (timecode.frame_num for timecode in named)
        if self.waiting and position >= self.waiting[0] + LONGEST_FLASH:
            self._judge(self.waiting.pop(0))
        if self.dissolves:
            self.dissolves.see(position, scored)

    def finish(self) -> list[int]:
        """All cuts, in order, at least `LEAST_FRAMES_BETWEEN_CUTS` apart; of nearer ones the first."""
        while self.waiting:
            self._judge(self.waiting.pop(0))
        candidates = self.found + (self.dissolves.finish() if self.dissolves else [])
        cuts: list[int] = []
        for cut in sorted(candidates):
            if not cuts or cut - cuts[-1] >= LEAST_FRAMES_BETWEEN_CUTS:
                cuts.append(cut)
        return cuts

    def _judge(self, cut: int) -> None:
        """Keep a cut unless the picture comes back after a flash, or only the light has changed."""
        pictures = dict(self.recent)
        first, last = self.recent[0][0], self.recent[-1][0]
        if cut <= first:
            return
        before, after = pictures[cut - 1], pictures[cut]
        earlier, later = pictures[max(first, cut - 1 - LONGEST_FLASH)], pictures[min(last, cut + LONGEST_FLASH)]
        least = 0.5 * change(before, after)  # a cut stays as large as it was, a flash leaves only motion
        if min(change(before, later), change(earlier, after)) > least and not same_in_another_light(before, after):
            self.found.append(cut)


class DissolveFinder:
    """Finds dissolves: during one, the picture halfway between two is their average, which motion never makes.

        before .... start .... halfway .... end .... after

        |halfway - (start + end) / 2|  is little of  |start - end|

    A fade and a change of exposure pass that test too: there the ends show the same, or one shows nothing. So does a
    camera that moves slowly over soft shapes: it moves as much before and after.
    """

    def __init__(self) -> None:
        self.recent: deque[np.ndarray] = deque(maxlen=2 * DISSOLVE_SPAN + 1)
        self.run: range | None = None  # the positions of the halves of one dissolve, so far
        self.found: list[int] = []

    def see(self, position: int, picture: np.ndarray) -> None:
        """Take the next frame, reduced."""
        self.recent.append(picture)
        if len(self.recent) <= 2 * DISSOLVE_SPAN:
            return
        middle = position - DISSOLVE_SPAN
        if self.run and middle - self.run.stop >= DISSOLVE_SPAN // 2:
            self._end_run()
        if self._is_dissolving():
            self.run = range(self.run.start if self.run else middle, middle + 1)

    def finish(self) -> list[int]:
        """The middle of every dissolve, in order."""
        self._end_run()
        return self.found

    def _end_run(self) -> None:
        if self.run:
            self.found.append((self.run.start + self.run.stop) // 2)
        self.run = None

    def _is_dissolving(self) -> bool:
        before, start, halfway, end, after = (self.recent[index * DISSOLVE_SPAN // 2] for index in range(5))
        distance = change(start, end)
        if distance < DISSOLVE_LEAST_CHANGE:
            return False
        average = cv2.addWeighted(start, 0.5, end, 0.5, 0)
        if change(halfway, average) > DISSOLVE_REMAINDER * distance:
            return False
        if max(change(before, start), change(end, after)) > DISSOLVE_MOTION * distance:
            return False
        start, end = (cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32) for picture in (start, end))
        deviations = float(start.std()), float(end.std())
        if min(deviations) < 4:  # a fade from or to one colour
            return False
        covariance = float(((start - start.mean()) * (end - end.mean())).mean())
        return covariance < SAME_SCENE * deviations[0] * deviations[1]
