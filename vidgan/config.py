"""Settings: pydantic models, one docstring per field. What a config does not say has the default written here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from vidgan.config_values import Background, NonNegative, Rate, Schedule, Section


class DataConfig(Section):
    """What a clip is, and how it is taken from the footage."""

    kind: Literal["footage", "idx"] = "footage"
    """"idx": images in IDX files, as of MNIST; below, size, num_frames, channels, fit, classes and holdout apply."""
    height: int = Field(64, ge=8)
    """Rows of a training frame; need not be a power of two, nor equal the width."""
    width: int = Field(64, ge=8)
    """Columns of a training frame."""
    num_frames: int = Field(16, ge=1)
    """Frames of a clip; 1 trains on images."""
    channels: Literal[1, 3] = 3
    """3 for colour (RGB), 1 for grey (Rec.709 luma)."""
    frame_stride: int = Field(1, ge=1)
    """Source frames from one clip frame to the next; clips are made at the footage's rate divided by this."""
    rate: Rate | None = None
    """The one rate of all footage, exact ("24000/1001"). Unset: the rate most movie frames have.
    Frame sequences, and movies without timestamps, need it."""
    other_rates: Literal["resample", "blend", "refuse"] = "resample"
    """Movies at another rate, or at a variable one: take the frames nearest in time, mix the two nearest by their
    distance, or leave the movie out with a note."""
    fit: Literal["crop", "letterbox"] = "crop"
    """How a picture of another shape is fitted: cut the longer side, or keep all of it on black. Never squashed."""
    classes: Literal["none", "folders"] = "none"
    """"folders": the first folder below the footage folder is the class. "none": unconditional."""
    cuts: Literal["adaptive", "content", "histogram", "hash", "none"] = "adaptive"
    """PySceneDetect's detector that parts a movie into shots where it was edited; "none" for uncut material."""
    cut_threshold: float | None = Field(None, gt=0)
    """The detector's threshold: lower finds more cuts. Unset: a good one for the detector."""
    leave_out: tuple[Literal["black", "frozen", "duplicate"], ...] = ("black", "frozen", "duplicate")
    """Stretches of black frames, stretches in which nothing moves, and shots equal to another in every frame."""
    holdout: float = Field(0.1, ge=0, lt=1)
    """Share of the shots set aside for evaluation and not trained on. What is in a shot decides, so that adding footage
    moves no other shot; where a class would be left with none to train on, all of it is trained on."""
    color_space: str | dict[str, str] | None = None
    """OpenColorIO name of what the pixels mean ("ACEScg", "ADX10", or one of `$OCIO`) where files do not say, or say
    wrong: one name for all EXR, DPX and Cineon files, or names by pattern, such as {"log/*.mov": "ARRI LogC4"}."""
    exposure: float = Field(0.0, ge=-32, le=32)
    """Stops brighter (or darker, below 0), applied to scene-linear light before it is made a picture."""
    view: str | None = None
    """OpenColorIO view that makes scene-linear light a picture, such as "ACES 2.0 - SDR 100 nits (Rec.709)".
    Unset: the definition of sRGB, clipped; with `$OCIO` the default view of that config."""
    layer: str | None = None
    """Layer or part of layered EXR files. Unset: the main picture."""
    background: Background = "#000000"
    """Colour that transparent pictures are laid over, "#rrggbb"."""


