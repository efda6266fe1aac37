"""Short names for what was attacked, for headings, legends and cells."""

from __future__ import annotations

from collections.abc import Sequence

from ..records import ORIGINAL, Row
from ..table import ATTACKS

MULTIPLE = "multiple"
_COMMON = "compleak-"


def attack_name(attack: str) -> str:
    """The attack's name without the prefix that most share."""
    return attack.removeprefix(_COMMON)


def attack_rank(attack: str) -> tuple[int, str]:
    """To sort by: first the attacks that the printed table shows, which were fixed beforehand, then by name."""
    return (ATTACKS.index(attack) if attack in ATTACKS else len(ATTACKS)), attack


def held(row: Row) -> list[str]:
    """Names of the variants that the attacker of ``row`` holds, but for the original in a pair."""
    return row.setting.split(";")


def variant_names(rows: Sequence[Row]) -> dict[tuple[str, str], str]:
    """A name for each (framework, setting); different sets of models never share one.

    One model is named in full, as ``tflite quantization-dynamic``; several are counted, as ``original + 4 of tflite``.
    """
    names: dict[tuple[str, str], str] = {}
    used: dict[str, int] = {}
    for row in rows:
        key = (row.framework, row.setting)
        if key in names:
            continue
        name = _name(row)
        used[name] = used.get(name, 0) + 1
        names[key] = name if used[name] == 1 else f"{name} ({used[name]})"
    return names


def attack_names(rows: Sequence[Row]) -> dict[tuple[str, int], str]:
    """A name for each (attack, shadows), which says how many shadows where an attack was fitted on several numbers."""
    numbers: dict[str, set[int]] = {}
    for row in rows:
        numbers.setdefault(row.attack, set()).add(row.shadows)
    return {
        (attack, n): attack_name(attack) + (f", {n} shadows" if len(found) > 1 else "")
        for attack, found in numbers.items()
        for n in sorted(found)
    }


def target_key(row: Row) -> tuple[str, ...]:
    """What makes a target: two of one name are not the same where any of this differs."""
    return row.target, row.suite, row.data, row.model, row.recipe_sha256


def target_names(rows: Sequence[Row]) -> dict[tuple[str, ...], str]:
    """A name for each target, with as much of ``target_key`` as differs between the rows."""
    keys = dict.fromkeys(map(target_key, rows))
    varies = [i for i in range(1, 5) if len({key[i] for key in keys}) > 1]
    return {key: ", ".join([key[0], *(_brief(key[i]) if i == 4 else key[i] for i in varies)]) for key in keys}


def _brief(sha256: str) -> str:
    return f"recipe {sha256[:8]}"


def signed(value: float) -> str:
    """A difference with its sign, as print has it."""
    return f"{value:+.3f}".replace("-", "−")


def _name(row: Row) -> str:
    models = held(row)
    if len(models) == 1:
        return row.setting if row.framework == "none" else f"{row.framework} {row.setting}"
    compressed = [m for m in models if m != ORIGINAL]
    frameworks = row.framework.replace("+", ", ")
    return f"{'original + ' if len(compressed) < len(models) else ''}{len(compressed)} of {frameworks}"
