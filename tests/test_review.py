"""A review: which takes are shown, what is chosen of them, and how picks leave it."""

import csv
import json
import multiprocessing
import os
import signal
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from vidgan.cli import app
from vidgan.errors import FootageError, MediaError, RequestError
from vidgan.media.movie_writer import write_movie
from vidgan.media.movies import read_header, read_movie
from vidgan.media.review_copies import copy_size
from vidgan.media.xmp import HOLDS_SOME
from vidgan.review.choices import Change, Choices, ChoicesFile, Chosen, parse_change, read_choices
from vidgan.review.export import export
from vidgan.review.gallery import open_gallery
from vidgan.review.gallery_page import write_gallery_page
from vidgan.review.picks import picks_of, write_picks
from vidgan.review.trace import record_of

NTSC = Fraction(24000, 1001)


def make_take(folder, name, *, seed=None, class_name=None, num_frames=6, rate=NTSC, height=16, width=24, level=0):
    """Frame i is grey level `level` + 10 i; with a sidecar if there is a seed."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = (np.full((height, width, 3), level + 10 * index, np.uint8) for index in range(num_frames))
    write_movie(folder / name, frames, rate=rate, crf=0 if name.endswith(".mp4") else None)
    if seed is not None:
        made = {
            "vidgan_version": "0.1.0",
            "seed": seed,
            "class": class_name,
            "weights": "run.safetensors",
            "weights_sha256": "ab" * 32,
        }
        (folder / name).with_suffix(".json").write_text(json.dumps(made))
    return folder / name


@pytest.fixture
def takes(tmp_path):
    """Three takes out of order, and the sheet that stands beside them."""
    folder = tmp_path / "takes"
    make_take(folder, "walk_seed0010.mp4", seed=10, class_name="walk")
    make_take(folder, "walk_seed0002.mp4", seed=2, class_name="walk", level=100)
    make_take(folder, "fire_seed0007.mp4", seed=7, class_name="fire")
    make_take(folder, "contact_sheet.mp4")
    return folder


def choose(folder, take, by="Ana", based_on=0, **fields):
    changes = [
        Change(take=take, field=name.rstrip("_"), value=value, based_on=based_on, by=by)
        for name, value in fields.items()
    ]
    return ChoicesFile(folder).change(*changes)


def pick(folder, *names, **fields):
    for name in names:
        choose(folder, name, decision="picked", **fields)
    gallery = open_gallery(folder)
    return picks_of(gallery, ChoicesFile(folder).read())


def test_takes_are_in_the_order_of_class_and_seed_with_what_their_sidecars_say(takes):
    gallery = open_gallery(takes)
    assert [take.key for take in gallery.takes] == ["fire_seed0007.mp4", "walk_seed0002.mp4", "walk_seed0010.mp4"]
    take = gallery.takes[1]
    assert (take.made.seed, take.made.class_name, take.made.weights_sha256) == (2, "walk", "ab" * 32)
    assert (take.num_frames, take.rate, take.height, take.width) == (6, NTSC, 16, 24)
    assert take.shown == take.path
    assert gallery.notes == ()


def test_movies_without_sidecars_and_in_folders_below_are_takes_too_and_nothing_is_dropped_in_silence(tmp_path):
    folder = tmp_path / "movies"
    make_take(folder / "day 1", "a.mp4")
    make_take(folder, "b.mp4").with_suffix(".json").write_text("not JSON")
    (folder / "c.mp4").write_text("not a movie")
    (folder / "d.dng").write_text("raw")
    (folder / "e.png").write_text("a still")
    gallery = open_gallery(folder)
    assert [take.key for take in gallery.takes] == ["b.mp4", "day 1/a.mp4"]
    assert gallery.takes[0].made.seed is None
    notes = "\n".join(gallery.notes)
    for words in ("b.json: is not a take's sidecar", "c.mp4: is not a movie", "DNG files are not read", "1 stills are"):
        assert words in notes


def test_an_exported_take_is_known_by_what_it_holds_or_by_its_sidecar(takes):
    make_take(takes / "out", "b.mp4", seed="seven")
    export(takes / "walk_seed0002.mp4", takes / "out" / "a.mov")
    (takes / "out" / "a.mov.json").unlink()
    gallery = open_gallery(takes / "out")
    assert [(take.key, take.made.seed, take.made.class_name) for take in gallery.takes] == [
        ("b.mp4", None, None),
        ("a.mov", 2, "walk"),
    ]
    assert any(
        "b.mp4: what it says of its take is ignored (Input should be a valid integer" in note for note in gallery.notes
    )


def test_a_movie_that_browsers_cannot_play_is_shown_by_a_copy_of_all_its_frames_made_once(tmp_path):
    folder = tmp_path / "movies"
    path = make_take(folder, "a.mkv", num_frames=9)
    (take,) = open_gallery(folder).takes
    assert take.shown != path
    header = read_header(take.shown)
    assert (header.codec, header.rate, header.num_frames) == ("h264", NTSC, 9)
    with av.open(take.shown) as copy:
        assert all(packet.is_keyframe for packet in copy.demux(video=0) if packet.size)
    assert [int(frame.rgb()[8, 8, 0]) for frame in read_movie(take.shown)] == pytest.approx(range(0, 90, 10), abs=1)
    made = take.shown.stat().st_mtime_ns
    assert open_gallery(folder).takes[0].shown.stat().st_mtime_ns == made
    make_take(folder, "a.mkv", num_frames=4)
    (changed,) = open_gallery(folder).takes
    assert read_header(changed.shown).num_frames == 4
    assert [*(folder / ".review").glob("*.mp4")] == [changed.shown]  # the old copy has gone


@given(st.integers(1, 9000), st.integers(1, 9000), st.sampled_from([Fraction(1), Fraction(2), Fraction(64, 45)]))
def test_a_copy_is_even_and_no_larger_than_it_may_be(height, width, pixel_aspect):
    copy_height, copy_width = copy_size(height, width, pixel_aspect)
    assert copy_height % 2 == copy_width % 2 == 0
    assert 2 <= copy_height <= 960
    assert 2 <= copy_width <= 960


def test_a_folder_without_movies_or_missing_is_said_in_words(tmp_path):
    with pytest.raises(FootageError, match="no such folder"):
        open_gallery(tmp_path / "absent")
    (tmp_path / "a.png").write_text("")
    with pytest.raises(RequestError, match=r"no takes in this folder .* from vidgan generate"):
        open_gallery(tmp_path)
    (tmp_path / "b.mp4").write_text("text")
    with pytest.raises(RequestError, match=r"none of the movies can be shown; the first: .*b\.mp4: is not a movie"):
        open_gallery(tmp_path)


BROWSERS = st.sampled_from(["Ana", "Ben"])
CHANGES = st.lists(
    st.tuples(BROWSERS, st.sampled_from(["a", "b"]), st.sampled_from(["decision", "stars"]), st.booleans()), max_size=20
)


@given(CHANGES)
def test_the_last_change_of_a_field_wins_and_what_nobody_saw_replaced_is_kept(changes):
    choices, last = Choices(), {}
    for count, (by, take, field, looked) in enumerate(changes, start=1):
        value = {"decision": ["picked", "rejected"], "stars": [1, 5]}[field][count % 2]
        before = last.get((take, field))
        based_on = 0 if before is None or not looked else before.revision
        choices = choices.changed(Change(take=take, field=field, value=value, based_on=based_on, by=by))
        chosen = last[take, field] = choices.takes[take][field]
        assert choices.revision == chosen.revision == count
        unseen = before is not None and not looked and before.value != value
        if before is None:
            assert chosen.replaced is None
        if unseen:
            assert (chosen.replaced.value, chosen.replaced.by) == (before.value, before.by)
    for (take, field), chosen in last.items():
        assert choices.takes[take][field] == chosen


def stars(choices, value, *, by, based_on):
    return choices.changed(Change(take="a", field="stars", value=value, based_on=based_on, by=by))


@pytest.mark.parametrize("settled", [3, 5])
def test_what_was_replaced_unseen_stays_in_sight_until_one_of_the_two_is_chosen_again(settled):
    choices = stars(Choices(), 5, by="Ana", based_on=0)
    choices = stars(choices, 2, by="Ben", based_on=0)
    choices = stars(choices, 3, by="Ben", based_on=2)
    assert choices.takes["a"]["stars"].replaced.value == 5
    choices = stars(choices, 3, by="Ben", based_on=2)  # sent again, because the answer was lost
    assert choices.takes["a"]["stars"].replaced.value == 5
    choices = stars(choices, settled, by="Ben", based_on=4)
    assert choices.takes["a"]["stars"].replaced is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("decision", "maybe"), ("stars", 6), ("stars", 0), ("stars", True), ("in", -1), ("note", "x" * 4001), ("note", 1)],
)
def test_a_value_that_a_field_cannot_hold_is_refused(field, value):
    text = json.dumps({"take": "a.mp4", "field": field, "value": value, "based_on": 0, "by": "Ana"})
    with pytest.raises(RequestError, match=f"not a change: .*({field} cannot be|valid string)"):
        parse_change(text.encode())


def change_many(folder, by):
    for number in range(25):
        choose(Path(folder), f"{by}{number}.mp4", by=by, stars=1 + number % 5)


def test_two_processes_that_change_at_once_lose_nothing(tmp_path):
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=change_many, args=(tmp_path, by)) for by in ("Ana", "Ben")]
    for process in both:
        process.start()
    for process in both:
        process.join()
    choices = ChoicesFile(tmp_path).read()
    assert choices.revision == 50
    assert len(choices.takes) == 50


def change_for_ever(folder, seen):
    for number in range(10**6):
        choose(Path(folder), f"{number}.mp4", stars=3)
        seen.value = number


def test_after_a_kill_every_change_that_was_confirmed_is_on_disk(tmp_path):
    context = multiprocessing.get_context("fork")
    seen = context.Value("i", -1)
    process = context.Process(target=change_for_ever, args=(tmp_path, seen))
    process.start()
    while seen.value < 20:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    choices = ChoicesFile(tmp_path).read()
    assert all(choices.value(f"{number}.mp4", "stars") == 3 for number in range(seen.value + 1))
    choose(tmp_path, "after.mp4", stars=1)  # the lock went with the process


def test_a_file_that_holds_something_else_is_refused_and_left_alone(takes):
    for text in ("not JSON", "[]", '{"version": 2}', '{"version": 1, "revision": 0, "takes": {"a": {"stars": 1}}}'):
        (takes / "review.json").write_text(text)
        with pytest.raises(RequestError, match="does not hold the choices of a review"):
            choose(takes, "a.mp4", stars=1)
        assert (takes / "review.json").read_text() == text


def offline(value, *, by, at):
    return Choices(
        takes={"a.mp4": {"stars": Chosen(value=value, revision=0, by=by, at=f"2026-01-01T0{at}:00:00+00:00")}}
    )


def test_what_was_downloaded_is_merged_by_its_time_and_of_two_people_the_earlier_stays_in_sight(tmp_path):
    file = ChoicesFile(tmp_path)
    file.merge(offline(1, by="Ana", at=1))
    assert file.merge(offline(2, by="Ana", at=3)).takes["a.mp4"]["stars"].replaced is None
    for value, by, at in ((4, "Ben", 5), (5, "Cem", 4)):
        merged = file.merge(offline(value, by=by, at=at)).takes["a.mp4"]["stars"]
        assert (merged.value, merged.by) == (4, "Ben")
    assert (merged.replaced.value, merged.replaced.by) == (5, "Cem")
    before = file.read()
    assert file.merge(before).takes == before.takes  # what a page had from the file is no news


def test_otio_has_media_linked_exact_rates_and_the_frames_that_were_chosen(takes):
    otio = pytest.importorskip("opentimelineio", reason="needs vidgan[timelines]")
    pick(takes, "walk_seed0002.mp4", in_=1, out=4, note="the arm, please", stars=5)
    picks = pick(takes, "fire_seed0007.mp4")
    write_picks(takes / "picks.otio", picks)
    timeline = otio.adapters.read_from_file(str(takes / "picks.otio"))
    fire, walk = timeline.find_clips()
    assert [clip.name for clip in (fire, walk)] == ["fire_seed0007", "walk_seed0002"]
    rate = walk.source_range.start_time.rate
    assert rate == 24000 / 1001
    assert Fraction(rate).limit_denominator(1001) == NTSC
    assert (walk.source_range.start_time.value, walk.source_range.duration.value) == (1, 4)
    assert walk.media_reference.available_range.duration.value == 6
    linked = Path(otio.url_utils.filepath_from_url(walk.media_reference.target_url))
    assert read_header(linked).num_frames == 6
    assert timeline.global_start_time.to_timecode() == "01:00:00:00"
    assert walk.range_in_parent().start_time.value == 6
    assert walk.metadata["vidgan"]["seed"] == 2
    assert walk.metadata["vidgan"]["weights_sha256"] == "ab" * 32
    assert walk.markers[0].name == "the arm, please"


def test_an_edl_has_a_reel_for_each_take_and_begins_at_one_hour(takes):
    otio = pytest.importorskip("opentimelineio", reason="needs vidgan[timelines]")
    pick(takes, "walk_seed0002.mp4", in_=1, out=4, note="the arm")
    write_picks(takes / "picks.edl", pick(takes, "fire_seed0007.mp4"))
    text = (takes / "picks.edl").read_text()
    events = [line.split() for line in text.splitlines() if line[:3].isdigit()]
    assert events == [
        ["001", "TAKE0001", "V", "C", "00:00:00:00", "00:00:00:06", "01:00:00:00", "01:00:00:06"],
        ["002", "TAKE0002", "V", "C", "00:00:00:01", "00:00:00:05", "01:00:00:06", "01:00:00:10"],
    ]
    assert "the arm" in text
    back = otio.adapters.read_from_string(text, "cmx_3600", rate=24000 / 1001)
    assert [clip.name for clip in back.find_clips()] == ["fire_seed0007", "walk_seed0002"]


@pytest.mark.parametrize(
    "rate", [Fraction(24000, 1001), 24, 25, Fraction(30000, 1001), 30, 50, Fraction(60000, 1001), 60], ids=str
)
def test_timelines_begin_at_one_hour_at_any_rate(tmp_path, rate):
    otio = pytest.importorskip("opentimelineio", reason="needs vidgan[timelines]")
    make_take(tmp_path / "takes", "a.mp4", rate=Fraction(rate))
    picks = pick(tmp_path / "takes", "a.mp4")
    for suffix in (".edl", ".otio"):
        write_picks(tmp_path / f"p{suffix}", picks)
    (event,) = (line.split() for line in (tmp_path / "p.edl").read_text().splitlines() if line.startswith("001"))
    assert [time.replace(";", ":") for time in event[4:]] == [
        "00:00:00:00",
        "00:00:00:06",
        "01:00:00:00",
        "01:00:00:06",
    ]
    timeline = otio.adapters.read_from_file(str(tmp_path / "p.otio"))
    assert Fraction(timeline.duration().rate).limit_denominator(1001) == rate
    assert timeline.global_start_time.to_timecode().replace(";", ":") == "01:00:00:00"


def test_the_media_of_a_movie_with_a_timecode_track_begins_there(tmp_path):
    otio = pytest.importorskip("opentimelineio", reason="needs vidgan[timelines]")
    frames = [np.zeros((16, 16, 3), np.uint8)] * 8
    (tmp_path / "takes").mkdir()
    write_movie(tmp_path / "takes" / "A001C003.mp4", frames, rate=Fraction(24), metadata={"timecode": "10:00:00:00"})
    write_picks(tmp_path / "p.edl", pick(tmp_path / "takes", "A001C003.mp4", in_=2))
    (clip,) = otio.adapters.read_from_file(str(tmp_path / "p.edl"), rate=24).find_clips()
    assert clip.source_range.start_time.to_timecode() == "10:00:00:02"
    assert "  A001C003 V" in (tmp_path / "p.edl").read_text()


def test_a_table_has_a_row_for_each_pick_counted_from_one(takes):
    choose(takes, "walk_seed0010.mp4", decision="rejected")
    write_picks(takes / "picks.csv", pick(takes, "walk_seed0002.mp4", in_=1, out=4, stars=3, note='a "b", c\nd'))
    (row,) = csv.DictReader((takes / "picks.csv").open(newline=""))
    assert (row["take"], row["class"], row["seed"], row["stars"]) == ("walk_seed0002.mp4", "walk", "2", "3")
    assert (row["first_frame"], row["last_frame"], row["num_frames"], row["rate"]) == ("2", "5", "4", "24000/1001")
    assert row["note"] == 'a "b", c\nd'
    assert Path(row["file"]).is_file()


def test_a_stringout_plays_the_chosen_frames_of_each_pick_in_turn_and_is_no_take(takes):
    make_take(takes, "wide.mp4", height=32, width=96, level=50, num_frames=3)
    pick(takes, "walk_seed0002.mp4", in_=1, out=3)
    write_picks(takes / "picks.mp4", pick(takes, "wide.mp4"))
    header = read_header(takes / "picks.mp4")
    assert (header.rate, header.num_frames) == (NTSC, 6)
    assert header.width >= 320
    middle = (header.height - 30) // 2
    levels = [int(frame.rgb()[middle, header.width // 2, 0]) for frame in read_movie(takes / "picks.mp4")]
    assert levels == pytest.approx([50, 60, 70, 110, 120, 130], abs=2)  # takes without a class come first
    assert json.loads((takes / "picks.json").read_text())["delivery"]["picks"][1]["first_frame"] == 2
    assert "picks.mp4" not in [take.key for take in open_gallery(takes).takes]
    (takes / "picks.json").unlink()
    assert "picks.mp4" not in [take.key for take in open_gallery(takes).takes]
    assert [made["seed"] for made in record_of([takes / "picks.mp4"]).made_by] == [2]  # the other is of unknown origin
    assert record_of([takes / "picks.mp4"]).digital_source_type == HOLDS_SOME


@given(st.none() | st.integers(0, 9), st.none() | st.integers(0, 9))
def test_marks_outside_a_take_or_the_wrong_way_round_count_as_not_set(first, last):
    from types import SimpleNamespace

    take = SimpleNamespace(key="a", num_frames=6)
    choices = Choices()
    for field, value in (("decision", "picked"), ("in", first), ("out", last)):
        choices = choices.changed(Change(take="a", field=field, value=value, based_on=0, by="Ana"))
    (used,) = picks_of(SimpleNamespace(takes=[take]), choices)
    assert 0 <= used.start < used.stop <= 6
    if first is not None and last is not None and first <= last < 6:
        assert (used.start, used.stop) == (first, last + 1)


def test_what_a_format_cannot_hold_is_said_in_words(takes):
    with pytest.raises(RequestError, match=r"nothing is picked yet; pick takes in the review"):
        write_picks(takes / "picks.csv", [])
    make_take(takes, "slow.mp4", rate=Fraction(12))
    slow = pick(takes, "slow.mp4")
    with pytest.raises(RequestError, match=r"'\.xml' \(expected \.otio, \.edl, \.csv, \.mp4\)"):
        write_picks(takes / "picks.xml", slow)
    with pytest.raises(RequestError, match="is one of the takes"):
        write_picks(takes / "slow.mp4", slow)
    both = pick(takes, "walk_seed0002.mp4")
    with pytest.raises(RequestError, match=r"a stringout has one rate, and the picks have 2: 12 \(1 picks\)"):
        write_picks(takes / "picks.mp4", both)
    assert not (takes / "picks.mp4").exists()
    pytest.importorskip("opentimelineio", reason="needs vidgan[timelines]")
    with pytest.raises(RequestError, match="an EDL cannot count 12 frames a second"):
        write_picks(takes / "picks.edl", slow)
    write_picks(takes / "picks.otio", both)


def vidgan_review(*arguments):
    return CliRunner().invoke(app, ["review", *map(str, arguments)])


def test_the_command_writes_the_page_merges_choices_and_exports_picks(takes, tmp_path):
    other = tmp_path / "downloaded.json"
    other.write_text(offline(3, by="Ana", at=1).model_dump_json().replace("a.mp4", "walk_seed0002.mp4"))
    choose(takes, "walk_seed0002.mp4", decision="picked")
    result = vidgan_review(takes, "--choices", other, "--export", takes / "p.csv", "--export", takes / "out" / "p.mp4")
    assert result.exit_code == 0, result.stderr
    assert "review.html: 3 takes" in result.stdout
    assert f"{takes / 'p.csv'}: 1 picks" in result.stdout
    (row,) = csv.DictReader((takes / "p.csv").open(newline=""))
    assert row["stars"] == "3"
    assert read_header(takes / "out" / "p.mp4").num_frames == 6
    assert '"served": false' in (takes / "review.html").read_text()


def test_mistakes_of_a_review_are_one_clear_line(takes, tmp_path):
    (tmp_path / "empty").mkdir()
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text(offline(3, by="Ana", at=1).model_dump_json())
    for arguments, words in (
        ([tmp_path / "absent"], "no such folder"),
        ([tmp_path / "empty"], "no footage in this folder"),
        ([takes, "--footage", tmp_path / "absent"], "no such folder"),
        ([takes, "--export", "picks.otio"], "nothing is picked yet"),
        ([takes, "--export", "picks.xml"], "picks cannot be written as '.xml'"),
        ([takes, "--choices", elsewhere], "chooses among other takes (a.mp4 is not in"),
        ([takes, "--choices", tmp_path / "absent.json"], "cannot be read"),
        ([takes, "--choices", takes / "walk_seed0002.json"], "does not hold the choices of a review"),
    ):
        result = vidgan_review(*arguments)
        assert result.exit_code == 2, result.stdout
        assert words in result.stderr, result.stderr
        assert len(result.stderr.splitlines()) == 1, result.stderr


def test_what_cannot_be_written_is_said_in_words_and_leaves_nothing_behind(takes):
    picks = pick(takes, "fire_seed0007.mp4")
    for name in ("review.html", "p.csv", "p.mp4"):
        (takes / name / "in the way").mkdir(parents=True)
    with pytest.raises(RequestError, match=r"review\.html: cannot be written \(Is a directory\)"):
        write_gallery_page(open_gallery(takes), Choices())
    with pytest.raises(RequestError, match=r"p\.csv: cannot be written \(Is a directory\)"):
        write_picks(takes / "p.csv", picks)
    with pytest.raises(MediaError, match=r"p\.mp4: cannot be written"):
        write_picks(takes / "p.mp4", picks)
    assert not [*takes.glob(".*.part*"), *takes.glob("p.json")]


def test_a_downloaded_file_is_read_back(tmp_path):
    with pytest.raises(RequestError, match="cannot be read"):
        read_choices(tmp_path / "absent.json")
    choices = choose(tmp_path, "a.mp4", note="", decision="picked")
    assert choices.value("a.mp4", "note") is None
    assert read_choices(tmp_path / "review.json") == choices
