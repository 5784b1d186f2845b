"""The one loop trains networks that mend: all that holds for generators holds for these."""

import json
import math
import re

import av
import numpy as np
import pytest
import torch
from rich.console import Console
from tiny_runs import mending, tiny, two_classes
from typer.testing import CliRunner

from vidgan.cli import app
from vidgan.config_files import build_config, config_to_yaml
from vidgan.errors import ConfigError, WeightsError
from vidgan.footage.clips import ClipSampler
from vidgan.footage.prepare import PreparedFootage
from vidgan.metrics.mending import MendedClip, RunningRepairs, fixed_clips, mended_clips, psnr, squared_error
from vidgan.nn.repair import Mended
from vidgan.plan import make_plan, plan_in_words
from vidgan.run import run_training
from vidgan.survey import FoundFootage
from vidgan.training.batches import Batches
from vidgan.training.checkpoints import Checkpoints
from vidgan.training.fakes import OVERLOOKED, detection_loss, distance_from_truth, doubt_loss
from vidgan.training.loop import make_fake, train
from vidgan.training.processes import ALONE
from vidgan.training.rehearsal import rehearse
from vidgan.training.state import new_state
from vidgan.weights import LoadedRepairer, load_generator, load_repairer

CPU = torch.device("cpu")
QUIET = Console(quiet=True)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def gradients(count=24, num_frames=8, size=16):
    """Slopes of any direction and colour that brighten or darken: what is missing of one can be known."""
    draws, rows = np.random.default_rng(0), np.linspace(-1, 1, size)
    shots = []
    for _ in range(count):
        down, right, later = draws.uniform(-60, 60, (3, 3))
        slope = down * rows[:, None, None] + right * rows[None, :, None]
        shots.append(np.stack([128 + slope + later * (t / num_frames - 0.5) for t in range(num_frames)]))
    frames = tuple(np.clip(np.rint(shot), 0, 255).astype(np.uint8) for shot in shots)
    return PreparedFootage(frames, (0,) * count, (), None, notes=(), manifest_hash="0" * 64)


def learnt(footage, config, *, updates=100):
    """The averaged network after so many updates, and the statistics of the last."""
    state = new_state(config, 0, CPU)
    clips = ClipSampler(footage, num_frames=config.data.num_frames, frame_stride=1, seed=0)
    for count, statistics in enumerate(train(state, clips, config), start=1):
        assert all(math.isfinite(value) for value in statistics.values())
        if count == updates:
            return state, statistics


def game(repair, *, num_frames=4, **train_settings):
    settings = {"total_kclips": 1000, "batch_size": 4, "generator_lr": 5e-3, "precision": "float32"}
    settings |= {"loss": "nonsaturating"} | train_settings
    return build_config(
        {
            "data": {"height": 16, "width": 16, "num_frames": num_frames},
            "model": {"family": "repair", "generator_channels": 8, "max_channels": 16, "discriminator_channels": 4},
            "train": settings,
            "repair": repair,
        }
    )


def figures_of(network, footage, config):
    return RunningRepairs(footage, config).figures(LoadedRepairer(network, None, weights_hash="", path=None))


def stripes(count=64, size=16):
    """Stills of stripes four pixels wide, anywhere: a hole cannot be filled from what is next to it."""
    draws = np.random.default_rng(0)
    columns = [128 + 90 * np.sin((np.arange(size) + draws.uniform(0, 8)) * np.pi / 4) for _ in range(count)]
    frames = tuple(np.rint(np.broadcast_to(each[:, None], (1, size, size, 3))).astype(np.uint8) for each in columns)
    return PreparedFootage(frames, (0,) * count, (), None, notes=(), manifest_hash="0" * 64)


def test_holes_are_learnt_that_no_neighbour_could_fill():
    config = game({"kinds": {"box": 1}}, num_frames=1)
    before = figures_of(new_state(config, 0, CPU).generator_ema, stripes(), config)["psnr"]
    state, _ = learnt(stripes(), config, updates=150)
    assert figures_of(state.generator_ema, stripes(), config)["psnr"] > before + 3


