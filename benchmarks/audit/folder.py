"""An audit on disk, laid out as a run's folder is (``results.store``), written whole or not at all.

=================================  ===============================================================================
file                               what
=================================  ===============================================================================
``leaderboard.csv``                the rows
``suite.yaml``                     how they were made
``summary.txt``                    what they mean
``nodes/collect/audit-*``          ``facts.json``: the cells of every row that its scores do not tell; and
                                   ``warnings.json``: what speaks against believing them
``nodes/attack/*``                 the scores
=================================  ===============================================================================
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ...results.leaderboard import write_leaderboard
from ...results.publishing.run_folder import MANIFEST
from ...results.publishing.verify_audit import FACTS, SUMMARY, SUMMARY_SHA256, facts_of
from ...results.records import Row
from ...results.scores import Scores, write_atomically, write_scores
from ...results.store import AUDIT, LEADERBOARD, SUITE, WARNINGS, ResultsError, open_results
from ..store import sha256_of
from . import AuditError


def check_place(path: Path, run_id: str | None = None) -> None:
    """See that an audit may be written to ``path``: nothing is there, or this very audit.

    Args:
        path: the folder.
        run_id: of the audit; None where it is not known yet, and an older audit is let pass.

    Raises:
        AuditError: it is a file, or a folder of something else.
    """
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    try:
        found = open_results(path)
        if found.audited and (run_id is None or {row.run_id for row in found.rows} == {run_id}):
            return
    except ResultsError:
        pass
    raise AuditError(f"{path} exists and holds something else than this audit. Give another folder with --out.")


def write_audit(
    path: Path,
    rows: Sequence[Row],
    scores: Sequence[Scores],
    summary: str,
    suite: Mapping[str, Any],
    warnings: Sequence[str] = (),
) -> None:
    """Write everything beside ``path`` first, and then rename it into place.

    Raises:
        AuditError: see ``check_place``.
        LeaderboardError: the rows do not make a leaderboard.
    """
    run_id = rows[0].run_id
    check_place(path, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        write_leaderboard(rows, partial / LEADERBOARD)
        write_atomically(partial / SUITE, yaml.safe_dump(dict(suite), sort_keys=False).encode())
        write_atomically(partial / SUMMARY, summary.encode())
        collect = hashlib.sha256(f"{run_id}/collect".encode()).hexdigest()
        place = _node_folder(partial, "collect", AUDIT, collect)
        facts = [facts_of(row) for row in rows]
        write_atomically(place / FACTS, (json.dumps(facts, indent=1) + "\n").encode())
        write_atomically(place / WARNINGS, (json.dumps(list(warnings), indent=1) + "\n").encode())
        said = {SUMMARY_SHA256: sha256_of(partial / SUMMARY)}
        _write_manifest(place, "collect", AUDIT, collect, {}, said)
        for one in scores:
            held = one.variant.split(";")
            name = f"{one.attack}/{held[0] if len(held) == 1 else f'{len(held)}-models'}"
            key = hashlib.sha256(f"{run_id}/{one.sha256}".encode()).hexdigest()
            place = _node_folder(partial, "attack", name, key)
            write_scores(one, place / f"{one.target}.parquet")
            _write_manifest(place, "attack", name, key, {"collect": collect})
        partial.chmod(0o755)
        if path.exists():
            shutil.rmtree(path)
        os.replace(partial, path)  # noqa: PTH105  one call, and atomic
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _node_folder(root: Path, stage: str, name: str, key: str) -> Path:
    return root / "nodes" / stage / f"{name.replace('/', '__')}-{key[:12]}"


def _write_manifest(
    folder: Path, stage: str, name: str, key: str, parents: Mapping[str, str], config: Mapping[str, str] | None = None
) -> None:
    files = {file.name: sha256_of(file) for file in sorted(folder.iterdir())}
    told = {"stage": stage, "name": name, "key": key, "config": dict(config or {})}
    manifest = {**told, "parents": dict(parents), "files": files}
    write_atomically(folder / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True).encode())
