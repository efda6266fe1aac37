"""Merge verified runs into the published leaderboards: ``NAME.csv`` and what travels with it.

Runs of one suite make one leaderboard, ``SUITE-vSCHEMA``. Their recipes must be the same but for the number of targets
and shadows. A run replaces all rows of an earlier run of its very recipe, and any earlier row of the same attack on the
same model; what changed is said. The same rows give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..leaderboard import leaderboard_csv
from ..records import SCHEMA_VERSION
from ..scores import pack_scores, write_atomically
from .board import Board, Changes, Describe, PublishError, changes_of, file_names
from .provenance import File, Pack, Provenance, leading_suite, read_provenance
from .summary import summary_csv
from .verify import Planner, Verification, verify

__all__ = ["LIMIT_BYTES", "Changes", "Describe", "PublishError", "UnverifiedError", "publish"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
LIMIT_BYTES = 10_000_000
VERIFIED = (
    "every row written as this program writes it, each once",
    "every statistical cell recomputed from the kept scores, in the digits of the file",
    "every other cell against the suite and what was recorded of the run",
    "every row that the suite calls for is there, and no other; the null control holds",
)


class UnverifiedError(Exception):
    """Something that was to be published, or that it was to be added to, does not verify."""

    def __init__(self, verification: Verification) -> None:
        """Carry what was found."""
        super().__init__(verification.summary())
        self.verification = verification


def publish(
    sources: Sequence[Path],
    to: Path,
    *,
    planner: Planner,
    describe: Describe,
    address: str = "",
    pack: Path | None = None,
    limit: int = LIMIT_BYTES,
) -> list[Changes]:
    """Verify ``sources``, merge them into the leaderboards in ``to``, verify what came out, and only then write.

    Args:
        sources: runs' folders, or leaderboards that somebody else published.
        to: folder of the leaderboards; made if need be.
        planner: says what a suite calls for.
        describe: says how a suite is run again, and what code this is.
        address: where the scores will be, if they are not to lie beside the rows.
        pack: with ``address``: the local copy of the scores, read if there is one, and written.
        limit: bytes that the scores beside one leaderboard may have.

    Returns:
        What changed, for each leaderboard.

    Raises:
        PublishError: different recipes, too large, or ``address`` without ``pack``.
        ResultsError: a source is none.
        UnverifiedError: a source, the leaderboard it would be added to, or the outcome does not verify.
    """
    if address and pack is None:
        raise PublishError("--scores-address needs --scores FILE: where to write the scores that you will put there.")
    agreed: set[bytes] = set()

    def verified(path: Path, scores: Path | None = None) -> Verification:
        found = verify(path, planner=planner, pack=scores, agreed=agreed)
        if not found.sound:
            raise UnverifiedError(found)
        return found

    boards: dict[Path, Board] = {}
    for source in sources:
        part = verified(source, pack)
        if not part.runs:
            raise PublishError(
                f"{source} is an audit: no suite can run it again, so it makes no leaderboard. Share its folder "
                "instead; anyone can verify it."
            )
        path = to / f"{_suite_name(part)}-v{SCHEMA_VERSION}.csv"
        if path not in boards:
            before = verified(path, pack) if path.is_file() else None
            boards[path] = Board(path, before=before)
            if before is not None:
                boards[path].add(before, describe)
        boards[path].add(part, describe)
    if address and len(boards) > 1:
        raise PublishError("--scores-address is for one suite at a time: each has scores of its own.")
    to.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(dir=to, prefix=".publish-"))
    try:
        changes = [_stage(board, staged, address, pack, limit) for board in boards.values()]
        for board, change in zip(boards.values(), changes, strict=True):
            if not change.nothing:
                verified(staged / board.path.name, staged / file_names(board.path)["scores"] if address else None)
        written = [(board, c) for board, c in zip(boards.values(), changes, strict=True) if not c.nothing]
        for board, _ in written:
            if address and pack is not None:
                write_atomically(pack, (staged / file_names(board.path)["scores"]).read_bytes())
                (staged / file_names(board.path)["scores"]).unlink()
        _move([name for board, _ in written for name in file_names(board.path).values()], staged, to)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return changes


def _suite_name(part: Verification) -> str:
    name = str(part.results.suite.get("name", "")) if part.results else ""
    if not _NAME.fullmatch(name):
        raise PublishError(
            f"The suite of {part.path} is named {name!r}, which makes no file name: it must consist of small letters, "
            "digits, '_', '.' and '-', and begin with a letter or digit."
        )
    return name


def _stage(board: Board, staged: Path, address: str, pack: Path | None, limit: int) -> Changes:
    board.prune()
    rows, null = list(board.rows.values()), list(board.null_rows.values())
    names = file_names(board.path)
    content = {"rows": leaderboard_csv(rows).encode(), "summary": summary_csv(rows, board.scores).encode()}
    if null:
        content["null"] = leaderboard_csv(null).encode()
    content["scores"] = _pack(board, pack)
    if len(content["scores"]) > limit and not address:
        raise PublishError(
            f"The scores of {board.path.name} are {len(content['scores']) / 1e6:.1f} MB, more than the "
            f"{limit / 1e6:g} MB that lie beside a leaderboard. Put them elsewhere: --scores FILE --scores-address URL "
            "writes them to FILE, and their address and hash into the provenance. Or publish fewer targets or attacks."
        )
    provenance = Provenance(
        schema_version=SCHEMA_VERSION,
        suite=leading_suite(list(board.runs.values())),
        rows=len(rows),
        null_rows=len(null),
        files={
            role: File(name=names[role], sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
            for role, data in sorted(content.items())
            if role != "scores"
        },
        scores=Pack(
            name="" if address else names["scores"],
            address=address,
            sha256=hashlib.sha256(content["scores"]).hexdigest(),
            bytes=len(content["scores"]),
            contents=len(board.scores),
        ),
        runs=tuple(board.runs.values()),
        verified=VERIFIED,
    )
    text = json.dumps(provenance.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False)
    content["provenance"] = f"{text}\n".encode()
    for role, data in content.items():
        write_atomically(staged / names[role], data)
    return changes_of(board, content, address)


def _pack(board: Board, pack: Path | None) -> bytes:
    """The scores' file; the one that is there, where it holds the same scores, whatever library wrote it."""
    if board.before is not None and board.before.scores.keys() == board.scores.keys():
        known = read_provenance(board.path.with_suffix(".provenance.json")).scores
        file = pack if known.address else board.path.with_suffix(".scores.parquet")
        if file is not None:
            return file.read_bytes()
    return pack_scores(list(board.scores.values()))


def _move(names: Iterable[str], staged: Path, to: Path) -> None:
    """Put the staged files into place, and take away those that are no more; back to how it was if that fails."""
    kept = staged / "before"
    kept.mkdir()
    done: list[str] = []
    try:
        for name in names:
            done.append(name)
            if (to / name).is_file():
                shutil.copy2(to / name, kept / name)
            if (staged / name).is_file():
                (staged / name).replace(to / name)
            else:
                (to / name).unlink(missing_ok=True)
    except BaseException:
        for name in done:
            if (kept / name).is_file():
                shutil.copy2(kept / name, to / name)
            else:
                (to / name).unlink(missing_ok=True)
        raise
