"""How near repairs come to the truth, beside what people use today; and how fast they are.

python tools/bench_repair.py runs/repair --footage actions             a table in markdown
python tools/bench_repair.py runs/repair --speed                       frames/s at 480x270, a hole of 64x64 that moves

Clips are those that the weights' own config holds out of this footage, damaged as in training but by a seed that no run
is trained with. All methods mend the same damaged clips, and what each makes counts in the damage alone; outside of it,
all have the truth. `found` is damage that nobody is told of: the network finds it, and all methods fill what it found,
so what it overlooks counts against all of them. Denoisers are given the true strength, and each is listed with the best
of four settings per kind of noise, chosen by the truth, which is more than anybody has in practice.

    PSNR        dB, of the mean squared error in the damage
    SSIM        Wang et al. 2004 as scikit-image computes it, mean over the damage
    features    distance of a network with random weights (vidgan.metrics), relative, in %: 0 is the same
    flow        mean difference, in levels, from the next frame along the truth's optical flow (OpenCV's DIS) in the
                damage: whether it moves like the truth, whose own is in the first row
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import typer

from vidgan.commands.terminal import console, mistakes_in_one_line
from vidgan.config import RepairConfig
from vidgan.errors import RequestError
from vidgan.footage.clips import ClipSampler
from vidgan.footage.damage import damage_clips
from vidgan.media.movie_writer import write_movie
from vidgan.metrics.frame_features import random_network
from vidgan.metrics.mending import DAMAGE_SEED
from vidgan.processor import machine_name, set_up_processor
from vidgan.progress import show_progress
from vidgan.review.repair_request import Wanted
from vidgan.review.repairs import Repair
from vidgan.sampling.repair import Mender, damage_in
from vidgan.sampling.stretches import View, in_stretches
from vidgan.survey import look_at_footage
from vidgan.weights import LoadedRepairer, load_repairer

# Rows of the table: what is damaged, and whether the hole is told.
GIVEN = ("box", "strokes", "text", "scratches", "dust", "dropouts")
FRAMES = ("missing",)
FOUND = ("scratches", "dust", "dropouts", "repeated")
NOISE = ("grain", "sensor")

# Settings of denoisers that are tried, as multiples of the strength of the noise.
MULTIPLES = (0.3, 0.6, 1.0, 1.6)


@dataclass(frozen=True)
class Case:
    """One damaged clip; frames uint8 [T, H, W, 3]."""

    truth: np.ndarray
    damaged: np.ndarray
    told: np.ndarray
    """What methods are told to fill, bool [T, H, W]; nothing where noise is to be taken off."""
    judged: np.ndarray
    """Where the clip is damaged, bool [T, H, W]."""
    strength: float
    """Standard deviation of the noise, in levels."""


Method = Callable[[Case], np.ndarray]


# ---- what people use today


def inpainted(case: Case, how: int) -> np.ndarray:
    """Each frame by itself; a frame without a clean pixel is that before it, or the first clean one."""
    result = []
    for frame, hole in zip(case.damaged, case.told, strict=True):
        result.append(cv2.inpaint(frame, hole.astype(np.uint8), 3, how) if not hole.all() else None)
    return _filled_up(result)


def _filled_up(frames: list[np.ndarray | None]) -> np.ndarray:
    known = [index for index, frame in enumerate(frames) if frame is not None]
    return np.stack([frames[min(known, key=lambda place: (abs(place - index), place))] for index in range(len(frames))])


def nearest_clean(case: Case) -> np.ndarray:
    """Each pixel from the nearest frame in which it is clean; where there is none, by Telea's method."""
    result = inpainted(case, cv2.INPAINT_TELEA) if not _all_frames(case) else case.damaged.copy()
    times = np.arange(len(result))
    for time_, row, column in np.argwhere(case.told):
        clean = times[~case.told[:, row, column]]
        if len(clean):
            nearest = clean[np.argmin(np.abs(clean - time_))]
            result[time_, row, column] = case.damaged[nearest, row, column]
    return result


