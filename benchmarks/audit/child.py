"""The process that a model file is run in: ``python -m compleak.benchmarks.audit.child JOB.json``.

Whatever a file does to its interpreter, an endless loop and a crash included, ends here and not in the audit.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from . import AuditError
from .layout import Layout
from .runners import open_model, runner_info

CHUNK = 256
FAILED = 3


def main(job_file: Path) -> int:
    """Run a model on examples.

    Args:
        job_file: JSON with ``model``, ``examples`` (an .npy file), ``layout``, ``threads``. Beside it are written
            ``outputs.npy`` and then ``done.json``; or ``error.txt``; and last, where weights can be read back,
            ``measured.json``.

    Returns:
        Exit code.
    """
    job = json.loads(job_file.read_text(encoding="utf-8"))
    folder, path = job_file.parent, Path(job["model"])
    try:
        stated = job["layout"]
        layout = Layout(stated["order"], stated["scale"], tuple(stated["mean"]), tuple(stated["std"]))
        examples = np.load(job["examples"], mmap_mode="r", allow_pickle=False)
        run = open_model(path, threads=job["threads"])
    except Exception as error:  # Whatever a framework raises is told to the parent.
        return _failed(folder, _in_short(error))
    try:
        parts = [run(layout.prepare(examples[i : i + CHUNK])) for i in range(0, len(examples), CHUNK)]
        outputs = np.concatenate(parts)
    except AuditError as error:
        return _failed(folder, _in_short(error))
    except Exception as error:  # As above; a wrong order of axes is told by each in its own words.
        told = _in_short(error).rstrip(".")
        return _failed(folder, f"{told}. If its shapes do not fit, try another --layout than {layout.order}.")
    np.save(folder / "outputs.npy", outputs.reshape(len(outputs), -1), allow_pickle=False)
    (folder / "done.json").write_text("{}", encoding="utf-8")
    if runner_info(path).adapter:
        _write_measured(folder / "measured.json", path)
    return 0


def _write_measured(target: Path, path: Path) -> None:
    """What the file's weights are, where the adapter can read them; the audit does without if it cannot."""
    from ...compressors.measured import measure
    from ...compressors.registry import make_compressor

    try:
        facts: dict[str, Any] = measure(path, make_compressor(runner_info(path).adapter).weights(path)).as_json()
    except Exception as error:  # Files of other makers hold much that the adapters never write.
        facts = {"notes": f"weights not read back: {_in_short(error)}"}
    target.write_text(json.dumps(facts), encoding="utf-8")


def _failed(folder: Path, told: str) -> int:
    (folder / "error.txt").write_text(f"{told}\n", encoding="utf-8")
    return FAILED


def _in_short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, AuditError) else text[:600] or "it failed, and gave no reason"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
