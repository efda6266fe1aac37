"""Originals beside each other: does what is good for more leak more?

A mark is one uncompressed model under one attack. Models are held against each other where attack, access, shadows and
data (by name and by hash) are the same: accuracies on other data, and attackers with other access, are other
quantities.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any

from scipy import stats

from ..artifacts import Artifact, artifact_of, judged_on
from ..comparison.margins import wilson
from ..records import ORIGINAL, Row
from .names import attack_names, attack_rank, target_key, target_names

LEAST = 3


def models(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """For each attack that was made on several originals: their accuracy and AUC, with intervals.

    Args:
        rows: of one or more suites.

    Returns:
        For each group of at least ``LEAST`` models ``attack``, with the access and the data set where groups differ in
        those; ``models``, a list of ``name``, ``accuracy`` and ``auc``
        (each a value, low, high: Wilson's interval, which is too wide for the shares of tokens that a language model
        has right, and the row's own); and Kendall's rank correlation of the two, ``tau``, with its ``p`` (exact where
        there are no ties), both None where either is the same in all. It takes models for independent draws.
    """
    attacks = attack_names(rows)
    # By their scores: a model that two suites have trained alike is one model.
    groups: dict[tuple[str, int, str, str, str], dict[str, Row]] = defaultdict(dict)
    for row in rows:
        if row.setting == ORIGINAL and isinstance(row.accuracy, float):
            groups[row.attack, row.shadows, row.access, row.data, row.data_sha256].setdefault(row.scores_sha256, row)
    compared = {key: found for key, found in groups.items() if len(found) >= LEAST}
    accesses, data, judged = {key[2] for key in compared}, _data_names(key[3:] for key in compared), judged_on(rows)
    found = []
    for key, group in sorted(compared.items(), key=lambda g: (attack_rank(g[0][0]), g[0][1:])):
        words = [attacks[key[0], key[1]], *([key[2]] if len(accesses) > 1 else [])]
        words += [data[key[3:]]] if len(data) > 1 else []
        found.append({"attack": ", ".join(words), **_beside(list(group.values()), judged)})
    return found


def _data_names(found: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """A name for each (data, data_sha256): the data's own, with its hash only where two share it."""
    sets = set(found)
    names = [name for name, _ in sets]
    return {(name, sha256): f"{name} {sha256[:8]}" if names.count(name) > 1 else name for name, sha256 in sets}


def _beside(rows: Sequence[Row], judged: Mapping[Artifact, int]) -> dict[str, Any]:
    accuracies = [float(row.accuracy or 0.0) for row in rows]
    aucs = [row.auc for row in rows]
    varied = len(set(accuracies)) > 1 and len(set(aucs)) > 1
    rank = stats.kendalltau(accuracies, aucs) if varied else None
    return {
        "models": [
            {
                "name": name,
                "accuracy": [accuracy, *wilson(accuracy, judged[artifact_of(row)])],
                "auc": [row.auc, row.auc_low, row.auc_high],
            }
            for name, accuracy, row in zip(_names(rows), accuracies, rows, strict=True)
        ],
        "tau": float(rank.statistic) if rank is not None else None,
        "p": float(rank.pvalue) if rank is not None else None,
    }


def _names(rows: Sequence[Row]) -> list[str]:
    """The suites' names less what all begin with, where these tell the models apart; else all that differs."""
    suites = [row.suite for row in rows]
    if len(set(suites)) < len(rows):
        full = target_names(rows)
        return [full[target_key(row)] for row in rows]
    words = [suite.split("-") for suite in suites]
    begin = sum(1 for _ in takewhile(lambda same: len(set(same)) == 1, zip(*words, strict=False)))
    return ["-".join(word[begin:]) or suite for word, suite in zip(words, suites, strict=True)]