class AugmentConfig(Section):
    """Changes shown to the discriminator on real and generated clips alike, the same for all frames of a clip."""

    color: float = Field(0.0, ge=0, le=1)
    """Strength of brightness, saturation and contrast changes; 0 is off."""
    translation: float = Field(0.0, ge=0, le=0.5)
    """Largest shift as a share of the picture's side; 0 is off."""
    cutout: float = Field(0.0, ge=0, le=1)
    """Side of the box blanked out, as a share of the picture's side; 0 is off."""
    mirror: bool = False
    """Swap left and right of half the real clips. Off by default, because footage has a direction."""
    strength: Schedule = 1.0
    """Multiplies color, translation and cutout; may change with the clips seen."""
    adapt_to: float | None = Field(None, ge=-1, le=1)
    """Let the strength, from 0 to the one above, grow while the mean sign of the logits of real clips is above this and
    fall while it is below (Karras et al. 2020b; 0.6 there). Unset: the strength is what it is."""
    adapt_kclips: float = Field(50.0, gt=0)
    """Thousands of clips in which the adaptive strength goes from 0 to full at most."""
    frame_strides: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Show real clips at these multiples of `data.frame_stride`, such as [1, 2], so that generated ones move at several
    speeds. Off by default, because footage has a speed."""


class ModelConfig(Section):
    """The two networks and their sizes. Their levels follow from the clip's size; `--dry-run` prints them."""

    family: str = "conv3d"
    """Which pair of networks: conv3d, recurrent, dcgan3d or dense, see `vidgan.nn.build`; repair for one that mends
    damaged clips."""
    content_dim: int = Field(64, ge=1)
    """Numbers in the content latent z: what stays the same over a clip."""
    motion_dim: int = Field(16, ge=1)
    """Numbers a step in the motion noise: what changes over time."""
    tell_shots: bool = True
    """Tell both networks which shot of its class a clip is of, so that each shot's look is learned; z says which one a
    take belongs to. Only where no class has more shots than `content_dim`, and never of single pictures."""
    generator_channels: int = Field(16, ge=4)
    """Channels of the generator's largest level; each smaller level has twice as many."""
    discriminator_channels: int = Field(16, ge=4)
    """Channels of the discriminator's largest level; each smaller level has twice as many."""
    max_channels: int = Field(128, ge=4)
    """No level of either network has more channels than this."""
    modulate: bool = False
    """Let content and class scale and shift the channels of each level of conv3d, not only go into its first one."""
    discriminator_frames: int = Field(0, ge=0)
    """Above 0, a second discriminator judges so many random frames of each clip one by one, and the spatiotemporal one
    sees the clip at half its size (DVD-GAN, Clark et al. 2019). Of conv3d, and of recurrent in place of one frame."""


DamageKind = Literal[
    "box", "strokes", "text", "missing", "repeated", "scratches", "dust", "dropouts", "grain", "sensor"
]

# The family of networks that mend clips instead of making them.
REPAIR = "repair"
# Height and width of what they take are multiples of this.
REPAIR_MULTIPLE = 8


