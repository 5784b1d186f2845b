"""Every file says what made it, to vidgan and to others, through any number of exports; nothing is there in part."""

import json
import signal
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from vidgan.commands.review import bits_a_second
from vidgan.errors import ConfigError, MediaError, RequestError, VidganError, WeightsError
from vidgan.media.delivery_color import DeliveryColor
from vidgan.media.formats import FORMATS
from vidgan.media.movie_writer import write_movie
from vidgan.media.xmp import HOLDS_SOME, MADE_BY_NETWORK
from vidgan.review.burn_in import BurnIns
from vidgan.review.compare import Comparison, compared
from vidgan.review.export import export
from vidgan.review.fit import DeliveryFrame
from vidgan.review.info import describe, in_lines
from vidgan.review.pictures import Cut
from vidgan.review.trace import Record, record_of
from vidgan.weights import load_generator

RATE = Fraction(24)
TAKE = {"vidgan_version": "0.1.0", "weights_sha256": "ab" * 32, "seed": 7, "class": "walk", "config": {"data": {}}}
NOISE = np.random.default_rng(0).integers(0, 256, (6, 128, 256, 3), dtype=np.uint8)


def target(folder, name):
    suffix = FORMATS[name].suffixes[0]
    return folder / (f"a.####{suffix}" if FORMATS[name].kind == "stills" else f"a{suffix}")


# Where pictures come from


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_says_which_take_it_holds_even_without_its_sidecar(name, tmp_path):
    result = export(NOISE[:2], target(tmp_path, name), format=name, rate=RATE, made_by=Record((TAKE,)))
    result.sidecar.unlink()
    (file,) = [path for path in tmp_path.iterdir() if path.name in ("a.1001" + path.suffix, "a" + path.suffix)]
    record = record_of([file])
    assert record.made_by == (TAKE,)
    assert record.digital_source_type == MADE_BY_NETWORK
    assert record.delivery["format"] == name
    lines = in_lines(describe(file))
    assert any('"seed": 7' in line for line in lines)
    assert any(line.endswith("/trainedAlgorithmicMedia") for line in lines)


def test_a_take_is_known_through_a_chain_of_exports(tmp_path):
    write_movie(tmp_path / "take.mp4", NOISE, rate=RATE, metadata={"comment": json.dumps(TAKE)})
    for source, output in (("take.mp4", "a.mov"), ("a.mov", "b.####.png"), ("b.####.png", "c/c.####.dpx")):
        result = export(tmp_path / source, tmp_path / output, rate=RATE)
        assert json.loads(result.sidecar.read_text())["made_by"] == [TAKE]
    assert "seed: 7" not in in_lines(describe(tmp_path / "c" / "c.####.dpx"))[0]
    pictures = export(tmp_path / "c", tmp_path / "d.png", cut=Cut(1002, 1002), burn_ins=BurnIns("{seed} {weights}"))
    assert json.loads(pictures.sidecar.read_text())["delivery"]["cut"] == {"first": 1002, "last": 1002, "handles": 0}


def test_a_damaged_record_inside_is_made_up_for_by_the_sidecar(tmp_path):
    write_movie(tmp_path / "walk_seed0007.mp4", NOISE, rate=RATE, metadata={"comment": "my favourite"})
    assert record_of([tmp_path / "walk_seed0007.mp4"]) == Record()
    (tmp_path / "walk_seed0007.json").write_text(json.dumps(TAKE))
    assert record_of([tmp_path / "walk_seed0007.mp4"]).made_by == (TAKE,)


def test_footage_is_not_said_to_be_made_by_a_network_and_a_mixture_is_said_to_hold_some(tmp_path):
    export(NOISE, tmp_path / "plate.mp4", rate=RATE)
    export(NOISE, tmp_path / "take.mp4", rate=RATE, made_by=Record((TAKE,)))
    assert json.loads((tmp_path / "plate.mp4.json").read_text())["digital_source_type"] is None
    assert b"trainedAlgorithmicMedia" not in (tmp_path / "plate.mp4").read_bytes()
    pictures, made_by = compared([tmp_path / "plate.mp4", tmp_path / "take.mp4"], Comparison())
    assert made_by.digital_source_type == HOLDS_SOME
    export(pictures, tmp_path / "both.mp4", made_by=made_by)
    export(tmp_path / "both.mp4", tmp_path / "again.mp4")
    assert record_of([tmp_path / "again.mp4"]).digital_source_type == HOLDS_SOME
    _, made = compared([tmp_path / "take.mp4", tmp_path / "take.mp4"], Comparison())
    assert made.digital_source_type == MADE_BY_NETWORK


