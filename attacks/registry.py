"""Every attack by name. Importing this loads no attack: a row says where its code is, ``make_attack`` fetches it."""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING, cast

from ..plugins import Registry
from .encoder.listing import ENCODER_ATTACKS
from .info import AttackInfo
from .language_model.listing import LANGUAGE_MODEL_ATTACKS

if TYPE_CHECKING:
    from .protocol import Access, Attack

__all__ = ["ATTACKS", "AttackInfo", "UnknownAttackError", "make_attack"]


class UnknownAttackError(KeyError):
    """No attack has this name."""

    def __init__(self, name: str) -> None:
        near = difflib.get_close_matches(name, ATTACKS, n=1, cutoff=0.4)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        super().__init__(f"No attack is called {name!r}. {hint}Known attacks: {', '.join(sorted(ATTACKS))}.")

    def __str__(self) -> str:
        return str(self.args[0])


_LEARNERS = {"lr": "logistic regression", "rf": "random forest", "gbt": "gradient boosting"}
_FORMS: tuple[tuple[str, Access, str], ...] = (
    ("nr", "one-model", "one model"),
    ("sr", "original+compressed", "original and one compressed"),
    ("mr", "multiple+original", "original and several compressed"),
    ("mr-no-original", "multiple", "several compressed"),
)

_OWN: dict[str, AttackInfo] = {
    "compleak-nr-correctness": AttackInfo(
        "compleak.metric:Correctness",
        "CompLeak_NR: what the model gets right is a member (label-only gap)",
        "one-model",
    ),
    "compleak-nr-loss": AttackInfo(
        "compleak.metric:OneThreshold",
        "CompLeak_NR: loss, one threshold for all classes",
        "one-model",
        options={"signal": "loss"},
    ),
    **{
        f"compleak-nr-{signal}-global": AttackInfo(
            "compleak.metric:OneThreshold",
            f"CompLeak_NR: {what}, one threshold for all classes",
            "one-model",
            options={"signal": signal},
        )
        for signal, what in (
            ("confidence", "log-odds of the true class"),
            ("entropy", "prediction entropy"),
            ("modified-entropy", "modified entropy"),
        )
    },
    "compleak-nr-confidence": AttackInfo(
        "compleak.metric:ClassThresholds",
        "CompLeak_NR: log-odds of the true class, a threshold per class",
        "one-model",
        options={"signal": "confidence"},
        refitted=True,
    ),
    "compleak-nr-entropy": AttackInfo(
        "compleak.metric:ClassThresholds",
        "CompLeak_NR metric 1: prediction entropy, a threshold per class",
        "one-model",
        options={"signal": "entropy"},
        refitted=True,
    ),
    "compleak-nr-modified-entropy": AttackInfo(
        "compleak.metric:ClassThresholds",
        "CompLeak_NR metric 2: modified entropy, a threshold per class",
        "one-model",
        options={"signal": "modified-entropy"},
        refitted=True,
    ),
    **{
        f"compleak-nr-{features}-{learner}": AttackInfo(
            "compleak.train_based:train_based",
            f"CompLeak_NR train-based: {_LEARNERS[learner]} on {what}",
            "one-model",
            options={"features": features, "learner": learner},
            seeded=True,
            refitted=True,
        )
        for features, what in (("train1", "posteriors"), ("train2", "posteriors and label"))
        for learner in ("lr", "rf")
    },
    **{
        f"compleak-nr-{features}-nn": AttackInfo(
            "compleak.neural:train_based_network",
            f"CompLeak_NR train-based: neural network on {what}",
            "one-model",
            options={"features": features},
            seeded=True,
            refitted=True,
        )
        for features, what in (("train1", "posteriors"), ("train2", "posteriors and label"))
    },
    "compleak-nr-samia": AttackInfo(
        "compleak.neural:samia",
        "CompLeak_NR SAMIA: self-attention on posteriors, their sensitivity to noise (10 more queries), and label",
        "one-model",
        queries=11,
        seeded=True,
        refitted=True,
        sensitivity=True,
    ),
    **{
        f"compleak-{features}-{learner}": AttackInfo(
            "compleak.sr:sorted_pair",
            f"CompLeak_SR: {_LEARNERS[learner]} on {what} of original and compressed",
            "original+compressed",
            options={"features": features, "learner": learner},
            seeded=True,
            refitted=True,
        )
        for features, what in (("sr1", "sorted posteriors"), ("sr2", "sorted posteriors and label"))
        for learner in ("lr", "rf", "gbt")
    },
    "compleak-mr": AttackInfo(
        "compleak.mr:MultipleModels",
        "CompLeak_MR: forests on (original, compressed) pairs and losses, joined by a network",
        "multiple+original",
        options={"original": True},
        seeded=True,
        refitted=True,
        stacks_on="compleak-sr2-rf",
    ),
    "compleak-mr-no-original": AttackInfo(
        "compleak.mr:MultipleModels",
        "CompLeak_MR without the original: forests on compressed models and losses, joined by a network",
        "multiple",
        options={"original": False},
        seeded=True,
        refitted=True,
        stacks_on="compleak-nr-train2-rf",
    ),
    **{
        f"lira-{mode}{suffix}": AttackInfo(
            "lira:lira",
            f"LiRA {mode}: {what}",
            "one-model",
            options={"mode": mode, "variance": variance},
            references=2,
        )
        for mode in ("online", "offline")
        for variance, suffix, what in (
            ("per-example", "", "Gaussians of each example's own variance"),
            ("fixed", "-fixed-var", "Gaussians of one variance for all examples"),
            ("bayes", "-bayes", "means and variances shrunk by empirical Bayes"),
        )
    },
    **{
        f"rmia-{mode}": AttackInfo(
            "rmia:rmia",
            f"RMIA {mode}: pairwise likelihood ratios",
            "one-model",
            options={"mode": mode},
            references=1,
            refitted=True,
        )
        for mode in ("online", "offline")
    },
    **{
        f"base-{mode}": AttackInfo(
            "base:base",
            f"BASE {mode}: loss against the references' mean likelihood",
            "one-model",
            options={"mode": mode},
            references=1,
        )
        for mode in ("online", "offline")
    },
    "attack-p": AttackInfo("population:attack_p", "loss among those of other non-members", "one-model", refitted=True),
    "attack-r": AttackInfo("population:attack_r", "loss among those of reference models", "one-model", references=1),
    "quantile-regression": AttackInfo(
        "quantile:quantile_regression", "hinge above its predicted non-member quantiles", "one-model", refitted=True
    ),
    **{
        f"joint-{mode}-{form}": AttackInfo(
            "joint:joint",
            f"joint likelihood ratio {mode}: {what}",
            access,
            options={"mode": mode, "form": form},
            references=2,
            refitted=True,
        )
        for mode in ("online", "offline")
        for form, access, what in _FORMS
    },
    **LANGUAGE_MODEL_ATTACKS,
    **ENCODER_ATTACKS,
}

ATTACKS: Registry[AttackInfo] = Registry("attacks", _OWN, AttackInfo)


def make_attack(name: str, seed: int = 0) -> Attack:
    """A fresh, unfitted attack.

    Args:
        name: a key of ``ATTACKS``.
        seed: of whatever the attack draws; unused by an attack that draws nothing.

    Raises:
        UnknownAttackError: no such attack.
    """
    if name not in ATTACKS:
        raise UnknownAttackError(name)
    info = ATTACKS[name]
    module, _, factory = info.factory.partition(":")
    own = not ATTACKS.provider(name)
    make = getattr(importlib.import_module(f".{module}" if own else module, __package__), factory)
    return cast("Attack", make(**info.arguments(seed)))
