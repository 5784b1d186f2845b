"""The review page in a real browser: it plays, steps, compares, chooses, saves, reloads and exports."""

import json
import shutil
import threading
import time
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import pytest
from test_review import make_take

from vidgan.review.choices import ChoicesFile, read_choices
from vidgan.review.gallery import open_gallery
from vidgan.review.gallery_page import write_gallery_page
from vidgan.review.server import ReviewServer

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, from vidgan[dev]")
# The first of these is Chromium without its own windows and pages, which Debian has as a package: it takes less.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on the path")

WIDE, PHONE = {"width": 1600, "height": 1000}, {"width": 390, "height": 844}
SECONDS = 30


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@contextmanager
def served(gallery):
    server = ReviewServer(gallery)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@contextmanager
def page_in(context, address):
    """A page in a context, which is closed afterwards; an error of its programs fails the test."""
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    page.keyboard.press("k")
    yield page
    context.close()
    assert errors == []


def page_of(browser, address, viewport=WIDE, **options):
    """A page in a browser of its own."""
    return page_in(browser.new_context(viewport=viewport, **options), address)


def until(page, condition):
    """Wait for an expression to be true: the page's own policy forbids Playwright to wait inside."""
    end = time.monotonic() + SECONDS
    while not page.evaluate(condition):
        assert time.monotonic() < end, f"not within {SECONDS} s: {condition}"
        time.sleep(0.02)


