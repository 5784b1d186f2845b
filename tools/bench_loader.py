"""What reading footage costs, against the best that others do with the same bytes, in one run.

python tools/bench_loader.py

Three comparisons: clips from the prepared cache against a bare copy of the same bytes; clips straight from 1080p movies
against torchcodec and OpenCV; a scan against `ffmpeg -f null`. The sides take turns at the same clips. Time is the
processor's, of all threads and child processes together: rates are those of one core, and other programs on the machine
count as little as they can. A ratio is the median of the turns' ratios; above 1, vidgan is the faster.

Each frame of the movies carries its index in black and white squares, which is read from every picture of every side.
"""

from __future__ import annotations

import platform
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, NamedTuple

import av
import numpy as np
import torch
import typer
from torch.nn import functional

from vidgan.commands.terminal import mistakes_in_one_line
from vidgan.config import DataConfig
from vidgan.errors import VidganError
from vidgan.footage.clips import ClipSampler
from vidgan.footage.look import SMALL_SIDE
from vidgan.footage.prepare import PreparedFootage
from vidgan.footage.scan_movie import scan_movie
from vidgan.media.encoding import FrameEncoder
from vidgan.media.movies import read_movie

NUM_FRAMES, BATCH_SIZE, RATE = 16, 16, Fraction(24)

# Black or white squares along the top of a frame, the lowest bit first; a square is a sixteenth of the width.
INDEX_BITS = 10

TURNS_NOT_COUNTED, LEAST_TURNS = 1, 3

# Steps of the golden ratio spread any number of clips evenly over a movie.
GOLDEN = 0.6180339887

Read = Callable[[int], Sequence[np.ndarray]]
"""From the index of the first frame to NUM_FRAMES pictures uint8 [H, W, 3], in the form that is the reader's own."""


class Sizes(NamedTuple):
    """How much of everything is made."""

    num_shots: int
    frames_per_shot: int
    height: int
    width: int
    h264_frames: int
    prores_frames: int


FULL = Sizes(num_shots=20, frames_per_shot=200, height=1080, width=1920, h264_frames=300, prores_frames=60)
QUICK = Sizes(num_shots=2, frames_per_shot=20, height=144, width=256, h264_frames=40, prores_frames=20)


class Row(NamedTuple):
    """A line of the table."""

    what: str
    ours: str
    theirs: str
    who: str
    ratio: str
    remark: str


@mistakes_in_one_line
def main(
    seconds: Annotated[float, typer.Option(help="Time for each comparison, after a warm-up")] = 25.0,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny files and few turns: does it run?")] = False,
) -> None:
    """Measure the prepared cache, direct reads and the scan."""
    sizes, seconds = (QUICK, 0.0) if quick else (FULL, seconds)
    torch.set_num_threads(1)
    typer.echo(machine() + "\n")
    head = Row("per core", "vidgan", "the other", "which", "ratio", "remark")
    for row in (head, Row(*["---"] * len(head)), *measured(sizes, seconds)):
        typer.echo(f"| {' | '.join(row)} |")


