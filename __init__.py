"""CompLeak Bench: does compressing a model make it leak more about its training data?

Data flows one way: models -> compressors -> observations -> attacks -> scores -> results, and
``benchmarks`` plans and drives them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .benchmarks.audit.api import Audit, Shadow, audit

__version__ = "0.1.0"

__all__ = ["Audit", "Shadow", "__version__", "audit"]


def __getattr__(name: str) -> Any:
    """The public functions, fetched when they are first asked for, so that importing the package stays fast."""
    if name in ("Audit", "Shadow", "audit"):
        from .benchmarks.audit import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
