"""The algorithm: alternating updates of discriminator and generator, one yield an update.

The loop knows nothing of files or progress bars: it yields statistics, and the caller logs, draws and saves.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing

import torch
from torch import Tensor

from vidgan.config import Config
from vidgan.footage.augment import augment_video
from vidgan.training.batches import Batches, Clips, Part
from vidgan.training.draws import noise_like
from vidgan.training.fakes import Fake, generate, mend
from vidgan.training.losses import (
    between,
    finite_difference_penalty,
    gradient_penalty,
    lipschitz_penalty,
    objective_of,
)
from vidgan.training.processes import ALONE, Processes
from vidgan.training.schedules import r1_gamma, r2_gamma, value_at
from vidgan.training.state import TrainState
from vidgan.training.trouble import not_finite
from vidgan.training.vitals import knowledge

# The moving average forgets the first, worst generators sooner: its half-life is at most this share of
# the clips seen (StyleGAN2's ramp-up, Karras et al. 2020, twice as slow for runs this short).
EMA_RAMP_UP = 0.1


def train(state: TrainState, clips: Clips, config: Config, processes: Processes = ALONE) -> Iterator[dict[str, float]]:
    """Update both networks until `train.total_kclips`; yields the statistics of each update.

    Update k is a pure function of the state and of (seed, clips seen), so a restored state goes on exactly. Each of
    several `processes` computes its share of every batch, and all yield the same but for the last key.
    Keys: loss_discriminator, loss_generator, logit_real, logit_fake, accuracy, relative_loss if the loss has one, those
    of `vidgan.training.fakes`, and
    r1, r2, lipschitz and watch/... on updates that compute them, augment_strength if it adapts; dropped, 1 where a
    gradient was not finite: then no weight has changed since, and `state.trouble` says which; waiting, the share of the
    update's time spent waiting for its clips. `state.watch` says whether the game has collapsed.
    Raises `ConfigError` if a batch cannot be shared by so many processes.
    """
    settings = config.train
    processes.check(config)
    if settings.compile:
        compile_networks(state)
    with closing(Batches(clips, config, state.generator, state.device, processes, state.shots)) as batches:
        while state.num_clips < settings.total_kclips * 1000:
            began, waited = time.perf_counter(), batches.seconds_waited
            parts = batches.parts(state.num_clips)
            set_rates(state, config)
            state.trouble = ""
            statistics, fakes = update_discriminator(state, parts, config, processes)
            if not state.trouble:
                statistics |= update_generator(state, parts, fakes, config, processes)
            if not state.trouble:
                update_ema(state, config)
            state.num_clips += settings.batch_size
            found = {name: float(value) for name, value in statistics.items()}
            found["dropped"] = float(bool(state.trouble))
            found["waiting"] = (batches.seconds_waited - waited) / (time.perf_counter() - began)
            yield state.watch.observe(found, state, config)


def compile_networks(state: TrainState) -> None:
    """Have torch.compile fuse both networks when they are first called, forward and backward."""
    state.generator.compile()
    state.discriminator.compile()


def update_discriminator(
    state: TrainState, parts: list[Part], config: Config, processes: Processes = ALONE
) -> tuple[dict[str, Tensor], list[Fake]]:
    """One step of the discriminator on real and generated clips, with penalties when they are due.

    Returns statistics, and the generated clips if the generator's step can go on from them: those of a batch in one
    part, whose graph is kept. The generator has not changed by then, so to make them again would make the same ones.
    """
    whole, fakes, sums = len(parts) == 1, [], {}
    state.discriminator_optimizer.zero_grad(set_to_none=True)
    for part in parts:
        with torch.set_grad_enabled(whole):
            fake = make_fake(state, part, config)
        loss, statistics = discriminator_loss(state, part, fake.video.detach(), config)
        (loss / len(parts)).backward()
        if state.watch.is_due(state.num_clips, config):
            statistics |= state.watch.distances(part.real, fake.video, part.labels)
        sums = {name: sums.get(name, 0) + value.detach() / len(parts) for name, value in statistics.items()}
        if whole:
            fakes.append(fake)
    sums = processes.average(sums)
    step(state, "discriminator", processes)
    if config.augment.adapt_to is not None:
        sums["augment_strength"] = adapt_strength(state, sums.pop("sign_real"), config)
    return sums, fakes


def discriminator_loss(state: TrainState, part: Part, fake: Tensor, config: Config) -> tuple[Tensor, dict[str, Tensor]]:
    """What the discriminator minimises on these real and these generated clips, video [B, C, T, H, W]; a scalar."""
    settings, draws = config.train, part.draws
    strength = augment_strength(state, config)
    real = augment_video(part.real, config.augment, draws.real, strength)
    fake = augment_video(fake, config.augment, draws.fake, strength)
    gammas = gammas_due(state, config)
    # A compiled network cannot be differentiated twice; its forward as written can.
    twice = settings.penalty == "exact" and bool(gammas)
    discriminate = state.discriminator.forward if twice else state.discriminator

    def logits_of(video: Tensor, told: Tensor) -> Tensor:
        with autocast(settings.precision, video.device):
            return discriminate(video, told, draws.frames)

    # Detached, so that no gradient is asked of the real clips themselves, which the generator's step sees again.
    sides = [
        (name, video.detach().requires_grad_(twice and name in gammas), told)
        for name, video, told in (("r1", real, part.told.real), ("r2", fake, part.told.fake))
    ]
    logits = {name: logits_of(video, told) for name, video, told in sides}
    objective = objective_of(settings.loss)
    losses = objective.discriminator(logits["r1"], logits["r2"])
    loss = sum_of_networks(losses).mean()
    statistics = {"loss_discriminator": loss, "logit_real": logits["r1"].mean(), "logit_fake": logits["r2"].mean()}
    statistics |= knowledge(objective, losses, logits["r1"], logits["r2"])
    if config.augment.adapt_to is not None:
        statistics["sign_real"] = logits["r1"].sign().mean()
    if gammas and not twice:
        noise = settings.penalty_sigma * noise_like(real, draws.noise_seeds)
    for name, video, told in sides:
        if name in gammas:
            if twice:
                penalty = gradient_penalty(logits[name], video)
            else:
                beside = logits_of(video - noise, told), logits_of(video + noise, told)
                penalty = finite_difference_penalty(*beside, settings.penalty_sigma)
            statistics[name] = penalty.mean()
            loss = loss + 0.5 * gammas[name] * statistics[name]
    if settings.lipschitz_lambda > 0:
        discriminate = state.discriminator.forward
        middle = between(real.detach(), fake.detach(), draws.share).requires_grad_()
        statistics["lipschitz"] = lipschitz_penalty(logits_of(middle, part.told.real), middle).mean()
        loss = loss + settings.lipschitz_lambda * statistics["lipschitz"]
    return loss, statistics


def gammas_due(state: TrainState, config: Config) -> dict[str, float]:
    """Weights of R1 and R2 in this update, those that are not 0: every few updates, and then as much larger."""
    settings = config.train
    if (state.num_clips // settings.batch_size) % settings.penalty_interval:
        return {}
    schedules = {"r1": r1_gamma(config), "r2": r2_gamma(config)}
    gammas = {name: value_at(schedule, state.num_clips) for name, schedule in schedules.items()}
    return {name: gamma * settings.penalty_interval for name, gamma in gammas.items() if gamma > 0}


def update_generator(
    state: TrainState, parts: list[Part], fakes: list[Fake], config: Config, processes: Processes = ALONE
) -> dict[str, Tensor]:
    """One step of the generator against the discriminator as it now is; `fakes` as `update_discriminator` returns."""
    state.discriminator.requires_grad_(False)
    state.generator_optimizer.zero_grad(set_to_none=True)
    sums: dict[str, Tensor] = {}
    for index, part in enumerate(parts):
        fake = fakes[index] if fakes else make_fake(state, part, config)
        losses = {"loss_generator": generator_loss(state, part, fake.video, config)} | fake.losses
        (sum(losses.values()) / len(parts)).backward()
        sums = {name: sums.get(name, 0) + value.detach() / len(parts) for name, value in losses.items()}
    step(state, "generator", processes)
    state.discriminator.requires_grad_(True)
    return processes.average(sums)


def step(state: TrainState, name: str, processes: Processes) -> None:
    """One descent step of a network, unless one of its gradients is not finite: that goes into `state.trouble`."""
    processes.average_gradients(getattr(state, name))
    reason = not_finite(getattr(state, name))
    if reason is None:
        getattr(state, f"{name}_optimizer").step()
    else:
        state.trouble = f"{name}, {reason}"


def generator_loss(state: TrainState, part: Part, fake: Tensor, config: Config) -> Tensor:
    """What the generator minimises on the clips it has made, video [B, C, T, H, W]; a scalar."""
    objective, strength = objective_of(config.train.loss), augment_strength(state, config)
    fake = augment_video(fake, config.augment, part.draws.fake_again, strength)
    with autocast(config.train.precision, fake.device):
        logits_fake = state.discriminator(fake, part.told.fake, part.draws.frames)
        logits_real = logits_fake
        if objective.generator_needs_real:
            real = augment_video(part.real, config.augment, part.draws.real_again, strength)
            logits_real = state.discriminator(real, part.told.real, part.draws.frames)
    return sum_of_networks(objective.generator(logits_real, logits_fake)).mean()


def make_fake(state: TrainState, part: Part, config: Config) -> Fake:
    """What the discriminator is to take for real: clips made from noise, or damaged clips that were mended."""
    with autocast(config.train.precision, part.labels.device):
        return generate(state.generator, part, config) if part.damaged is None else mend(state.generator, part, config)


def sum_of_networks(losses: Tensor) -> Tensor:
    """[B] as it is; [B, K], of K discriminators -> [B]."""
    return losses if losses.ndim == 1 else losses.sum(1)


def augment_strength(state: TrainState, config: Config) -> float:
    """By the schedule, and by what has been learnt of the discriminator if it adapts."""
    strength = value_at(config.augment.strength, state.num_clips)
    return strength if config.augment.adapt_to is None else strength * float(state.augment_strength)


def adapt_strength(state: TrainState, sign_real: Tensor, config: Config) -> Tensor:
    """A step up if the discriminator knows real clips too well, else one down. Karras et al. 2020b, sec. 3."""
    change = config.train.batch_size / (config.augment.adapt_kclips * 1000)
    way = 1 if float(sign_real) > config.augment.adapt_to else -1
    state.augment_strength = (state.augment_strength + way * change).clamp(0, 1)
    return state.augment_strength


def set_rates(state: TrainState, config: Config) -> None:
    """Give both optimisers what their schedules say at this clip; half of the rates for each time it went back. A layer
    may have a scale of its own, see `step_scale`."""
    settings, beta2 = config.train, value_at(config.train.adam_beta2, state.num_clips)
    for optimizer, schedule in (
        (state.generator_optimizer, settings.generator_lr),
        (state.discriminator_optimizer, settings.discriminator_lr),
    ):
        for group in optimizer.param_groups:
            group["lr"] = value_at(schedule, state.num_clips) * 0.5**state.num_rollbacks * group["step_scale"]
            group["betas"] = (settings.adam_beta1, beta2)


@torch.no_grad()
def update_ema(state: TrainState, config: Config) -> None:
    """Move the averaged generator towards the current one: half of the way in a half-life of clips."""
    kclips = value_at(config.train.ema_halflife_kclips, state.num_clips)
    halflife = max(1.0, min(kclips * 1000, EMA_RAMP_UP * (state.num_clips + config.train.batch_size)))
    keep = 0.5 ** (config.train.batch_size / halflife)
    averaged, current = list(state.generator_ema.parameters()), list(state.generator.parameters())
    torch._foreach_lerp_(averaged, current, 1 - keep)
    for mean, value in zip(state.generator_ema.buffers(), state.generator.buffers(), strict=True):
        mean.copy_(value)  # statistics of batch normalisation, which are averages already


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """bfloat16 autocast if asked for, or if "auto" and the processor or GPU multiplies bfloat16 natively."""
    native = torch.cuda.is_bf16_supported(including_emulation=False) if device.type == "cuda" else cpu_has_bfloat16()
    wanted = precision == "bfloat16" or (precision == "auto" and native)
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted)


def cpu_has_bfloat16() -> bool:
    """Whether this processor has AVX-512 or AMX instructions for bfloat16."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