def test_lost_lines_of_stills_which_rules_overlook_are_learnt_to_be_found_in_seconds():
    config = game({"kinds": {"dropouts": 1}, "given": 0.0}, num_frames=1)
    before = figures_of(new_state(config, 0, CPU).generator_ema, gradients(), config)["overlap"]
    state, _ = learnt(gradients(), config, updates=100)
    assert figures_of(state.generator_ema, gradients(), config)["overlap"] > before + 0.1


def test_dust_is_found_before_anything_is_learnt():
    config = game({"kinds": {"dust": 1}, "given": 0.0})
    assert figures_of(new_state(config, 0, CPU).generator_ema, gradients(), config)["overlap"] > 0.7


def test_noise_is_learnt_to_be_taken_off_in_seconds():
    config = game({"kinds": {"sensor": 1}, "most_noise": 0.3})
    before = figures_of(new_state(config, 0, CPU).generator_ema, gradients(), config)["psnr"]
    state, _ = learnt(gradients(), config, updates=150)
    assert figures_of(state.generator_ema, gradients(), config)["psnr"] > before + 0.7


@pytest.mark.parametrize("num_frames", [1, 4])
def test_every_weight_of_both_networks_is_used(num_frames):
    state, _ = learnt(gradients(), game({}, num_frames=num_frames), updates=12)
    for network in (state.generator, state.discriminator):
        moments = (state.generator_optimizer if network is state.generator else state.discriminator_optimizer).state
        unused = [name for name, weight in network.named_parameters() if not moments[weight]["exp_avg_sq"].any()]
        assert unused == []


@pytest.mark.parametrize("settings", [{"accumulate": 2}, {"checkpoint_activations": True}])
def test_less_memory_makes_the_same_update(settings):
    weights = []
    for more in ({}, settings):
        state, _ = learnt(gradients(), game({}, **more), updates=2)
        weights.append(torch.cat([weight.detach().flatten() for weight in state.generator.parameters()]))
    assert (weights[0] - weights[1]).abs().quantile(0.99) < 1e-4


def losses_of(run):
    lines = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    names = ("num_clips", "loss_discriminator", "loss_generator", "loss_reconstruction", "loss_doubt", "loss_detection")
    return [{name: line[name] for name in names} for line in lines if "loss_generator" in line]


def test_a_run_that_was_interrupted_mends_bit_for_bit_like_one_that_was_not(tmp_path):
    footage, config = two_classes(), mending(tiny())
    run_training(config, footage, tmp_path / "whole", console=QUIET)
    for kclips in (0.016, 0.048, 0.064):
        part = config.model_copy(update={"train": config.train.model_copy(update={"total_kclips": kclips})})
        torch.randn(5)  # the global random state must not matter
        run_training(part, footage, tmp_path / "parts", console=QUIET)
    assert losses_of(tmp_path / "parts") == losses_of(tmp_path / "whole")
    whole, parts = (
        torch.load(Checkpoints(tmp_path / name / "checkpoints", keep=1).paths()[-1], weights_only=True)
        for name in ("whole", "parts")
    )
    for network in ("generator", "generator_ema", "discriminator"):
        for name, tensor in whole[network].items():
            assert torch.equal(tensor, parts[network][name])


def test_damage_belongs_to_the_clip_and_not_to_the_batch_it_is_in():
    config = mending(tiny())
    state, clips = new_state(config, 2, CPU), ClipSampler(two_classes(), num_frames=4, frame_stride=1, seed=0)
    pairs = config.model_copy(update={"train": config.train.model_copy(update={"batch_size": 4})})
    (whole,) = Batches(clips, config, state.generator, CPU, ALONE).parts(0)
    (half,) = Batches(clips, pairs, state.generator, CPU, ALONE).parts(4)
    mirrored = whole.draws.mirrored[4:] == half.draws.mirrored  # which is drawn by the batch
    assert torch.equal(whole.damaged.grain[4:], half.damaged.grain)
    assert torch.equal(whole.damaged.hole[4:][mirrored], half.damaged.hole[mirrored])


def test_masks_are_mirrored_with_their_clips():
    config = mending(tiny(), kinds={"text": 1})
    state, clips = new_state(config, 2, CPU), ClipSampler(two_classes(), num_frames=4, frame_stride=1, seed=0)
    (part,) = Batches(clips, config, state.generator, CPU, ALONE).parts(0)
    assert part.draws.mirrored.any()
    assert not ((part.damaged.video != part.real) & (part.damaged.hole == 0)).any()


