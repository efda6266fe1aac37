"""The language models' attacks' rows in the registry. Imports no attack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..info import AttackInfo

if TYPE_CHECKING:
    from ..protocol import Access

_LEARNERS = {"lr": "logistic regression", "rf": "random forest"}
_FORMS: tuple[tuple[str, Access, str], ...] = (
    ("nr", "one-model", "one model"),
    ("sr", "original+compressed", "original and one compressed"),
    ("mr", "multiple+original", "original and several compressed"),
    ("mr-no-original", "multiple", "several compressed"),
)


def _row(factory: str, description: str, access: Access = "one-model", **more: Any) -> AttackInfo:
    return AttackInfo(f"language_model.{factory}", description, access, answer="log_likelihood", **more)


LANGUAGE_MODEL_ATTACKS: dict[str, AttackInfo] = {
    "lm-loss": _row("attack:plain", "mean log-likelihood of a text's tokens", options={"name": "lm-loss"}),
    **{
        f"lm-min-k-{percent}": _row(
            "attack:plain",
            f"min-k %: mean log-likelihood of the {percent} % least likely tokens",
            options={"name": f"lm-min-k-{percent}", "min_k": percent / 100},
        )
        for percent in (10, 20, 30)
    },
    "lm-zlib": _row(
        "attack:plain", "mean log-likelihood over the text's zlib entropy in bits", options={"name": "lm-zlib"}
    ),
    "lm-reference-base": _row(
        "attack:plain",
        "mean log-likelihood less that of the model before fine-tuning",
        options={"name": "lm-reference-base"},
        pretrained=True,
    ),
    "lm-reference-compressed": _row(
        "attack:plain",
        "CompLeak_SR for texts: mean log-likelihood less that of the compressed model; its sign from the shadows",
        "original+compressed",
        options={"name": "lm-reference-compressed"},
        refitted=True,
        beside="lm-loss",
    ),
    "lm-reference-shadows": _row(
        "references:lm_reference_shadows", "mean log-likelihood less that of OUT references", references=1
    ),
    **{
        f"lm-{form}-{learner}": _row(
            "attack:learned",
            f"CompLeak_{form.partition('-')[0].upper()} for texts: {words} on statistics of the tokens' "
            f"log-likelihoods, of {what}",
            access,
            options={"form": form, "learner": learner},
            seeded=True,
            refitted=True,
        )
        for form, access, what in _FORMS
        for learner, words in _LEARNERS.items()
    },
    **{
        f"lm-lira-{mode}{suffix}": _row(
            "references:lm_lira",
            f"LiRA {mode} on the mean log-likelihood: {what}",
            options={"mode": mode, "variance": variance},
            references=2,
        )
        for mode in ("online", "offline")
        for variance, suffix, what in (
            ("per-example", "", "Gaussians of each text's own variance"),
            ("fixed", "-fixed-var", "Gaussians of one variance for all texts"),
            ("bayes", "-bayes", "means and variances shrunk by empirical Bayes"),
        )
    },
    **{
        f"lm-rmia-{mode}": _row(
            "references:lm_rmia",
            f"RMIA {mode} on the tokens' geometric mean probability",
            options={"mode": mode},
            references=1,
            refitted=True,
        )
        for mode in ("online", "offline")
    },
    **{
        f"lm-joint-{mode}-{form}": _row(
            "references:lm_joint",
            f"joint likelihood ratio {mode} of mean log-likelihoods: {what}",
            access,
            options={"mode": mode, "form": form},
            references=2,
            refitted=True,
        )
        for mode in ("online", "offline")
        for form, access, what in _FORMS
    },
}