class TrainConfig(Section):
    """The game: losses, optimisers, and how long. The clock is `num_clips`, real clips shown to the discriminator."""

    total_kclips: float = Field(200.0, gt=0)
    """Thousands of real clips until training ends."""
    batch_size: int = Field(4, ge=2)
    """Clips in one update of either network."""
    accumulate: int = Field(1, ge=1)
    """Parts that a batch is cut into, one after the other, to need less memory; the update is the same, except in
    families with batch normalisation (recurrent, dcgan3d, dense), which normalise each part."""
    loss: str = "auto"
    """The objective: minimax, nonsaturating, hinge, leastsquares, wasserstein or relativistic, see
    `vidgan.training.losses`. "auto" is nonsaturating where both networks are told which shot a clip is of, see
    `model.tell_shots`, else relativistic, which keeps the looks of a class apart; a run's config says which."""
    generator_lr: Schedule = 5e-4
    """Adam's step size for the generator."""
    discriminator_lr: Schedule = 5e-4
    """Adam's step size for the discriminator."""
    equalize_lr: bool | None = None
    """Steps of weights smaller by the root of how many numbers they take in, as these begin (Karras et al. 2018, sec.
    4.1); with 800 they are the rates above. Unset: in conv3d. True: in repair, too; other families refuse it."""
    adam_beta1: float = Field(0.5, ge=0, lt=1)
    """Decay of Adam's running mean of gradients, for both networks."""
    adam_beta2: Schedule = 0.99
    """Decay of Adam's running mean of squared gradients, for both networks; below 1."""
    r1_gamma: Schedule | None = None
    """Weight of the squared gradient of the logit at real clips (halved, Mescheder et al. 2018); 0 is off. Unset: 3
    for 32x32 pixels, and in proportion to their number for others; 0 where `lipschitz_lambda` is above 0."""
    r2_gamma: Schedule | None = None
    """The same at generated clips. Unset: as `r1_gamma` in the relativistic game, which needs both (Huang et al. 2024),
    0 in others."""
    lipschitz_lambda: float = Field(0.0, ge=0)
    """Weight of (norm of the gradient - 1)^2 between real and generated clips, which the wasserstein loss needs (10 in
    Gulrajani et al. 2017); 0 is off."""
    penalty: Literal["exact", "finite_difference"] = "exact"
    """How R1 and R2 are computed: by a second derivative, or by how the logit changes along a little noise."""
    penalty_sigma: float = Field(0.02, gt=0)
    """Standard deviation of that noise, of voxels -1..1."""
    penalty_interval: int = Field(16, ge=1)
    """Updates from one penalty to the next; its weight is multiplied by this (lazy regularisation)."""
    ema_halflife_kclips: Schedule = 2.0
    """Thousands of clips after which a generator's weights count half in the moving average that makes the clips."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Owns every random draw of the run: weights, order of clips, latents, augmentation."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """"auto" is bfloat16 autocast where the processor or GPU multiplies it natively, else float32."""
    most_dropped: int = Field(10, ge=1)
    """Updates in a row whose gradients are not finite, after which training goes back to the newest checkpoint."""
    most_rollbacks: int = Field(3, ge=0)
    """How often it goes back, with both rates halved each time, before it stops with a diagnosis."""
    on_collapse: Literal["warn", "rollback", "stop"] = "warn"
    """What to do when the game has collapsed: say so and go on; go back to the newest checkpoint from before, with both
    rates halved, `most_rollbacks` times at most; or stop with a diagnosis. See `vidgan.training.collapse`."""
    checkpoint_activations: bool = False
    """Compute the generator's activations twice instead of keeping them: less memory, more time, the same update. Of
    conv3d and repair."""
    compile: bool = False
    """Let torch.compile fuse both networks: the same but for rounding, after a start of minutes. Meant for GPUs; on a
    CPU, where it needs a C++ compiler, it was no faster."""
    shard: bool = False
    """Under torchrun, spread the weights, their gradients and the optimisers over all processes (FSDP2): for networks
    too large for one GPU. Needs penalties without a second derivative."""
    deterministic: bool = False
    """Let torch use nothing whose result may differ from time to time; slower on a GPU."""
    sample_kclips: float = Field(5.0, gt=0)
    """Thousands of clips from one sheet of samples to the next."""
    checkpoint_kclips: float = Field(5.0, gt=0)
    """Thousands of clips from one checkpoint to the next."""
    keep_checkpoints: int = Field(2, ge=1)
    """How many of the newest checkpoints stay; a damaged one is passed over for the one before."""
    keep_kclips: float | None = Field(None, gt=0)
    """Keep for good the first checkpoint after each multiple of so many thousand clips, and the generator it has."""
    disk_budget_gb: float | None = Field(None, gt=0)
    """Gigabytes that a run's checkpoints may take; above, the oldest go."""

    @model_validator(mode="after")
    def _is_a_game(self) -> TrainConfig:
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"batch_size {self.batch_size} cannot be cut into accumulate={self.accumulate} equal parts"
            )
        if max(self.adam_beta2.values() if isinstance(self.adam_beta2, dict) else [self.adam_beta2]) >= 1:
            raise ValueError(f"adam_beta2 is {self.adam_beta2} (expected below 1, such as 0.99)")
        if self.loss == "wasserstein" and not (self.lipschitz_lambda or self.r1_gamma != 0 or self.r2_gamma):
            raise ValueError("the wasserstein loss has no lower bound without a penalty: set lipschitz_lambda (10)")
        if self.shard and (self.lipschitz_lambda or self.penalty == "exact"):
            raise ValueError(
                "shard: weights that are spread over processes cannot be differentiated twice; set "
                "penalty=finite_difference and lipschitz_lambda=0"
            )
        if self.shard and self.compile:
            raise ValueError("shard and compile do not go together; set one of them")
        return self


