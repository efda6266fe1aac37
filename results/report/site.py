"""From finished results to a page: gather, render, write.

The page is one file. Its scripts are named by their hashes in a content security policy that allows nothing else, so
that neither a name in the data nor a page around it can make it run anything or ask the network for anything.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ... import __version__
from ..scores import write_atomically
from ..store import Results, ResultsError
from ..table import significant
from . import libraries
from .classes import classes
from .compression import compression, remarks
from .configuration import configuration
from .curves import LIMIT, as_data, curves
from .examples import LISTED, PAIRS, examples, pairs
from .labels import labels
from .leaderboard import leaderboard, shared
from .models import models
from .overview import overview
from .settings import side_by_side
from .tradeoff import tradeoff

PAGE = "index.html"
_HERE = Path(__file__).parent
_SCRIPTS = ("tables.js", "figures.js", "page.js")
_UNSAFE = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


@dataclass(frozen=True)
class Script:
    """A script for the page: its text, its kind, and the source expression that allows it."""

    text: Markup
    kind: str
    allowed: str


def write_report(results: Results, folder: Path, *, attacks: Mapping[str, str] | None = None) -> Path:
    """Write the report of ``results``, whole or not at all.

    Args:
        results: with at least one row.
        folder: made where it is missing; what else lies there is left alone.
        attacks: a line on each attack, by its name; those in ``results`` are shown.

    Returns:
        The page's path.

    Raises:
        ResultsError: there is no row to report, or ``folder`` is a file.
        ScoreError: kept scores cannot be read.
        LibraryError: see ``libraries``.
    """
    if folder.exists() and not folder.is_dir():
        raise ResultsError(f"{folder} is a file; the report needs a folder. Give another with -o.")
    page = folder / PAGE
    write_atomically(page, render(results, attacks or {}).encode())
    return page


def render(results: Results, attacks: Mapping[str, str]) -> str:
    """The page's text; the same results give the same text.

    Raises:
        ResultsError, ScoreError, LibraryError: see ``write_report``.
    """
    if not results.rows:
        raise ResultsError(f"{results.path} holds no rows, so there is nothing to report. Was the run cut short?")
    rows, kept, marked = results.rows, results.scores, significant(results.rows)
    label = labels(results)
    settings, uncompared = side_by_side(results)
    found_curves, (listed, tallies) = curves(rows, kept), examples(rows, kept, label)
    data: dict[str, Any] = {
        "leaderboard": leaderboard(rows, marked),
        "curves": as_data(found_curves),
        "tradeoff": tradeoff(rows),
        "models": models(rows),
        "classes": classes(rows, kept, label),
        "pairs": pairs(rows, kept),
        "examples": listed,
        "compression": compression(rows),
    }
    carried = [libraries.datatables(), libraries.plotly()]
    scripts = [
        _script(carried[0].script, "module"),
        _script(carried[1].script, "text/javascript"),
        _script("\n".join(_static(name) for name in _SCRIPTS), "module"),
    ]
    page = _templates().get_template("index.html.j2")
    return page.render(
        version=__version__,
        rows=rows,
        shared=shared(rows),
        overview=overview(results, marked),
        settings=settings,
        uncompared=uncompared,
        configuration=configuration(results),
        attacks={row.attack: attacks.get(row.attack, "") for row in rows},
        remarks=remarks(rows),
        audited=any(one.audited for one in results.among or (results,)),
        shadows=any(row.shadows for row in rows),
        known=any(row.partly_known for row in rows),
        tallies=tallies,
        full=_full(data),
        missing=sum(row.scores_sha256 not in kept for row in rows),
        data={name: embedded(value) for name, value in data.items()},
        has={name: bool(value) for name, value in data.items()},
        libraries=carried,
        scripts=scripts,
        style=Markup(_static("style.css")),  # noqa: S704 (our own file)
    )


def embedded(value: object) -> Markup:
    """JSON that can stand in a script element: no text in it can end the element or open another."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.translate(_UNSAFE))  # noqa: S704 (nothing that HTML gives a meaning is left)


def _full(data: Mapping[str, Any]) -> dict[str, int]:
    """Which parts hold as much as a page takes, so that there may be more."""
    sizes = {"curves": len(data["curves"]), "classes": len(data["classes"])}
    sizes |= {name: data[name]["rows"] if data[name] else 0 for name in ("pairs", "examples")}
    limits = {"curves": LIMIT, "classes": LIMIT, "pairs": PAIRS, "examples": LISTED}
    return {name: limit for name, limit in limits.items() if sizes[name] >= limit}


def _script(text: str, kind: str) -> Script:
    source = libraries.inline(text)
    digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
    return Script(Markup(source), kind, f"'sha256-{digest}'")  # noqa: S704 (our own and the libraries' source)


def _static(name: str) -> str:
    return (_HERE / "static" / name).read_text(encoding="utf-8")


def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
