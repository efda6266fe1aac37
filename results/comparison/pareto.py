"""The Pareto front: what no other choice beats in everything at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..metrics import Bools


def front(points: NDArray[np.float64]) -> Bools:
    """Which points no other point dominates: is at most as large in every column, and smaller in one.

    Points that are the same do not dominate each other. In lexicographic order a point can only be dominated by one
    before it, so each is held against the front so far: O(points · front).

    Args:
        points: [points, objectives], smaller is better, finite.

    Returns:
        bool [points].
    """
    points = np.asarray(points, dtype=np.float64)
    kept = np.empty_like(points)
    count = 0
    on_front = np.zeros(len(points), dtype=np.bool_)
    for index in np.lexsort(points.T[::-1]):
        point = points[index]
        before = kept[:count]
        beaten = (before <= point).all(axis=1) & (before < point).any(axis=1)
        if not beaten.any():
            kept[count] = point
            count += 1
            on_front[index] = True
    return on_front
