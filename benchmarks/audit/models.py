"""Running model files, each in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...compressors.filesize import file_sizes
from . import AuditError
from .layout import Layout
from .runners import runner_info

TIMEOUT = 600.0


@dataclass(frozen=True, eq=False)
class Ran:
    """What running a file gave.

    Attributes:
        outputs: float32 [examples, outputs].
        facts: cells of a row: framework, sizes, and what was read back from the file's weights.
        notes: what a reader must know.
    """

    outputs: NDArray[np.float32]
    facts: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def run_file(
    path: Path, examples: NDArray[np.generic], layout: Layout, *, timeout: float = TIMEOUT, threads: int = 1
) -> Ran:
    """Run a model file on examples by its own interpreter, in a child process.

    Args:
        path: the file.
        examples: [examples, ...], as they were stored.
        layout: how they become the model's input.
        timeout: seconds that the child may take.
        threads: that the interpreter may use.

    Raises:
        AuditError: the file is of no known kind, cannot be run, takes too long, or brings its interpreter down.
    """
    info = runner_info(path)
    with tempfile.TemporaryDirectory(prefix="compleak-audit-") as name:
        folder = Path(name)
        np.save(folder / "examples.npy", examples, allow_pickle=False)
        job = {
            "model": str(path.resolve()),
            "examples": str(folder / "examples.npy"),
            "layout": asdict(layout),
            "threads": threads,
        }
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        failure = _run_child(folder, timeout)
        if not (folder / "done.json").is_file():
            raise AuditError(_explain(path, folder, failure, timeout))
        outputs = np.load(folder / "outputs.npy", allow_pickle=False)
        facts: dict[str, Any] = {"framework": info.framework, **file_sizes(path)}
        notes = []
        if (folder / "measured.json").is_file():
            measured = json.loads((folder / "measured.json").read_text(encoding="utf-8"))
            notes = [measured["notes"]] if "notes" in measured else []
            facts |= {key: measured[key] for key in ("sparsity", "distinct_values") if key in measured}
            facts |= {"weight_dtypes": "+".join(measured["weight_dtypes"])} if "weight_dtypes" in measured else {}
    return Ran(outputs, facts, tuple(notes))


def _run_child(folder: Path, timeout: float) -> subprocess.CompletedProcess[bytes] | None:
    """Run the child to its end; None where it was stopped for taking too long."""
    command = [sys.executable, "-P", "-m", f"{__package__}.child", str(folder / "job.json")]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
    try:
        return subprocess.run(  # noqa: S603  our own interpreter, no shell
            command, capture_output=True, timeout=timeout, check=False, env={**os.environ, **quiet}, cwd=folder
        )
    except subprocess.TimeoutExpired:
        return None


def _explain(path: Path, folder: Path, ended: subprocess.CompletedProcess[bytes] | None, timeout: float) -> str:
    if ended is None:
        return f"{path} was still running after {timeout:g} s and was stopped. Give it more with --timeout SECONDS."
    if (folder / "error.txt").is_file():
        said = (folder / "error.txt").read_text(encoding="utf-8").strip()
        return said if str(path.name) in said else f"{path}: {said}"
    lines = ended.stderr.decode(errors="replace").strip().splitlines()
    last = f" It said last: {lines[-1][:300]}" if lines else ""
    how = f"ended with code {ended.returncode}"
    if ended.returncode < 0:
        how = f"was killed by {signal.Signals(-ended.returncode).name}"
    return (
        f"{path} brought its interpreter down: the process {how}. The file is damaged, or needs operations or memory "
        f"that this machine does not have.{last}"
    )
