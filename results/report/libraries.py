"""The two JavaScript libraries of the page, taken from the Python packages that carry them.

plotly.js comes with ``plotly``, DataTables (with jQuery) with ``itables``. Both are under the MIT licence, whose text
goes into the page with them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution

_EXPORTS = re.compile(r"\bexport\s*\{([^{}]*)\};?")
_EXPORT = re.compile(r"^\s*([\w$]+)\s+as\s+jQuery\s*$")


class LibraryError(ValueError):
    """A package that the page needs is missing or is not as expected; the message is for the user."""


@dataclass(frozen=True)
class Library:
    """A JavaScript library, to be put into a page.

    Attributes:
        name: of the library, for people.
        package: the Python package that carries it, with its version.
        script: source text, safe between script tags.
        licence: text of the package's licence.
    """

    name: str
    package: str
    script: str
    licence: str


def plotly() -> Library:
    """plotly.js, which leaves the global ``Plotly``.

    Raises:
        LibraryError: the package ``plotly`` is not installed, or lacks the file.
    """
    return _library("plotly.js", "plotly", "plotly/package_data/plotly.min.js")


def datatables() -> Library:
    """DataTables as an ES module that leaves the global ``DataTable``.

    Raises:
        LibraryError: the package ``itables`` is not installed, or its bundle has another form.
    """
    library = _library("DataTables, jQuery", "itables", "itables/html/dt_bundle.js")
    exports = _EXPORTS.findall(library.script)
    names = [found[1] for part in (exports or [""])[-1].split(",") if (found := _EXPORT.match(part))]
    if len(exports) != 1 or len(names) != 1:
        raise LibraryError(
            f"{library.package} carries a bundle that does not export jQuery once. "
            "Install the version of itables that constraints.txt names."
        )
    script = _EXPORTS.sub(lambda _: f"globalThis.DataTable={names[0]}.fn.dataTable;", library.script)
    return Library(library.name, library.package, script, library.licence)


def inline(script: str) -> str:
    """Check that a script may stand between script tags, where HTML's rules come before JavaScript's.

    ``<!--`` opens a state in which ``<script`` swallows the closing tag; in the string and regular expression literals
    of these libraries it can be written otherwise. HTML turns every line end into a line feed, so that is done here:
    the script's hash is taken of what the browser will see.

    Raises:
        LibraryError: the script holds its own closing tag.
    """
    if re.search(r"</script", script, re.IGNORECASE):
        raise LibraryError("A script that holds '</script' cannot be put into a page.")
    return script.replace("<!--", r"\x3c!--").replace("\r\n", "\n").replace("\r", "\n")


def _library(name: str, package: str, path: str) -> Library:
    try:
        found = distribution(package)
    except PackageNotFoundError as error:
        raise LibraryError(
            f"The report needs the package {package!r}, which is not installed. pip install {package}"
        ) from error
    file = found.locate_file(path)
    licences = [f for f in found.files or () if f.name.upper().startswith("LICENSE")]
    try:
        script = inline(open_text(str(file)))
    except OSError as error:
        raise LibraryError(f"{package} {found.version} lacks {path}, which the report needs ({error}).") from error
    licence = "\n".join(open_text(str(found.locate_file(f))) for f in licences[:1])
    return Library(name, f"{package} {found.version}", script, licence.strip())


def open_text(path: str) -> str:
    """The text of a file."""
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 (importlib.metadata promises no pathlib.Path)
        return file.read()