class RepairConfig(Section):
    """What a network that mends learns from: damage made to the footage. For `model.family: repair`."""

    kinds: dict[DamageKind, NonNegative] = Field(
        default_factory=lambda: {
            "box": 2,
            "strokes": 2,
            "text": 1,
            "missing": 2,
            "repeated": 0.5,
            "scratches": 1.5,
            "dust": 1.5,
            "dropouts": 1,
            "grain": 1,
            "sensor": 1,
        }
    )
    """Shares of the kinds of damage; each clip has one kind. Holes that are given: box and strokes (both move), text
    (burnt in), missing (whole frames). Damage that is given or to be found: repeated (frames), scratches (vertical,
    over frames), dust (one frame each), dropouts (lines). Noise to take off: grain (soft, of the luma) and sensor
    (white, of each colour)."""
    given: float = Field(0.5, ge=0, le=1)
    """Share of scratches, dust and the like that the network is told of; the others it has to find."""
    largest_hole: float = Field(0.5, gt=0, le=1)
    """Longest side of a box as a share of the picture's side."""
    longest_gap: int = Field(4, ge=1)
    """Most frames in a row that are missing or repeated."""
    most_noise: float = Field(0.4, gt=0, le=1)
    """Largest standard deviation of noise, of voxels -1..1: 0.2 is 25 levels of 255."""
    reconstruction: float = Field(100.0, ge=0)
    """Weight of the distance from the truth where a clip was damaged, beside the adversarial loss."""
    detection: float = Field(10.0, ge=0)
    """Weight of the cross-entropy of where damage is."""

    @model_validator(mode="after")
    def _does_damage(self) -> RepairConfig:
        if not sum(self.kinds.values()):
            raise ValueError("kinds: all shares are 0; give one kind at least a share, such as {box: 1}")
        return self


class EvaluateConfig(Section):
    """What is measured during training, against the footage; training waits for it."""

    every_kclips: float | None = Field(None, gt=0)
    """Thousands of clips from one evaluation to the next; unset: none. See `vidgan evaluate` for all figures."""
    num_clips: int = Field(128, ge=8)
    """Takes that are rendered for it, and real clips they are compared with; each costs about a third of a second on
    two cores if the weights of I3D are there. For `model.family: repair`, clips held out, damaged and mended."""
    best_by: Literal["fvd", "frame_frechet", "coverage", "density", "psnr"] | None = None
    """Keep the checkpoint and the generator (RUN/best.safetensors) for which this figure was best so far; "psnr" is of
    networks that mend, the others of those that make clips."""

    @model_validator(mode="after")
    def _is_measured(self) -> EvaluateConfig:
        if self.best_by is not None and self.every_kclips is None:
            raise ValueError("best_by: nothing is measured during training; set evaluate.every_kclips, such as 20")
        return self


class Config(Section):
    """All settings of a run."""

    data: DataConfig = DataConfig()
    augment: AugmentConfig = AugmentConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    repair: RepairConfig = RepairConfig()
    evaluate: EvaluateConfig = EvaluateConfig()

    @property
    def repairs(self) -> bool:
        """Whether what is trained mends clips."""
        return self.model.family == REPAIR

    @model_validator(mode="after")
    def _can_be_mended(self) -> Config:
        sides = {"data.height": self.data.height, "data.width": self.data.width}
        odd = [f"{name} is {side}" for name, side in sides.items() if side % REPAIR_MULTIPLE]
        if self.repairs and odd:
            raise ValueError(f"{odd[0]}: networks that mend need multiples of {REPAIR_MULTIPLE}")
        if self.evaluate.best_by is not None and (self.evaluate.best_by == "psnr") != self.repairs:
            raise ValueError(
                f"evaluate.best_by is {self.evaluate.best_by}, which is not measured of networks that "
                f"{'mend; psnr is' if self.repairs else 'make clips'}"
            )
        return self