def measured(sizes: Sizes, seconds: float) -> Iterator[Row]:
    """All rows, each as soon as it is known."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for side in (64, 256):
            yield compare_cache(folder, side, sizes, seconds / 3)
        h264, prores = folder / "h264.mp4", folder / "prores.mov"
        make_h264(h264, pictures(sizes.h264_frames, sizes.height, sizes.width))
        make_prores(prores, pictures(sizes.prores_frames, sizes.height, sizes.width))
        size = f"{sizes.width}x{sizes.height}"
        yield from compare_reads(f"{NUM_FRAMES} frames of H.264 {size}", h264, sizes.h264_frames, seconds)
        yield from compare_reads(f"{NUM_FRAMES} frames of ProRes 422 HQ {size}", prores, sizes.prores_frames, seconds)
        yield from compare_scan(f"scan of H.264 {size}", h264, sizes.h264_frames, seconds)


# Taking turns.


def turns(
    sides: dict[str, Callable[[int], object]],
    seconds: float,
    check: Callable[[int, str, object], None] = lambda turn, name, result: None,
) -> dict[str, list[float]]:
    """CPU seconds of each side, called with the turn's number; what it returned goes to `check`, untimed."""
    spent: dict[str, list[float]] = {name: [] for name in sides}
    began, turn, order = time.perf_counter(), 0, np.random.default_rng(0)
    while turn < TURNS_NOT_COUNTED + LEAST_TURNS or time.perf_counter() - began < seconds:
        # In another order each turn: who comes after whom decides what is in the processor's caches.
        for name in order.permutation(list(sides)).tolist():
            before = cpu_seconds()
            result = sides[name](turn)
            spent[name].append(cpu_seconds() - before)
            check(turn, name, result)
            del result
        turn += 1
    return {name: values[TURNS_NOT_COUNTED:] for name, values in spent.items()}


def cpu_seconds() -> float:
    """Of all threads of this process and of the children that ended."""
    uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


def rate_of(spent: list[float], per_turn: int, unit: str) -> str:
    """As many a second of one core."""
    rate = per_turn * len(spent) / sum(spent)
    return f"{rate:,.0f} {unit}/s" if rate >= 100 else f"{rate:.3g} {unit}/s"


def ratio_of(ours: list[float], theirs: list[float]) -> str:
    """How many times as fast as theirs ours is."""
    return f"{median(their / our for our, their in zip(ours, theirs, strict=True)):.2f}"


# Clips from the prepared cache.


def compare_cache(folder: Path, side: int, sizes: Sizes, seconds: float) -> Row:
    """The sampler's batches against copies of the same slices in the same order."""
    footage = make_prepared(folder, side, sizes)
    sampler = ClipSampler(footage, num_frames=NUM_FRAMES, frame_stride=1, seed=0)
    order = [slices_of(sampler, turn) for turn in range(500)]

    def batch(turn: int) -> np.ndarray:
        return sampler.batch(turn % len(order) * BATCH_SIZE, BATCH_SIZE)[0].numpy()

    def bare_copy(turn: int) -> np.ndarray:
        video = np.empty((BATCH_SIZE, NUM_FRAMES, side, side, 3), np.uint8)
        for clip, (shot, first) in zip(video, order[turn % len(order)], strict=True):
            clip[...] = footage.frames[shot][first : first + NUM_FRAMES]
        return video

    if not np.array_equal(batch(1), bare_copy(1)):
        raise VidganError("the sampler's batch is not what the bare copy holds; the comparison would mean nothing")
    spent = turns({"vidgan": batch, "copy": bare_copy}, seconds)
    rates = (rate_of(values, BATCH_SIZE, "clips") for values in spent.values())
    what = f"batch of {BATCH_SIZE} prepared clips, {side}x{side}x{NUM_FRAMES}"
    return Row(what, *rates, "bare copy", ratio_of(*spent.values()), "same bytes")


def make_prepared(folder: Path, side: int, sizes: Sizes) -> PreparedFootage:
    """Random pictures, on disk and mapped as prepared footage is."""
    draws, frames = np.random.default_rng(0), []
    for index in range(sizes.num_shots):
        path = folder / f"{side}_{index}.npy"
        np.save(path, draws.integers(0, 256, (sizes.frames_per_shot, side, side, 3), np.uint8))
        frames.append(np.load(path, mmap_mode="r").view(np.ndarray))
    labels = (0,) * len(frames)
    return PreparedFootage(tuple(frames), labels, class_names=(), rate=RATE, notes=(), manifest_hash="")


