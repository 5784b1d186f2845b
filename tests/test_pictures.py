"""Any frame of any shot: reading from the middle gives what counting from the start gives, in every kind of file."""

import gc
from fractions import Fraction

import av
import numpy as np
import pytest

from vidgan.config import DataConfig
from vidgan.footage import pictures
from vidgan.footage.pictures import read_pictures
from vidgan.footage.scan import scan_footage
from vidgan.media.movies import read_header, read_movie

EVERYTHING = DataConfig(leave_out=(), cuts="none", rate=25)
NUM_FRAMES = 75
NUM_BITS, BLOCK = 7, 16


def barcode(index):
    """The index as seven white or black blocks, which no codec loses, over a moving ramp."""
    picture = np.full((48, NUM_BITS * BLOCK, 3), 16, np.uint8)
    picture[32:, :, 1] = (np.arange(NUM_BITS * BLOCK) + 5 * index) % 200
    for bit in range(NUM_BITS):
        if index >> bit & 1:
            picture[:32, bit * BLOCK : (bit + 1) * BLOCK] = 235
    return picture


def index_of(picture):
    """What `barcode` drew."""
    columns = picture[8:24].mean(axis=(0, 2)).reshape(NUM_BITS, BLOCK)[:, 4:12].mean(axis=1)
    return sum(1 << bit for bit in range(NUM_BITS) if columns[bit] > 128)