def blended(case: Case) -> np.ndarray:
    """Each pixel from the nearest clean frames before and after, mixed by distance."""
    result = nearest_clean(case)
    times = np.arange(len(result))
    for time_, row, column in np.argwhere(case.told):
        clean = times[~case.told[:, row, column]]
        before, after = clean[clean < time_], clean[clean > time_]
        if len(before) and len(after):
            one, other = before[-1], after[0]
            pixels = case.damaged[[one, other], row, column].astype(float)
            result[time_, row, column] = np.rint(
                (pixels[0] * (other - time_) + pixels[1] * (time_ - one)) / (other - one)
            )
    return result


def _all_frames(case: Case) -> bool:
    return bool(case.told.all((1, 2)).all())


def non_local_means(case: Case, multiple: float) -> np.ndarray:
    """OpenCV, over frames where the clip has enough of them (Buades et al. 2005)."""
    strength = float(case.strength * multiple)
    frames, last = [frame[..., ::-1].copy() for frame in case.damaged], len(case.damaged) - 1
    result = []
    for index, frame in enumerate(frames):
        if 1 <= index < last:
            made = cv2.fastNlMeansDenoisingColoredMulti(frames, index, 3, None, strength, strength, 7, 21)
        else:
            made = cv2.fastNlMeansDenoisingColored(frame, None, strength, strength, 7, 21)
        result.append(made[..., ::-1])
    return np.stack(result)


def ffmpeg_filter(case: Case, description: str) -> np.ndarray:
    """A filter of the program ffmpeg, in YUV without subsampling: PyAV comes without hqdn3d."""
    num_frames, height, width, _ = case.damaged.shape
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24"]
    command = ["ffmpeg", "-v", "error", *raw, "-s", f"{width}x{height}", "-i", "-"]
    command += ["-vf", f"format=yuv444p,{description},format=rgb24", *raw, "-"]
    result = subprocess.run(
        command, input=np.ascontiguousarray(case.damaged).tobytes(), stdout=subprocess.PIPE, check=True
    )
    return np.frombuffer(result.stdout, np.uint8).reshape(num_frames, height, width, 3)


def high_quality_denoise_3d(case: Case, multiple: float) -> np.ndarray:
    """FFmpeg's hqdn3d."""
    strength = case.strength * multiple
    return ffmpeg_filter(case, f"hqdn3d={strength}:{strength}:{1.5 * strength}:{1.5 * strength}")


def ffmpeg_non_local_means(case: Case, multiple: float) -> np.ndarray:
    """FFmpeg's nlmeans."""
    return ffmpeg_filter(case, f"nlmeans=s={min(max(case.strength * multiple, 1), 30)}:p=7:r=15")


DENOISERS = {
    "OpenCV non-local means": non_local_means,
    "FFmpeg hqdn3d": high_quality_denoise_3d,
    "FFmpeg nlmeans": ffmpeg_non_local_means,
}
FILLERS: dict[str, Method] = {
    "OpenCV Telea": lambda case: inpainted(case, cv2.INPAINT_TELEA),
    "OpenCV Navier-Stokes": lambda case: inpainted(case, cv2.INPAINT_NS),
    "nearest clean frame": nearest_clean,
    "linear blending": blended,
}


# ---- what is measured


