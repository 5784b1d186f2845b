"""What a watched game's state means in words, and what a practitioner would change, given its settings.

what helps                                                              source
a penalty on the discriminator's gradient at real clips (R1)            Mescheder et al. 2018
the same changes shown to real and generated clips                      Karras et al. 2020b
rates of one size, or a slower one                                      Heusel et al. 2017
larger batches; going back to before the collapse                       Brock et al. 2019
the relativistic loss with R1 and R2, which keeps modes                 Huang et al. 2024
a loss whose generator's side does not saturate                         Goodfellow et al. 2014, sec. 3
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vidgan.config import Config
from vidgan.training.collapse import Sign, Watch
from vidgan.training.schedules import r1_gamma, value_at

# Below this share of pairs in the right order, a discriminator whose logits are far apart has not won.
WINS = 0.9


@dataclass(frozen=True)
class Verdict:
    """How a game stands."""

    state: str
    """healthy, warning or collapsed."""
    cause: str = ""
    """A few words; empty if healthy, as are the next."""
    reason: str = ""
    """The figure that shows it."""
    advice: str = ""
    """What to change."""

    @property
    def in_short(self) -> str:
        """State and cause."""
        return f"{self.state}: {self.cause}" if self.cause else self.state

    def __str__(self) -> str:
        """All of it in one line."""
        return f"{self.in_short}: {self.reason}. Try: {self.advice}" if self.cause else self.state


def verdict_of(watch: Watch, config: Config, num_clips: int, class_names: Sequence[str] = ()) -> Verdict:
    """The state after so many clips, in words."""
    if watch.sign is None:
        return Verdict("healthy")
    cause, reason = _in_words(watch, watch.sign, class_names)
    return Verdict(watch.state, cause, reason, ", or ".join(_advice(watch.sign, config, num_clips)))


def _in_words(watch: Watch, sign: Sign, class_names: Sequence[str]) -> tuple[str, str]:
    figures = watch.figures()
    if sign.name == "overshoot":
        return (
            "the discriminator overshoots",
            f"its loss is {figures['overshoot']:.3g} times that of one that says nothing",
        )
    if sign.name == "gap":
        return (
            "the discriminator has won" if figures["accuracy"] >= WINS else "the discriminator runs away",
            f"its logits of real and generated clips are {figures['gap']:.3g} apart, "
            f"{figures['accuracy']:.1%} of pairs in the right order",
        )
    if sign.name == "variety":
        name = class_names[sign.label] if 0 <= sign.label < len(class_names) else str(sign.label)
        clips = "generated clips" if sign.label < 0 else f"generated clips of class {name}"
        return f"{clips} repeat themselves", f"they vary by {watch.variety(sign.label):.1%} of what real ones do"
    if sign.name == "one clip":
        made = "and generated ones as well" if sign.severity == 2 else "and generated ones will be"
        return "the footage is one clip", f"real clips are all alike, {made}"
    if sign.name == "drift":
        return (
            "the generator runs in circles",
            f"its weights are {figures['drift']:.0%} of their size away from their average",
        )
    network = sign.name.removeprefix("dead_")
    return f"the {network} no longer learns", f"{figures[sign.name]:.0%} of its channels have no gradient"


def _advice(sign: Sign, config: Config, num_clips: int) -> Iterator[str]:
    """The likeliest first."""
    train, augment = config.train, config.augment
    if sign.name == "one clip":
        yield "add footage, or train on longer shots"
        return
    generator_lr, discriminator_lr = (
        value_at(rate, num_clips) for rate in (train.generator_lr, train.discriminator_lr)
    )
    gamma = value_at(r1_gamma(config), num_clips)
    if discriminator_lr > 2 * generator_lr:
        yield f"lower train.discriminator_lr from {discriminator_lr:g} to that of the generator, {generator_lr:g}"
    elif sign.name == "overshoot":
        yield f"lower train.discriminator_lr from {discriminator_lr:g} to {discriminator_lr / 2:g}"
    if sign.name.startswith("dead") and train.loss == "minimax":
        yield "set train.loss=nonsaturating"
    if sign.name in ("gap", "dead_generator"):
        if train.lipschitz_lambda == 0:
            yield (
                f"raise train.r1_gamma from {gamma:.2g} to {4 * gamma:.2g}"
                if gamma
                else "switch the penalty on: leave train.r1_gamma unset"
            )
        if not (augment.translation or augment.color or augment.cutout):
            yield "add augment.translation=0.125 augment.color=0.2"
        yield "add footage"
    if sign.name in ("variety", "drift", "dead_discriminator"):
        halves = f"{generator_lr / 2:g} and {discriminator_lr / 2:g}"
        yield f"halve train.generator_lr and train.discriminator_lr, to {halves}"
    if sign.name == "variety":
        yield f"raise train.batch_size from {train.batch_size} to {2 * train.batch_size}"
        if train.loss != "relativistic":
            yield "set train.loss=relativistic, and leave train.r2_gamma unset"
