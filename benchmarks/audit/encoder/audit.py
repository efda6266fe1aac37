"""``compleak audit-encoder``: what a pre-trained encoder gives away about the images that it was trained on.

No shadow encoders are needed: every attack is told who is a member in one half of the images, and is judged on the
other half (access ``partial-known``; Zhu et al., CCS 2024). ``images`` reads, ``questions`` asks,
``attacked`` attacks, and ``summary`` puts it into words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .... import __version__
from ....attacks.encoder.access import EncoderAccess
from ....attacks.observations import ORIGINAL
from ....attacks.registry import ATTACKS
from ....models.inputs import Normalization
from ....results.publishing.provenance import recipe_sha256
from ....results.records import Row
from ....results.scores import Scores
from ...nodes import derived_seed
from ...stages.attack import known_half
from .. import LEAST_RESAMPLES, AuditError
from ..api import Audit
from ..blind import blind_test
from ..folder import check_place
from ..names import checked_name
from ..rows import SUITE, Header, cells_of
from .attacked import KNOWN_ATTACKS, attack_encoder, check_attacks
from .images import Pixels, Shape, check_apart, check_images, distinct, tiles
from .questions import Questions, Tell, ask, check_installed
from .summary import Findings, summarise, warnings

HEADLINE = "encodermi-t-known"
"""Stands for the encoder wherever it can be run: fixed before anything is measured."""

_SOURCE = "encoder"
_HALVES = "fitted on one half of the members and non-members, scored on the other"
_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Encoder:
    """An encoder, and what it takes.

    Attributes:
        access: answers.
        image: height, width and channels of its images.
        normalization: of all images, before it is asked.
        sha256: of its weights, or whatever else tells it from others.
        origin: where it came from, for people.
    """

    access: EncoderAccess
    image: Shape
    normalization: Normalization
    sha256: str
    origin: str = "a function"


def load_encoder(name: str, device: str = "cpu") -> Encoder:
    """An encoder of the hub, or of a folder.

    Args:
        name: see ``models.encoders.hub``.
        device: where it runs, ``cpu`` or ``cuda``.

    Raises:
        AuditError: there is none, it is of an unknown kind, or there is no such device.
    """
    import torch

    from ....models.data import DataError
    from ....models.encoders.hub import load_hub_encoder

    try:
        place = torch.device(device)
        torch.zeros(1, device=place)
    except (RuntimeError, AssertionError) as error:
        raise AuditError(f"PyTorch has no device {device!r} here; give --device cpu, or cuda. {error}") from error
    try:
        found = load_hub_encoder(name)
    except DataError as error:
        raise AuditError(str(error)) from error
    if len(found.normalization.mean) != found.image[2]:
        raise AuditError(
            f"{name} takes images of {found.image[2]} channels, and no preprocessor_config.json beside it says how "
            "they are normalised. Write one with image_mean and image_std."
        )
    weights = _digest(*(tensor.numpy() for _, tensor in sorted(found.module.state_dict().items())))
    return Encoder(_Vectors(found.module.to(place), place), found.image, found.normalization, weights, name)


class _Vectors:
    """A module as an ``EncoderAccess``: the first of its vectors is the embedding, the others are the map."""

    def __init__(self, module: Any, device: Any) -> None:
        self._module, self._device = module, device

    def embed(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings, float32 [B, D]."""
        return np.concatenate([part[:, 0] for part in self._answers(images)])

    def feature_map(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Feature maps, float32 [B, L, D]."""
        return np.concatenate([part[:, 1:] for part in self._answers(images)])

    def _answers(self, images: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        import torch

        for start in range(0, len(images), _AT_ONCE):
            part = np.ascontiguousarray(images[start : start + _AT_ONCE].transpose(0, 3, 1, 2))
            with torch.inference_mode():
                yield self._module(torch.from_numpy(part).to(self._device)).cpu().numpy()


def audit_encoder(
    encoder: Encoder,
    members: Pixels,
    nonmembers: Pixels,
    *,
    attacks: Sequence[str] = (),
    questions: Questions | None = None,
    name: str = "own-encoder",
    seed: int = 0,
    resamples: int = 1000,
    place: Path | None = None,
    tell: Tell = lambda step, done, total: None,
) -> Audit:
    """Attack an encoder, evaluate and conclude.

    Args:
        encoder: as trained.
        members: that it was trained on, uint8 [images, height, width, channels], of the size that it takes.
        nonmembers: from the same source, prepared in the same way, that it was not trained on.
        attacks: of ``KNOWN_ATTACKS``; all, if empty.
        questions: what is asked about each image.
        name: how the rows call the encoder.
        seed: of whatever draws, but for the questions, which have their own.
        resamples: of the bootstrap.
        place: where it is to be written, which is looked at before anything is asked; None if not known.
        tell: hears of each step: what, how much is done, of how much.

    Returns:
        The audit: ``print(result.summary)``, ``result.rows``, ``result.write("audit")``.

    Raises:
        AuditError: what was given cannot be audited, or no attack applies to it.
    """
    check_attacks(attacks)
    questions = questions or Questions(seed=seed)
    checked_name(name)
    if resamples < LEAST_RESAMPLES:
        raise AuditError(f"resamples must be {LEAST_RESAMPLES} or more, for an interval at 95 %; got {resamples}.")
    chosen = [attack for attack in KNOWN_ATTACKS if attack in (attacks or KNOWN_ATTACKS)]
    kinds = {ATTACKS[attack].answer for attack in chosen}
    check_installed(kinds, questions)
    groups = []
    for what, group in (("members", members), ("non-members", nonmembers)):
        check_images(group, encoder.image, what)
        groups.append(distinct(group, what))
    check_apart(*groups)
    repeated = len(members) + len(nonmembers) - sum(map(len, groups))
    images, member = np.concatenate(groups), np.repeat([True, False], [len(group) for group in groups])
    # An image's place, which attacks see as its id, says nothing of its group.
    order = np.random.default_rng((seed, len(images))).permutation(len(images))
    images, member = images[order], member[order]

    suite = {
        "name": SUITE,
        "description": "An audit of an encoder that was made elsewhere",
        "seed": seed,
        "network": {"name": name},
        "membership": {"shadows": 0},
        "attacks": chosen,
        "statistics": {"resamples": resamples},
        "audit": {
            "program": __version__,
            "source": _SOURCE,
            "encoder": encoder.origin,
            "encoder_sha256": encoder.sha256,
            "image": list(encoder.image),
            "normalization": encoder.normalization.model_dump(mode="json"),
            "questions": {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(questions).items()},
        },
    }
    data, recipe = _digest(images, member), recipe_sha256(suite)
    run_id = hashlib.sha256(f"{data}/{recipe}".encode()).hexdigest()[:16]
    if place is not None:
        check_place(place, run_id)

    asked = ask(encoder.access, images, encoder.normalization, kinds, questions, tell)
    known = known_half(member, derived_seed(seed, "known"))
    attacked = attack_encoder(chosen, asked, member, known, seed, tell)
    blind = blind_test(
        (tiles(groups[0]), tiles(groups[1])), np.zeros(len(member), dtype=np.int64), np.sort(member)[::-1], seed
    )
    header = Header(name, _SOURCE, data, recipe, run_id, resamples)
    rows = [_row(scores, header, questions, attacked.notes[scores.attack]) for scores in attacked.scores]
    stands = next((row for row in rows if row.attack == HEADLINE), rows[0])
    findings = Findings(
        name=name,
        origin=encoder.origin,
        members=len(groups[0]),
        nonmembers=len(groups[1]),
        image=encoder.image,
        rows=rows,
        headline=stands,
        fixed=HEADLINE,
        blind=blind,
        left_out=attacked.refusals,
        repeated=repeated,
    )
    return Audit(tuple(rows), attacked.scores, summarise(findings), suite, tuple(warnings(findings)))


def _row(scores: Scores, header: Header, questions: Questions, notes: Sequence[str]) -> Row:
    info = ATTACKS[scores.attack]
    return Row(
        framework="none",
        technique="none",
        setting=ORIGINAL,
        access=info.stated_access,
        queries=questions.count(info.answer),
        shadows=0,
        notes="; ".join(filter(None, [_HALVES, questions.describe(info.answer), *notes])),
        **cells_of(scores, header),
    )


def _digest(*arrays: NDArray[np.generic]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{array.shape}{array.dtype.kind}".encode() + np.ascontiguousarray(little).tobytes())
    return digest.hexdigest()
