"""Scores as they are kept: one Parquet file for each (target, variant, attack), from which every number is recomputed.

============  ========  ==========================================
column        type      meaning
============  ========  ==========================================
``example``   int64     the example's id, unique, ascending
``member``    bool      whether the target was trained on it
``score``     float64   higher = member, finite
============  ========  ==========================================

The schema's metadata, key ``compleak.scores``, holds JSON with ``format``, ``target``, ``variant``, ``attack`` and
``threshold`` (a number, or the text ``inf`` or ``-inf``), and ``refits`` where there are any. The same scores make the
same bytes, given the same pyarrow.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from .metrics import Bools, Floats, ScoreError, auc, checked

FORMAT = 1
_KEY = b"compleak.scores"
_PACK = b"compleak.scores.pack"
_NAMES = ("target", "variant", "attack")

Refits = tuple[tuple[float, ...], ...]
"""What an attack says when it is fitted on parts of its examples: for each division into parts, a figure for each."""


@dataclass(frozen=True, eq=False)
class Scores:
    """One attack's scores of one target's examples; kept in ascending order of the example's id.

    Attributes:
        target: name of the attacked model.
        variant: name of the compression setting.
        attack: name of the attack, which states its variant.
        threshold: the score from which an example is called a member, calibrated on the shadows.
        example: ids, int64 [examples], unique.
        member: bool [examples].
        score: float64 [examples], higher = member.
        refits: AUC on the same examples of the same attack, fitted on one part after the other of what it was fitted
            on, for each division of that into parts; none where it was not.
    """

    target: str
    variant: str
    attack: str
    threshold: float
    example: NDArray[np.int64]
    member: Bools
    score: Floats
    refits: Refits = ()

    @classmethod
    def of(
        cls,
        example: NDArray[np.integer],
        member: Bools,
        score: Floats,
        *,
        target: str,
        variant: str,
        attack: str,
        threshold: float,
        refits: Sequence[Sequence[float]] = (),
    ) -> Self:
        """Check the arrays and put them in order.

        Args:
            example: integer [examples], unique, in any order.
            member: bool [examples].
            score: floating point [examples], higher = member.
            target: name of the attacked model.
            variant: name of the compression setting.
            attack: name of the attack.
            threshold: calibrated on the shadows; infinite is allowed, NaN is not.
            refits: AUCs in [0, 1], of two parts at least in each division.

        Raises:
            ScoreError: see ``metrics.checked``; or ids that repeat or are no integers, a name missing, a NaN threshold,
                a refit that is no AUC, a division without parts.
        """
        score, member = checked(score, member)
        example = np.asarray(example)
        if example.shape != score.shape or example.dtype.kind not in "iu":
            raise ScoreError(f"Example ids must be integers [{len(score)}], got {example.dtype} {list(example.shape)}.")
        order = np.argsort(example, kind="stable")
        ids = example[order].astype(np.int64)
        if (repeats := int(np.count_nonzero(ids[1:] <= ids[:-1]))) > 0:
            raise ScoreError(f"Example ids must be unique and fit in int64; {repeats} of {len(ids)} repeat.")
        if missing := [n for n, v in zip(_NAMES, (target, variant, attack), strict=True) if not v]:
            raise ScoreError(f"Scores need the names {list(_NAMES)}; empty: {missing}.")
        if np.isnan(threshold):
            raise ScoreError(f"{attack}: the threshold is NaN; it must be calibrated on the shadows.")
        if not all(len(division) > 1 and all(0 <= refit <= 1 for refit in division) for division in refits):
            raise ScoreError(f"{attack}: refits must be AUCs, from 0 to 1, of parts, two at least; got {list(refits)}.")
        again = tuple(map(tuple, refits))
        return cls(target, variant, attack, float(threshold), ids, member[order], score[order], again)

    @property
    def sha256(self) -> str:
        """Hash of the content, not of the file: the same whatever library wrote it.

        SHA-256 of the metadata as JSON with sorted keys, a zero byte, then the three columns, little-endian.
        """
        digest = hashlib.sha256(_metadata(self) + b"\0")
        for column, kind in ((self.example, "<i8"), (self.member, "?"), (self.score, "<f8")):
            digest.update(column.astype(kind).tobytes())
        return digest.hexdigest()


class Paired(NamedTuple):
    """What a paired test needs: two scores and the membership of the same examples, and what other fits would say.

    Attributes:
        baseline: floating point [examples].
        scores: floating point [examples].
        member: bool [examples].
        refits: AUC of the second less that of the first, both fitted on the same part; of another attack, which was
            not fitted, it is the same in all. None where neither was fitted again, or not in the same way.
    """

    baseline: Floats
    scores: Floats
    member: Bools
    refits: Refits


def paired(baseline: Scores, scores: Scores) -> Paired:
    """Both scores and the membership of the examples they share, for a paired test.

    Raises:
        ScoreError: they are not about the same examples with the same membership.
    """
    same = np.array_equal(baseline.example, scores.example) and np.array_equal(baseline.member, scores.member)
    if not same:
        raise ScoreError(
            f"{baseline.attack} on {baseline.variant} of {baseline.target} and {scores.attack} on {scores.variant} "
            f"of {scores.target} were scored on different examples, so no paired test can be made."
        )
    before, after = baseline.refits, scores.refits
    if baseline.attack != scores.attack:
        before, after = before or _unfitted(baseline, after), after or _unfitted(scores, before)
    if [len(division) for division in before] != [len(division) for division in after]:
        return Paired(baseline.score, scores.score, scores.member, ())
    refits = tuple(
        tuple(own - base for base, own in zip(*division, strict=True)) for division in zip(before, after, strict=True)
    )
    return Paired(baseline.score, scores.score, scores.member, refits)


def _unfitted(scores: Scores, other: Refits) -> Refits:
    """What an attack that was not fitted would say if it were, beside another's refits."""
    alone = auc(scores.score, scores.member)
    return tuple((alone,) * len(division) for division in other)