def slices_of(sampler: ClipSampler, turn: int) -> list[tuple[int, int]]:
    """Shot and first frame of each clip of a batch; the shots are equally long."""
    positions = sampler.positions(turn * BATCH_SIZE, BATCH_SIZE)
    return [divmod(int(position), sampler.num_clips // len(sampler.footage.frames)) for position in positions]


# Clips straight from a movie.


def compare_reads(what: str, path: Path, num_frames: int, seconds: float) -> Iterator[Row]:
    """vidgan, which opens the file for each clip, against peers that do the same and peers that keep it open."""
    peers, absent = peers_at(path)
    ours = {
        "1 thread": lambda first: read_ours(path, first, num_threads=1),
        "2 threads": lambda first: read_ours(path, first, num_threads=2),
    }
    readers: dict[str, Read] = ours | peers
    wrong, turns_of, thinned = dict.fromkeys(readers, 0), dict.fromkeys(readers, 0), {}

    def first_of(turn: int) -> int:
        return int((turn + 0.5) * GOLDEN % 1 * (num_frames - NUM_FRAMES + 1))

    def check(turn: int, name: str, frames: Sequence[np.ndarray]) -> None:
        expected = range(first_of(turn), first_of(turn) + NUM_FRAMES)
        right = [frame for frame, index in zip(frames, expected, strict=False) if index_in(frame) == index]
        wrong[name] += NUM_FRAMES - len(right)
        turns_of[name] += 1
        if turn == 0 and len(right) == NUM_FRAMES:
            thinned[name] = np.stack([frame[::4, ::4] for frame in frames]).astype(int)

    sides = {name: (lambda turn, read=read: read(first_of(turn))) for name, read in readers.items()}
    spent = turns(sides, seconds, check)
    mine = spent["1 thread"]
    for name, values in spent.items():
        remark = f"WRONG: {wrong[name]} of {turns_of[name] * NUM_FRAMES} frames are others"
        if not wrong[name]:
            remark = f"same frames, {np.abs(thinned[name] - thinned['1 thread']).mean():.1f} levels apart"
        who = f"vidgan, {name}" if name in ours else name
        if name != "1 thread":
            rates = (rate_of(each, 1, "clips") for each in (mine, values))
            yield Row(what, *rates, who, ratio_of(mine, values), remark)
        elif wrong[name]:
            raise VidganError(f"vidgan read {wrong[name]} frames that were not asked for; nothing else matters")
    for name, reason in absent.items():
        yield Row(what, rate_of(spent["1 thread"], 1, "clips"), "-", name, "-", reason)


def read_ours(path: Path, first: int, *, num_threads: int) -> list[np.ndarray]:
    """As preparing reads a shot whose timestamps the scan has found to ascend."""
    where = {"start": first, "stop": first + NUM_FRAMES, "start_seconds": first / RATE, "within": 1 / (2 * RATE)}
    return [frame.rgb() for frame in read_movie(path, **where, num_threads=num_threads)]


def peers_at(path: Path) -> tuple[dict[str, Read], dict[str, str]]:
    """Readers of this movie, and those that there are not with the reason."""
    peers, absent = {}, {}
    for name, peers_of in (("torchcodec", torchcodec_at), ("OpenCV", opencv_at)):
        try:
            peers |= peers_of(path)
        except (ImportError, OSError, RuntimeError) as error:  # the last two: no FFmpeg that torchcodec could load
            absent[name] = f"cannot be used: {str(error).strip().splitlines()[0]}"
    return peers, absent


def torchcodec_at(path: Path) -> dict[str, Read]:
    """Both ways to seek, with the decoder kept open and made anew; one thread."""
    from torchcodec.decoders import VideoDecoder

    def opened(seek_mode: str) -> VideoDecoder:
        return VideoDecoder(path, seek_mode=seek_mode, num_ffmpeg_threads=1, dimension_order="NHWC")

    def read(decoder: VideoDecoder, first: int) -> np.ndarray:
        return decoder.get_frames_in_range(first, first + NUM_FRAMES).data.numpy()

    readers = {}
    for seek_mode in ("exact", "approximate"):
        kept = opened(seek_mode)
        readers[f"torchcodec {seek_mode}, kept open"] = lambda first, kept=kept: read(kept, first)
        readers[f"torchcodec {seek_mode}, opened each time"] = lambda first, mode=seek_mode: read(opened(mode), first)
    return readers


def opencv_at(path: Path) -> dict[str, Read]:
    """With the movie kept open and opened anew; one thread."""
    import cv2

    cv2.setNumThreads(1)

    def opened() -> cv2.VideoCapture:
        return cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])

    def read(capture: cv2.VideoCapture, first: int) -> list[np.ndarray]:
        capture.set(cv2.CAP_PROP_POS_FRAMES, first)
        frames = (capture.read() for _ in range(NUM_FRAMES))
        return [cv2.cvtColor(frame, cv2.COLOR_BGR2RGB) for good, frame in frames if good]

    kept = opened()
    return {
        "OpenCV, kept open": lambda first: read(kept, first),
        "OpenCV, opened each time": lambda first: read(opened(), first),
    }


