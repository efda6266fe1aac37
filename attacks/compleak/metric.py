"""CompLeak_NR, metric attacks: one number per example, compared with thresholds found on shadow models.

CompLeak section 4 and Song & Mittal 2021. CompLeak decides by a threshold per class but ranks by the bare signal, so
its accuracy and its AUC are of two different attacks. Here they are two: ``ClassThresholds`` scores by the signal less
its class's threshold, so that ``score >= 0`` is exactly the per-class attack and the ROC moves all the thresholds
together; ``OneThreshold`` scores by the bare signal, and so ranks by nothing that was fitted. Signals stand on a
logarithmic scale, which changes no decision and keeps apart the confident records that a subtraction (or CompLeak's
float32 sigmoid) would tie (ours).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from .. import signals
from ..held import Held, NotFittedError
from ..observations import Observations
from ..protocol import Access
from ..thresholds import best_threshold, class_thresholds

Floats = NDArray[np.float64]
Signal = Callable[[Floats, NDArray[np.int64]], Floats]

SIGNALS: dict[str, Signal] = {
    "entropy": lambda logits, _: -signals.log_entropy(logits),
    "modified-entropy": lambda logits, labels: -signals.log_modified_entropy(logits, labels),
    "confidence": signals.logit_confidence,
    "loss": lambda logits, labels: -signals.cross_entropy(logits, labels),
}


class ClassThresholds:
    """A signal with one threshold per class (Song & Mittal 2021): entropy, modified entropy or confidence."""

    access: Access = "one-model"
    queries = 1
    threshold = 0.0

    def __init__(self, signal: Literal["entropy", "modified-entropy", "confidence"]) -> None:
        self.name = f"compleak-nr-{signal}"
        self._signal = SIGNALS[signal]
        self._held: Held | None = None
        self._thresholds: Floats = np.empty(0)

    def fit(self, shadows: Observations) -> Self:
        """Find each class's threshold on the shadows' calibration records.

        Raises:
            ObservationError: more than one variant, or no members, or no non-members.
        """
        held = Held.of(shadows, self.access, self.name)
        records = held.calibration_records(shadows)
        signal = self._signal(records.logits[:, 0], records.labels)
        self._thresholds = class_thresholds(signal, records.labels, records.member, held.classes)
        self._held = held
        return self

    def score(self, target: Observations) -> Floats:
        """The signal less the threshold of the example's class, [examples]."""
        if self._held is None:
            raise NotFittedError(self.name)
        records = self._held.target_records(target, self.name)
        return self._signal(records.logits[:, 0], records.labels) - self._thresholds[records.labels]


class OneThreshold:
    """A signal with one threshold for all classes, as the loss of Yeom et al. 2018. Its AUC is the signal's own."""

    access: Access = "one-model"
    queries = 1

    def __init__(self, signal: Literal["loss", "entropy", "modified-entropy", "confidence"]) -> None:
        self.name = f"compleak-nr-{signal}{'' if signal == 'loss' else '-global'}"
        self._signal = SIGNALS[signal]
        self._held: Held | None = None
        self._threshold = np.nan

    def fit(self, shadows: Observations) -> Self:
        """Find the threshold on the shadows' calibration records.

        Raises:
            ObservationError: more than one variant, or no members, or no non-members.
        """
        held = Held.of(shadows, self.access, self.name)
        records = held.calibration_records(shadows)
        self._threshold = best_threshold(self._signal(records.logits[:, 0], records.labels), records.member)
        self._held = held
        return self

    def score(self, target: Observations) -> Floats:
        """The signal, [examples]."""
        if self._held is None:
            raise NotFittedError(self.name)
        records = self._held.target_records(target, self.name)
        return self._signal(records.logits[:, 0], records.labels)

    @property
    def threshold(self) -> float:
        """The best threshold on the shadows."""
        if self._held is None:
            raise NotFittedError(self.name)
        return self._threshold


class Correctness:
    """Whatever the model gets right is a member (the gap attack; Yeom et al. 2018): one point of a ROC."""

    name = "compleak-nr-correctness"
    access: Access = "one-model"
    queries = 1
    threshold = 1.0

    def __init__(self) -> None:
        self._held: Held | None = None

    def fit(self, shadows: Observations) -> Self:
        """Learn nothing but which variant to look at.

        Raises:
            ObservationError: more than one variant.
        """
        self._held = Held.of(shadows, self.access, self.name)
        return self

    def score(self, target: Observations) -> Floats:
        """1 where the prediction is right, else 0, [examples]."""
        if self._held is None:
            raise NotFittedError(self.name)
        records = self._held.target_records(target, self.name)
        right: NDArray[np.bool_] = records.logits[:, 0].argmax(axis=-1) == records.labels
        return right.astype(np.float64)
