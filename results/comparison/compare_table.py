"""Settings side by side, as a terminal shows them: plain text, fit for 80 characters a line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..records import ORIGINAL
from .advice import Answer
from .compare import Comparison
from .costs import Cost, Size, shown_group
from .effects import LEVEL, Effect, Holding
from .margins import Delta, apart

_MOST = 5
_NAME = 25
_LINES = 40  # groups in a table
_HEADINGS: dict[Holding, str] = {
    "artifact": "Leakage to an attacker who holds the artifact alone",
    "artifact and original": "Leakage to an attacker who holds the original too",
    "several models": "Leakage to an attacker who holds several models",
}
_STYLES = {"more": "red", "less": "green", "no more": "green", "undecided": "yellow"}


class _HasGroup(Protocol):
    @property
    def group(self) -> str: ...


_Grouped = TypeVar("_Grouped", bound=_HasGroup)


def comparison_table(comparison: Comparison, advice: Sequence[Answer], size: Size = "gzip") -> Group:
    """Costs, effects attack by attack, the answers, and what their words mean."""
    parts: list[RenderableType] = [_title(comparison), _costs(comparison, size), Text()]
    ordered = sorted(comparison.costs, key=lambda c: (c.size(size) or 0, c.group))
    places = {cost.group: place for place, cost in enumerate(ordered)}
    effects: dict[tuple[Holding, str], list[Effect]] = defaultdict(list)
    for effect in comparison.effects:
        effects[effect.holds, effect.attack].append(effect)
    for holds, heading in _HEADINGS.items():
        if attacks := comparison.attacks(holds):
            parts += [Text(heading, style="bold"), Text()]
        for attack in attacks:
            parts += [_effects(comparison, attack, effects[holds, attack], places), Text()]
    for answer in advice:
        parts.append(Text(answer.text, style="bold"))
        parts += [Padding(Text(line), (0, 0, 0, 2)) for line in _passed_over(answer, size)]
        parts.append(Text())
    return Group(*parts, _meaning(comparison))


def _title(comparison: Comparison) -> Text:
    several, least = "s" if comparison.targets > 1 else "", "at least " if comparison.differ else ""
    return Text(
        f"{comparison.title} ({comparison.targets} target{several}, {least}{comparison.members:,} members and "
        f"{comparison.nonmembers:,} non-members)",
        style="italic",
    )


def _costs(comparison: Comparison, size: Size) -> Table:
    table = plain_table()
    best = comparison.front(size)
    ordered = sorted(comparison.costs, key=lambda c: (c.size(size) is None, c.size(size) or 0, c.group))
    whole = (comparison.original,) if comparison.original else ()
    shown = (*whole, *ordered[:_LINES])
    columns: dict[str, Callable[[Cost], str]] = {
        "kB": lambda c: number(c.bytes, ",.1f", 1e-3),
        "kB gzip": lambda c: number(c.bytes_gzip, ",.1f", 1e-3),
        "ratio": lambda c: number(c.ratio, ".1f"),
        "acc.": lambda c: number(c.accuracy, ".3f"),
        "agree": lambda c: number(c.agreement, ".3f"),
        "ms": lambda c: number(c.latency_ms, ".2f"),
        "front": lambda c: "*" if c.group in best else "",
    }
    filled = {heading: cell for heading, cell in columns.items() if any(cell(cost) for cost in shown)}
    table.add_column(comparison.by, min_width=_NAME, overflow="fold")
    for heading in filled:
        table.add_column(heading, justify="right", no_wrap=True)
    for name, cost in _sections(shown):
        table.add_row(Text(name), *(cell(cost) for cell in filled.values() if cost is not None))
    return _cut(table, len(ordered))


def _effects(comparison: Comparison, attack: str, effects: Sequence[Effect], places: Mapping[str, int]) -> Table:
    others = " or ".join(dict.fromkeys(e.beside for e in effects if e.beside))
    table = plain_table(f"{attack}, beside {others or f'the same on {_baseline(comparison)}'}")
    table.add_column(comparison.by, min_width=_NAME, overflow="fold")
    for heading in ("AUC", f"difference, {LEVEL:.0%}", "p", "up to", "verdict"):
        table.add_column(heading, justify="left" if heading == "verdict" else "right", no_wrap=True)
    ordered = sorted(effects, key=lambda e: (places.get(e.group, 0), e.group))
    for name, e in _sections(ordered[:_LINES]):
        if e is None:
            table.add_row(Text(name))
            continue
        table.add_row(
            Text(name),
            f"{e.auc:.3f}",
            interval(Delta(e.difference, e.low, e.high)),
            f"{e.p_holm:.3f}" if e.p_holm >= 0.001 else "<0.001",
            apart(e.upper, comparison.margin, 3, "+"),
            Text(e.verdict, style=_STYLES.get(e.verdict, "")),
        )
    return _cut(table, len(ordered))


def _cut(table: Table, lines: int) -> Table:
    if lines > _LINES:
        table.caption = f"the {_LINES} smallest of {lines:,}; --csv and --json give all"
    return table


def _sections(items: Iterable[_Grouped]) -> Iterator[tuple[str, _Grouped | None]]:
    """Lines in sections, in the order of the first of each: a framework's name and no item, then its items."""
    sections: dict[str, list[tuple[str, _Grouped]]] = {}
    for item in items:
        known = shown_group(item.group) == item.group
        framework, space, setting = item.group.partition(" ") if known else ("", "", shown_group(item.group))
        name = f" {setting}" if space else framework or setting
        sections.setdefault(framework if space else "", []).append((name, item))
    for framework, lines in sections.items():
        if framework:
            yield framework, None
        yield from lines


