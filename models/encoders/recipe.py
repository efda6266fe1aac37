"""How an encoder is trained, as a suite states it; apart from the trainer, so that reading it imports no framework.

A method's own settings are ``RECIPES``: what its paper, or its authors' code, takes for images of 32 px.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..recipe import OptimizerName

Method = Literal["simclr", "moco", "byol", "simsiam", "dino", "mae"]

_SGD = {"optimizer": "sgd", "momentum": 0.9, "weight_decay": 5e-4, "crop_scale": (0.2, 1.0), "jitter": 1.0, "grey": 0.2}

RECIPES: dict[Method, dict[str, Any]] = {
    # Chen et al. 2020, appendix B.9 (CIFAR-10: no blur, jitter of strength 0.5, temperature 0.5). SGD for LARS, with
    # SimSiam's learning rate, and crops of 0.2 or more for 0.08, as of the other methods: ours.
    "simclr": _SGD | {"batch_size": 512, "learning_rate": 0.06, "temperature": 0.5, "hidden": 512, "projection": 128},
    # He et al. 2020 and Chen et al. 2020 (v2: a hidden layer in the head), as the authors' CIFAR-10 demonstration.
    "moco": _SGD
    | {
        "batch_size": 512,
        "learning_rate": 0.06,
        "temperature": 0.1,
        "hidden": 512,
        "projection": 128,
        "ema": 0.99,
        "queue": 4096,
    },
    # Grill et al. 2020, section 3.3: the heads, and a target that follows from 0.996 on to 1 (its table 19: 0.99 for
    # shorter training, as here). SGD for LARS: ours.
    "byol": _SGD
    | {
        "batch_size": 512,
        "learning_rate": 0.06,
        "hidden": 4096,
        "projection": 256,
        "prediction_hidden": 4096,
        "ema": 0.99,
    },
    # Chen and He 2021, appendix D (CIFAR-10): learning rate 0.03 for 256 examples, wide heads.
    "simsiam": _SGD
    | {"batch_size": 512, "learning_rate": 0.06, "hidden": 2048, "projection": 2048, "prediction_hidden": 512},
    # Caron et al. 2021, section 3 and the defaults of the authors' code; two global crops only, as PartCrop's authors
    # train it on CIFAR-100. No schedule of the weight decay, and no blur or solarisation at 32 px: ours.
    "dino": {
        "optimizer": "adamw",
        "batch_size": 256,
        "learning_rate": 5e-4,
        "weight_decay": 0.04,
        "warmup_epochs": 10,
        "clip_norm": 3.0,
        "crop_scale": (0.14, 1.0),
        "jitter": 1.0,
        "grey": 0.2,
        "temperature": 0.1,
        "teacher_temperature": 0.04,
        "centre_momentum": 0.9,
        "hidden": 2048,
        "projection": 256,
        "prototypes": 65536,
        "ema": 0.996,
    },
    # He et al. 2022, section 4 and appendix A: crops and flips alone, a decoder narrower than the encoder.
    "mae": {
        "optimizer": "adamw",
        "batch_size": 256,
        "learning_rate": 1.5e-4,
        "weight_decay": 0.05,
        "warmup_epochs": 40,
        "crop_scale": (0.2, 1.0),
        "jitter": 0.0,
        "grey": 0.0,
        "mask_ratio": 0.75,
        "decoder_width": 96,
        "decoder_layers": 2,
    },
}

_OWN = {
    "temperature",
    "teacher_temperature",
    "centre_momentum",
    "hidden",
    "projection",
    "prediction_hidden",
    "prototypes",
    "ema",
    "queue",
    "mask_ratio",
    "decoder_width",
    "decoder_layers",
}


class Privacy(BaseModel):
    """Differentially private training (DP-SGD, Abadi et al. 2016), as the opacus library accounts for it.

    Attributes:
        epsilon: to be spent by the last epoch; the noise follows from it.
        noise_multiplier: instead of ``epsilon``: standard deviation of the noise, in units of ``max_grad_norm``.
        max_grad_norm: Euclidean norm that each example's gradient is clipped to.
        delta: of (epsilon, delta)-differential privacy; less than 1 / examples.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epsilon: float | None = Field(default=None, gt=0)
    noise_multiplier: float | None = Field(default=None, gt=0)
    max_grad_norm: float = Field(default=1.2, gt=0)
    delta: float = Field(default=1e-5, gt=0, lt=1)

    @model_validator(mode="after")
    def _one_of_both(self) -> Privacy:
        if (self.epsilon is None) == (self.noise_multiplier is None):
            raise ValueError("Private training needs either an epsilon or a noise_multiplier.")
        return self


