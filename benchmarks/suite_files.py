"""Suites as files: one YAML file fully states a run.

A file with ``parts`` states several, which are run one after the other: each part's name stands before the fields that
it sets differently, ``parts: {moco: {training.method: moco}}``. Its suite is called ``FILE-moco``, and ``FILE/moco``
asks for it alone. A typo is answered with the field's path, the allowed values and the nearest name.
"""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from ..compressors.settings import SettingError
from .fields import TAGS
from .schema import NAME, Suite, SuiteError


def built_in_suites() -> dict[str, Path]:
    """The suites that ship with the package: name -> file."""
    folder = files(__package__).joinpath("suites")
    return {Path(f.name).stem: Path(str(f)) for f in folder.iterdir() if f.name.endswith(".yaml")}


def asked_by() -> dict[str, str]:
    """How each suite that ships with the package is asked for: name of the suite -> ``FILE``, or ``FILE/PART``."""
    found: dict[str, str] = {}
    for name, path in built_in_suites().items():
        parts = _content_of(path).get("parts")
        found |= {f"{name}-{part}": f"{name}/{part}" for part in parts} if parts else {name: name}
    return found


def load_suite(name: str, overrides: Sequence[str] = ()) -> Suite:
    """Read the one suite of this name or path; see ``load_suites``.

    Raises:
        SuiteError: as there; or the file has several parts.
    """
    suites = load_suites(name, overrides)
    if len(suites) > 1:
        raise SuiteError(f"{name} has the parts {', '.join(suites)}; name one of them, as {name}/{next(iter(suites))}.")
    return next(iter(suites.values()))


def load_suites(name: str, overrides: Sequence[str] = ()) -> dict[str, Suite]:
    """Read a suite by name or by path, with ``key=value`` overrides, which hold for each of its parts.

    Args:
        name: a built-in suite's name, or the path of a YAML file; of one with parts, ``NAME/PART`` is one part.
        overrides: dotted keys with YAML values, as ``training.epochs=10``.

    Returns:
        Suites by the name of their part; of a file without parts, one suite by the name "".

    Raises:
        SuiteError: no such suite, not YAML, or not valid; says where, what is allowed and the nearest name.
    """
    built_in = built_in_suites()
    path, part = built_in.get(name, Path(name)), ""
    if not path.is_file() and "/" in name:
        whole, _, part = name.rpartition("/")
        path = built_in.get(whole, Path(whole))
    if not path.is_file():
        near = difflib.get_close_matches(name, built_in, n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise SuiteError(
            f"No suite {name!r}.{hint} Built in: {', '.join(sorted(built_in))}; or give the path of a YAML file."
        )
    content = _content_of(path)
    parts = content.pop("parts", {"": {}})
    if not isinstance(parts, dict) or not parts or not all(isinstance(p or {}, dict) for p in parts.values()):
        raise SuiteError(f"{path}: parts must map each part's name to the fields that it sets differently.")
    if wrong := [key for key in parts if key != "" and not re.fullmatch(NAME, str(key))]:
        raise SuiteError(
            f"{path}: a part's name must consist of small letters, digits, '_', '.' and '-', and begin with a letter "
            f"or digit, for it names a folder; got {wrong[0]!r}."
        )
    parts = {str(key): value for key, value in parts.items()}
    if part and part not in parts:
        raise SuiteError(f"{path} has no part {part!r}. It has: {', '.join(filter(None, parts)) or 'none'}.")
    suites = {key: _suite(path, content, key, parts[key] or {}, overrides) for key in ([part] if part else parts)}
    if len({suite.name for suite in suites.values()}) < len(suites):
        raise SuiteError(f"{path}: its parts must differ in name; leave `name` out, and each is called by its part.")
    return suites


def _suite(
    path: Path, content: Mapping[str, Any], part: str, differs: Mapping[str, Any], overrides: Sequence[str]
) -> Suite:
    own = copy.deepcopy(dict(content))
    if part:
        own["name"] = f"{own.get('name', path.stem)}-{part}"
    for key, value in differs.items():
        _set(own, str(key), value, f"part {part}")
    for override in overrides:
        _override(own, override)
    where = f"{path}, part {part}," if part else f"{path}"
    if overrides:
        where += f" with {' '.join(f'--set {override}' for override in overrides)}"
    try:
        return Suite.model_validate(own)
    except ValidationError as error:
        raise SuiteError(f"{where} is not a valid suite:\n" + _explain(error)) from error
    except SettingError as error:
        raise SuiteError(f"{where} is not a valid suite: {error}") from error


def _content_of(path: Path) -> dict[str, Any]:
    try:
        content = _parse(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SuiteError(f"{path} is not readable YAML: {error}") from error
    if not isinstance(content, dict):
        raise SuiteError(f"{path} must hold a mapping with the fields {', '.join(Suite.model_fields)}.")
    return content


def _parse(text: str) -> Any:
    """YAML's value; a field may be called null, which YAML takes for nothing."""

    def named(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {"null" if key is None else key: named(item) for key, item in value.items()}

    return named(yaml.safe_load(text))


def _override(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise SuiteError(f"--set takes key=value, as training.epochs=10; got {override!r}.")
    try:
        value = _parse(text)
    except yaml.YAMLError as error:
        raise SuiteError(f"--set {override!r}: {text!r} is not a YAML value.") from error
    _set(content, key, value, f"--set {override!r}")


def _set(content: dict[str, Any], key: str, value: Any, where: str) -> None:
    *folders, leaf = key.split(".")
    for folder in folders:
        content = content.setdefault(folder, {})
        if not isinstance(content, dict):
            raise SuiteError(f"{where}: {folder!r} is a value and has no fields.")
    content[leaf] = value


def _explain(error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"] if part not in TAGS) or "suite"
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            allowed = _fields_at(item["loc"][:-1])
            near = difflib.get_close_matches(str(item["loc"][-1]), allowed, n=1, cutoff=0.4)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            message = f"no such field.{hint} Allowed here: {', '.join(allowed)}"
        elif item["type"] not in ("missing", "value_error"):
            message += f" (got {item['input']!r})"
        lines.append(f"  {where}: {message}")
    return "\n".join(lines)


def _fields_at(location: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Suite
    for part in location:
        if part in TAGS:
            model = TAGS[part]
        elif field := model.model_fields.get(str(part)):
            one_of = (field.annotation, *get_args(field.annotation))
            model = next((c for c in one_of if isinstance(c, type) and issubclass(c, BaseModel)), model)
    return list(model.model_fields)