def _passed_over(answer: Answer, size: Size) -> Iterator[str]:
    kind = " gzip" if size == "gzip" else ""
    for candidate in answer.passed_over[:_MOST]:
        smaller = "Smaller, but not" if answer.chosen and candidate.size is not None else "Not"
        big = "size unknown" if candidate.size is None else f"{candidate.size / 1000:,.1f} kB{kind}"
        yield f"{smaller} shown to qualify: {candidate.name} ({big}): {'; '.join(candidate.reasons)}."
    if len(answer.passed_over) > _MOST:
        yield f"... and {len(answer.passed_over) - _MOST} more; --json gives all."


def _meaning(comparison: Comparison) -> Table:
    groups, of = round((1 - LEVEL) / (1 - comparison.level)), _baseline(comparison)
    joint = f" that holds jointly for all {groups} groups" if groups > 1 else ""
    worst = ", of the worst target" if comparison.targets > 1 else ""
    if comparison.by != "setting":
        worst = ", of the worst artifact"
    models = "this model" if comparison.targets == 1 else f"these {comparison.targets} models"
    words = {
        "up to": f"upper end of the paired interval{joint} (one-sided {(1 + LEVEL) / 2:.1%}"
        f"{', Bonferroni' if joint else ''}){worst}",
        "no more": f"the AUC exceeds that of the same attack on {of} by less than {comparison.margin:g}, the margin, "
        "and this is shown: 'up to' lies below it. An insignificant difference shows nothing",
        "p": "of no difference, two-sided, after Holm's correction for all differences above",
        "less, more": "p below 0.05",
        "undecided": "none of these; 'at chance': nor any AUC interval above 0.5, corrected for all rows",
        "lost": f"accuracy at most lost: the upper end of an interval{joint}{worst}",
        "front": "not beaten in leakage (mean AUC of the attacks on the artifact alone), size and accuracy at once",
        "leakage": "AUC, under attacks fixed beforehand and not chosen by their results; a TPR at a low FPR may differ",
        "fit": "what another fit of the attack would change is allowed for where runs kept refits (older ones did not)",
        "about": f"{models}; training anew adds variance",
    }
    if not comparison.front():
        del words["front"]
    if any(e.beside for e in comparison.effects):
        words["beside"] = (
            "where that is another attack, nothing is said to leak less, nor is that evidence for leaking no more: "
            "whoever can make the one attack can make the other too"
        )
    if one := comparison.left_out:
        words["left out"] = f"{one} row{' that has' if one == 1 else 's that have'} nothing to be compared with"
    table = Table.grid(padding=(0, 1, 0, 0))
    for word, meaning in words.items():
        table.add_row(Text(word, style="dim"), Text(meaning, style="dim"))
    return table


def plain_table(title: str = "") -> Table:
    """An empty table that is fit for any terminal."""
    return Table(
        title=Text(title) if title else None, title_justify="left", caption_justify="left", box=box.SIMPLE_HEAD,
        padding=0, show_edge=False,
    )  # fmt: skip


def interval(delta: Delta) -> str:
    """A difference and its interval."""
    return f"{delta.difference:+.3f} [{delta.low:+.3f}, {delta.high:+.3f}]"


def number(value: float | None, form: str, scale: float = 1) -> str:
    """A number as text; empty for None."""
    return "" if value is None else format(value * scale, form)


def _baseline(comparison: Comparison) -> str:
    return "the original" if comparison.baseline == ORIGINAL else comparison.baseline