class EncoderRecipe(BaseModel):
    """How an encoder is trained: what is not given is taken from ``RECIPES``, by the method.

    The learning rate rises for ``warmup_epochs`` and then falls to 0 along half a cosine. Settings that a method has
    no use for are None, and cannot be given.

    Attributes:
        method: a key of ``RECIPES``.
        epochs: passes over the training set that the schedules are laid out for.
        batch_size: examples a step; what a batch lacks at the end of an epoch is left out of it.
        optimizer: ``sgd`` with momentum, or ``adamw``.
        learning_rate: the highest. It is not scaled by the size of the batch.
        momentum: of SGD.
        weight_decay: as in ``TrainingRecipe``.
        warmup_epochs: no more than a tenth of all epochs are taken, whatever is said here.
        clip_norm: Euclidean norm that the gradient of a step is clipped to, if any.
        crop_scale: least and largest share of an image's area that a view shows. Narrowing it is PartCrop's defense
            SCSR (shrinking the crop scale range).
        jitter: strength of the colour jitter, 1 for (0.4, 0.4, 0.4, 0.1) of brightness, contrast, saturation, hue.
        grey: share of the views without colour.
        temperature: of the softmax; DINO's student's.
        teacher_temperature: DINO's teacher's.
        centre_momentum: how much of DINO's centre is kept at each step.
        hidden: width of the projector's hidden layer or layers; 0 for none, as MoCo's first version and EncoderMI have
            it, but for DINO. Without one, the embedding itself is what is drawn together, and leaks more.
        projection: dimensions that the projector ends in; DINO's bottleneck.
        prediction_hidden: width of the predictor's hidden layer.
        prototypes: dimensions that DINO's head ends in.
        ema: share of its weights that a momentum encoder keeps at a step; BYOL's and DINO's rises to 1.
        queue: MoCo's negatives; no more than there are examples.
        mask_ratio: share of the patches that MAE hides.
        decoder_width: of MAE's decoder.
        decoder_layers: of MAE's decoder.
        stop_epoch: the last epoch, where training stops early; the schedules stay those of ``epochs``.
        checkpoints: epochs after which a copy of the encoder is kept as well.
        dp: differentially private training, if any: MAE alone, whose loss is each example's own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Method
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=2)
    optimizer: OptimizerName
    learning_rate: float = Field(gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    warmup_epochs: int = Field(default=0, ge=0)
    clip_norm: float | None = Field(default=None, gt=0)
    crop_scale: tuple[float, float]
    jitter: float = Field(ge=0, le=2)
    grey: float = Field(ge=0, le=1)
    temperature: float | None = Field(default=None, gt=0)
    teacher_temperature: float | None = Field(default=None, gt=0)
    centre_momentum: float | None = Field(default=None, ge=0, lt=1)
    hidden: int | None = Field(default=None, ge=0)
    projection: int | None = Field(default=None, ge=2)
    prediction_hidden: int | None = Field(default=None, ge=1)
    prototypes: int | None = Field(default=None, ge=2)
    ema: float | None = Field(default=None, ge=0, le=1)
    queue: int | None = Field(default=None, ge=1)
    mask_ratio: float | None = Field(default=None, gt=0, lt=1)
    decoder_width: int | None = Field(default=None, ge=4)
    decoder_layers: int | None = Field(default=None, ge=1)
    stop_epoch: int | None = Field(default=None, ge=1)
    checkpoints: tuple[int, ...] = ()
    dp: Privacy | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_the_methods_own(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("method") not in RECIPES:
            return given
        own = RECIPES[given["method"]]
        foreign = sorted(name for name in _OWN - own.keys() if given.get(name) is not None)
        if foreign:
            raise ValueError(
                f"{given['method']} has no {foreign[0]}. Its own settings are {', '.join(sorted(_OWN & own.keys()))}."
            )
        return own | given

    @model_validator(mode="after")
    def _consistent(self) -> EncoderRecipe:
        low, high = self.crop_scale
        if not 0 < low <= high <= 1:
            raise ValueError(
                f"crop_scale is a least and a largest share, 0 < least <= largest <= 1; got {low}, {high}."
            )
        late = [epoch for epoch in (self.stop_epoch or 1, *self.checkpoints) if not 1 <= epoch <= self.epochs]
        if late:
            raise ValueError(f"Epoch {late[0]} is not one of 1 to {self.epochs}: see stop_epoch and checkpoints.")
        if late := [epoch for epoch in self.checkpoints if epoch > self.last_epoch]:
            raise ValueError(f"No checkpoint can be kept in epoch {late[0]}: training stops after {self.last_epoch}.")
        if self.hidden == 0 and self.method == "dino":
            raise ValueError("DINO's head has hidden layers: give hidden 1 or more.")
        if self.dp is not None and self.method != "mae":
            raise ValueError(
                f"Private training clips each example's gradient, and under {self.method} an example's loss depends on "
                "the others of its batch (negatives, batch normalisation, a centre). Use mae."
            )
        return self

    @property
    def last_epoch(self) -> int:
        """The epoch that training ends with."""
        return self.stop_epoch or self.epochs
