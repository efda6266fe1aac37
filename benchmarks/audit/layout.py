"""How stored examples become a model's input. It is stated by the user, model by model, and never guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from . import AuditError

Order = Literal["NHWC", "NCHW", "as-is"]
CHANNELS = (1, 3, 4)
STATE = (
    "State how pixels become the model's input: --layout NHWC (TensorFlow's) or NCHW (PyTorch's) or as-is, --scale, "
    "--mean and --std. Input = (pixel * scale - mean) / std; for pixels divided by 255 and nothing else: "
    "--scale 1/255 --mean 0 --std 1"
)


@dataclass(frozen=True)
class Layout:
    """What is done to an example: scaled, normalised, its axes put in order.

    Attributes:
        order: of the model's axes. ``as-is`` leaves the axes alone; the others take images [height, width(, channels)].
        scale: the examples are multiplied by it first.
        mean: subtracted then, one number or one a channel.
        std: divided by last, one number or one a channel.
    """

    order: Order
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def text(self) -> str:
        """In one line, for people."""
        mean, std = (",".join(f"{x:g}" for x in values) for values in (self.mean, self.std))
        return f"{self.order}, (input * {self.scale:.6g} - {mean}) / {std}"

    def prepare(self, examples: NDArray[np.generic]) -> NDArray[np.generic]:
        """The model's input: float32, or the examples' own integers where nothing is to be done to them.

        Raises:
            AuditError: the examples are no images, or have another number of channels than ``mean`` or ``std``.
        """
        if self.order != "as-is":
            examples = _images(examples)
            for stated in (self.mean, self.std):
                if len(stated) not in (1, examples.shape[-1]):
                    raise AuditError(f"{len(stated)} values of --mean or --std for {examples.shape[-1]} channels.")
        elif max(len(self.mean), len(self.std)) > 1:
            raise AuditError("With --layout as-is, --mean and --std are one number each.")
        values: NDArray[np.generic] = examples
        if (self.scale, self.mean, self.std) != (1.0, (0.0,), (1.0,)) or examples.dtype.kind not in "iu":
            scaled = examples.astype(np.float32) * np.float32(self.scale)
            values = (scaled - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        return np.ascontiguousarray(np.moveaxis(values, -1, 1)) if self.order == "NCHW" else values


def _images(examples: NDArray[np.generic]) -> NDArray[np.generic]:
    if examples.ndim == 3:
        return examples[..., None]
    if examples.ndim != 4 or examples.shape[-1] not in CHANNELS:
        raise AuditError(
            f"Examples of shape {list(examples.shape[1:])} are no images [height, width] or [height, width, channels] "
            "with 1, 3 or 4 channels, last. Store them so, or say --layout as-is if the model takes them so."
        )
    return examples


def layout_of(name: str, order: str | None, scale: str | None, mean: str | None, std: str | None) -> Layout:
    """A layout from what the command line says of the model ``name``.

    Raises:
        AuditError: something is not stated, or is no number.
    """
    stated = {"--layout": order, "--scale": scale, "--mean": mean, "--std": std}
    if missing := [option for option, value in stated.items() if value is None]:
        raise AuditError(f"{name}: {', '.join(missing)} not given. {STATE}.")
    if order not in get_args(Order):
        raise AuditError(f"--layout {order}: allowed are {', '.join(get_args(Order))}.")
    (factor,) = _numbers("--scale", scale, many=False)
    deviations = _numbers("--std", std)
    if factor == 0 or min(deviations) <= 0:
        raise AuditError("--scale must not be 0, and --std must be greater than 0.")
    return Layout(order, factor, _numbers("--mean", mean), deviations)  # type: ignore[arg-type]


def _numbers(option: str, text: str | None, *, many: bool = True) -> tuple[float, ...]:
    parts = str(text).split(",")
    try:
        if len(parts) > 1 and not many:
            raise ValueError
        return tuple(float(Fraction(part.strip())) for part in parts)
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        shape = "a number or a fraction, as 1/255" + (", or one a channel, as 0.5,0.5,0.5" if many else "")
        raise AuditError(f"{option} {text}: give {shape}.") from error


def misfit(path: Path, wanted: Sequence[object], given: Sequence[int]) -> AuditError:
    """What to say of inputs that a file does not take.

    Args:
        path: the file.
        wanted: sizes of its input without the batch, numbers or whatever stands for any number.
        given: sizes of a prepared example.
    """
    turned = {"NCHW": [*given[-1:], *given[:-1]], "NHWC": [*given[1:], *given[:1]]}
    fitting = [order for order, sizes in turned.items() if len(given) == 3 and [*wanted] == sizes]
    tried = fitting[0] if len(fitting) == 1 else "NHWC, NCHW or as-is"
    return AuditError(
        f"{path} takes inputs of shape [{', '.join(map(str, wanted))}], got [{', '.join(map(str, given))}]. Try "
        f"--layout {tried} (of one model among several: --layout NAME=ORDER)"
        + ("." if fitting else ", and resize the examples as it was trained.")
    )


def by_name(option: str, values: Sequence[str], names: Sequence[str]) -> Mapping[str, str]:
    """What ``[NAME=]VALUE``, given any number of times, says of each of ``names``.

    Raises:
        AuditError: an unknown name, or two values for one.
    """
    default: str | None = None
    own: dict[str, str] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals:
            if default is not None:
                raise AuditError(
                    f"{option} is given twice, {default!r} and {text!r}. Say of which: {option} NAME=VALUE."
                )
            default = text
        elif name not in names:
            raise AuditError(f"{option} {text}: there is no model {name!r}. There are {', '.join(names)}.")
        elif name in own:
            raise AuditError(f"{option} is given twice for {name}.")
        else:
            own[name] = value
    found = {name: own.get(name, default) for name in names}
    return {name: value for name, value in found.items() if value is not None}