def test_only_what_was_damaged_is_shown_to_the_discriminator_as_made():
    config = mending(tiny())
    state, clips = new_state(config, 2, CPU), ClipSampler(two_classes(), num_frames=4, frame_stride=1, seed=0)
    (part,) = Batches(clips, config, state.generator, CPU, ALONE).parts(0)
    fake = make_fake(state, part, config)
    untouched = (part.damaged.made == 0).expand_as(fake.video)
    assert torch.equal(fake.video[untouched], part.damaged.video[untouched])
    assert not torch.equal(fake.video[~untouched], part.damaged.video[~untouched])


def test_losses_are_means_over_what_they_are_about():
    shape = (2, 3, 2, 4, 4)
    real, half = torch.zeros(shape), torch.zeros(2, 1, 2, 4, 4)
    half[..., :2] = 1
    mean = 0.5 * half.expand(shape) + 9 * (1 - half).expand(shape)
    log_doubt = torch.full((2, 1, 2, 4, 4), math.log(0.25))
    mended = Mended(mean, log_doubt, torch.zeros(shape), torch.zeros(shape), torch.zeros(2, 1, 2, 4, 4))
    assert distance_from_truth(mended, real, half).tolist() == pytest.approx([0.5, 0.5])
    assert distance_from_truth(mended, real, 0 * half).tolist() == [0, 0]
    assert doubt_loss(mended, real, half).tolist() == pytest.approx([2 + math.log(0.25)] * 2)
    logits = 40 * (1 - half) - 40 * half  # right outside of the hole, wrong inside
    assert detection_loss(logits, 1 - half, half).tolist() == pytest.approx([0, 0])
    assert detection_loss(-logits, 1 - half, half).tolist() == pytest.approx([40 * OVERLOOKED] * 2)


def test_doubt_is_least_wrong_where_it_is_the_distance_from_the_truth():
    shape = (1, 3, 1, 4, 4)
    losses = []
    for doubt in (0.1, 0.2, 0.4):
        mended = Mended(torch.full(shape, 0.2), torch.full((1, 1, 1, 4, 4), doubt).log(), *3 * [None])
        losses.append(doubt_loss(mended, torch.zeros(shape), torch.ones(1, 1, 1, 4, 4)).item())
    assert losses[1] < min(losses[0], losses[2])


def test_psnr_is_of_what_was_damaged_alone():
    truth, made = torch.zeros(3, 2, 4, 4), torch.zeros(1, 2, 4, 4, dtype=torch.bool)
    made[..., 0] = True
    mended = truth + 0.2 * made
    nothing = torch.zeros_like(made)
    clip = MendedClip("box", truth, mended, mended, made, nothing, nothing)
    assert psnr(*squared_error(clip)) == pytest.approx(20)


