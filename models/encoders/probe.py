"""What embeddings are worth: labels read from them by neighbours, and by a linear classifier."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

Embeddings = NDArray[np.floating]
Labels = NDArray[np.integer]


def knn_predictions(
    known: tuple[Embeddings, Labels], asked: Embeddings, *, neighbours: int = 200, temperature: float = 0.1
) -> Labels:
    """A vote of the nearest, by cosine (Wu et al. 2018, section 3.4; k and temperature as MoCo's and DINO's).

    Each neighbour's vote weighs ``exp(cosine / temperature)``.

    Args:
        known: embeddings [examples, dimensions] and labels that vote.
        asked: embeddings whose labels are foretold; apart from the ``known``.
        neighbours: k; all where there are fewer.
        temperature: the lower, the more the very nearest count.

    Returns:
        Labels, [asked].

    Raises:
        ValueError: embeddings and labels do not fit together.
    """
    vectors, labels = _checked(known)
    queries = np.asarray(asked, dtype=np.float64)
    cosines = _unit(queries) @ _unit(vectors).T
    k = min(neighbours, len(labels))
    # Equally near ones count in their order, so that the accuracy does not depend on the machine's sort.
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    weights = softmax(np.take_along_axis(cosines, nearest, axis=1) / temperature, axis=1)
    votes = np.stack([(weights * (labels[nearest] == label)).sum(axis=1) for label in np.unique(labels)], axis=1)
    return np.asarray(np.unique(labels)[votes.argmax(axis=1)])


def linear_predictions(known: tuple[Embeddings, Labels], asked: Embeddings, *, penalty: float = 1.0) -> Labels:
    """What is foretold by a logistic regression on standardised embeddings (the linear probe, by scikit-learn).

    Args:
        known: embeddings [examples, dimensions] and labels that it is fitted to.
        asked: embeddings whose labels are foretold; apart from the ``known``.
        penalty: scikit-learn's ``C`` is its inverse.

    Returns:
        Labels, [asked].

    Raises:
        ValueError: embeddings and labels do not fit together, or there is one class only.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    vectors, labels = _checked(known)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=1 / penalty, max_iter=1000))
    return np.asarray(probe.fit(vectors, labels).predict(np.asarray(asked, dtype=np.float64)))


def _checked(pair: tuple[Embeddings, Labels]) -> tuple[NDArray[np.float64], Labels]:
    vectors, labels = np.asarray(pair[0], dtype=np.float64), pair[1]
    if vectors.ndim != 2 or len(vectors) != len(labels) or not len(labels) or not np.isfinite(vectors).all():
        raise ValueError(
            f"Expected finite embeddings [examples, dimensions], each with a label; got {list(vectors.shape)} and "
            f"{len(labels)} labels."
        )
    return vectors, labels


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float64).tiny))
