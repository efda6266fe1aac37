"""Settings beside a baseline: every number against one worked out elsewhere, and nothing chosen by its result."""

import io

import numpy as np
import pytest
from rich.console import Console

from compleak.results.comparison.advice import answers
from compleak.results.comparison.compare import ATTACKS, CompareError, compare
from compleak.results.comparison.compare_table import comparison_table
from compleak.results.comparison.margins import apart, most_lost
from compleak.results.delong import delong_interval
from compleak.results.leaderboard import write_leaderboard
from compleak.results.scores import ScoreError, Scores, write_pack
from compleak.results.store import open_results

NR, NR2, SR, MR = "compleak-nr-train2-rf", "compleak-nr-modified-entropy", "compleak-sr2-rf", "compleak-mr"
ACCESS = {NR: "one-model", NR2: "one-model", SR: "original+compressed", MR: "multiple+original"}
SIZES = {
    "original": 400_000,
    "quantization-int8-static": 100_000,
    "clustering-k16": 90_000,
    "pruning-global-0.6": 200_000,
}


def scores(values, name="v"):
    """Scores of members, then of as many non-members."""
    values = np.asarray(values, dtype=np.float64)
    member = np.repeat([True, False], len(values) // 2)
    return Scores.of(np.arange(len(values)), member, values, target="t", variant=name, attack="a", threshold=0.0)


class Made:
    """A published leaderboard with its scores, made row by row."""

    def __init__(self, make_row, path):
        self.make_row, self.path, self.rows, self.kept = make_row, path, [], {}

    def add(self, setting, attack, own, base=None, **cells):
        self.kept |= {s.sha256: s for s in (own, base) if s is not None}
        original = setting == "original"
        facts = {
            "framework": "none" if original else "tflite",
            "technique": "none" if original else setting.partition("-")[0],
            "bytes": 2 * SIZES[setting] if setting in SIZES else None,
            "bytes_gzip": SIZES.get(setting),
            "accuracy_original": 0.8,
            "accuracy": 0.8,
            "agreement": 1.0,
            "auc_low": 0.6,
            "n_members": 1000,
            "n_nonmembers": 1000,
        }
        self.rows.append(
            self.make_row(
                setting=setting, attack=attack, scores_sha256=own.sha256, baseline_sha256=base.sha256 if base else "",
                **{"access": ACCESS.get(attack)} | facts | cells,
            )
        )  # fmt: skip
        return self

    def open(self):
        write_leaderboard(self.rows, self.path / "made.csv")
        write_pack(list(self.kept.values()), self.path / "made.scores.parquet")
        return open_results(self.path / "made.csv")


@pytest.fixture
def made(make_row, tmp_path):
    return Made(make_row, tmp_path)


def gaussian(seed, shift, n=1000, like=None, noise=0.02):
    """Scores with an AUC of about Phi(shift / sqrt 2), or nearly those of ``like``."""
    rng = np.random.default_rng(seed)
    if like is not None:
        return scores(like.score + noise * rng.normal(size=2 * n) + shift * like.member)
    return scores(rng.normal(size=2 * n) + shift * np.repeat([1, 0], n))


def shown(comparison):
    """What a terminal shows, in one line."""
    out = io.StringIO()
    Console(file=out, width=80).print(comparison_table(comparison, answers(comparison)))
    return " ".join(out.getvalue().split())


# Of 16 pairs (member, non-member), the first orders 12 rightly, the second 14, the third 10.
BY_HAND = ([4, 6, 7, 8, 1, 2, 5, 7.5], [5.5, 6, 7, 8, 1, 2, 5, 6.5], [3, 4, 5, 8, 1, 2, 6, 7])


def by_hand(made, auc=(12, 14, 10)):
    first, second, third = (scores(values, str(i)) for i, values in enumerate(BY_HAND))
    for one, count in zip((first, second, third), auc, strict=True):
        wins = sum((m > o) + (m == o) / 2 for m in one.score[one.member] for o in one.score[~one.member])
        assert wins == count
    made.add("original", NR, first, auc=auc[0] / 16)
    made.add("quantization-int8-static", NR, second, first, auc=auc[1] / 16)
    made.add("clustering-k16", NR, third, first, auc=auc[2] / 16)
    return compare(made.open())[0]


def test_differences_counted_by_hand(made):
    found = {e.group: e for e in by_hand(made).effects}
    assert found["tflite quantization-int8-static"].difference == pytest.approx(2 / 16)
    assert found["tflite clustering-k16"].difference == pytest.approx(-2 / 16)
    assert found["tflite clustering-k16"].auc_baseline == pytest.approx(12 / 16)
    assert {e.examples for e in found.values()} == {4}


def test_the_joint_upper_end_is_bonferronis(made):
    # Two groups: one-sided 2.5 % / 2, of which the normal quantile is 2.241403; of 2.5 % it is 1.959964.
    for e in by_hand(made).effects:
        assert (e.upper - e.difference) / (e.high - e.difference) == pytest.approx(2.241403 / 1.959964, rel=1e-5)
        assert e.error == pytest.approx((e.high - e.difference) / 1.959964, rel=1e-5)


def test_p_values_are_corrected_over_what_is_shown(made):
    comparison = by_hand(made)
    small, large = sorted(e.p for e in comparison.effects)
    assert sorted(e.p_holm for e in comparison.effects) == [
        pytest.approx(min(1, 2 * small)),
        pytest.approx(min(1, max(2 * small, large))),
    ]


def whole(made, settings, targets=("target-0",)):
    """Each setting: how much it adds to each attack, and cells."""
    for number, target in enumerate(targets):
        nr, sr = gaussian(10 * number + 1, 0.7), gaussian(10 * number + 2, 0.7)
        made.add("original", NR, nr, target=target)
        for k, (setting, (more_nr, more_sr, cells)) in enumerate(settings.items()):
            seed = 100 * number + 10 * k
            made.add(setting, NR, gaussian(seed + 3, more_nr, like=nr), nr, target=target, **cells)
            made.add(setting, SR, gaussian(seed + 4, more_sr, like=sr), sr, target=target, **cells)
    return made.open()


SAFE = {"agreement": 0.999}
SETTINGS = {
    "quantization-int8-static": (0.0, 0.0, SAFE),
    "clustering-k16": (0.0, 0.3, SAFE),
    "pruning-global-0.6": (-0.3, 0.0, {"accuracy": 0.77, "agreement": 0.9}),
}


def test_the_answer_is_the_smallest_that_is_shown_to_qualify(made):
    (comparison,) = compare(whole(made, SETTINGS))
    alone, both = answers(comparison)
    assert alone.chosen == "tflite clustering-k16"
    assert both.chosen == "tflite quantization-int8-static"
    assert "leaks no more than the original is tflite quantization-int8-static (100.0 kB gzip, 25% of the" in both.text
    assert [c.group for c in both.passed_over] == ["tflite clustering-k16"]
    assert "leaks more: AUC +0." in both.passed_over[0].reasons[0]
    verdicts = {(e.group.split()[1], e.attack): e.verdict for e in comparison.effects}
    assert verdicts["clustering-k16", SR] == "more"
    assert verdicts["pruning-global-0.6", NR] == "less"
    assert verdicts["quantization-int8-static", SR] == "no more"


def test_the_limits_decide(made):
    (comparison,) = compare(whole(made, SETTINGS))
    assert answers(comparison, accuracy_loss=1e-4)[0].chosen == ""
    assert answers(comparison, size="bytes")[0].chosen == "tflite clustering-k16"
    (lax,) = compare(made.open(), margin=0.5)
    assert answers(lax)[1].chosen == "tflite clustering-k16"


def test_no_significance_is_no_proof(made):
    """A difference far from significant, but of a wide interval, must not be taken for none."""
    nr = gaussian(1, 0.7, n=60)
    made.add("original", NR, nr)
    made.add("clustering-k16", NR, gaussian(2, 0.0, n=60, like=nr, noise=0.5), nr, agreement=0.98, n_nonmembers=60)
    (comparison,) = compare(made.open())
    (effect,) = comparison.effects
    assert effect.p > 0.05
    assert effect.verdict == "undecided"
    (answer,) = answers(comparison)
    assert answer.chosen == ""
    assert "no artifact is shown to be one that loses < 1 point" in answer.text
    accuracy, leakage = answer.passed_over[0].reasons
    assert "accuracy undecided" in accuracy
    assert "leakage undecided" in leakage
    # ((1.959964 + 0.841621) * error * sqrt(n) / margin)^2, rounded up to two digits.
    needed = 60 * (2.801585 * effect.error / 0.01) ** 2
    said = int(leakage.split("about ")[1].split(" members")[0].replace(",", ""))
    assert needed <= said < 1.1 * needed


NO_SIZE = {"bytes": None, "bytes_gzip": None}


def test_without_sizes_every_artifact_that_qualifies_is_named_and_the_others_are_given_reasons(made):
    settings = {
        "quantization-int8-static": (0.0, 0.0, SAFE | NO_SIZE),
        "clustering-k16": (0.0, 0.0, SAFE | NO_SIZE),
        "pruning-global-0.6": (0.3, 0.0, {"accuracy": 0.77, "agreement": 0.9} | NO_SIZE),
    }
    (comparison,) = compare(whole(made, settings), attacks=[NR])
    (answer,) = answers(comparison)
    assert answer.chosen == ""
    assert answer.unsized == ("tflite clustering-k16", "tflite quantization-int8-static")
    assert "sizes are unknown, so no smallest can be named: give model files" in answer.text
    assert (
        "Shown to lose < 1 point of accuracy and to leak no more than the original: tflite clustering-k16"
        in answer.text
    )
    assert "; tflite quantization-int8-static (accuracy unchanged, at most 0." in answer.text
    (other,) = answer.passed_over
    assert (other.group, other.size) == ("tflite pruning-global-0.6", None)
    assert [reason.split(":")[0] for reason in other.reasons] == ["loses 3 points of accuracy", "leaks more"]
    assert "Not shown to qualify: tflite pruning-global-0.6 (size unknown): loses 3 points" in shown(comparison)


def test_of_an_artifact_without_size_beside_some_with_one_it_is_said_that_it_qualifies(made):
    settings = SETTINGS | {"quantization-dynamic": (0.0, 0.0, SAFE | {"framework": "unknown"})}
    (comparison,) = compare(whole(made, settings), attacks=[NR])
    (answer,) = answers(comparison)
    assert (answer.chosen, answer.unsized) == ("tflite clustering-k16", ("unknown quantization-dynamic",))
    assert "Of unknown size, but shown to lose < 1 point of accuracy" in answer.text
    assert "the original: quantization-dynamic (" in answer.text
    assert "unknown quantization" not in shown(comparison)


REFERENCE = {"access": "original+compressed", "baseline": "lm-loss on the original"}


def test_beside_another_attack_nothing_leaks_less_and_nothing_is_shown_to_leak_no_more(made):
    loss, weak = gaussian(1, 2.0), gaussian(2, 0.3)
    made.add("original", "lm-loss", loss, access="one-model")
    made.add("clustering-k16", "lm-loss", gaussian(3, 0.0, like=loss), loss, access="one-model", **SAFE)
    made.add("clustering-k16", "lm-reference-compressed", weak, loss, **SAFE, **REFERENCE)
    (comparison,) = compare(made.open())
    effects = {e.attack: e for e in comparison.effects}
    below = effects["lm-reference-compressed"]
    assert (below.verdict, below.beside) == ("no more", "lm-loss on the original")
    assert below.high < -0.1 and below.p_holm < 1e-3
    assert effects["lm-loss"].beside == ""
    alone, both = answers(comparison)
    assert alone.chosen == "tflite clustering-k16"
    assert both.chosen == "" and "no answer" in both.text
    assert "can only be held against another attack (lm-loss on the original)" in both.text
    assert "lm-reference-compressed, beside lm-loss on the original" in shown(comparison)
    assert "lm-loss, beside the same on the original" in shown(comparison)


def test_to_leak_more_than_another_attack_counts_and_the_same_attack_still_decides(made):
    loss, sr = gaussian(1, 0.5), gaussian(4, 0.7)
    for setting, strength in (("clustering-k16", 2.0), ("quantization-int8-static", 0.1)):
        own = gaussian(5, 0.0, like=sr)
        made.add(
            setting, "lm-sr-rf", own, sr, access="original+compressed", baseline="lm-sr-rf with the original", **SAFE
        )
        made.add(setting, "lm-reference-compressed", gaussian(6, strength), loss, **SAFE, **REFERENCE)
    (comparison,) = compare(made.open())
    (answer,) = answers(comparison)
    assert answer.chosen == "tflite quantization-int8-static"
    (other,) = answer.passed_over
    assert "under lm-reference-compressed, beside lm-loss on the original" in other.reasons[0]


def test_of_several_targets_the_answer_says_that_it_goes_by_the_worst(made):
    one = {
        "quantization-int8-static": (0.0, 0.0, SAFE),
        "clustering-k16": (0.0, 0.0, {"accuracy": 0.77, "agreement": 0.9}),
    }
    whole(made, one, ("target-0", "target-1"))
    made.rows = [
        r.model_copy(update={"accuracy": 0.8}) if (r.target, r.setting) == ("target-0", "clustering-k16") else r
        for r in made.rows
    ]
    (answer, _) = answers(compare(made.open())[0])
    assert "accuracy of the worst target unchanged" in answer.text and "AUC of the worst target at most" in answer.text
    assert "loses 3 points of accuracy in the worst target" in answer.passed_over[0].reasons
    (single, _) = answers(compare(whole(Made(made.make_row, made.path), one))[0])
    assert "worst target" not in single.text


def test_no_number_is_rounded_to_the_limit_that_it_misses(made):
    assert [apart(x, 1.0, 1) for x in (1.04, 0.97, 1.0, 1.4, 1.0004)] == ["1.04", "0.97", "1.0", "1.4", "1.0004"]
    assert apart(0.01 + 1e-4, 0.01, 3, "+") == "+0.0101"
    nr = gaussian(1, 0.7)
    made.add("original", NR, nr)
    made.add("clustering-k16", NR, nr, nr, accuracy=0.7972, agreement=0.99)
    (comparison,) = compare(made.open())
    bound = 100 * comparison.costs[0].most_lost
    assert 1 < bound < 1.05
    (reason,) = answers(comparison)[0].passed_over[0].reasons
    assert f"but up to {bound:.2f} points may be lost" in reason


def test_few_of_anything_are_not_many(made):
    nr = gaussian(1, 0.7)
    made.add("original", NR, nr)
    made.add("clustering-k16", NR, gaussian(2, 0.0, like=nr), nr, **SAFE)
    text = shown(compare(made.open())[0])
    assert "1 groups" not in text and "or more" not in text and "worst target" not in text
    assert "(1 target, 1,000 members and 1,000 non-members)" in text
    made.add("original", NR, nr, target="target-1", n_members=900)
    assert "(2 targets, at least 900 members and 1,000 non-members)" in shown(compare(made.open())[0])


def test_attacks_at_chance_decide_nothing(made):
    blind = gaussian(1, 0.0)
    made.add("original", NR, blind, auc_low=0.48)
    made.add("clustering-k16", NR, gaussian(2, 0.0, like=blind), blind, auc_low=0.48, **SAFE)
    (comparison,) = compare(made.open())
    assert comparison.effects[0].verdict == "at chance"
    (answer,) = answers(comparison)
    assert answer.chosen == ""
    assert "no answer" in answer.text
    assert "finds no members in the original or in any artifact" in answer.text


def test_where_nothing_leaks_an_answer_is_rare(made):
    """Twelve runs of four attacks on nine models, none of which leaks; some interval of 95 % sees a leak anyway."""

    def low(own):
        return {"auc_low": delong_interval(own.score, own.member).low, "access": "one-model"}

    given = fooled = 0
    for seed in range(12):
        made.rows, made.kept = [], {}
        for k, attack in enumerate((NR, NR2, "lira-online-fixed-var", "rmia-offline")):
            base = gaussian(1000 * seed + 10 * k, 0.0, n=300)
            made.add("original", attack, base, **low(base))
            for i in range(8):
                own = gaussian(1000 * seed + 10 * k + i + 1, 0.0, n=300, like=base, noise=1.0)
                made.add(f"quantization-k{i}", attack, own, base, bytes_gzip=i + 1, **SAFE, **low(own))
        (comparison,) = compare(made.open(), margin=0.2)
        given += bool(answers(comparison)[0].chosen)
        fooled += any(row.auc_low > 0.5 for row in made.rows)
    assert fooled >= 2
    assert given == 0


def test_an_artifact_in_which_nothing_is_seen_is_not_said_to_leak_no_more(made):
    blind, seen = gaussian(1, 0.0), gaussian(2, 0.7)
    made.add("original", NR, blind)
    made.add("original", NR, seen, target="target-1")
    made.add("clustering-k16", NR, gaussian(3, 0.0, like=blind), blind, **SAFE)
    made.add("quantization-int8-static", NR, gaussian(4, 0.0, like=seen), seen, target="target-1", **SAFE)
    (comparison,) = compare(made.open())
    (answer,) = answers(comparison)
    assert answer.chosen == "tflite quantization-int8-static"
    (other,) = answer.passed_over
    assert other.group == "tflite clustering-k16"
    assert any("leakage cannot be told" in reason for reason in other.reasons)


def test_the_accuracy_is_bounded_for_all_artifacts_jointly(made):
    nr = gaussian(1, 0.7)
    made.add("original", NR, nr)
    for setting in ("clustering-k16", "quantization-int8-static", "pruning-global-0.6"):
        made.add(setting, NR, gaussian(2, 0.0, like=nr), nr, accuracy=0.795, agreement=0.98)
    (comparison,) = compare(made.open())
    assert comparison.level == pytest.approx(1 - 0.05 / 3)
    for cost in comparison.costs:
        assert cost.most_lost == pytest.approx(most_lost(0.005, 0.02, 1000, 1 - 0.05 / 3))
        assert cost.most_lost > most_lost(0.005, 0.02, 1000, 0.95)


def test_one_bad_target_of_several_forbids_the_claim(made):
    bad = {"quantization-int8-static": (0.0, 0.0, SAFE)}
    whole(made, bad, ("target-0", "target-1"))
    nr = gaussian(50, 0.7)
    made.add("original", NR, nr, target="target-2")
    made.add("quantization-int8-static", NR, gaussian(51, 0.2, like=nr), nr, target="target-2", **SAFE)
    (comparison,) = compare(made.open(), attacks=[NR])
    (effect,) = comparison.effects
    assert effect.pairs == 3
    assert effect.upper > 0.03
    assert answers(comparison)[0].chosen == ""


def test_targets_are_averaged_with_the_widest_interval_they_allow(made):
    (together,) = compare(whole(made, SETTINGS, ("target-0", "target-1")), attacks=[SR])
    single = []
    for target in ("target-0", "target-1"):
        alone = Made(made.make_row, made.path)
        alone.rows, alone.kept = [r for r in made.rows if r.target == target], made.kept
        single.append({e.group: e for e in compare(alone.open(), attacks=[SR])[0].effects})
    for effect in together.effects:
        one, two = (found[effect.group] for found in single)
        for name in ("difference", "low", "high"):
            assert getattr(effect, name) == pytest.approx((getattr(one, name) + getattr(two, name)) / 2)
        assert effect.upper == pytest.approx(max(one.upper, two.upper))


def test_any_setting_can_be_the_baseline(made):
    (comparison,) = compare(whole(made, SETTINGS), baseline="clustering-k16", attacks=[NR])
    kept = {e.group for e in comparison.effects}
    assert kept == {"original", "tflite quantization-int8-static", "tflite pruning-global-0.6"}
    forward = compare(made.open(), attacks=[NR])[0].effects
    back = next(e for e in comparison.effects if e.group == "original")
    there = next(e for e in forward if e.group == "tflite clustering-k16")
    assert (back.difference, back.low) == (pytest.approx(-there.difference), pytest.approx(-there.high))
    assert compare(made.open(), baseline="tflite/clustering-k16", attacks=[NR])[0].effects == comparison.effects


def test_the_attacks_are_fixed_not_the_strongest(made):
    weak, strong = gaussian(1, 0.3), gaussian(2, 2.0)
    made.add("original", NR, weak)
    made.add("clustering-k16", NR, weak, weak, auc=0.55)
    made.rows += [row.model_copy(update={"attack": "mine", "scores_sha256": strong.sha256}) for row in made.rows]
    made.kept[strong.sha256] = strong
    made.rows[-1] = made.rows[-1].model_copy(update={"baseline_sha256": strong.sha256})
    results = made.open()
    assert {e.attack for e in compare(results)[0].effects} == {NR}
    assert {e.attack for e in compare(results, attacks=["mine"])[0].effects} == {"mine"}
    assert NR in ATTACKS["artifact"]


def test_the_most_shadows_count(made):
    base, own = gaussian(1, 0.7), gaussian(2, 0.7)
    for shadows, one in ((2, own), (4, base)):
        made.add("original", NR, base, shadows=shadows)
        made.add("clustering-k16", NR, one, base, shadows=shadows)
    (effect,) = compare(made.open())[0].effects
    assert (effect.pairs, effect.difference) == (1, 0.0)


def test_an_accuracy_is_that_of_all_non_members_though_an_attack_scored_half(made):
    half, whole_ = gaussian(1, 0.7, n=100), gaussian(2, 0.7, n=200)
    for attack, access, own in (("encodermi-t-known", "partial-known", half), ("encodermi-v", "shadow", whole_)):
        size = {"n_members": len(own.member) // 2, "n_nonmembers": len(own.member) // 2}
        made.add("original", attack, own, access=access, **size)
        made.add("clustering-k16", attack, gaussian(3, 0.0, n=size["n_members"], like=own), own, access=access, **size)
    (comparison,) = compare(made.open())
    (cost,) = comparison.costs
    assert (cost.nonmembers, comparison.original.nonmembers, comparison.members, comparison.nonmembers) == (200,) * 4
    # Where nothing changed, Tango's bound is z^2 / (n + z^2).
    assert cost.most_lost == pytest.approx(3.841459 / 203.841459, rel=1e-5)


def test_groups_may_be_wider(made):
    results = whole(made, SETTINGS)
    (comparison,) = compare(results, by="framework", attacks=[NR])
    (effect,) = comparison.effects
    assert (effect.group, effect.pairs) == ("tflite", 3)
    assert comparison.costs[0].artifacts == 3
    assert comparison.costs[0].bytes_gzip == pytest.approx(130_000)
    assert {e.group for e in compare(results, by="technique")[0].effects} == {"quantization", "clustering", "pruning"}


def test_networks_are_compared_apart(made):
    whole(made, SETTINGS)
    made.rows += [r.model_copy(update={"model": "large-cnn", "recipe_sha256": "11" * 32}) for r in made.rows]
    assert [c.title for c in compare(made.open())] == ["quick: digits, large-cnn", "quick: digits, small-cnn"]


def test_the_front_is_that_of_leakage_size_and_accuracy(made):
    nr = gaussian(1, 0.7)
    made.add("original", NR, nr, auc=0.7)
    made.add("quantization-int8-static", NR, nr, nr, auc=0.7)  # as leaky, as accurate, smaller: beats the original
    made.add("clustering-k16", NR, nr, nr, auc=0.71, accuracy=0.79, agreement=0.99)  # the smallest
    made.add("pruning-global-0.6", NR, nr, nr, auc=0.72, accuracy=0.79, agreement=0.99)  # beaten by all
    (comparison,) = compare(made.open())
    assert comparison.front() == {"tflite quantization-int8-static", "tflite clustering-k16"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"baseline": "clustering-k8"}, "Did you mean 'tflite/clustering-k16'"),
        ({"attacks": ["nr-train2"]}, "Did you mean 'compleak-nr-train2-rf'"),
        ({"margin": 0.0}, "margin must be above 0"),
    ],
)
def test_mistakes_are_answered(made, arguments, message):
    with pytest.raises(CompareError, match=message):
        compare(whole(made, SETTINGS), **arguments)