def write_scores(scores: Scores, path: Path) -> None:
    """Write one Parquet file, whole or not at all; parent folders are made."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema().with_metadata({_KEY: _metadata(scores)})
    table = pa.table([scores.example, scores.member, scores.score], schema=schema)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", compression_level=3, version="2.6", write_page_checksum=True)
    write_atomically(path, buffer.getvalue())


def read_scores(path: Path) -> Scores:
    """Read what ``write_scores`` wrote.

    Raises:
        ScoreError: no Parquet file, other columns or metadata, a newer format, or scores that are not usable.
        FileNotFoundError: nothing there.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(path.read_bytes()), page_checksum_verification=True)
        found = dict(zip(table.schema.names, table.schema.types, strict=True))
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ScoreError(f"{path} is no readable Parquet file ({error}). Run the attack again.") from error
    if not table.schema.equals(_schema(), check_metadata=False):
        wanted = ", ".join(str(field) for field in _schema())
        raise ScoreError(f"{path} must hold the columns {wanted}; it holds {found}.")
    metadata = _read_metadata((table.schema.metadata or {}).get(_KEY), path)
    columns = (table.column(name).to_numpy() for name in ("example", "member", "score"))
    try:
        return Scores.of(*columns, **metadata)
    except ScoreError as error:
        raise ScoreError(f"{path}: {error}") from error


def write_pack(scores: Sequence[Scores], path: Path) -> None:
    """Write the scores of many attacks to one Parquet file, whole or not at all.

    Args:
        scores: see ``pack_scores``.
        path: parent folders are made.
    """
    write_atomically(path, pack_scores(scores))


def pack_scores(scores: Sequence[Scores]) -> bytes:
    """The Parquet file of many attacks' scores, a row group each.

    Args:
        scores: in any order; each content is written once, in the order of its hash.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    unique = {s.sha256: s for s in scores}
    ordered = [unique[sha256] for sha256 in sorted(unique)]
    schema = _schema().with_metadata({_PACK: json.dumps([_metadata(s).decode() for s in ordered]).encode()})
    buffer = io.BytesIO()
    with pq.ParquetWriter(
        buffer,
        schema,
        compression="zstd",
        compression_level=9,
        version="2.6",
        write_page_checksum=True,
        # A third smaller than Parquet's defaults on the quickstart's scores.
        use_dictionary=False,
        column_encoding={"example": "DELTA_BINARY_PACKED", "member": "RLE", "score": "BYTE_STREAM_SPLIT"},
    ) as writer:
        for s in ordered:
            writer.write_table(pa.table([s.example, s.member, s.score], schema=schema))
    return buffer.getvalue()


def read_pack(path: Path) -> list[Scores]:
    """Read what ``write_pack`` wrote.

    Raises:
        ScoreError: no Parquet file, other columns or metadata, a newer format, or scores that are not usable.
        FileNotFoundError: nothing there.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(path.read_bytes()), page_checksum_verification=True)
        if not file.schema_arrow.equals(_schema(), check_metadata=False):
            raise ScoreError(f"it must hold the columns {', '.join(map(str, _schema()))}.")
        notes = json.loads((file.schema_arrow.metadata or {}).get(_PACK, b"null"))
        if not isinstance(notes, list) or len(notes) != file.num_row_groups:
            raise ScoreError(f"it lacks the metadata {_PACK.decode()!r} that `write_pack` leaves.")
        found = []
        for index, note in enumerate(notes):
            table = file.read_row_group(index)
            columns = (table.column(name).to_numpy() for name in ("example", "member", "score"))
            found.append(Scores.of(*columns, **_read_metadata(str(note).encode(), path)))
    except FileNotFoundError:
        raise
    except ScoreError as error:
        raise ScoreError(f"{path}: {error}") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ScoreError(f"{path} is no readable file of scores ({error}).") from error
    return found


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` so that a reader, or a crash at any point, finds the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _schema() -> Any:
    import pyarrow as pa

    fields = (("example", pa.int64()), ("member", pa.bool_()), ("score", pa.float64()))
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in fields])


def _metadata(scores: Scores) -> bytes:
    finite = bool(np.isfinite(scores.threshold))
    content = {
        "format": FORMAT,
        **{name: getattr(scores, name) for name in _NAMES},
        "threshold": scores.threshold if finite else str(scores.threshold),
        **({"refits": scores.refits} if scores.refits else {}),
    }
    return json.dumps(content, sort_keys=True, allow_nan=False).encode()


def _read_metadata(raw: bytes | None, path: Path) -> dict[str, Any]:
    try:
        content = json.loads(raw or b"null")
        if content.pop("format") != FORMAT:
            raise ScoreError(f"{path} has another format than {FORMAT}. Read it with the version that wrote it.")
        threshold = float(content.pop("threshold"))
        refits = [[float(refit) for refit in division] for division in content.pop("refits", [])]
        if sorted(content) != sorted(_NAMES) or not all(isinstance(v, str) for v in content.values()):
            raise KeyError
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, ScoreError):
            raise
        raise ScoreError(f"{path} lacks the metadata {_KEY.decode()!r} that `write_scores` leaves.") from error
    return {**content, "threshold": threshold, "refits": refits}
