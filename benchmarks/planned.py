"""What a suite alone says about its rows, its run, and how to do it again: for ``verify`` and ``publish``."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .. import __version__
from ..compressors.settings import SettingError
from ..models.data import DataError
from ..results.publishing.provenance import Code
from ..results.publishing.verify import Expectation, PlanError
from .plan import Plan, make_plan
from .rows import planned_cells
from .schema import Suite, SuiteError
from .suite_files import asked_by, load_suite

_ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = "results/leaderboards"


def expectation(suite: Mapping[str, Any]) -> Expectation:
    """The rows that ``suite`` calls for; and the nodes of its run, as today's code would make them.

    Raises:
        PlanError: the suite is none that this program can plan, perhaps because another version made it.
    """
    plan, complete = _plan(suite)
    rows = {}
    for trial in plan.trials:
        for target in trial.targets:
            cells = planned_cells(plan, trial, target)
            rows[tuple(cells[n] for n in ("attack", "framework", "setting", "target", "shadows"))] = cells
    nodes = {
        n.key: (n.stage, n.name, json.loads(json.dumps(n.config)), {role: p.key for role, p in n.parents.items()})
        for n in (plan.nodes if complete else ())
    }
    return Expectation(rows, plan.run_id if complete else "", nodes)


def code_of(suite: Mapping[str, Any], run_id: str) -> Code:
    """This program, and whether it is the one that made the run ``run_id`` of ``suite``."""
    try:
        plan, complete = _plan(suite)
        same = complete and plan.run_id == run_id
    except PlanError:
        same = False
    if _git("rev-parse", "--show-toplevel") != str(_ROOT):
        return Code(version=__version__, made_the_run=same)
    changes = _git("status", "--porcelain", "--", ".", f":(exclude){PUBLISHED}")
    return Code(version=__version__, revision=_git("rev-parse", "HEAD"), modified=bool(changes), made_the_run=same)


def command_for(suite: Mapping[str, Any]) -> str:
    """The command that runs ``suite``: of the built-in suite of its name with what differs, or of a file."""
    name = str(suite.get("name", ""))
    asked = asked_by().get(name)
    if asked is None:
        return "save the key 'suite' as suite.yaml (JSON is YAML), then: compleak run suite.yaml"
    built_in = load_suite(asked).model_dump(mode="json")
    changes = [
        shlex.quote(f"{path}={json.dumps(value)}")
        for path, value in _changed(built_in, suite)
        if path not in ("name", "description")
    ]
    return " ".join(["compleak run", asked, *(f"--set {change}" for change in changes)])


def _plan(suite: Mapping[str, Any]) -> tuple[Plan, bool]:
    """The plan, and whether its keys can be those of the run: not where data of the user's own are not here."""
    try:
        valid = Suite.model_validate(suite)
        try:
            return make_plan(valid), True
        except (DataError, OSError):
            unread = valid.data.model_copy(update={"path": None})
            return make_plan(valid.model_copy(update={"data": unread})), False
    except (ValidationError, SuiteError, SettingError, KeyError) as error:
        raise PlanError(str(error).splitlines()[0]) from error


def _changed(one: Mapping[str, Any], other: Mapping[str, Any], path: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in other.items():
        place = f"{path}.{key}" if path else key
        if isinstance(value, Mapping) and isinstance(one.get(key), Mapping):
            found += _changed(one[key], value, place)
        elif one.get(key) != value:
            found.append((place, value))
    return found


def _git(*arguments: str) -> str:
    """What git says, empty where there is no git or no checkout."""
    command = ["git", "-C", str(_ROOT), *arguments]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""