ALL_LOADED = "review.grid.onScreen.size > 0 && [...review.grid.onScreen].every((tile) => tile.player.progress === 1)"
FRAME = "review.clock.frame(review.grid.selected.take, [0, review.grid.selected.take.frames - 1])"
LEVELS = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(
    [...review.grid.onScreen].map(({ canvas }) => canvas.getContext("2d").getImageData(3, 3, 1, 1).data[0])))))"""


WRONG_FRAMES = """() => {
    const context = new OffscreenCanvas(4, 4).getContext("2d", { willReadFrequently: true });
    const level = (frame) => (context.drawImage(frame, 0, 0, 4, 4), context.getImageData(1, 1, 1, 1).data[0]);
    const wrong = ([, index, found]) => Math.abs(found - 10 * index) > 2;
    return [...review.grid.onScreen].flatMap(({ take, player }) =>
        player.frames.map((frame, index) => [take.name, index, level(frame)]).filter(wrong)) }"""


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def saved(server, take, field):
    """What is on disk, once the page says that all is saved."""
    return ChoicesFile(server.gallery.folder).read().value(take, field)


def wait_saved(page):
    until(page, "document.activeElement.id !== 'note' && review.choices.waiting.length === 0")


@pytest.fixture(scope="module")
def two_hundred(tmp_path_factory):
    """200 takes of 6 frames in four classes; frame i is grey level 10 i in all of them."""
    folder = tmp_path_factory.mktemp("many") / "takes"
    first = make_take(folder, "fire_seed0000.mp4", seed=0, class_name="fire")
    for number in range(1, 200):
        class_name = ("fire", "jump", "smoke", "walk")[number % 4]
        path = folder / f"{class_name}_seed{number:04d}.mp4"
        shutil.copyfile(first, path)
        path.with_suffix(".json").write_text(json.dumps({"seed": number, "class": class_name}))
    return open_gallery(folder)


@pytest.fixture
def few(tmp_path):
    """Three takes, one of another length and rate, as a gallery."""
    make_take(tmp_path / "takes", "a.mp4", seed=1, class_name="walk")
    make_take(tmp_path / "takes", "b.mp4", seed=2, class_name="walk", level=100)
    make_take(tmp_path / "takes", "c.mp4", seed=3, class_name="walk", num_frames=9, rate=Fraction(12))
    make_take(tmp_path / "footage", "plate.mkv", level=200, num_frames=5)
    return open_gallery(tmp_path / "takes", tmp_path / "footage")


def test_of_two_hundred_takes_those_on_screen_play_in_step_and_no_others_are_loaded(browser, two_hundred):
    with served(two_hundred) as server, page_of(browser, server.address) as page:
        until(page, ALL_LOADED)
        loaded = "review.grid.tiles.filter((tile) => tile.player.opened).length"
        assert page.evaluate("review.grid.tiles.length") == 200
        assert 20 <= page.evaluate(loaded) <= 60
        wrong = page.evaluate(WRONG_FRAMES)
        assert wrong == []
        press(page, "Home")
        for frame in (0, 1, 2, 3, 4, 5, 0):
            levels = page.evaluate(LEVELS)
            assert levels == pytest.approx([10 * frame] * len(levels), abs=2)
            press(page, "ArrowRight")
        press(page, "l")
        for _ in range(5):
            levels = page.evaluate(LEVELS)
            assert max(levels) - min(levels) <= 2
        press(page, "k")
        page.evaluate("document.querySelector('main').scrollTo(0, 1e6)")
        until(page, "review.grid.onScreen.has(review.grid.tiles.at(-1))")
        until(page, ALL_LOADED)
        assert page.evaluate("review.grid.onScreen.size") <= 60
        assert page.evaluate("review.grid.tiles.filter((tile) => tile.player.visible).length") <= 60


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_nothing_sticks_out_and_everything_has_a_name_at_any_width(browser, two_hundred, viewport):
    with served(two_hundred) as server, page_of(browser, server.address, viewport, has_touch=viewport is PHONE) as page:
        until(page, ALL_LOADED)
        for keys in ([], ["Enter", "b"], ["Escape", "n"]):
            press(page, *keys)
            assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
            assert page.evaluate("document.documentElement.scrollHeight") <= viewport["height"]
            for name in ("pick", "reject", "play", "scrub", "open-viewer"):
                box = page.locator(f"#{name}").bounding_box()
                assert box["x"] >= 0, name
                assert box["x"] + box["width"] <= viewport["width"], name
                assert box["y"] + box["height"] <= viewport["height"], name
        session = page.context.new_cdp_session(page)
        nodes = session.send("Accessibility.getFullAXTree")["nodes"]
        roles = {"button", "slider", "combobox", "textbox", "searchbox", "spinbutton", "radio", "option", "listbox"}
        named = [(node["role"]["value"], node["name"]["value"]) for node in nodes if not node.get("ignored")]
        controls = [(role, name) for role, name in named if role in roles]
        assert len(controls) > 30
        assert [role for role, name in controls if not name.strip()] == []
        assert ("option", "fire_seed0000, class fire, seed 0, undecided") in controls


def test_keys_play_as_in_a_player(browser, few):
    with served(few) as server, page_of(browser, server.address) as page:
        until(page, ALL_LOADED)
        state = "[review.clock.playing, review.clock.speed]"
        for key, expected in (
            (" ", [True, 1]),
            (" ", [False, 1]),
            ("l", [True, 1]),
            ("l", [True, 2]),
            ("k", [False, 2]),
            ("j", [True, -1]),
            ("j", [True, -2]),
            ("K", [False, -2]),
        ):
            press(page, key)
            assert page.evaluate(state) == expected, key
        page.select_option("#speed", "0.5")
        page.locator("#grid .tile").first.click()
        press(page, "l")
        assert page.evaluate(state) == [True, 0.5]
        for key, frame in (("Home", 0), ("ArrowLeft", 5), ("ArrowLeft", 4), ("End", 5), ("ArrowRight", 0)):
            press(page, key)
            assert page.evaluate(FRAME) == frame, key
        press(page, "ArrowDown", "ArrowDown", "ArrowDown")
        assert page.locator("#name").inner_text() == "c"
        press(page, "End", "ArrowUp")
        assert page.evaluate(FRAME) == 4  # the middle of frame 8 at 12 is in frame 16 at 24000/1001, of 6
        page.select_option("#loop", "pingpong")
        page.locator("#grid .tile").first.click()
        press(page, "Home")
        seen = []
        for _ in range(11):
            seen.append(page.evaluate(FRAME))
            press(page, "ArrowRight")
        assert set(seen) == set(range(6))


def test_a_button_that_was_clicked_leaves_the_keys_to_the_player(browser, few):
    with served(few) as server, page_of(browser, server.address) as page:
        until(page, ALL_LOADED)
        page.locator("#grid .tile").first.click()
        page.locator("#pick").click()
        page.keyboard.press(" ")
        assert page.evaluate("review.clock.playing")
        assert page.locator("#pick").get_attribute("aria-pressed") == "true"
        page.locator("#open-viewer").click()
        page.locator("#modes label", has_text="Wipe").click()
        page.locator("#next").click()
        press(page, "Home", "ArrowRight")
        assert page.evaluate(FRAME) == 1
        assert (page.evaluate("review.viewer.mode"), page.locator("#name").inner_text()) == ("wipe", "b")
        wait_saved(page)


def test_what_is_chosen_is_saved_as_one_goes_and_is_there_after_a_reload(browser, few):
    with served(few) as server, page_of(browser, server.address) as page:
        until(page, ALL_LOADED)
        press(page, "p", "4", "Home", "ArrowRight", "i", "ArrowRight", "ArrowRight", "o", "n")
        page.keyboard.type("the arm, please <b>")
        press(page, "Escape", "ArrowDown", "x", "3", "3")
        wait_saved(page)
        assert [saved(server, "a.mp4", name) for name in ("decision", "stars", "in", "out", "note")] == [
            *("picked", 4, 1, 3),
            "the arm, please <b>",
        ]
        assert (saved(server, "b.mp4", "decision"), saved(server, "b.mp4", "stars")) == ("rejected", None)
        page.reload()
        press(page, "k")
        assert page.locator(".tile.picked .called").inner_text() == "a"
        assert page.locator("#note").input_value() == "the arm, please <b>"
        assert page.locator("#marks").inner_text() == "2 to 4: 3 frames"
        for expected in (2, 3, 1, 2):
            press(page, "ArrowRight")
            frame = page.evaluate("review.clock.frame(review.data.takes[0], [1, 3])")
            assert frame in (1, 2, 3), expected
        press(page, "p", "u")
        wait_saved(page)
        assert (saved(server, "a.mp4", "decision"), saved(server, "a.mp4", "in")) == (None, None)


def test_takes_are_found_by_class_seed_word_rating_and_decision(browser, two_hundred):
    with served(two_hundred) as server, page_of(browser, server.address) as page:
        shown = "review.grid.shown.map((tile) => tile.take.seed)"
        page.locator("#classes label", has_text="smoke").click()
        assert page.evaluate(shown) == list(range(2, 200, 4))
        page.fill("#words", "3, 10-20")
        assert page.evaluate(shown) == [10, 14, 18]
        page.locator("#grid .tile").nth(1).click()
        press(page, "p", "5")
        page.select_option("#decision-filter", "picked")
        assert page.evaluate(shown) == [14]
        page.select_option("#decision-filter", "")
        page.select_option("#stars-filter", "4")
        assert page.evaluate(shown) == [14]
        page.fill("#words", "999")
        page.locator("#unfilter").click()
        assert page.evaluate("review.grid.shown.length") == 200
        page.select_option("#order", "stars")
        assert page.evaluate(shown)[:2] == [14, 0]
        wait_saved(page)


STAGE = """(x) => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
    const { left, top, width, height } = review.viewer.place;
    done(review.viewer.stage.getContext("2d").getImageData(left + x * width, top + height / 2, 1, 1).data[0]) })))"""


def test_a_take_is_held_against_another_and_against_the_footage(browser, few):
    with served(few) as server, page_of(browser, server.address) as page:
        until(page, ALL_LOADED)
        press(page, "ArrowDown", "c", "ArrowUp", "Home", "Enter", "w")
        both = "review.viewer.take.progress === 1 && review.viewer.other.progress === 1 && !!review.viewer.drawn"
        until(page, both)
        assert [page.evaluate(STAGE, x) for x in (0.25, 0.75)] == pytest.approx([0, 100], abs=2)
        page.evaluate("review.viewer.amount.value = 10; review.viewer.redraw()")
        assert page.evaluate(STAGE, 0.25) == pytest.approx(100, abs=2)
        press(page, "s")
        page.evaluate("review.viewer.amount.value = 50; review.viewer.redraw()")
        assert page.evaluate(STAGE, 0.25) == pytest.approx(50, abs=2)
        press(page, "d", "ArrowRight")
        assert page.evaluate(STAGE, 0.5) == pytest.approx(100, abs=2)
        page.select_option("#other", label="plate.mkv")
        page.fill("#offset", "3")
        until(page, both)
        page.evaluate("document.activeElement.blur()")
        press(page, "w")
        assert page.evaluate(STAGE, 0.75) == pytest.approx(230, abs=2)  # one frame on from the footage's third
        assert "review copy" in page.locator("#stage-note").inner_text()
        press(page, "Escape")
        assert page.locator("#grid").is_visible()


def test_two_browsers_see_each_other_and_nothing_is_overwritten_unseen(browser, few):
    with (
        served(few) as server,
        page_of(browser, server.address) as ana,
        page_of(browser, server.address) as ben,
    ):
        ana.fill("#who", "Ana")
        ben.fill("#who", "Ben")
        for page in (ana, ben):
            page.locator("#grid .tile").first.click()
        press(ana, "p")
        until(ben, "review.choices.get('a.mp4', 'decision') === 'picked'")
        assert ben.locator("#pick").get_attribute("aria-pressed") == "true"
        ben.route("**/changes?since=*", lambda route: route.abort())  # Ben hears nothing for a while
        press(ana, "5")
        wait_saved(ana)
        press(ben, "2", "3")
        wait_saved(ben)
        assert saved(server, "a.mp4", "stars") == 3
        for page in (ana, ben):
            until(page, "document.querySelectorAll('#replaced li').length === 1")
            assert "Ana had stars 5; Ben set it to 3" in page.locator("#replaced").inner_text()
        ana.get_by_role("button", name="Take Ana's").click()
        wait_saved(ana)
        assert saved(server, "a.mp4", "stars") == 5
        assert ana.locator("#replaced li").count() == 0


def test_what_is_chosen_while_the_server_is_away_waits_even_over_a_reload_and_is_saved_when_it_is_back(browser, few):
    with served(few) as server, page_of(browser, server.address) as page:
        page.route("**/changes*", lambda route: route.abort())
        press(page, "p", "2")
        until(page, "review.choices.offline")
        assert "not saved yet: 2" in page.locator("#saved").inner_text()
        page.reload()
        until(page, "review.choices.offline")
        assert page.locator("#pick").get_attribute("aria-pressed") == "true"
        assert saved(server, "a.mp4", "decision") is None
        page.unroute("**/changes*")
        until(page, "review.choices.waiting.length === 0")
        assert (saved(server, "a.mp4", "decision"), saved(server, "a.mp4", "stars")) == ("picked", 2)


STORED = "JSON.stringify({ ...localStorage })"
RESTORE = "for (const [name, value] of Object.entries({})) localStorage.setItem(name, value)"


def test_from_disk_the_page_leaves_choices_in_the_browser_finds_them_there_and_has_them_downloaded(browser, few):
    """What the first page stored is handed to the next by the test: when a browser writes to disk is its own affair."""
    address = write_gallery_page(few, ChoicesFile(few.folder).read()).resolve().as_uri()
    moved = few.folder.parent / "elsewhere ü #1"
    shutil.copytree(few.folder, moved)
    for where in (address, (moved / "review.html").as_uri()):
        with page_of(browser, where) as page:
            until(page, ALL_LOADED)
            press(page, "p", "ArrowDown", "4")
            assert "changes in this browser only: 2" in page.locator("#saved").inner_text()
            stored = page.evaluate(STORED)
        context = browser.new_context(viewport=WIDE, accept_downloads=True)
        context.add_init_script(RESTORE.format(stored))
        with page_in(context, where) as page:
            until(page, ALL_LOADED)
            assert page.locator(".tile.picked .called").inner_text() == "a"
            assert "changes in this browser only: 2" in page.locator("#saved").inner_text()
            with page.expect_download() as download:
                page.get_by_role("button", name="Download choices").click()
            downloaded = read_choices(download.value.path())
            assert page.locator("#saved").inner_text() == ""
            assert '"changed":0' in page.evaluate("localStorage.getItem(review.choices.store)")
        choices = ChoicesFile(few.folder).merge(downloaded)
        assert (choices.value("a.mp4", "decision"), choices.value("b.mp4", "stars")) == ("picked", 4)


def test_picks_are_downloaded_from_the_page_as_timelines(browser, few):
    pytest.importorskip("opentimelineio", reason="needs vidgan[timelines]")
    with served(few) as server, page_of(browser, server.address, accept_downloads=True) as page:
        page.get_by_role("button", name="OTIO").click()
        until(page, "document.querySelector('#toast').textContent.includes('nothing is picked yet')")
        page.locator("#grid .tile").first.click()
        press(page, "p")
        wait_saved(page)
        for format, words in (
            ("OTIO", b"ExternalReference"),
            ("EDL", b"TITLE: picks"),
            ("CSV", b"a.mp4"),
            ("MP4", b"ftyp"),
        ):
            with page.expect_download() as download:
                page.get_by_role("button", name=format, exact=True).click()
            assert download.value.suggested_filename == f"picks.{format.lower()}"
            assert words in Path(download.value.path()).read_bytes()


def test_names_and_notes_are_text_whatever_they_hold(browser, tmp_path):
    name = """</script><img src=x onerror="document.title='owned'">'&amp;.mp4""".replace("/", "")
    make_take(tmp_path / "takes", name, seed=1, class_name="</script><!--<script><i>walk</i>")
    gallery = open_gallery(tmp_path / "takes")
    with served(gallery) as server, page_of(browser, server.address) as page:
        until(page, ALL_LOADED)
        assert page.locator("#name").inner_text() == Path(name).stem
        assert page.locator("aside dd").first.inner_text() == "</script><!--<script><i>walk</i>"
        assert "owned" not in page.title()


def test_a_movie_that_has_gone_is_said_on_its_tile(browser, few):
    with served(few) as server:
        few.takes[0].path.unlink()
        with page_of(browser, server.address) as page:
            until(page, "!!document.querySelector('.trouble')")
            assert "a: this browser cannot play it, or the file has gone" in page.locator(".trouble").inner_text()
            until(page, "review.grid.tiles[1].player.progress === 1")
