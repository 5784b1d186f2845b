"""Mutants: damaged files by the thousand. Each ends in a verdict, and none harms another, its parent or the clock.

Mutant n of a seed is a pure function of (seed, n) and the whole files it is made from, so that a number is all that is
needed to have one again: `mutant(whole_files, SEED, 1234)`.
"""

import os
import re
import shutil
import signal
import sys
import time
from collections import Counter, defaultdict
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import OpenImageIO as oiio
import pytest

from vidgan.config import DataConfig
from vidgan.footage import workers
from vidgan.footage.prepare import prepare_footage
from vidgan.footage.scan import scan_footage
from vidgan.footage.select import select_shots

SEED = 20

# What each source may take here; by default it is 60 seconds of silence, and the machine's memory by its cores.
LIMITS = {"silence_seconds": 20, "memory_bytes": 4 << 30}

SETTINGS = DataConfig(height=8, width=8, num_frames=2, rate=24, holdout=0, leave_out=())

# On average, on two cores that others use, too.
SECONDS_EACH = 2.0

BATCH = 250

# With torch, and pictures up to full HD; more, and something is kept of each file.
MOST_MEGABYTES = 1500

LARGEST_BYTES = 400_000

# By what a note says; "bug" is ours and not the file's.
ODD = {
    "bug": r"unexpected \w+:|\b[A-Z]\w*(Error|Exception)\b|Traceback",
    "crashed": "the decoder (crashed|ended its process|was killed)",
    "silent": "no frame for",
    "memory": "needed more than",
}
VERDICTS = ("in full", "shorter", "in part", "refused", *ODD)


# Whole files


def moving_pictures(num_frames=24, height=48, width=64):
    """uint8 [T, H, W, 3]: a disc over a ramp, with some grain."""
    y, x = np.mgrid[:height, :width]
    grain = np.random.default_rng(0)
    for index in range(num_frames):
        disc = (y - height / 2) ** 2 + (x - 10 - 2 * index) ** 2 < 100
        picture = np.stack([4 * x % 256, 5 * y % 256, np.where(disc, 230, 40)], -1)
        yield (picture + grain.integers(0, 12, picture.shape)).clip(0, 255).astype(np.uint8)


# name: encoder, pixel format, options
MOVIES = {
    "ffv1.mkv": ("ffv1", "bgr0", {}),
    "h264.mp4": ("libx264", "yuv420p", {"g": "8"}),
    "h264.ts": ("libx264", "yuv420p", {"g": "8"}),
    "mpeg2.mpg": ("mpeg2video", "yuv420p", {}),
    "prores.mov": ("prores_ks", "yuv422p10le", {}),
    "mjpeg.avi": ("mjpeg", "yuvj420p", {}),
}

# name: pixel format, attributes
STILLS = {
    "png.png": ("uint8", {}),
    "16_bits.png": ("uint16", {}),
    "dpx.dpx": ("uint10", {"oiio:BitsPerSample": 10}),
    "zip_half.exr": ("half", {"compression": "zip"}),
    "zip_float.exr": ("float", {"compression": "zip"}),
    "half.exr": ("half", {"compression": "none"}),
    "float.exr": ("float", {"compression": "none"}),
    "tiff.tif": ("uint16", {"compression": "lzw"}),
    "jpeg.jpg": ("uint8", {}),
}


def write_movie(path, codec, form, options):
    with av.open(path, "w") as out:
        stream = out.add_stream(codec, rate=Fraction(24), options=options)
        stream.pix_fmt, stream.height, stream.width = form, 48, 64
        for index, picture in enumerate(moving_pictures()):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=form)
            frame.pts, frame.time_base = index, Fraction(1, 24)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def write_picture(path, form, attributes):
    picture = next(moving_pictures()).astype(np.float32) / 255
    spec = oiio.ImageSpec(picture.shape[1], picture.shape[0], 3, "uint16" if form == "uint10" else form)
    for name, value in attributes.items():
        spec.attribute(name, value)
    out = oiio.ImageOutput.create(str(path))
    assert out.open(str(path), spec), out.geterror()
    assert out.write_image(picture), out.geterror()
    out.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """[(name, bytes)] of whole files, made here."""
    folder = tmp_path_factory.mktemp("whole")
    for name, how in MOVIES.items():
        write_movie(folder / name, *how)
    for name, how in STILLS.items():
        write_picture(folder / name, *how)
    return [(f"made_{name}", (folder / name).read_bytes()) for name in (*MOVIES, *STILLS)]


