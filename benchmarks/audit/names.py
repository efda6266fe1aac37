"""Names of models, as they go into rows and folders."""

from __future__ import annotations

import re
from pathlib import Path

from ...attacks.observations import ORIGINAL
from . import AuditError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,79}")


def checked_name(name: str) -> str:
    """The name itself.

    Raises:
        AuditError: it holds anything but letters, digits and ``._+-``, or is empty or long.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise AuditError(f"{name!r} is no name for a model: use letters, digits and ._+-, at most 80, and no spaces.")
    return name


def named_paths(option: str, values: list[str]) -> dict[str, Path]:
    """Files of compressed models from ``[NAME=]FILE``, by name; a file's own name where none is given.

    Raises:
        AuditError: a name is given twice, or is none.
    """
    found: dict[str, Path] = {}
    for text in values:
        name, equals, path = text.partition("=")
        if not equals or "/" in name:
            name, path = Path(text).stem, text
        if name == ORIGINAL:
            raise AuditError(f"{option} {text}: a compressed model cannot be called {ORIGINAL!r}; give NAME=FILE.")
        try:
            checked_name(name)
        except AuditError as error:
            raise AuditError(f"{option} {text}: {error} Give one: {option} NAME=FILE.") from error
        if name in found:
            raise AuditError(f"{option}: {found[name]} and {path} are both called {name}. Name them: NAME=FILE.")
        found[name] = Path(path)
    return found
