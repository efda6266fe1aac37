"""Which fields of a suite do not go together, said before anything runs. Each rule looks at the fields it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..attacks.registry import ATTACKS
from ..compressors.registry import make_compressor
from ..compressors.settings import FINETUNED, parse_setting
from ..models.data import DataConfig
from ..models.encoders.recipe import EncoderRecipe
from ..models.membership import Membership
from ..models.networks import TEXT_NETWORKS
from ..models.recipe import TrainingRecipe
from .fields import Network, Pretraining

LEAST_DEV = 20
LEAST_KNOWN = 4


def of_shadows(membership: Membership, attacks: Sequence[str], counts: Sequence[int]) -> Iterator[str]:
    """Attacks, and the shadows that they are given."""
    online = [a for a in attacks if "online" in a]
    if online and membership.design == "disjoint":
        yield (
            f"{', '.join(online)}: online attacks need shadows trained on the target's examples; use "
            "membership.design: pool, or the offline attacks"
        )
    most = membership.shadows
    if min(counts) < 1 or max(counts) > most or list(counts) != sorted(set(counts)):
        yield f"shadow_counts must rise from 1 to at most membership.shadows, {most}; got {tuple(counts)}"
    for attack in attacks:
        if (least := ATTACKS[attack].least_shadows(membership.design)) > max(counts):
            yield (
                f"{attack} needs at least {least} shadows in the {membership.design} design, and is given "
                f"{max(counts)}; raise membership.shadows or leave it out"
            )


def of_data(network: Network, data: DataConfig, training: TrainingRecipe | EncoderRecipe) -> Iterator[str]:
    """A network, and what it is fed with."""
    text = network.name in TEXT_NETWORKS
    if text != data.is_text:
        yield (
            f"{network.name} takes {'texts' if text else 'images'}, and {data.name} holds "
            f"{'texts' if data.is_text else 'images'}. (For texts of your own, give data.length as well.)"
        )
    encoder = isinstance(training, EncoderRecipe)
    if encoder != (network.task == "encoder"):
        yield (
            f"{network.name} is {'no' if encoder else 'an'} encoder; {'leave out' if encoder else 'give'} "
            "training.method, which says how an encoder is trained"
        )
    if text and isinstance(training, TrainingRecipe) and training.augmentation != "none":
        yield "training.augmentation is for images; leave it out"


def of_training(
    network: Network,
    training: TrainingRecipe | EncoderRecipe,
    pretraining: Pretraining | None,
    membership: Membership,
) -> Iterator[str]:
    """A network, and how it is trained."""
    family = TEXT_NETWORKS.get(network.name)  # type: ignore[call-overload]
    if pretraining and (family is None or family.module != "gpt2"):
        yield f"pretraining is for GPT-2, which learns to foretell; leave it out for {network.name}"
    if not isinstance(training, EncoderRecipe):
        return
    if training.method == "mae" and network.name != "vit-tiny":
        yield f"training.method mae hides patches, and {network.name} has none; take network.name vit-tiny"
    if membership.dev < LEAST_DEV:
        yield f"an encoder's probes need dev examples; give membership.dev {LEAST_DEV} or more"
    if (training.queue or 0) > membership.train:
        yield (
            f"training.queue ({training.queue}) cannot hold more than the {membership.train} images of membership.train"
        )


def of_attacks(
    network: Network, attacks: Sequence[str], pretraining: Pretraining | None, membership: Membership
) -> Iterator[str]:
    """Attacks, and what they are made on."""
    if network.name == "vit-tiny" and (fixed := [a for a in attacks if a.startswith("lpla-l2-")]):
        yield f"{', '.join(fixed)}: vit-tiny ends in a LayerNorm, which fixes the 2-norm; take another order"
    known = [a for a in attacks if ATTACKS[a].known == "partial"]
    if known and membership.evaluate < LEAST_KNOWN:
        yield f"{known[0]} needs membership.evaluate {LEAST_KNOWN} or more: half of them are known to it"
    lost = [a for a in attacks if ATTACKS[a].pretrained and not pretraining]
    if lost:
        yield f"{', '.join(lost)}: needs a model that all are fine-tuned from; give pretraining"
    others = [a for a in attacks if ATTACKS[a].task != network.task]
    if others:
        yield (
            f"{', '.join(others)}: not for {network.name}, whose task is {network.task}; see `compleak list attacks`"
        )
    noisy = [a for a in attacks if ATTACKS[a].sensitivity]
    if noisy and network.name in TEXT_NETWORKS:
        yield f"{', '.join(noisy)}: noise cannot be added to token ids; leave it out for texts"


def of_settings(network: Network, compress: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """A network, and how it is compressed."""
    for framework, settings in compress.items():
        if network.task == "encoder" and FINETUNED in settings:
            yield f"{FINETUNED} says nothing of an encoder: it would be taught by itself; leave it out"
        for name in settings:
            if reason := make_compressor(framework).refusal(parse_setting(name), network.name):
                yield f"{framework} cannot do {name!r} with {network.name}: {reason}"
