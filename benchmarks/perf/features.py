"""Features of CompLeak's SR and MR for 40,000 records, against a data frame walked through row by row."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from ...attacks.compleak.sr import sorted_posteriors_and_label
from ...attacks.signals import cross_entropy
from .comparison import Comparison, compare

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def ours_sr(logits: Floats, labels: Labels) -> Floats:
    """SR2 of the original and the first compressed model."""
    return sorted_posteriors_and_label(logits[:, :2], labels)


def ours_mr(logits: Floats, labels: Labels) -> Floats:
    """SR2 of every pair, and every compressed model's loss."""
    compressed = range(1, logits.shape[1])
    tables = [sorted_posteriors_and_label(logits[:, [0, i]], labels) for i in compressed]
    return np.hstack([*tables, cross_entropy(logits[:, 1:].swapaxes(0, 1), labels).T])


def rows_sr(frame: pd.DataFrame) -> Floats:
    """The same, a row at a time."""
    records = []
    for _, row in frame.iterrows():
        records.append(_pair(row["logits"][0], row["logits"][1], row["label"]))
    return np.stack(records)


def rows_mr(frame: pd.DataFrame) -> Floats:
    """The same, a row at a time."""
    records = []
    for _, row in frame.iterrows():
        logits, label = row["logits"], row["label"]
        pairs = [_pair(logits[0], compressed, label) for compressed in logits[1:]]
        losses = [-log_softmax(compressed)[label] for compressed in logits[1:]]
        records.append(np.concatenate([*pairs, losses]))
    return np.stack(records)


def _pair(original: Floats, compressed: Floats, label: int) -> Floats:
    first, second = softmax(original), softmax(compressed)
    order = np.argsort(first, kind="stable")
    own = np.zeros(len(first))
    own[label] = 1
    return np.concatenate([first[order], second[order], own[order]])


def run(records: int = 40_000, classes: int = 10, compressed: int = 3, walked: int = 2_000) -> list[Comparison]:
    """SR of one pair, and MR of all of them."""
    rng = np.random.default_rng(0)
    logits = 3 * rng.normal(size=(records, 1 + compressed, classes))
    labels = rng.integers(0, classes, records)
    frame = pd.DataFrame({"logits": list(logits[:walked]), "label": labels[:walked]})
    rows = []
    for name, ours, plain in (
        ("SR2", ours_sr, rows_sr),
        (f"MR ({compressed} compressed models)", ours_mr, rows_mr),
    ):
        np.testing.assert_allclose(ours(logits[:walked], labels[:walked]), plain(frame), rtol=1e-9, atol=1e-12)
        rows.append(
            compare(
                f"Features of {name}, {records:,} records, {classes} classes",
                partial(ours, logits, labels),
                ("pandas iterrows with scipy.special.softmax", partial(plain, frame)),
                share=walked / records,
                goal=50,
            )
        )
    return rows