# Mutators: (bytes, random numbers) -> bytes


def log_uniform(rng, least, most):
    return round(np.exp(rng.uniform(np.log(least), np.log(max(least, most)))))


def stretch(content, rng):
    """[start, stop) of up to a quarter of the content, short ones as often as long ones."""
    length = log_uniform(rng, 1, len(content) // 4)
    start = int(rng.integers(len(content) - length + 1))
    return start, start + length


def with_flipped_bits(content, rng):
    flipped = bytearray(content)
    for bit in rng.integers(8 * len(content), size=log_uniform(rng, 1, 400)):
        flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


def truncated(content, rng):
    return content[: int(rng.integers(len(content)))]


def with_two_chunks_swapped(content, rng):
    (a, b), (c, d) = sorted([stretch(content, rng), stretch(content, rng)])
    b, d = min(b, c), max(c, d)
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


def with_a_chunk_removed(content, rng):
    start, stop = stretch(content, rng)
    return content[:start] + content[stop:]


def with_a_chunk_repeated(content, rng):
    start, stop = stretch(content, rng)
    return content[:stop] + content[start:stop] * int(rng.integers(1, 4)) + content[stop:]


def with_a_zeroed_range(content, rng):
    start, stop = stretch(content, rng)
    return content[:start] + bytes(stop - start) + content[stop:]


def with_an_edited_header(content, rng):
    """One to eight numbers in the header replaced: by random bytes, or by the extremes that break arithmetic."""
    start, stop = header_of(content)
    edited = bytearray(content)
    for _ in range(log_uniform(rng, 1, 8)):
        width = int(rng.choice([1, 2, 4, 8]))
        largest = (1 << 8 * width - 1) - 1
        signed = (largest.to_bytes(width, "big"), largest.to_bytes(width, "little"))
        numbers = (rng.bytes(width), bytes(width), b"\xff" * width, *signed)
        place = start + int(rng.integers(max(1, stop - start - width)))
        edited[place : place + width] = numbers[rng.integers(len(numbers))]
    return bytes(edited[: len(content)])


def header_of(content):
    """[start, stop) of the moov box of an MP4 or QuickTime file, wherever it lies; else of the first 1,024 bytes."""
    start = 0
    while start + 8 <= len(content):
        size, kind = int.from_bytes(content[start : start + 4]), content[start + 4 : start + 8]
        if kind == b"moov":
            return start, min(start + size, len(content))
        if size < 8 or not kind.isalnum():
            break
        start += size
    return 0, min(1024, len(content))


MUTATORS = (
    with_flipped_bits,
    truncated,
    with_two_chunks_swapped,
    with_a_chunk_removed,
    with_a_chunk_repeated,
    with_a_zeroed_range,
    with_an_edited_header,
)


def mutant(whole_files, seed, number):
    """(its name, its bytes, the name of the whole file): all of them take turns, with a mutator drawn by chance.

    No digit precedes the suffix: as frames of a sequence, stills would share a verdict.
    """
    rng = np.random.default_rng([seed, number])
    whole, content = whole_files[number % len(whole_files)]
    mutator = MUTATORS[rng.integers(len(MUTATORS))]
    return f"m{number:04d}_{mutator.__name__}{Path(whole).suffix}", mutator(content, rng), whole


# Their verdicts


def verdict(num_frames, reasons, num_frames_of_whole):
    """One of VERDICTS; "shorter" is a file that gives fewer frames than the whole one, and no word on it."""
    assert num_frames or reasons, "neither in a shot nor in a note"
    for odd, pattern in ODD.items():
        if any(re.search(pattern, reason) for reason in reasons):
            return odd
    if not num_frames:
        return "refused"
    if reasons:
        return "in part"
    return "shorter" if num_frames < num_frames_of_whole else "in full"


def table(rows):
    """[(row, verdict)] -> the counts, as text."""
    counts = Counter(rows)
    names = sorted({row for row, _ in counts})
    lines = [("", *VERDICTS), *((row, *(counts[row, each] for each in VERDICTS)) for row in names)]
    lines.append(("all", *(sum(counts[row, each] for row in names) for each in VERDICTS)))
    width = max(len(line[0]) for line in lines)
    return "\n".join(f"{name:{width}}" + "".join(f"{cell:>9}" for cell in cells) for name, *cells in lines)


class Scanned:
    """What became of the mutants of some whole files."""

    def __init__(self, folder, whole_files):
        self.folder, self.whole_files = folder, whole_files
        self.lines, self.rows, self.odd = [], [], []
        root = folder / "whole"
        root.mkdir()
        for name, content in whole_files:
            (root / name).write_bytes(content)
        self.frames_of_whole = frames_and_reasons(scan_footage(root, SETTINGS))[0]

    def add(self, numbers, progress=None):
        """Write these mutants into one folder and scan it; every file must be in a shot or a note."""
        root = self.folder / f"mutants_{numbers.start}"
        root.mkdir()
        origin = {}
        for number in numbers:
            name, content, whole = mutant(self.whole_files, SEED, number)
            (root / name).write_bytes(content)
            origin[name] = whole
        began = time.monotonic()
        scan = scan_footage(root, SETTINGS, progress=progress)
        seconds = time.monotonic() - began
        frames, reasons = frames_and_reasons(scan)
        assert {*frames, *reasons} == {*origin}
        for name, whole in origin.items():
            found = verdict(frames[name], reasons[name], self.frames_of_whole[whole])
            self.rows += [(Path(name).suffix, found), (name.partition("_")[2].partition(".")[0], found)]
            if found in ODD:
                self.odd.append((found, f"{name} of {whole}: {'; '.join(reasons[name])}"))
        self.lines.append(f"{numbers.start:4d} to {numbers.stop - 1}: {seconds:.1f} s, {memory_in_words()}")
        print(self.lines[-1], flush=True)
        assert seconds / len(numbers) < SECONDS_EACH, self.report()
        return scan

    def bugs(self):
        """Files on which our code failed in a way that it did not foresee."""
        return [line for odd, line in self.odd if odd == "bug"]

    def report(self):
        """Where time and memory went, the counts by format and by mutator, and each odd file."""
        by_format = [row for row in self.rows if row[0].startswith(".")]
        by_mutator = [row for row in self.rows if not row[0].startswith(".")]
        return "\n".join(["", *self.lines, table(by_format), table(by_mutator), *(line for _, line in self.odd)])


def frames_and_reasons(scan):
    """By source: how many frames are in shots, and what the notes say, and the shots of what is missing in between."""
    frames, reasons = Counter(), defaultdict(list)
    for shot in scan.shots:
        frames[shot.source] += shot.num_frames
        reasons[shot.source] += [about for about in shot.notes if "in time" in about]
    for note in scan.notes:
        reasons[note.source].append(note.reason)
    return frames, reasons


def prepare(scan):
    """Prepare the shots of a scan: each gives the frames that were promised, or ends in a note."""
    selection = select_shots(scan, SETTINGS)
    assert len(selection.shots) + len(selection.notes) == len(scan.shots) + len(scan.notes)
    prepared = prepare_footage(selection, SETTINGS)
    failed = prepared.notes[len(selection.notes) :]
    assert len(prepared.frames) + len(failed) == len(selection.shots)
    assert not [note for note in failed if re.search(ODD["bug"], note.reason)]
    promised = [len(chosen.frames) for chosen in selection.shots]
    assert Counter(len(frames) for frames in prepared.frames) <= Counter(promised)
    return len(prepared.frames), failed


def worker_processes():
    """Numbers of the children of this process that are workers, or dead and not asked for. Linux only."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if int(parent) == os.getpid() and (not command or b"\0vidgan.footage.worker\0" in command):
            found.append(int(folder.name))
    return found


def memory_in_words():
    of_workers = " and ".join(str(megabytes(worker)) for worker in worker_processes())
    return f"{megabytes(os.getpid())} MB, workers {of_workers or 'at most 0'} MB"


def megabytes(process):
    """Resident memory; 0 if it is gone. Linux only."""
    try:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) // 1000 if found else 0


@pytest.fixture
def limited(monkeypatch):
    """Scanning and preparing under LIMITS; in the end no worker is left."""
    run = partial(workers.run_in_workers, **LIMITS)
    monkeypatch.setattr("vidgan.footage.scan.run_in_workers", run)
    # One worker, because each imports torch first.
    monkeypatch.setattr("vidgan.footage.prepare.run_in_workers", partial(run, num_workers=1))
    yield
    assert len(worker_processes()) <= workers.num_cores()
    while workers._resting:
        workers._resting.pop().end()
    assert worker_processes() == []


# Tests


def test_mutant_n_is_the_same_mutant_every_time(made):
    for number in range(2 * len(MUTATORS)):
        name, content, whole = mutant(made, SEED, number)
        assert (name, content, whole) == mutant(list(made), SEED, number)
        assert (name, content) != mutant(made, SEED + 1, number)[:2]


def test_the_moov_box_is_found_wherever_it_lies():
    def box(kind, size):
        return (size + 8).to_bytes(4) + kind + bytes(size)

    assert header_of(box(b"ftyp", 16) + box(b"mdat", 5000) + box(b"moov", 300)) == (24 + 5008, 24 + 5008 + 308)
    assert header_of(box(b"ftyp", 16) + box(b"moov", 300)[:100]) == (24, 124)
    assert header_of(bytes(5000)) == (0, 1024)
    assert header_of(b"\x89PNG") == (0, 4)


def test_each_of_60_mutants_ends_in_a_verdict(made, tmp_path, limited):
    scanned = Scanned(tmp_path, made)
    assert set(scanned.frames_of_whole.values()) == {1, 24}
    scan = scanned.add(range(60))
    print(scanned.report())
    assert not scanned.bugs(), scanned.report()
    assert scan_footage(scan.root, SETTINGS) == scan  # as remembered
    prepare(scan)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
def test_a_worker_that_dies_costs_its_file_only(made, tmp_path, limited):
    calls, scanned = [], Scanned(tmp_path, made)

    def kill_one(done, total):
        calls.append(done)
        if len(calls) == 10:
            os.kill(worker_processes()[0], signal.SIGSEGV)

    scanned.add(range(60), progress=kill_one)
    assert [line.partition(": ")[2] for _, line in scanned.odd] == ["the decoder crashed (signal SIGSEGV)"]
    assert len(scanned.rows) == 2 * 60


@pytest.mark.slow
def test_each_of_3000_mutants_ends_in_a_verdict(made, hard, tmp_path, limited):
    scanned = Scanned(tmp_path, [*made, *hard])
    prepared, failed = 0, []
    for start in range(0, 3000, BATCH):
        scan = scanned.add(range(start, min(start + BATCH, 3000)))
        done, notes = prepare(scan)
        prepared, failed = prepared + done, failed + list(notes)
        assert max(megabytes(worker) for worker in worker_processes()) < MOST_MEGABYTES, scanned.report()
        shutil.rmtree(scan.root)
    print(scanned.report())
    print(f"{prepared} of their shots prepared, {len(failed)} not", *failed, sep="\n")
    assert not scanned.bugs(), scanned.report()


@pytest.fixture
def hard(request):
    """[(name, bytes)] of the hard files that are small enough and the first frames of the plates, if they are there."""
    try:
        shared = request.getfixturevalue("shared")
    except pytest.skip.Exception:
        return []
    movies = sorted((shared / "hard").glob("*.*"))
    stills = [path for kind in ("dpx", "exr") for path in sorted((shared / "plates" / kind).glob("*.*"))[:2]]
    names = {path: path.name for path in movies} | {path: f"{path.stem}_plate{path.suffix}" for path in stills}
    return [(name, path.read_bytes()) for path, name in names.items() if 0 < path.stat().st_size < LARGEST_BYTES]
