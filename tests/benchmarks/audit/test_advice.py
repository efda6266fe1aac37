"""What the summary says of compressed models is what ``compleak compare`` says; advice is corrected for choosing."""

import numpy as np
import pytest
from typer.testing import CliRunner

from compleak.benchmarks.audit import LEAST_RESAMPLES, AuditError
from compleak.benchmarks.audit.api import audit
from compleak.benchmarks.cli import app
from compleak.benchmarks.fields import Statistics
from compleak.results.comparison.compare import compare
from compleak.results.store import open_results


def audited(made, compressed=None, **more):
    n, rows = len(made.labels) // 2, np.arange(len(made.labels))
    predict = {name: (lambda x, other=other: other.logits[x]) for name, other in (compressed or {}).items()}
    groups = {"members": (rows[:n], made.labels[:n]), "nonmembers": (rows[n:], made.labels[n:])}
    return audit(lambda x: made.logits[x], predict, outputs="logits", **{"resamples": 100, **groups, **more})


def compleak(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def words(result):
    return " ".join(result.summary.split())


def noisy(made, scale, seed):
    """The same with noise, so that it agrees with the original mostly."""
    other = type(made)(**vars(made))
    other.logits = made.logits + np.random.default_rng(seed).normal(size=made.logits.shape, scale=scale)
    return other


@pytest.mark.parametrize(
    ("n", "leak", "makes", "verdict", "says"),
    [
        (500, 1.5, lambda d: d(n=500, leak=0.3, seed=1), "less", "c leaks less than the original: AUC -0."),
        (500, 1.0, lambda d: d(n=500, leak=1.5, seed=1), "more", "c leaks more than the original: AUC +0."),
        (
            500,
            1.5,
            lambda d: noisy(d(n=500, leak=1.5, seed=1), 0.01, 3),
            "no more",
            "c leaks no more than the original",
        ),
        (
            80,
            1.5,
            lambda d: noisy(d(n=80, leak=1.5, seed=1), 0.5, 4),
            "undecided",
            "c: undecided whether it leaks more",
        ),
        (
            200,
            0.0,
            lambda d: noisy(d(n=200, seed=1), 0.5, 3),
            "at chance",
            "finds members neither in it nor in the original",
        ),
    ],
)
def test_each_verdict_is_that_of_compare_on_the_folder(n, leak, makes, verdict, says, dump, tmp_path):
    result = audited(dump(n=n, leak=leak, seed=1), {"c": makes(dump)})
    (compared,) = compare(open_results(result.write(tmp_path / "a")))
    (effect,) = (e for e in compared.effects if e.attack == "audit-nr-loss")
    assert effect.verdict == verdict
    assert says in words(result)
    if verdict in ("no more", "undecided"):
        assert f"{effect.upper:+.3f} of AUC, margin 0.01" in words(result)


def test_advice_to_ship_holds_for_all_variants_at_once(dump):
    """Of 500 that all agree, a loss of z² / (n + z²) is not excluded: 0.76 % for one, 1.13 % at z = 2.394 for three."""
    original, less = dump(n=500, leak=1.5, seed=1), dump(n=500, leak=0.0, seed=1)
    assert "Ship a and not the original" in words(audited(original, {"a": less}))
    three = words(audited(original, {"a": less, "b": original, "c": original}))
    assert "Ship" not in three
    assert "a leaks less than the original and loses about 0.0 points of accuracy" in three
    assert "so few non-members do not exclude 1.1:" in three


def test_an_answer_right_or_wrong_has_no_point_at_a_low_fpr(dump):
    lines = audited(dump(n=150, leak=1.0)).summary.splitlines()
    assert next(line for line in lines if "audit-nr-correctness" in line).endswith("no such point")
    assert next(line for line in lines if "audit-nr-loss" in line).endswith(")")


def test_a_constant_score_and_one_that_saturates_have_none_and_a_rare_one_has(dump):
    made = dump(n=400)
    constant = audited(type(made)(logits=np.ones_like(made.logits), labels=made.labels))
    assert constant.summary.count("no such point") == 4
    made.logits[::10] = 0
    made.logits[::10][np.arange(80), made.labels[::10]] = 99
    saturated = audited(made).summary
    assert saturated.count("no such point") == 4 and "at 1 % false alarms" not in saturated
    made.logits[np.arange(800), made.labels] = -1
    made.logits[:3, :] = np.eye(5)[made.labels[:3]] * 9
    rare = audited(made).summary.splitlines()
    assert "0.8 % (" in next(line for line in rare if "audit-nr-correctness" in line)


def test_as_many_resamples_are_needed_as_in_a_suite(dump):
    assert Statistics(resamples=LEAST_RESAMPLES).resamples == 100
    for too_few in (LEAST_RESAMPLES - 1, 0):
        with pytest.raises(ValueError, match="100"):
            Statistics(resamples=too_few)
        with pytest.raises(AuditError, match="must be 100 or more"):
            audited(dump(n=20), resamples=too_few)


def test_groups_that_may_be_swapped_are_asked_about(dump):
    made = dump(n=400, leak=1.5)
    turned_round = type(made)(logits=np.roll(made.logits, 400, axis=0), labels=np.roll(made.labels, 400))
    assert "Are the two groups swapped?" not in words(audited(made))
    (warning,) = audited(turned_round).warnings
    assert warning.startswith("original is surer of the non-members") and warning.endswith(
        "Are the two groups swapped?"
    )


def test_what_an_audit_warns_of_is_repeated_and_nothing_is_recommended(dump, tmp_path):
    made, same = dump(n=500, leak=1.5, seed=1), noisy(dump(n=500, leak=1.5, seed=1), 0.01, 3)
    same.logits[:500] = same.logits[:500][::-1]
    sound = audited(made, {"c": made}).write(tmp_path / "sound")
    result = audited(made, {"c": same})
    assert any("Are the rows in the same order" in warning for warning in result.warnings)
    misplaced = result.write(tmp_path / "misplaced")
    for folder, doubted in ((sound, False), (misplaced, True)):
        assert compleak("verify", folder).exit_code == 0
        found = compleak("compare", folder)
        assert ("Are the rows in the same order" in found.stderr) is doubted
        assert ("no answer. What the audit warns of" in found.stdout) is doubted
        assert compleak("report", folder, "-o", folder / "report").exit_code == 0
        page = (folder / "report" / "index.html").read_text()
        assert ("Warning of the audit." in page) is doubted
    (misplaced / next(misplaced.glob("nodes/collect/*/warnings.json"))).write_text("[]")
    assert compleak("verify", misplaced).exit_code == 1


def test_an_audits_page_says_of_an_audit_only_what_holds(dump, tmp_path):
    folder = audited(dump(n=200, leak=1.5), {"c": dump(n=200, leak=1.0)}).write(tmp_path / "a")
    assert compleak("report", folder, "-o", folder / "report").exit_code == 0
    page = (folder / "report" / "index.html").read_text()
    for false in ("compleak run", "one shuffled pool", "trains shadow models", "no description is kept", "never a row"):
        assert false not in page, false
    for true in ("compleak audit ...", "There are no shadow models", "log-odds of the true class"):
        assert true in page, true


def test_where_the_fixed_attack_finds_nothing_the_strongest_that_does_is_named(dump, monkeypatch):
    from compleak.benchmarks.audit import summary

    monkeypatch.setattr(summary, "HEADLINE", "none")
    result = audited(dump(n=400, leak=1.5))
    found = [row for row in result.rows if row.access == "one-model"]
    strongest = max(found, key=lambda row: row.auc)
    assert f"original tells who was a member: {strongest.attack} reaches AUC {strongest.auc:.3f}" in words(result)


def test_an_auc_below_a_half_is_not_called_no_more(dump):
    """With the sign turned it may tell more than the original."""
    from compleak.benchmarks.audit.judgement import turned

    row = audited(dump(n=20)).rows[0]
    for auc, low, gain, expected in ((0.42, 0.36, -0.11, True), (0.47, 0.46, -0.09, False), (0.55, 0.3, 0.0, False)):
        assert turned(row.model_copy(update={"auc": auc, "auc_low": low, "auc_minus_original": gain}), 0.01) is expected