def test_an_mp4_with_a_packet_behind_it_still_plays_and_has_its_index_in_front(tmp_path):
    export(NOISE, tmp_path / "a.mp4", rate=RATE, made_by=Record((TAKE,)))
    content = (tmp_path / "a.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat") < content.index(b"<x:xmpmeta")
    box = content.index(bytes.fromhex("be7acfcb97a942e89c71999491e3afac")) - 8
    assert int.from_bytes(content[box : box + 4], "big") == len(content) - box
    with av.open(tmp_path / "a.mp4") as container:
        assert sum(1 for _ in container.decode(video=0)) == len(NOISE)


def test_info_knows_weights_by_run_by_file_and_by_name(tmp_path):
    loaded = load_generator("demo")
    for name in ("demo", loaded.path):
        weights = describe(name)["weights"]
        assert weights["sha256"] == loaded.weights_hash
        assert weights["class_names"] == list(loaded.provenance.class_names)
    with pytest.raises(WeightsError, match="holds no"):
        describe(tmp_path)
    with pytest.raises(RequestError, match="no such file"):
        describe(tmp_path / "a.mp4")
    (tmp_path / "a.mp4").write_bytes(b"nothing")
    with pytest.raises(MediaError):
        describe(tmp_path / "a.mp4")


def test_info_says_so_where_nothing_is_known(tmp_path):
    Image.fromarray(NOISE[0]).save(tmp_path / "a.png")
    assert in_lines(describe(tmp_path / "a.png"))[-1].startswith("made by: it does not say")


# Sound, passes


