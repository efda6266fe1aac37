"""Each kind of model file and who runs it. Every runner is a function ``path, threads -> (inputs -> outputs)``.

Nothing is imported before it is asked for: a child process loads one framework only.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import AuditError

Runner = Callable[[NDArray[np.generic]], NDArray[np.float32]]


@dataclass(frozen=True)
class RunnerInfo:
    """Where a runner is, and what it runs.

    Attributes:
        factory: ``module:function`` below the package ``compleak``.
        framework: the name of the runtime in a row.
        adapter: the compressor that can read weights back from such a file; none where empty.
    """

    factory: str
    framework: str
    adapter: str = ""


RUNNERS: dict[str, RunnerInfo] = {
    ".tflite": RunnerInfo("benchmarks.audit.runners.tflite:open_tflite", "tflite", "tflite"),
    ".ptl": RunnerInfo("benchmarks.audit.runners.mobile:open_mobile", "pytorch-mobile", "pytorch-mobile"),
    ".pte": RunnerInfo("benchmarks.audit.runners.executorch:open_executorch", "executorch", "executorch"),
    ".pt2": RunnerInfo("benchmarks.audit.runners.exported:open_exported", "pytorch"),
    ".keras": RunnerInfo("models.keras_twins.saved:open_saved", "keras"),
    ".safetensors": RunnerInfo("benchmarks.audit.runners.checkpoint:open_checkpoint", "pytorch"),
}
_PACKAGE = __name__.removesuffix(".benchmarks.audit.runners")


def runner_info(path: Path) -> RunnerInfo:
    """Who runs the file at ``path``.

    Raises:
        AuditError: nobody, or there is no such file, or nothing in it.
    """
    if path.suffix not in RUNNERS:
        raise AuditError(
            f"{path}: only {', '.join(RUNNERS)} files are run. Convert it to one of these, or dump the outputs and "
            "audit them with --members and --nonmembers."
        )
    if not path.is_file():
        raise AuditError(f"There is no file {path}.")
    if not path.stat().st_size:
        raise AuditError(f"{path} is empty (0 bytes). Convert the model again.")
    return RUNNERS[path.suffix]


def open_model(path: Path, *, threads: int = 1) -> Runner:
    """Load the file at ``path`` into its own runtime.

    Raises:
        AuditError: nobody runs such a file, or it cannot be loaded; the runners raise errors of their own too.
    """
    module, _, factory = runner_info(path).factory.partition(":")
    runner: Runner = getattr(importlib.import_module(f"{_PACKAGE}.{module}"), factory)(path, threads=threads)
    return runner
