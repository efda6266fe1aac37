"""What a run needs beyond what the package installs; reading, planning and verifying a suite need none of it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from ..compressors.registry import make_compressor
from ..models.encoders.recipe import EncoderRecipe
from .schema import Suite


def lacking(suite: Suite) -> Iterator[str]:
    """What ``suite`` cannot be run without and is not installed here, each with how to install it."""
    for framework in suite.compress:
        if (reason := make_compressor(framework).missing()) is not None:
            yield f"{suite.name} compresses with {framework}: {reason}"
    if not isinstance(suite.training, EncoderRecipe):
        return
    coloured = suite.training.jitter > 0 or suite.training.grey > 0
    for package, extra, needed in (("kornia", "ssl", coloured), ("opacus", "dp", suite.training.dp is not None)):
        if needed and find_spec(package) is None:
            yield (
                f"{suite.name} trains encoders and needs {package}, which is not installed; run: "
                f"pip install compleak-bench[{extra}]"
            )