def tone(path, seconds):
    """A stereo WAV whose samples count up, so that any of them can be told."""
    samples = (np.arange(int(48000 * seconds)) % 30000).astype(np.int16)
    with av.open(path, "w") as out:
        stream = out.add_stream("pcm_s16le", rate=48000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(samples.repeat(2)[None], format="s16", layout="stereo")
        frame.sample_rate = 48000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def sound_of(path):
    with av.open(path) as container:
        frames = list(container.decode(audio=0))
    step = 1 if frames[0].format.is_planar else 2
    return np.concatenate([frame.to_ndarray()[0, ::step] for frame in frames])


@pytest.mark.parametrize("seconds", [0.1, 0.25, 3.0])
def test_sound_is_cut_or_looped_to_the_sample(tmp_path, seconds):
    tone(tmp_path / "tone.wav", seconds)
    export(NOISE, tmp_path / "a.mov", rate=Fraction(24000, 1001), audio=tmp_path / "tone.wav")
    heard = sound_of(tmp_path / "a.mov")
    length = int(6 * 48000 * Fraction(1001, 24000))
    loop = np.arange(int(48000 * seconds)) % 30000
    assert (heard == np.resize(loop, length)).all()


def test_sound_begins_after_the_slate_and_every_container_has_some(tmp_path):
    tone(tmp_path / "tone.wav", 1)
    export(NOISE, tmp_path / "a.mov", rate=RATE, audio=tmp_path / "tone.wav", slate=True)
    heard = sound_of(tmp_path / "a.mov")
    assert (heard[:2000] == 0).all()
    assert (heard[2000:] == np.arange(6 * 2000)).all()
    for name in ("a.mp4", "a.mkv"):
        export(NOISE, tmp_path / name, rate=RATE, audio=tmp_path / "tone.wav")
        assert 11000 < len(sound_of(tmp_path / name)) < 14000


@pytest.mark.parametrize("name", ["h264", "hevc"])
def test_two_passes_meet_a_bit_rate_that_one_quality_does_not(tmp_path, name):
    frames = np.concatenate([NOISE] * 8)
    for bitrate in (1_000_000, 3_000_000):
        export(frames, tmp_path / "a.mp4", rate=RATE, format=name, bitrate=bitrate)
        bits = 8 * (tmp_path / "a.mp4").stat().st_size / (len(frames) / 24)
        assert 0.7 < bits / bitrate < 1.3
    assert (bits_a_second("8M"), bits_a_second("1.5m"), bits_a_second("500k"), bits_a_second("9")) == (
        8_000_000,
        1_500_000,
        500_000,
        9,
    )


# Writing that fails


@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(name, tmp_path):
    """A limit on the size of files stands for the disk; it holds for this process alone, so another one writes."""
    code = (
        "import sys, resource, signal, numpy as np; from fractions import Fraction;"
        "from vidgan.review.export import export; from vidgan.errors import MediaError;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000));"
        "noise = np.random.default_rng(0).integers(0, 256, (6, 128, 256, 3), dtype=np.uint8)\n"
        "try: export(noise, sys.argv[1], format=sys.argv[2], rate=Fraction(24))\n"
        "except MediaError as error: print(error)"
    )
    output = target(tmp_path, name)
    result = subprocess.run([sys.executable, "-c", code, str(output), name], capture_output=True, text=True)
    said = result.stdout.strip().splitlines()
    assert len(said) == 1, result.stderr
    assert said[0].startswith(str(tmp_path / "a."))
    assert "cannot be written (" in said[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("output", ["a.mp4", "a.mkv", "a.webp", "a/a.####.png", "a/a.####.exr"])
def test_a_kill_at_any_time_leaves_no_file_under_its_final_name(output, tmp_path):
    code = (
        "import sys, itertools, numpy as np; from fractions import Fraction;"
        "from vidgan.review.export import export; from vidgan.review.pictures import Pictures;"
        "noise = np.random.default_rng(0).integers(0, 256, (128, 256, 3), dtype=np.uint8);"
        "endless = lambda: (print(i, flush=True) or noise for i in range(10**9));"
        "export(Pictures('endless', endless, 10**9, Fraction(24)), sys.argv[1])"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / output)], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if int(line) > 60:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(any(part.startswith(".") for part in path.relative_to(tmp_path).parts) for path in left)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    for name in ("a.mp4", "a.gif", "a.webp", "a.####.exr", "a.png"):
        with pytest.raises(VidganError, match=r"file.*(Not a directory|cannot write files)"):
            export(NOISE[:1], tmp_path / "file" / name, rate=RATE)


# A supervisor's mistakes


MISTAKES = [
    (
        {"format": "prores"},
        "a.mov",
        r'--format "prores" is not known \(did you mean "prores4444|--format "prores" is not',
    ),
    ({"format": "prores4444"}, "a.mp4", r"ProRes 4444 is not written as .mp4; name it a.mov"),
    ({"timecode": "25:00:00:00"}, "a.mov", r"timecode 25:00:00:00: no such moment"),
    ({"timecode": "01:00:00;00"}, "a.mov", r"drop-frame \(;\) belongs to 29.97 and 59.94"),
    ({"timecode": "01:00:00:00"}, "a.gif", r"GIF holds no timecode"),
    ({"color": DeliveryColor("rec709")}, "a.####.exr", r"EXR, half float is written with scene-linear light"),
    ({"color": DeliveryColor("ACESgc")}, "a.####.exr", r"'ACESgc' is not in the OpenColorIO config"),
    ({"color": DeliveryColor("srgb", view="Raw")}, "a.mp4", r"--color and --display or --view contradict"),
    ({"crf": 12}, "a.mov", r"ProRes 422 HQ has one quality; leave out --crf"),
    ({"crf": 12, "bitrate": 8_000_000}, "a.mp4", r"--crf and --bitrate contradict"),
    ({"bitrate": 8}, "a.mp4", r"bitrate is 8 bits a second \(expected one such as 8M\)"),
    ({"bitrate": 8_000_000, "format": "av1"}, "a.mp4", r"AV1 is written by quality alone"),
    ({"format": "dnxhr_hq", "frame": DeliveryFrame("128x64")}, "a.mov", r"DNxHR HQ begins at 256x120: enlarge"),
    ({"frame": DeliveryFrame("101x64")}, "a.mp4", r"101x64 \(width x height\); H.264 needs even sizes"),
    ({"audio": "missing.wav"}, "a.mp4", r"--audio missing.wav: no such file"),
    ({"audio": "missing.wav"}, "a.####.png", r"--audio is for movies"),
    ({"compression": "zstd"}, "a.####.exr", r'--compression "zstd" is not known'),
    ({"compression": "piz"}, "a.mp4", r"--compression is for EXR"),
    ({"burn_ins": BurnIns("{seed}")}, "a.mp4", r"burn-in \{seed\}: the pictures do not say it"),
    ({"cut": Cut(2, 40)}, "a.mp4", r"frames 2-40 are asked for, it holds 0-5"),
]


@pytest.mark.parametrize(("settings", "output", "words"), MISTAKES)
def test_a_mistake_is_one_clear_line_and_leaves_nothing(settings, output, words, tmp_path):
    with pytest.raises((RequestError, MediaError, ConfigError), match=words) as caught:
        export(NOISE, tmp_path / output, rate=RATE, **settings)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_sound_without_sound_in_it_is_refused(tmp_path):
    write_movie(tmp_path / "silent.mp4", NOISE, rate=RATE)
    with pytest.raises(MediaError, match="has no sound"):
        export(NOISE, tmp_path / "a.mp4", rate=RATE, audio=tmp_path / "silent.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["silent.mp4"]
