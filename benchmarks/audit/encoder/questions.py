"""What an encoder is asked about each image, so that the attacks have what they need: a few images at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ....attacks.encoder.access import CountedEncoder, EncoderAccess, EncoderError
from ....attacks.encoder.crops import CropRecipe
from ....attacks.encoder.encodermi import view_cosines
from ....attacks.encoder.partcrop import query_partcrop
from ....attacks.info import Answer
from ....models.encoders.recipe import EncoderRecipe
from ....models.encoders.views import query_views
from ....models.inputs import Normalization
from ...nodes import derived_seed
from .. import AuditError
from .images import Pixels

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
Tell = Callable[[str, int, int], None]
"""Told of each step: what is done, how much of it, of how much."""

AT_ONCE = 16
"""Images; ten views of so many take 100 MB at 224 pixels."""


@dataclass(frozen=True)
class Questions:
    """What is asked. Every draw is a function of an image's number and the seed, whoever is a member.

    Attributes:
        views: of EncoderMI, augmented (the paper's n).
        view_scale: least and largest share of an image's area that a view shows, before it is brought back to size.
        jitter: strength of a view's colour jitter, 1 for (0.4, 0.4, 0.4, 0.1); with any, a fifth are grey (MoCo v2).
        crops: of PartCrop (the paper's m), each shown at the size that the encoder takes.
        crop_scale: least and largest share of an image's area that a crop shows.
        seed: of the draws.

    Raises:
        AuditError: a setting that makes no views or no crops.
    """

    views: int = 10
    view_scale: tuple[float, float] = (0.2, 1.0)
    jitter: float = 1.0
    crops: int = 128
    crop_scale: tuple[float, float] = (0.08, 0.2)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.views < 2:
            raise AuditError(f"EncoderMI compares an image's views with each other: give 2 or more, got {self.views}.")
        try:
            self.view_recipe(), self.crop_recipe(1)
        except ValidationError as error:
            wrong = "; ".join(str(e["msg"]).removeprefix("Value error, ") for e in error.errors())
            raise AuditError(f"Views of shares {self.view_scale} and jitter {self.jitter:g}: {wrong}") from error
        except EncoderError as error:
            raise AuditError(str(error)) from error

    def view_recipe(self) -> EncoderRecipe:
        """The augmentation that the attacker takes the encoder's to have been, as a recipe of SimCLR states it."""
        views = {"crop_scale": self.view_scale, "jitter": self.jitter, "grey": 0.2 if self.jitter else 0.0}
        return EncoderRecipe.model_validate({"method": "simclr", "epochs": 1, **views})

    def crop_recipe(self, side: int) -> CropRecipe:
        """The crops of images with sides of so many pixels."""
        seed = derived_seed(self.seed, "crops")
        return CropRecipe(size=side, count=self.crops, scale=self.crop_scale, seed=seed)

    def count(self, answer: Answer) -> int:
        """Queries about one image, for an answer of that kind."""
        return {"view_cosines": self.views, "part_features": 1 + self.crops}.get(answer, 1)

    def describe(self, answer: Answer) -> str:
        """What was asked, for a row's notes."""
        match answer:
            case "view_cosines":
                jitter = f"jitter {self.jitter:g}, a fifth grey" if self.jitter else "no jitter"
                return f"views of {_shares(self.view_scale)} of the image, {jitter}"
            case "part_features":
                return f"crops of {_shares(self.crop_scale)} of the image, shown at the encoder's size"
            case _:
                return ""


@dataclass
class Asked:
    """What an encoder answered, and why it did not.

    Attributes:
        answers: by kind, each [images, ...].
        refusals: by kind, why an encoder cannot be asked for it.
    """

    answers: dict[Answer, Floats] = field(default_factory=dict)
    refusals: dict[Answer, str] = field(default_factory=dict)


def check_installed(answers: Iterable[Answer], questions: Questions) -> None:
    """See that the views can be made, before hours have been spent on anything else.

    Raises:
        AuditError: a package is missing.
    """
    if "view_cosines" in answers and questions.jitter and find_spec("kornia") is None:
        raise AuditError(
            "EncoderMI's colour jitter needs kornia, which is not installed. Run: pip install compleak-bench[ssl]. Or "
            "ask without jitter (--jitter 0), or run other attacks (--attack)."
        )


def ask(
    encoder: EncoderAccess,
    images: Pixels,
    normalization: Normalization,
    wanted: Iterable[Answer],
    questions: Questions,
    tell: Tell,
) -> Asked:
    """Ask an encoder about every image; the images' numbers are their ids.

    Args:
        encoder: the one that is attacked.
        images: members and non-members, through the same transform.
        normalization: of all of them.
        wanted: kinds of answers.
        questions: the settings.
        tell: hears of the progress.
    """
    questioners: Mapping[Answer, Callable[[CountedEncoder, Pixels, Ids], Floats]] = {
        "embedding": lambda counted, part, ids: counted.embed(normalization(part), ids),
        "view_cosines": lambda counted, part, ids: _cosines(counted, part, ids, normalization, questions),
        "part_features": lambda counted, part, ids: query_partcrop(
            counted, normalization(part), ids, questions.crop_recipe(part.shape[1])
        ),
    }
    steps: dict[Answer, str] = {
        "embedding": "the images themselves",
        "view_cosines": f"{questions.views} views of each",
        "part_features": f"{questions.crops} crops of each",
    }
    asked = Asked()
    for answer in (answer for answer in questioners if answer in set(wanted)):
        counted, found = CountedEncoder(encoder), []
        try:
            for ids in _parts(len(images)):
                found.append(questioners[answer](counted, images[ids], ids))
                tell(steps[answer], int(ids[-1]) + 1, len(images))
        except EncoderError as error:
            asked.refusals[answer] = str(error)
            continue
        if counted.per_example != questions.count(answer):
            raise AssertionError(f"{answer} took {counted.per_example} queries, {questions.count(answer)} are stated.")
        asked.answers[answer] = np.concatenate(found)
    return asked


def _cosines(
    encoder: CountedEncoder, images: Pixels, ids: Ids, normalization: Normalization, questions: Questions
) -> Floats:
    """``view_cosines`` of each image, [images, views (views - 1) / 2]."""
    seen = query_views(
        images,
        ids,
        count=questions.views,
        recipe=questions.view_recipe(),
        normalization=normalization,
        seed=derived_seed(questions.seed, "views"),
    )
    embedded = encoder.embed(seen.reshape(-1, *seen.shape[2:]), np.repeat(ids, questions.views))
    return view_cosines(embedded.reshape(*seen.shape[:2], -1))


def _parts(count: int) -> Iterator[Ids]:
    for start in range(0, count, AT_ONCE):
        yield np.arange(start, min(start + AT_ONCE, count))


def _shares(scale: tuple[float, float]) -> str:
    return f"{scale[0]:g} to {scale[1]:g}"