def test_nothing_to_compare_and_scores_that_are_gone(made):
    made.add("original", NR, gaussian(1, 0.7))
    with pytest.raises(
        CompareError, match=r"no row that could be compared with 'original'\. It has rows of uncompressed models only"
    ):
        compare(made.open())
    made.rows.clear()
    whole(made, SETTINGS)
    (made.path / "made.scores.parquet").unlink()
    with pytest.raises(ScoreError, match="keeps no scores"):
        compare(open_results(made.path / "made.csv"))


@pytest.mark.parametrize("by", ["setting", "technique"])
def test_it_fits_in_80_characters_of_plain_text(made, by):
    (comparison,) = compare(whole(made, SETTINGS, ("target-0", "target-1")), by=by)
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\n")
    Console(file=out, width=80).print(comparison_table(comparison, answers(comparison) if by == "setting" else []))
    out.seek(0)
    text = out.read()
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    words = ["undecided", "no more", "upper end of the paired interval", "these 2 models"]
    for word in [
        *words,
        *(["quantization-int8-static", "the smallest artifact that loses"] if by == "setting" else []),
    ]:
        assert word in text.replace("\n", " ")


def test_text_is_never_read_as_markup_and_long_tables_are_cut(made):
    nr = gaussian(1, 0.7, n=20)
    made.add("original", NR, nr)
    for k in range(60):
        made.add(f"[red]k{k}[/red]", NR, nr, nr, bytes=k, bytes_gzip=k, n_members=20, n_nonmembers=20)
    (comparison,) = compare(made.open())
    out = io.StringIO()
    Console(file=out, width=100).print(comparison_table(comparison, answers(comparison)))
    assert "[red]k3[/red]" in out.getvalue()
    assert "the 40 smallest of 60" in out.getvalue()
    assert "[red]k41[/red]" not in out.getvalue()