class Measures:
    """The four measures of a method, summed over clips."""

    def __init__(self) -> None:
        self._network = random_network()
        self._sums: dict[str, float] = defaultdict(float)

    def add(self, case: Case, made: np.ndarray) -> None:
        """What a method made of a clip, frames uint8 [T, H, W, 3]."""
        from skimage.metrics import structural_similarity

        judged = case.judged
        mended = np.where(judged[..., None], made, case.truth)
        self._sums["squares"] += float(np.square(mended.astype(float) - case.truth)[judged].sum())
        self._sums["voxels"] += 3 * judged.sum()
        flows = self._flow_differences(case, mended)
        for before, after in flows:
            self._sums["flow"] += before
            self._sums["flow_pixels"] += after
        for frame, truth, where in zip(mended, case.truth, judged, strict=True):
            if where.any():
                _, similar = structural_similarity(frame, truth, channel_axis=-1, data_range=255, full=True)
                self._sums["similar"] += float(similar.mean(-1)[where].sum())
                self._sums["pixels"] += where.sum()
                one, other = (self._features(picture) for picture in (frame, truth))
                self._sums["distance"] += float((one - other).norm() / other.norm())
                self._sums["frames"] += 1

    @torch.inference_mode()
    def _features(self, picture: np.ndarray) -> torch.Tensor:
        video = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None] / 127.5 - 1
        return self._network(video)

    @staticmethod
    def _flow_differences(case: Case, mended: np.ndarray) -> Iterator[tuple[float, int]]:
        """Sum of differences, and pixels, of each frame from the next along the truth's flow."""
        flow_of = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in case.truth]
        rows, columns = np.mgrid[: grey[0].shape[0], : grey[0].shape[1]].astype(np.float32)
        for index in range(len(mended) - 1):
            where = case.judged[index] | case.judged[index + 1]
            if where.any():
                flow = flow_of.calc(grey[index], grey[index + 1], None)
                places = columns + flow[..., 0], rows + flow[..., 1]
                moved = cv2.remap(mended[index + 1], *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                difference = np.abs(moved.astype(float) - mended[index]).mean(-1)
                yield float(difference[where].sum()), int(where.sum())

    @property
    def figures(self) -> dict[str, float]:
        """By name."""
        sums = self._sums
        return {
            "PSNR": 10 * np.log10(255**2 * sums["voxels"] / max(sums["squares"], 1e-9)),
            "SSIM": sums["similar"] / max(sums["pixels"], 1),
            "features": 100 * sums["distance"] / max(sums["frames"], 1),
            "flow": sums["flow"] / max(sums["flow_pixels"], 1),
        }


HIGHER_IS_BETTER = {"PSNR": True, "SSIM": True, "features": False, "flow": None}
DIGITS = {"PSNR": 2, "SSIM": 3, "features": 2, "flow": 2}


def measured(cases: list[Case], method: Method) -> dict[str, float]:
    """The figures of a method over all clips."""
    measures = Measures()
    for case in cases:
        measures.add(case, method(case))
    return measures.figures


def best_setting(cases: list[Case], denoise: Callable[[Case, float], np.ndarray]) -> dict[str, float]:
    """The figures of a denoiser with that setting whose PSNR is highest."""
    tried = (measured(cases, lambda case, multiple=multiple: denoise(case, multiple)) for multiple in MULTIPLES)
    return max(tried, key=lambda figures: figures["PSNR"])


# ---- ours


class Ours:
    """The network as `vidgan repair` uses it, what it expects."""

    def __init__(self, loaded: LoadedRepairer) -> None:
        self._loaded, data = loaded, loaded.provenance.config.data
        self._sizes = {"height": data.height, "width": data.width}

    def fill(self, case: Case) -> np.ndarray:
        """Holes filled."""
        mender = Mender(self._loaded.repairer, **self._sizes)
        mended = self._mended(case, case.told, mender.fill, everywhere=False)
        return _levels(view.picture if made is None else made for view, made in mended)

    def denoise(self, case: Case) -> np.ndarray:
        """Noise of the true strength taken off."""
        mender = Mender(self._loaded.repairer, **self._sizes, grain=case.strength / 127.5)
        return _levels(
            made for _, made in self._mended(case, np.zeros_like(case.told), mender.denoise, everywhere=True)
        )

    def find(self, case: Case) -> np.ndarray:
        """Where it finds damage, bool [T, H, W]."""
        mender = Mender(self._loaded.repairer, **self._sizes)
        mended = self._mended(case, np.zeros_like(case.told), mender.find, everywhere=True)
        return np.stack([damage_in(logits[..., 0]) for _, logits in mended])

    @staticmethod
    def _mended(
        case: Case, holes: np.ndarray, make: Callable, *, everywhere: bool
    ) -> Iterator[tuple[View, np.ndarray | None]]:
        pictures = case.damaged.astype(np.float32) / 255
        views = [View(picture, hole) for picture, hole in zip(pictures, holes, strict=True)]
        wanted = lambda view: everywhere or bool(view.hole.any())  # noqa: E731
        return in_stretches(iter(views), [range(len(views))], len(views), make, wanted=wanted)


def _levels(pictures: Iterator[np.ndarray]) -> np.ndarray:
    return np.stack([np.rint(picture.clip(0, 1) * 255).astype(np.uint8) for picture in pictures])


# ---- the table


def make_cases(frames: torch.Tensor, kind: str, settings: RepairConfig, *, given: bool) -> list[Case]:
    """Each clip damaged in one way, all of it told or nothing."""
    settings = settings.model_copy(update={"given": 1.0 if given else 0.0})
    damaged = damage_clips(frames, [kind] * len(frames), 0, settings, DAMAGE_SEED)
    cases = []
    for truth, clip, hole, found, grain in zip(
        frames.numpy(), damaged.frames.numpy(), damaged.hole.numpy(), damaged.found.numpy(), damaged.grain, strict=True
    ):
        judged = np.ones_like(hole) if kind in NOISE else hole | found
        cases.append(Case(truth, clip, hole, judged, float(grain) * 127.5))
    return cases


def rows_of(frames: torch.Tensor, settings: RepairConfig, ours: Ours, progress: Callable[[int, int], None]) -> Iterator:
    """(damage, {method: figures}, note) a row."""
    learnt = [kind for kind, share in settings.kinds.items() if share]
    plan = [(kind, True) for kind in (*GIVEN, *FRAMES) if kind in learnt]
    plan += [(kind, False) for kind in (*FOUND, *NOISE) if kind in learnt]
    for done, (kind, given) in enumerate(plan):
        progress(done, len(plan))
        cases, note = make_cases(frames, kind, settings, given=given), ""
        truth = {"the truth": measured(cases, lambda case: case.truth)}
        if kind in NOISE:
            figures = {"vidgan": measured(cases, ours.denoise)}
            there = {name: each for name, each in DENOISERS.items() if "OpenCV" in name or shutil.which("ffmpeg")}
            figures |= {name: best_setting(cases, denoise) for name, denoise in there.items()}
            figures["as it came"] = measured(cases, lambda case: case.damaged)
        else:
            if not given:
                cases, note = with_found(cases, ours)
            methods = {"vidgan": ours.fill} | FILLERS
            if kind in FRAMES:
                methods = {name: method for name, method in methods.items() if not name.startswith("OpenCV")}
            figures = {name: measured(cases, method) for name, method in methods.items()}
            if not given:
                figures["as it came"] = measured(cases, lambda case: case.damaged)
        yield (kind if given or kind in NOISE else f"{kind}, found"), truth | figures, note
    progress(len(plan), len(plan))


def with_found(cases: list[Case], ours: Ours) -> tuple[list[Case], str]:
    """The same clips, methods being told what the network finds, and how much of the damage that is."""
    found = [ours.find(case) for case in cases]
    right = sum(int((one & case.judged).sum()) for one, case in zip(found, cases, strict=True))
    all_found, all_there = sum(int(one.sum()) for one in found), sum(int(case.judged.sum()) for case in cases)
    words = (
        f"{right / max(all_there, 1):.0%} of the damage is found, {right / max(all_found, 1):.0%} of what is found is"
    )
    told = [Case(case.truth, case.damaged, one, case.judged, 0.0) for one, case in zip(found, cases, strict=True)]
    return told, words


def table(rows: Iterator) -> str:
    """Markdown; the best of each column is bold, and below stands where that is not ours."""
    lines, behind, notes = [], [], []
    lines.append("| damage | method | PSNR | SSIM | features | flow |\n|---|---|---|---|---|---|")
    for damage, figures, note in rows:
        of_truth = figures.pop("the truth")["flow"]
        distance = {"PSNR": -1, "SSIM": -1, "features": 1}
        key = {
            measure: (lambda found, sign=sign, measure=measure: sign * found[measure])
            for measure, sign in distance.items()
        }
        key["flow"] = lambda found, of_truth=of_truth: abs(found["flow"] - of_truth)
        best = {measure: min(figures, key=lambda name, m=measure: key[m](figures[name])) for measure in DIGITS}
        behind += [f"{damage} ({measure}: {name})" for measure, name in best.items() if name != "vidgan"]
        lines.append(f"| {damage} | the truth | | | | {of_truth:.2f} |")
        for name, found in figures.items():
            cells = [
                f"**{found[measure]:.{digits}f}**" if best[measure] == name else f"{found[measure]:.{digits}f}"
                for measure, digits in DIGITS.items()
            ]
            lines.append(f"| | {name} | {' | '.join(cells)} |")
        notes += [f"{damage}: {note}"] if note else []
    lines.append(f"\nAnother is better: {', '.join(behind) or 'nowhere'}.")
    return "\n".join([*lines, *notes])


# ---- speed


def measure_speed(loaded: LoadedRepairer, num_frames: int) -> str:
    """Frames/s of a movie of 480x270 with a hole of 64x64 that moves: of the whole command, and of mending alone."""
    height, width = 270, 480
    rows, columns = np.mgrid[:height, :width]
    frames = [
        np.stack([128 + 80 * np.sin((columns + 3 * index) / 25 + c) * np.cos(rows / 30) for c in range(3)], -1)
        for index in range(num_frames)
    ]
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.mkv", Path(folder) / "out.mkv"
        write_movie(source, (frame.clip(0, 255).astype(np.uint8) for frame in frames), rate=Fraction(24))
        box = f"0:20,60,64,64 {num_frames - 1}:380,140,64,64"
        seconds = 0.0
        original = Mender.fill

        def timed(self: Mender, *args: object) -> torch.Tensor:
            nonlocal seconds
            began = time.perf_counter()
            made = original(self, *args)
            seconds += time.perf_counter() - began
            return made

        Mender.fill = timed
        began, began_processor = time.perf_counter(), time.process_time()
        Repair(loaded, source, target, Wanted(boxes=(box,))).write()
        whole, processor = time.perf_counter() - began, time.process_time() - began_processor
        Mender.fill = original
    return (
        f"{num_frames / whole:.2f} frames/s from movie to movie, {num_frames / seconds:.2f} of mending alone, "
        f"{num_frames / processor:.2f} for each second of processor time "
        f"({num_frames} frames of 480x270, a hole of 64x64 that moves; {machine_name()}, {date.today()})"
    )


@mistakes_in_one_line
def main(
    weights: Annotated[str, typer.Argument(help="A run folder or a weights file of model.family=repair")],
    footage: Annotated[Path | None, typer.Option(help="The footage it was trained on")] = None,
    clips: Annotated[int, typer.Option(min=1, help="Clips for each kind of damage")] = 48,
    speed: Annotated[bool, typer.Option("--speed", help="Measure frames/s instead")] = False,
    frames: Annotated[int, typer.Option(min=2, help="With --speed: how many frames")] = 96,
) -> None:
    """Print the table, or the speed."""
    set_up_processor()
    cv2.setNumThreads(1)
    loaded = load_repairer(weights)
    if speed:
        typer.echo(measure_speed(loaded, frames))
        return
    if footage is None:
        raise RequestError("state the footage that the weights were trained on (--footage), or --speed")
    config = loaded.provenance.config
    held_out = look_at_footage(footage, config.data, console).held_out()
    if held_out is None:
        raise RequestError(f"{footage}: nothing is held out of it (data.holdout is {config.data.holdout:g})")
    sampler = ClipSampler(held_out, num_frames=config.data.num_frames, frame_stride=config.data.frame_stride, seed=1)
    truth, _ = sampler.batch(0, clips)
    with show_progress(console, "comparing", "kinds of damage") as progress:
        rows = list(rows_of(truth, config.repair, Ours(loaded), progress))
    shots = len(held_out.frames)
    typer.echo(f"{clips} clips a kind, from {shots} held-out shots; {loaded.provenance.num_clips / 1000:g} kclips\n")
    typer.echo(table(iter(rows)))


if __name__ == "__main__":
    typer.run(main)