# A scan.


def compare_scan(what: str, path: Path, num_frames: int, seconds: float) -> Iterator[Row]:
    """A scan to its end against FFmpeg, and where its time goes."""
    # Damaged pictures are reported from two threads on; a scan has no fewer, so FFmpeg gets as many.
    num_threads = 2
    data = DataConfig()

    def scan(turn: int) -> None:
        found = result_of(scan_movie(path, path.parent, data, num_threads))
        if not found.shots or found.shots[0].source_frames_counted != num_frames:
            raise VidganError(f"the scan did not count {num_frames} frames: {found.shots} {found.notes}")

    def decode(turn: int) -> None:
        with av.open(path) as container:
            container.streams.video[0].thread_type = "AUTO"
            container.streams.video[0].codec_context.thread_count = num_threads
            for _ in container.decode(video=0):
                pass

    program = shutil.which("ffmpeg")
    command = [program, "-v", "error", "-threads", str(num_threads), "-i", path, "-map", "0:v", "-f", "null", "-"]
    sides = {"scan": scan, "decode": decode}
    if program:
        sides["ffmpeg"] = lambda turn: subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    spent = turns(sides, seconds)
    ours = rate_of(spent["scan"], num_frames, "frames")
    if program:
        theirs = rate_of(spent["ffmpeg"], num_frames, "frames")
        yield Row(what, ours, theirs, "ffmpeg -f null", ratio_of(spent["scan"], spent["ffmpeg"]), ffmpeg_version())
    else:
        yield Row(what, ours, "-", "ffmpeg -f null", "-", "ffmpeg is not installed")
    scanning, decoding = (median(spent[name]) / num_frames for name in ("scan", "decode"))
    shrinking = seconds_to_shrink(path)
    looking = max(0.0, scanning - decoding - shrinking)
    parts = f"{decoding * 1000:.1f} ms decoding, {shrinking * 1000:.1f} making it small, {looking * 1000:.1f} looking"
    theirs = rate_of(spent["decode"], num_frames, "frames")
    ratio = ratio_of(spent["scan"], spent["decode"])
    yield Row(what, ours, theirs, "PyAV, decoding alone", ratio, f"a frame: {parts}")


def seconds_to_shrink(path: Path) -> float:
    """For each frame, of some that are decoded before."""
    frames = list(read_movie(path, stop=32, deinterlace=False))
    frames[0].small(SMALL_SIDE)
    before = cpu_seconds()
    for frame in frames:
        frame.small(SMALL_SIDE)
    return (cpu_seconds() - before) / len(frames)


def result_of(task: Generator[float, None, object]) -> object:
    """What a generator returns at its end."""
    while True:
        try:
            next(task)
        except StopIteration as end:
            return end.value


# Movies to read.


