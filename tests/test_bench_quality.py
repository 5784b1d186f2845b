"""The bench of quality fills its table bit by bit: whatever stops it, the same call goes on."""

import json
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from readme import ROOT, SECTIONS, make_plates

sys.path.insert(0, str(ROOT / "tools"))

import bench_quality
from bench_quality import in_markdown, measure, read_results, results_of

from vidgan.errors import RequestError, TrainingError

CONFIG = ROOT / "configs" / "clip64.yaml"
# What has been measured: a file for each footage, in the order of the README's columns, and the tables of all.
MEASURED = [ROOT / "tools" / "quality" / f"{name}.json" for name in ("actions", "elements", "procedural")]
TABLES = (ROOT / "tools" / "quality" / "README.md").read_text(encoding="utf-8")
ABOUT = {"minutes": 2, "points": 2, "num_clips": 8, "clock": "wall"}


def cells_of(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


class Bench:
    """What `measure` calls, by a clock of its own: 100 clips a second. It is stopped when that clock says so, or while
    takes are judged."""

    def __init__(self, monkeypatch, out):
        self.out, self.now, self.trained = out, 0.0, []
        self.stopped_at, self.stopped_judging = float("inf"), False
        for name in ("run_training", "judge", "load_generator"):
            monkeypatch.setattr(bench_quality, name, getattr(self, name))
        monkeypatch.setattr(bench_quality, "RunningEvaluation", lambda prepared, settings: self)
        monkeypatch.setattr(bench_quality, "time", SimpleNamespace(monotonic=lambda: self.now))

    def run_training(self, settings, prepared, run, *, console, max_seconds, clock):
        seconds = min(max_seconds, self.stopped_at - self.now)
        self.now += seconds
        self.trained.append(seconds)
        return SimpleNamespace(num_clips=round(100 * self.now))

    def figures(self, loaded):
        if self.stopped_judging:
            raise KeyboardInterrupt
        return {"fvd": 1000 - self.now}

    def judge(self, *args, **kwargs):
        return SimpleNamespace(model_dump=lambda **kwargs: None)

    def load_generator(self, run):
        return None

    def measure(self, plates):
        measure("conv3d", ABOUT, self.out, plates, CONFIG)

    def row(self):
        """kclips, and FVD at both points."""
        record = json.loads((self.out / "conv3d" / "quality.json").read_text())
        return cells_of(in_markdown(results_of(ABOUT, {"conv3d": record})).splitlines()[2])[2:]


@pytest.fixture
def plates(tmp_path):
    make_plates(tmp_path / "plates")
    return tmp_path / "plates"


def test_a_candidate_stopped_while_it_trains_trains_for_what_is_left(monkeypatch, tmp_path, plates):
    bench = Bench(monkeypatch, tmp_path)
    bench.stopped_at = 90
    with pytest.raises(KeyboardInterrupt):
        bench.measure(plates)
    assert bench.row() == ["6", "940", ""]  # 9 kclips by now, but these were judged
    bench.stopped_at = float("inf")
    bench.measure(plates)
    assert bench.trained == [60, 30, 30]
    assert bench.row() == ["12", "940", "880"]


def test_a_candidate_stopped_while_it_is_judged_is_judged_without_more_training(monkeypatch, tmp_path, plates):
    bench = Bench(monkeypatch, tmp_path)
    bench.stopped_judging = True
    with pytest.raises(KeyboardInterrupt):
        bench.measure(plates)
    bench.stopped_judging = False
    bench.measure(plates)
    assert bench.trained == [60, 60]
    assert bench.row() == ["12", "940", "880"]


def test_the_table_of_a_folder_is_printed_as_far_as_it_has_come(monkeypatch, tmp_path, plates, capsys):
    bench = Bench(monkeypatch, tmp_path)
    (tmp_path / "protocol.json").write_text(json.dumps(ABOUT))
    bench.stopped_at = 90
    with pytest.raises(KeyboardInterrupt):
        bench.measure(plates)
    bench_quality.main(tmp_path)
    assert "| 6 | 940 |  |" in capsys.readouterr().out


def test_a_folder_without_a_bench_says_what_measuring_needs(tmp_path):
    with pytest.raises(RequestError, match=r"protocol\.json: No such file.*; to measure, give --footage and --config"):
        read_results(tmp_path)


def test_a_class_of_clips_that_are_all_one_counts_in_variety():
    real, generated = {"fire": 1.0, "smoke": 1.0, "still": 0.0}, {"fire": 0.8, "smoke": 0.0, "still": 0.0}
    found = {"evaluation": {"variety": {"real": real, "generated": generated}}}
    assert bench_quality._variety(found) == pytest.approx(0.4)


def test_a_candidate_that_fails_is_named_and_the_next_one_is_measured(monkeypatch, tmp_path, plates, capsys):
    measured = []

    def fail_first(name, *_):
        measured.append(name)
        if len(measured) == 1:
            raise TrainingError("its numbers stay infinite")

    monkeypatch.setattr(bench_quality, "measure", fail_first)
    bench_quality.main(tmp_path / "out", footage=plates, config=CONFIG, only="hinge,conv3d")
    assert measured == ["hinge", "conv3d"]
    assert "hinge: its numbers stay infinite" in capsys.readouterr().out


def test_rows_of_a_config_that_has_changed_are_of_another_table(monkeypatch, tmp_path, plates):
    for rates, message in (("", None), ("train: {generator_lr: 0.1}", r"measured with config mine.yaml \(\w{8}\)")):
        (tmp_path / "mine.yaml").write_text("data: {height: 16, width: 16}\n" + rates)
        about = bench_quality.protocol(plates, tmp_path / "mine.yaml", 1, 1, 8, False)
        with pytest.raises(RequestError, match=message) if message else nullcontext():
            bench_quality._agreed(tmp_path, about)


def test_a_finished_candidate_is_left_as_it_is(monkeypatch, tmp_path, plates):
    bench = Bench(monkeypatch, tmp_path)
    bench.measure(plates)
    bench.measure(plates)
    assert bench.trained == [60, 60]


@pytest.mark.parametrize("path", MEASURED, ids=lambda path: path.stem)
def test_the_published_tables_are_of_the_figures_beside_them(path):
    assert in_markdown(read_results(path)).split("\n\n")[0] in TABLES


def test_the_readmes_distances_are_of_those_figures():
    table = next(part for part in SECTIONS["Speed"].split("\n\n") if part.startswith("| | actions"))
    marks = {"footage's own halves": "half_half", "its frozen clips": "frozen"}
    for line in table.splitlines()[2:]:
        name, *cells = cells_of(line)
        for path, cell in zip(MEASURED, cells, strict=True):
            results = read_results(path)
            # Of procedural footage the baselines were stopped after the first half of the time.
            point = 0 if path.stem == "procedural" else -1
            distances = {row["candidate"]: row["fvd"][point] for row in results["rows"]} | results["yardsticks"]
            assert cell == f"{distances[marks.get(name, name.split(',')[0])]:.0f}", (name, path.stem)


def test_what_is_no_results_file_is_refused_by_name(tmp_path):
    (tmp_path / "results.json").write_text('{"rows": []}')
    with pytest.raises(RequestError, match=r"results\.json: not a results\.json of this bench"):
        read_results(tmp_path / "results.json")


def test_a_picture_of_the_curves_is_drawn(tmp_path):
    bench_quality.draw_curves(read_results(MEASURED[0]), tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
