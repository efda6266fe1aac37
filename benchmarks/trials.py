"""Trials: each attack of a suite on each set of variants, by each attacker; what becomes a row for each target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..attacks.observations import ORIGINAL
from ..attacks.refits import DIVISIONS
from ..attacks.registry import ATTACKS
from ..models.membership import NULL
from .nodes import Node, derived_seed, make_node, provided_by
from .schema import Suite
from .variants import Variant, several, variant_sets, variants_of


@dataclass(frozen=True)
class Trial:
    """One attack on one set of variants: what becomes a row for each target.

    Attributes:
        attack: the attack's name.
        variants: what the attacker holds, the original first where held.
        shadows: models that the attacker trained, and uses.
        targets: models that are attacked.
        attack_node: scores.
        evaluate_node: metrics.
        baseline_node: the same attack with the original in the place of every compressed model, which this one is
            compared with; None where it is itself that.
    """

    attack: str
    variants: tuple[Variant, ...]
    shadows: tuple[str, ...]
    targets: tuple[str, ...]
    attack_node: Node
    evaluate_node: Node
    baseline_node: Node | None


def trials_of(suite: Suite, collect: Node) -> Iterator[Trial]:
    """All trials of ``suite`` on the observations of ``collect``; each comes after those that it stacks on."""
    membership = suite.membership
    parties: dict[tuple[str, ...], list[str]] = {}
    for count in suite.counts():
        for target in (*membership.target_models(), *((NULL,) if membership.null else ())):
            parties.setdefault(membership.shadow_models(target)[:count], []).append(target)
    for number, (shadows, targets) in enumerate(parties.items()):
        # Whoever knows part of the target's own membership has no shadows, however many others have.
        again = any(set(targets) & set(seen) for seen in list(parties.values())[:number])
        yield from _of_party(suite, collect, shadows, tuple(targets), partly_known=not again)


def _of_party(
    suite: Suite, collect: Node, shadows: tuple[str, ...], targets: tuple[str, ...], *, partly_known: bool
) -> Iterator[Trial]:
    """All trials of one attacker, who trained ``shadows`` and attacks ``targets``.

    Args:
        suite: what is planned.
        collect: the observations.
        shadows: of the attacker.
        targets: of the attacker.
        partly_known: whether attacks that know part of the targets' own membership are among them.
    """
    done: dict[tuple[str, str], Node] = {}

    def attack_node(attack: str, variants: tuple[Variant, ...], copies: dict[str, Any] | None = None) -> Node:
        info = ATTACKS[attack]
        names = [v.name for v in variants]
        if copies:
            names = [*([ORIGINAL] if copies["keep"] else []), *(f"copy-{i + 1}" for i in range(copies["count"]))]
        config: dict[str, Any] = {
            "factory": info.factory,
            "arguments": info.arguments(derived_seed(suite.seed, "attack", attack)),
            "variants": names,
            "copies": copies,
            "shadows": list(shadows),
            "targets": list(targets),
            **provided_by(ATTACKS, attack),
        }
        if info.refitted:
            config["divisions"] = [derived_seed(suite.seed, "divisions", str(i)) for i in range(DIVISIONS)]
        if info.known == "partial":
            config |= {"shadows": [], "known_seed": derived_seed(suite.seed, "known")}
        # Where the attacks that this one stacks on are part of the plan, it need not do them again.
        held = [n for n in names if n != ORIGINAL]
        below = {n: done.get((info.stacks_on, ORIGINAL if copies else n)) for n in held}
        known = {} if None in below.values() else {n: node for n, node in below.items() if node is not None}
        short = f"copies-{len(names)}" if copies else _short(variants)
        few = f"{len(shadows)}-shadows" if suite.shadow_counts else ""
        name = "/".join(part for part in (targets[0], few, attack, short) if part)
        modules = [] if ATTACKS.provider(attack) else [f"attacks.{info.factory.partition(':')[0]}"]
        return make_node("attack", name, config, {"collect": collect, **known}, modules=modules)

    for attack, variants in _in_turn(suite, len(shadows)):
        if ATTACKS[attack].known == "partial" and not partly_known:
            continue
        access = ATTACKS[attack].access
        if (beside := ATTACKS[attack].beside) and (beside, ORIGINAL) not in done:
            done[beside, ORIGINAL] = attack_node(beside, (variants_of(suite)[0],))
        alone = ORIGINAL
        if access != "one-model" and not beside:
            copies = {"count": sum(v.name != ORIGINAL for v in variants), "keep": access != "multiple"}
            alone = ORIGINAL if copies["count"] == 1 else f"{ORIGINAL} {copies['count']} times"
            if (attack, alone) not in done:
                done[attack, alone] = attack_node(attack, variants, copies)
        node = attack_node(attack, variants)
        if not several(variants):
            done[attack, variants[-1].name] = node
        baseline = done[beside or attack, alone]
        parents = {"attack": node} if baseline is node else {"attack": node, "baseline": baseline}
        statistics = suite.statistics.model_dump(mode="json")
        yield Trial(
            attack=attack,
            variants=variants,
            shadows=shadows,
            targets=targets,
            attack_node=node,
            evaluate_node=make_node("evaluate", node.name, {"targets": list(targets), **statistics}, parents),
            baseline_node=None if baseline is node else baseline,
        )


def _in_turn(suite: Suite, shadows: int) -> list[tuple[str, tuple[Variant, ...]]]:
    """Every attack that so many shadows allow, on every set of variants: the original, the variants, sets of several.

    So each comes after those that it stacks on or is compared with, and a variant is finished as soon as may be.
    """
    place = {v: i for i, v in enumerate(variants_of(suite))}
    able = [a for a in suite.attacks if ATTACKS[a].least_shadows(suite.membership.design) <= shadows]
    met = [(attack, variants) for attack in able for variants in variant_sets(suite, attack)]
    return sorted(met, key=lambda m: (several(m[1]), place[m[1][-1]], ATTACKS[m[0]].access != "one-model"))


def _short(variants: tuple[Variant, ...]) -> str:
    """A folder name for a set of variants."""
    if not several(variants):
        return variants[-1].name
    frameworks = dict.fromkeys(v.framework for v in variants)
    return "+".join(f for f in frameworks if f != "none") + f"-{len(variants)}"