def pictures(num_frames: int, height: int, width: int) -> Iterator[np.ndarray]:
    """uint8 [H, W, 3]: a landscape of noise at all scales gliding by under film grain, with its index in squares."""
    draws, side = torch.Generator().manual_seed(0), width // 16
    margin = 2 * num_frames
    size = (height + margin, width + margin)
    land = torch.zeros(1, 3, *size)
    for octave in range(1, 9):
        coarse = torch.randn(1, 3, 2**octave, 2**octave, generator=draws)
        land += functional.interpolate(coarse, size=size, mode="bicubic") * 0.65**octave
    low, high = land.min(), land.max()
    land = ((land - low) * (235 / (high - low)) + 10)[0].permute(1, 2, 0).numpy()
    grain = np.random.default_rng(0).normal(0, 3, (height + 64, width + 64, 1)).astype(np.float32)
    for index in range(num_frames):
        row, column = 37 * index % 64, 53 * index % 64
        frame = land[index : index + height, 2 * index : 2 * index + width]
        frame = (frame + grain[row : row + height, column : column + width]).clip(0, 255).astype(np.uint8)
        for bit in range(INDEX_BITS):
            frame[:side, bit * side : (bit + 1) * side] = 255 * (index >> bit & 1)
        yield frame


def index_in(picture: np.ndarray) -> int:
    """The index that the squares say."""
    side = picture.shape[1] // 16
    middle = side // 2
    return sum(int(picture[middle, bit * side + middle].mean() > 127) << bit for bit in range(INDEX_BITS))


def make_h264(path: Path, frames: Iterator[np.ndarray]) -> None:
    """As review tools write it: 4:2:0, three B-frames from one P-frame to the next, keyframes 250 frames apart."""
    options = {"preset": "veryfast", "crf": "20", "bf": "3", "b_strategy": "0", "g": "250", "sc_threshold": "0"}
    encode(path, frames, "libx264", "yuv420p", options)


def make_prores(path: Path, frames: Iterator[np.ndarray]) -> None:
    """As editors write it: 4:2:2 in 10 bits, each frame on its own."""
    encode(path, frames, "prores_ks", "yuv422p10le", {"profile": "hq", "vendor": "apl0"})


def encode(path: Path, frames: Iterator[np.ndarray], codec: str, form: str, options: dict[str, str]) -> None:
    """A movie tagged as Rec.709."""
    encoder, stream = FrameEncoder("yuv420p"), None
    with av.open(path, "w") as out:
        for index, picture in enumerate(frames):
            frame = encoder.frame(picture)
            if stream is None:
                stream = out.add_stream(codec, rate=RATE, options=options)
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, form
                context = stream.codec_context
                context.colorspace, context.color_range = frame.colorspace, frame.color_range
                context.color_primaries, context.color_trc = frame.color_primaries, frame.color_trc
            frame = frame.reformat(format=form)
            frame.pts, frame.time_base = index, 1 / RATE
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


# What it ran on.


def machine() -> str:
    """Processor and versions in a line."""
    names = [line.partition(":")[2].strip() for line in cpu_lines() if line.startswith("model name")]
    libraries = ", ".join(f"{name} {version_of(name)}" for name in ("torch", "av", "torchcodec", "opencv-python"))
    return f"{names[0] if names else platform.processor() or platform.machine()}; {libraries}; {ffmpeg_version()}"


def cpu_lines() -> list[str]:
    """Linux's words on the processor; none elsewhere."""
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def version_of(distribution: str) -> str:
    """Of an installed one."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def ffmpeg_version() -> str:
    """Of the program that a scan is compared to, and of PyAV's libraries."""
    program = shutil.which("ffmpeg")
    if program is None:
        return "no ffmpeg program"
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=True).stdout
    return f"ffmpeg {said.split()[2]}, PyAV's own {av.ffmpeg_version_info}"


if __name__ == "__main__":
    typer.run(main)