def write_barcodes(
    path,
    encoder,
    *,
    times=None,
    rate=25,
    options=None,
    pix_fmt="yuv420p",
    max_b_frames=2,
    gop=30,
    container_options=None,
):
    """75 barcodes; `times` in frame periods, such as 0 1 3 for a rate that varies."""
    if encoder not in av.codecs_available:
        pytest.skip(f"this PyAV has no {encoder}")
    with av.open(path, "w", container_options=container_options or {}) as out:
        stream = out.add_stream(encoder, rate=rate, options=options or {})
        stream.pix_fmt, stream.height, stream.width = pix_fmt, 48, NUM_BITS * BLOCK
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = gop, max_b_frames
        for index, time in enumerate(times or range(NUM_FRAMES)):
            frame = av.VideoFrame.from_ndarray(barcode(index), format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = time, 1 / Fraction(rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


KINDS = {
    "b_frames.mp4": ("libx264", {}),
    "open_groups.mkv": ("libx264", {"options": {"x264-params": "open-gop=1:keyint=12:bframes=3:b-pyramid=2"}}),
    "one_group.mp4": ("libx264", {"gop": 1000, "options": {"x264-params": "scenecut=0"}}),
    "stream.ts": ("libx264", {}),
    "refresh.mp4": ("libx264", {"options": {"x264-params": "intra-refresh=1:keyint=20"}}),
    "hevc.mp4": ("libx265", {"options": {"x265-params": "log-level=none:open-gop=1:keyint=15"}}),
    "program.mpg": ("mpeg2video", {"gop": 12}),
    "divx.avi": ("mpeg4", {}),
    "motion.avi": ("mjpeg", {"pix_fmt": "yuvj420p", "max_b_frames": 0}),
    "prores.mov": ("prores_ks", {"pix_fmt": "yuv422p10le", "max_b_frames": 0}),
    "lossless.mkv": ("ffv1", {"max_b_frames": 0}),
    "web.webm": ("libvpx-vp9", {"max_b_frames": 0, "options": {"cpu-used": "8"}}),
    "av1.mkv": ("libsvtav1", {"max_b_frames": 0, "options": {"preset": "12"}}),
    "late.mp4": ("libx264", {"times": range(1000, 1000 + NUM_FRAMES)}),
    "interlaced.mp4": ("libx264", {"options": {"flags": "+ilme+ildct", "x264-params": "tff=1"}}),
    "varies.mkv": ("libx264", {"times": [3 * i + i * i % 7 % 3 for i in range(NUM_FRAMES)], "rate": 100}),
    "raw.264": ("libx264", {}),
}


@pytest.mark.parametrize("name", KINDS)
def test_any_range_of_a_shot_holds_exactly_those_frames(footage, name):
    encoder, how = KINDS[name]
    path = footage.path(name)
    write_barcodes(path, encoder, **how)
    (shot,) = scan_footage(footage.root, EVERYTHING).shots
    assert shot.num_frames == NUM_FRAMES
    whole = {frame.index: frame.rgb() for frame in read_movie(path)}
    assert [index_of(picture) for picture in whole.values()] == list(range(NUM_FRAMES))
    draws = np.random.default_rng(0)
    for first in [0, 1, NUM_FRAMES - 1, *draws.integers(0, NUM_FRAMES, 12).tolist()]:
        wanted = range(first, min(first + 4, NUM_FRAMES))
        found = dict(read_pictures(footage.root, shot, wanted, EVERYTHING))
        assert list(found) == list(wanted)
        assert all((found[index] == whole[index]).all() for index in wanted), f"frames from {first}"


def test_reading_the_end_of_a_movie_does_not_decode_its_beginning(footage, monkeypatch):
    write_barcodes(footage.path("a.mp4"), "libx264", gop=10)
    (shot,) = scan_footage(footage.root, EVERYTHING).shots
    assert shot.start == 0
    seen = []

    def watched(path, **options):
        seen.append(options["start_seconds"])
        return read_movie(path, **options)

    monkeypatch.setattr(pictures, "read_movie", watched)
    ((index, picture),) = read_pictures(footage.root, shot, [70], EVERYTHING)
    assert (index, index_of(picture), seen) == (70, 70, [Fraction(70, 25)])


def test_frames_before_a_gap_do_not_shift_those_after_it(footage):
    times = [*range(20), *range(40, 40 + NUM_FRAMES - 20)]
    write_barcodes(footage.path("a.mkv"), "libx264", times=times)
    first, second = scan_footage(footage.root, EVERYTHING).shots
    assert (first.num_frames, second.first, second.num_frames) == (20, 20, NUM_FRAMES - 20)
    found = [index_of(picture) for _, picture in read_pictures(footage.root, second, [20, 21, 50], EVERYTHING)]
    assert found == [20, 21, 50]


def test_timestamps_that_start_again_are_counted_and_not_sought(footage):
    write_barcodes(footage.path("a.ts"), "libx264")
    content = footage.path("a.ts").read_bytes()
    footage.path("a.ts").write_bytes(content + content)  # two recordings in one file
    shots = scan_footage(footage.root, EVERYTHING).shots
    assert [shot.start for shot in shots] == [None] * len(shots)
    last = shots[-1]
    found = [index_of(picture) for _, picture in read_pictures(footage.root, last, [last.first + 3], EVERYTHING)]
    whole = [index_of(frame.rgb()) for frame in read_movie(footage.path("a.ts"))]
    assert found == [whole[last.first + 3]]


def test_a_movie_without_timestamps_has_the_rate_that_its_codec_states(footage):
    write_barcodes(footage.path("a.264"), "libx264", rate=Fraction(24000, 1001))
    (shot,) = scan_footage(footage.root, EVERYTHING).shots
    assert (shot.rate, shot.start) == (Fraction(24000, 1001), None)


def test_of_several_video_streams_the_main_one_is_read_and_the_scan_says_so(footage):
    with av.open(footage.path("a.mkv"), "w") as out:
        streams = [out.add_stream("ffv1", rate=25) for _ in range(2)]
        for stream, scale in zip(streams, (1, 2), strict=True):
            stream.pix_fmt, stream.height, stream.width = "yuv420p", 48 * scale, NUM_BITS * BLOCK * scale
        for index in range(10):
            for stream, scale, shown in zip(streams, (1, 2), (99, index), strict=True):
                picture = barcode(shown).repeat(scale, 0).repeat(scale, 1)
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
                frame.pts, frame.time_base = index, Fraction(1, 25)
                out.mux(stream.encode(frame))
        for stream in streams:
            out.mux(stream.encode(None))
    (shot,) = scan_footage(footage.root, EVERYTHING).shots
    assert (shot.width, shot.num_frames) == (2 * NUM_BITS * BLOCK, 10)
    assert "has 2 video streams, the main one is read" in shot.notes
    found = [index_of(picture[::2, ::2]) for _, picture in read_pictures(footage.root, shot, [0, 7], EVERYTHING)]
    assert found == [0, 7]


def test_frames_are_freed_when_they_have_been_read(footage):
    """PyAV's frames hold themselves once their side data was asked for; a 4K movie would fill the memory."""
    write_barcodes(footage.path("a.mp4"), "libx264")
    gc.collect()
    gc.disable()
    try:
        for frame in read_movie(footage.path("a.mp4")):
            frame.rgb()
        assert sum(type(thing) is av.VideoFrame for thing in gc.get_objects()) <= 2
    finally:
        gc.enable()


def test_an_encrypted_movie_is_called_so(footage):
    key = "76a6c65c5ea762046bd749a2e632ccbb"
    path = footage.path("a.mp4")
    options = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": key, "encryption_kid": key}
    write_barcodes(path, "libx264", container_options=options)
    (note,) = scan_footage(footage.root, EVERYTHING).notes
    assert note.reason.startswith("is encrypted")


def test_interlaced_frames_are_made_whole_one_for_one(footage):
    """Rows of two moments: the upper field is frame k's, the lower one that of half a frame later."""
    path = footage.path("a.mp4")
    with av.open(path, "w") as out:
        options = {"flags": "+ilme+ildct", "x264-params": "tff=1", "qp": "5"}
        stream = out.add_stream("libx264", rate=25, options=options)
        stream.pix_fmt, stream.height, stream.width = "yuv420p", 64, 64
        for index in range(12):
            luma = np.full((64, 64), 128, np.uint8)
            luma[0::2, 4 * index : 4 * index + 8] = 235
            luma[1::2, 4 * index + 2 : 4 * index + 10] = 235
            planes = np.concatenate([luma, np.full((32, 64), 128, np.uint8)])
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert read_header(path).interlaced
    combed = [frame.rgb() for frame in read_movie(path, deinterlace=False)]
    frames = [frame.rgb() for frame in read_movie(path)]
    assert len(frames) == len(combed) == 12

    def combing(picture):
        rows = picture[8:-8, :, 1].astype(int)
        return np.abs(2 * rows[1:-1] - rows[:-2] - rows[2:]).mean()

    assert combing(frames[5]) < combing(combed[5]) / 3