def test_clips_that_are_looked_at_have_each_kind_in_turn_and_are_always_the_same():
    config = mending(tiny(), kinds={"box": 5, "dust": 1, "text": 0})
    first, again = (fixed_clips(two_classes(), config, 5) for _ in range(2))
    assert first[1] == ["box", "dust", "box", "dust", "box"]
    assert torch.equal(first[2].frames, again[2].frames)
    network = new_state(config, 2, CPU).generator_ema
    clips = list(mended_clips(network, *first))
    assert len(clips) == 5
    for clip in clips:
        outside = ~clip.made.expand_as(clip.truth)
        assert torch.equal(clip.mended[outside], clip.truth[outside])
        assert (clip.damaged != clip.truth).any()  # a hole can be seen


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run that has drawn sheets, measured itself on other footage than its own, and kept the best."""
    run = tmp_path_factory.mktemp("run")
    config = mending(tiny(total_kclips=0.032))
    evaluate = config.evaluate.model_copy(update={"every_kclips": 0.016, "num_clips": 10, "best_by": "psnr"})
    config = config.model_copy(update={"evaluate": evaluate})
    run_training(config, two_classes(), run, console=QUIET, heldout=gradients(3))
    return run


def test_a_run_measures_psnr_by_kind_and_keeps_the_best(finished):
    lines = [json.loads(line) for line in (finished / "stats.jsonl").read_text().splitlines()]
    measured = [line for line in lines if "evaluate/psnr" in line]
    assert [line["num_clips"] for line in measured] == [16, 32]
    assert {"evaluate/psnr_box", "evaluate/psnr_grain", "evaluate/overlap"} <= measured[0].keys()
    best = load_repairer(finished / "best.safetensors")
    assert best.provenance.num_clips == max(measured, key=lambda line: line["evaluate/psnr"])["num_clips"]


def test_its_sheet_shows_each_kind_damaged_mended_and_true(finished):
    kinds = len(load_repairer(finished).provenance.config.repair.kinds)
    with av.open(finished / "samples" / "000000032_clips.mp4") as movie:
        assert sum(1 for _ in movie.decode(video=0)) == 4
        assert movie.streams.video[0].height >= 96 * kinds
    assert (finished / "samples" / "000000032_clips.png").is_file()


def test_weights_that_mend_and_weights_that_make_are_told_apart_in_one_line(finished, tmp_path):
    loaded = load_repairer(finished)
    assert loaded.provenance.config.repairs
    assert len(loaded.weights_hash) == 64
    with pytest.raises(WeightsError, match=r"generator.safetensors: mends damaged clips, for `vidgan repair`; weights"):
        load_generator(finished)
    with pytest.raises(WeightsError, match=r"demo.safetensors: makes clips; `vidgan repair` needs weights of model"):
        load_repairer("demo")
    result = CliRunner().invoke(app, ["generate", str(finished), "--seeds", "1", "--out", str(tmp_path / "takes")])
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert "mends damaged clips" in result.stderr
    assert "vidgan-repairer-1" in CliRunner().invoke(app, ["info", str(finished / "generator.safetensors")]).stdout


def test_damage_can_be_looked_at_before_anything_is_trained(footage, tmp_path):
    footage.movie("left/a.mkv", range(40, 160, 4), height=32, width=32)
    config = tmp_path / "config.yaml"
    config.write_text(config_to_yaml(mending(tiny())))
    command = ["train", str(config), "--footage", str(footage.root), "--run", str(tmp_path / "run")]
    result = CliRunner().invoke(app, [*command, "--show-damage", str(tmp_path / "damage.png")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "damage.png").stat().st_size > 1000
    assert not (tmp_path / "run").exists()
    config.write_text(config_to_yaml(tiny()))
    result = CliRunner().invoke(app, [*command, "--show-damage", str(tmp_path / "other.png")])
    assert result.exit_code == 2
    assert re.search("--show-damage: this config .* set model.family=repair", result.stderr)


def test_what_is_not_measured_cannot_be_best():
    with pytest.raises(ConfigError, match="psnr, which is not measured of networks that make clips"):
        build_config({"evaluate": {"every_kclips": 1, "best_by": "psnr"}})
    with pytest.raises(ConfigError, match="fvd, which is not measured of networks that mend; psnr is"):
        build_config({"model": {"family": "repair"}, "evaluate": {"every_kclips": 1, "best_by": "fvd"}})


FOUND = FoundFootage((0, 0), 18, (), 0, prepare=lambda split: None)


@pytest.mark.slow
def test_a_plan_lists_both_networks_and_predicts_memory(tmp_path):
    plan = make_plan(mending(tiny()), FOUND, run=tmp_path, measured=False, console=QUIET)
    words = plan_in_words(plan)
    assert f"generator, {plan.generator_parameters:,} parameters\nlevel  frames" in words


def test_memory_is_predicted_of_masks_and_both_networks():
    small, large = (rehearse(mending(tiny(batch_size=size)), 0, CPU)[1] for size in (4, 32))
    assert large > 3 * small


@pytest.mark.slow
def test_a_plan_measures_a_network_that_mends(tmp_path):
    plan = make_plan(mending(tiny(precision="float32")), FOUND, run=tmp_path, measured=True, console=QUIET)
    assert plan.not_measured == ""
    assert plan.disk.sheets > 0
    assert plan.memory.predicted == pytest.approx(plan.memory.measured, rel=0.4)
