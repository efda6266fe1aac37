"""Attacks on language models as estimators: a score with a threshold found on shadows, or a score that is learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from ..compleak.learners import LEARNERS, LearnerName, Table
from ..held import Held, NotFittedError
from ..observations import ObservationError, Observations
from ..protocol import Access
from ..thresholds import best_threshold
from . import features, scores
from .scores import Floats

ANSWER = "log_likelihood"

Form = Literal["nr", "sr", "mr", "mr-no-original"]
ACCESS: dict[Form, Access] = {
    "nr": "one-model",
    "sr": "original+compressed",
    "mr": "multiple+original",
    "mr-no-original": "multiple",
}


@dataclass(frozen=True)
class Texts:
    """What was observed of texts, one row each.

    Attributes:
        log_likelihood: float64 [texts, variants, tokens], the original first where it is held; NaN beyond the end.
        zlib_bytes: length after zlib, int64 [texts].
        base: of the model that all were fine-tuned from, float64 [texts, tokens]; None where there is none.
    """

    log_likelihood: Floats
    zlib_bytes: NDArray[np.int64]
    base: Floats | None = None

    @classmethod
    def of(cls, held: Observations, models: Any, examples: Any) -> Self:
        """Rows of observations that hold one attacker's variants: positions of models and of examples, [texts]."""
        base = held.base_log_likelihood
        return cls(
            held.answers(ANSWER)[models, :, examples],
            held.zlib_bytes[examples],
            None if base is None else base[examples],
        )

    def __post_init__(self) -> None:
        ends = np.isnan(self.log_likelihood)
        if (ends != ends[:, :1]).any():
            raise ObservationError(
                "The variants' log-likelihoods are not of the same tokens. Ask all of them about the same texts."
            )

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Which texts have a token to judge, [texts]."""
        judged: NDArray[np.bool_] = scores.tokens(self.log_likelihood[:, 0]) > 0
        return judged

    def at(self, rows: NDArray[np.generic]) -> Self:
        """The part with these rows."""
        base = None if self.base is None else self.base[rows]
        return type(self)(self.log_likelihood[rows], self.zlib_bytes[rows], base)


Score = Callable[[Texts], Floats]
"""Scores [texts], finite, higher = member, of texts with a token to judge."""
Learn = Callable[[Texts, NDArray[np.bool_], NDArray[np.int64]], tuple[Score, Floats]]
"""From texts, membership and the model of each row to a score, and the scores of these very rows as held out."""


@dataclass(frozen=True)
class _Fitted:
    held: Held
    score: Score
    threshold: float
    neutral: float


class TextAttack:
    """An attack on a language model, or on several variants of one.

    The threshold maximises balanced accuracy over the shadows' (held-out) scores. A text without a token to judge
    gets the median of these scores: it says nothing.

    Attributes:
        name: the row's name.
        access: how many models the attacker holds.
        queries: of each of them, for a text.
    """

    queries = 1

    def __init__(self, name: str, access: Access, learn: Learn) -> None:
        self.name = name
        self.access: Access = access
        self._learn = learn
        self._fitted: _Fitted | None = None

    def fit(self, shadows: Observations) -> Self:
        """Learn from the shadows' calibration records.

        Raises:
            ObservationError: not the variants that ``access`` says, no log-likelihoods, or no members or non-members
                among the texts with a token to judge.
        """
        held = Held.of(shadows, self.access, self.name)
        chosen = shadows.select(variants=held.variants)
        model, example = chosen.calibration_pairs()
        texts = Texts.of(chosen, model, example)
        member, judged = chosen.member[model, example], texts.judged
        members = int(np.count_nonzero(member[judged]))
        if not 0 < members < np.count_nonzero(judged):
            raise ObservationError(
                f"Attack {self.name!r} is fitted on members and non-members, but of the shadows' calibration records "
                f"{np.count_nonzero(judged)} have a token to judge, and {members} of these are members."
            )
        score, held_out = self._learn(texts.at(judged), member[judged], model[judged])
        self._fitted = _Fitted(held, score, best_threshold(held_out, member[judged]), float(np.median(held_out)))
        return self

    def score(self, target: Observations) -> Floats:
        """Score the target's texts, [examples].

        Raises:
            ObservationError: other variants than those fitted on, or more than one model.
        """
        fitted = self._parts()
        chosen = fitted.held.of_target(target, self.name)
        texts = Texts.of(chosen, 0, np.arange(len(chosen.examples)))
        judged = texts.judged
        scored = np.full(len(judged), fitted.neutral)
        if judged.any():
            scored[judged] = fitted.score(texts.at(judged))
        return scored

    @property
    def threshold(self) -> float:
        """The best threshold on the shadows."""
        return self._parts().threshold

    def _parts(self) -> _Fitted:
        if self._fitted is None:
            raise NotFittedError(self.name)
        return self._fitted


def plain(name: str, *, min_k: float | None = None) -> TextAttack:
    """Attacks that learn nothing but a threshold: ``lm-loss``, ``lm-zlib``, min-k %, and those with one reference.

    Args:
        name: the row's name.
        min_k: fraction of the tokens that min-k % looks at.
    """
    if min_k is not None:
        return TextAttack(name, "one-model", partial(_threshold_only, partial(_min_k, fraction=min_k)))
    if name == "lm-reference-compressed":
        return TextAttack(name, "original+compressed", partial(_oriented, _reference_compressed))
    return TextAttack(name, "one-model", partial(_threshold_only, _PLAIN[name]))


def learned(form: Form, learner: LearnerName, seed: int) -> TextAttack:
    """``lm-{form}-{learner}``: a learner on ``features.table`` of all models held. CompLeak's NR, SR and MR for texts.

    Args:
        form: which models are held.
        learner: of ``LEARNERS``.
        seed: of whatever it draws.
    """
    return TextAttack(f"lm-{form}-{learner}", ACCESS[form], partial(_learned, learner=learner, seed=seed))


def _loss(texts: Texts) -> Floats:
    return scores.mean_log_likelihood(texts.log_likelihood[:, 0])


def _zlib(texts: Texts) -> Floats:
    return scores.zlib_calibrated(texts.log_likelihood[:, 0], texts.zlib_bytes)


def _reference_compressed(texts: Texts) -> Floats:
    return scores.reference_calibrated(texts.log_likelihood[:, 0], texts.log_likelihood[:, 1])


def _reference_base(texts: Texts) -> Floats:
    if texts.base is None:
        raise ObservationError("lm-reference-base needs the answers of the model that all were fine-tuned from.")
    return scores.reference_calibrated(texts.log_likelihood[:, 0], texts.base)


def _min_k(texts: Texts, *, fraction: float) -> Floats:
    return scores.min_k(texts.log_likelihood[:, 0], fraction)


_PLAIN: dict[str, Score] = {
    "lm-loss": _loss,
    "lm-zlib": _zlib,
    "lm-reference-base": _reference_base,
}


def _threshold_only(
    score: Score, texts: Texts, member: NDArray[np.bool_], model: NDArray[np.int64]
) -> tuple[Score, Floats]:
    del member, model
    return score, score(texts)


def _oriented(score: Score, texts: Texts, member: NDArray[np.bool_], model: NDArray[np.int64]) -> tuple[Score, Floats]:
    """With the shadows' sign: compression may lose what was a member's own, and the training with it may add to it."""
    del model
    found = score(texts)
    sign = 1.0 if roc_auc_score(member, found) >= 0.5 else -1.0
    return lambda asked: sign * score(asked), sign * found


def _learned(
    texts: Texts, member: NDArray[np.bool_], model: NDArray[np.int64], *, learner: LearnerName, seed: int
) -> tuple[Score, Floats]:
    fitted = LEARNERS[learner](Table(_table(texts), member, model), seed)
    return lambda asked: fitted.probability(_table(asked)), fitted.held_out


def _table(texts: Texts) -> Floats:
    return features.table(texts.log_likelihood, texts.zlib_bytes)
