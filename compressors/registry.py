"""The adapters, by framework. Lazy: looking a name up imports no framework."""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass

from ..plugins import Registry
from .protocol import Compressor
from .settings import SettingError


@dataclass(frozen=True)
class AdapterInfo:
    """Where an adapter lives, and what it is.

    Attributes:
        module: below ``compleak.compressors``; in another package's row, its own ``package.module``.
        cls: the adapter's class, made without arguments.
        description: one line.
    """

    module: str
    cls: str
    description: str


_OWN: dict[str, AdapterInfo] = {
    "tflite": AdapterInfo(
        "tflite.adapter",
        "TfliteCompressor",
        "TF-Lite (.tflite): tensorflow-model-optimization, the TFLite converter, the LiteRT interpreter",
    ),
    "pytorch-mobile": AdapterInfo(
        "pytorch_mobile.adapter",
        "PytorchMobileCompressor",
        "PyTorch Mobile (.ptl): torch.ao quantization, torch.nn.utils.prune, the lite interpreter",
    ),
    "executorch": AdapterInfo(
        "executorch.adapter",
        "ExecutorchCompressor",
        "ExecuTorch (.pte), optional: PT2E quantization, XNNPACK; pip install compleak-bench[executorch]",
    ),
}

COMPRESSORS: Registry[AdapterInfo] = Registry("compressors", _OWN, AdapterInfo)


def make_compressor(framework: str) -> Compressor:
    """The adapter for ``framework``.

    Raises:
        SettingError: no such framework; the message names the nearest and all there are.
    """
    if framework not in COMPRESSORS:
        near = difflib.get_close_matches(framework, COMPRESSORS, n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise SettingError(f"Unknown framework {framework!r}.{hint} Known: {', '.join(COMPRESSORS)}.")
    info = COMPRESSORS[framework]
    own = not COMPRESSORS.provider(framework)
    module = importlib.import_module(f"{__package__}.{info.module}" if own else info.module)
    adapter: Compressor = getattr(module, info.cls)()
    return adapter
