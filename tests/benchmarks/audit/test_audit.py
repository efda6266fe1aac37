"""The whole audit from Python: a planted leak is found, where there is none nothing is, and rows can be recomputed."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.special import softmax

import compleak
from compleak.benchmarks.audit import AuditError
from compleak.benchmarks.audit.api import Shadow, audit
from compleak.benchmarks.audit.attacked import SHADOWED
from compleak.benchmarks.audit.judgement import leaks
from compleak.results.publishing.publish import PublishError, publish
from compleak.results.publishing.verify import verify
from compleak.results.records import bootstrap_seed, compare_to, evaluate
from compleak.results.scores import paired
from compleak.results.store import open_results


def lookup(made):
    """A model that answers from its dump; the inputs are the rows' numbers."""
    return lambda rows: made.logits[rows]


def run(made, compressed=None, **more):
    n = len(made.labels) // 2
    rows = np.arange(2 * n)
    groups = {"members": (rows[:n], made.labels[:n]), "nonmembers": (rows[n:], made.labels[n:])}
    return audit(
        lookup(made),
        {name: lookup(other) for name, other in (compressed or {}).items()},
        outputs="logits",
        **{"resamples": 100, **groups, **more},
    )


def test_a_planted_leak_is_found(dump):
    found = run(dump(n=400, leak=1.0))
    assert "original tells who was a member: audit-nr-loss" in " ".join(found.summary.split())
    row = next(row for row in found.rows if row.attack == "audit-nr-loss")
    assert row.auc_low > 0.6
    assert (row.suite, row.framework, row.technique, row.setting) == ("audit", "none", "none", "original")
    assert (row.n_members, row.n_nonmembers, row.shadows) == (400, 400, 0)
    assert row.bytes is None and row.latency_ms is None


def test_members_drawn_at_random_are_not_found(dump):
    """Over 60 models that saw neither group: at most a few false alarms, and 95 % intervals that cover 0.5."""
    results = [run(dump(n=100, seed=seed), resamples=100) for seed in range(60)]
    silent = sum("Nothing was found" in result.summary for result in results)
    rows = [row for result in results for row in result.rows]
    covering = np.mean([row.auc_low <= 0.5 <= row.auc_high for row in rows])
    assert silent >= 55
    assert covering >= 0.9
    assert "cannot be excluded at this size" in " ".join(results[0].summary.split())


def test_a_compressed_model_that_leaks_less_is_said_to(dump):
    original, compressed = dump(n=500, leak=1.5, seed=1), dump(n=500, leak=0.0, seed=1)
    found = run(original, {"pruning-magnitude-0.6": compressed, "same": original})
    text = " ".join(found.summary.split())
    assert "pruning-magnitude-0.6 leaks less than the original" in text
    assert "same leaks no more than the original (at most +0.009 of AUC, margin 0.01): AUC +0.000" in text
    assert "Ship pruning-magnitude-0.6 and not the original" in text
    by = {(row.setting, row.attack): row for row in found.rows}
    assert by["pruning-magnitude-0.6", "audit-nr-loss"].technique == "pruning"
    assert by["same", "audit-nr-loss"].technique == "unknown"
    assert by["same", "audit-nr-loss"].agreement == 1.0
    several = by["original;pruning-magnitude-0.6;same", "audit-mr-corrected"]
    assert (several.technique, several.accuracy) == ("multiple", None)


def test_what_cannot_be_concluded_is_said(dump):
    text = " ".join(run(dump(n=80)).summary.split())
    assert "TPR at 1 % FPR: undefined with 80 non-members; it takes 100" in text
    assert "TPR at 0.1 % FPR: undefined with 80 non-members; it takes 1,000 to see one false alarm, and 10,000" in text
    row = next(row for row in run(dump(n=80)).rows if row.attack == "audit-nr-loss")
    assert row.tpr_at_1pct == "n/a"
    needed = 80 * ((row.auc_high - row.auc_low) / 2 / 0.02) ** 2
    said = int(text.split("±0.02 takes about ")[1].split(" members")[0].replace(",", ""))
    assert needed <= said <= 1.1 * needed + 100
    assert "TPR at 1 % FPR: rests on fewer than 10" in " ".join(run(dump(n=200)).summary.split())


def test_the_folder_is_read_back_and_every_number_recomputed(dump, tmp_path):
    result = run(dump(n=120, leak=1.0), {"int8": dump(n=120, leak=0.8)})
    folder = result.write(tmp_path / "audit")
    results = open_results(folder)
    assert len(results.rows) == len(result.rows) == 9
    assert results.suite["audit"]["outputs"] == {"original": "logits", "int8": "logits"}
    assert (folder / "summary.txt").read_text() == result.summary
    compared = 0
    for row in results.rows:
        scores, baseline = results.scores_of(row), results.baseline_of(row)
        cells = dict(
            evaluate(
                scores.score, scores.member, scores.threshold, seed=bootstrap_seed(row.scores_sha256), resamples=100
            ).cells
        )
        if baseline is not None:
            cells |= compare_to(*paired(baseline, scores)).cells
            compared += 1
        written = row.cells()
        for name, value in cells.items():
            assert written[name] == (pytest.approx(value, rel=1e-5) if isinstance(value, float) else value), name
    assert compared == 5


def tampered_cell(folder, name, old, new):
    text = (folder / "leaderboard.csv").read_text()
    lines = text.split("\n")
    place = lines[0].split(",").index(name)
    cells = lines[1].split(",")
    assert cells[place] == old or not old
    cells[place] = new
    (folder / "leaderboard.csv").write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]))


def test_verify_passes_and_catches_each_kind_of_tampering(dump, tmp_path):
    folder = run(dump(n=60, leak=1.0), {"int8": dump(n=60, leak=0.8)}).write(tmp_path / "a")
    assert verify(folder).sound
    assert "keeps neither the model nor its outputs" in verify(folder).notes[0]
    text = (folder / "leaderboard.csv").read_text()
    for cell, value in (("auc", "0.5"), ("accuracy", "0.99"), ("model", "other"), ("shadows", "3"), ("queries", "2")):
        tampered_cell(folder, cell, "", value)
        found = verify(folder)
        assert [problem.cell for problem in found.problems if problem.row == 2] == [cell]
        (folder / "leaderboard.csv").write_text(text)
    (folder / "leaderboard.csv").write_text("\n".join(text.split("\n")[:-2]) + "\n")
    assert any("a row is not there" in problem.says for problem in verify(folder).problems)
    (folder / "leaderboard.csv").write_text(text)
    suite = (folder / "suite.yaml").read_text()
    (folder / "suite.yaml").write_text(suite.replace("original: logits", "original: probabilities"))
    assert {problem.cell for problem in verify(folder).problems} == {"recipe_sha256"}
    (folder / "suite.yaml").write_text(suite)
    summary = (folder / "summary.txt").read_text()
    (folder / "summary.txt").write_text("This model leaks nothing.\n")
    assert [problem.file for problem in verify(folder).problems] == ["summary.txt"]
    (folder / "summary.txt").unlink()
    assert [problem.file for problem in verify(folder).problems] == ["summary.txt"]
    (folder / "summary.txt").write_text(summary)
    assert verify(folder).sound
    facts = next(folder.glob("nodes/collect/*/facts.json"))
    kept = facts.read_text()
    for damaged in (kept.replace("own-model", "my-model"), "[1]", ""):
        facts.write_text(damaged)
        assert not verify(folder).sound
    facts.write_text(kept)
    score = next(folder.glob("nodes/attack/*/target.parquet"))
    score.write_bytes(score.read_bytes()[:-50])
    assert any(problem.file.endswith("target.parquet") for problem in verify(folder).problems)


def test_an_audit_is_not_published(dump, tmp_path):
    folder = run(dump(n=60)).write(tmp_path / "a")
    with pytest.raises(PublishError, match="no suite can run it again"):
        publish([folder], tmp_path / "to", planner=None, describe=lambda *_: ("", None))
    assert not (tmp_path / "to").exists()


def test_a_second_audit_may_replace_itself_and_nothing_else(dump, tmp_path):
    result = run(dump(n=60))
    result.write(tmp_path / "audit")
    result.write(tmp_path / "audit")
    with pytest.raises(AuditError, match="something else"):
        run(dump(n=60, seed=1)).write(tmp_path / "audit")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    (tmp_path / "file").touch()
    for name in ("other", "file"):
        with pytest.raises(AuditError, match="something else"):
            result.write(tmp_path / name)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["audit", "file", "other"]


def test_nothing_is_left_where_writing_fails(dump, tmp_path, monkeypatch):
    from compleak.benchmarks.audit import folder

    def fail(*_):
        raise OSError("disk full")

    result = run(dump(n=60))
    monkeypatch.setattr(folder, "write_scores", fail)
    with pytest.raises(OSError, match="disk full"):
        result.write(tmp_path / "audit")
    assert list(tmp_path.iterdir()) == []


def test_the_same_dump_gives_the_same_rows_and_another_other_hashes(dump):
    first, again, other = run(dump(n=60)), run(dump(n=60)), run(dump(n=60, seed=1))
    assert first.rows == again.rows and first.run_id == again.run_id
    assert first.rows[0].data_sha256 != other.rows[0].data_sha256
    assert first.rows[0].recipe_sha256 == other.rows[0].recipe_sha256


def test_probabilities_give_the_ranks_of_their_logits(dump):
    made = dump(n=100, leak=1.0)
    rows = np.arange(200)
    found = audit(
        lambda x: softmax(made.logits[x].astype(np.float64), axis=1),
        members=(rows[:100], made.labels[:100]),
        nonmembers=(rows[100:], made.labels[100:]),
        outputs="probabilities",
        resamples=100,
    )
    expected = {row.attack: row.auc for row in run(made, resamples=100).rows}
    assert {row.attack: row.auc for row in found.rows} == pytest.approx(expected, abs=1e-9)


def test_shifted_inputs_take_the_verdict_back(dump):
    made = dump(n=150, leak=1.0)
    inputs = np.random.default_rng(0).normal(size=(300, 6))
    inputs[:150] += 1
    numbers = {row.tobytes(): i for i, row in enumerate(inputs)}
    found = audit(
        lambda x: made.logits[[numbers[row.tobytes()] for row in x]],
        members=(inputs[:150], made.labels[:150]),
        nonmembers=(inputs[150:], made.labels[150:]),
        outputs="logits",
        resamples=100,
    )
    text = " ".join(found.summary.split())
    assert "DISTRIBUTION SHIFT: without the model" in text
    assert "may be that difference and no leak" in text
    assert "First of all mend the groups" in text


def test_a_model_that_guesses_and_one_in_another_order_are_suspected(dump):
    made, other = dump(n=150), dump(n=150, seed=9)
    other.logits[:] = np.random.default_rng(0).normal(size=other.logits.shape)
    text = " ".join(run(made, {"broken": other}).summary.split())
    assert "hardly better than guessing among 5 classes" in text
    assert "broken gives the original's class for only" in text


@pytest.mark.parametrize("group", ["members", "non-members"])
def test_one_group_in_another_order_is_suspected_and_no_advice_given(group, dump):
    """Misplaced members look like a compressed model that leaks less, and misplaced non-members like one that leaks."""
    made, other = dump(n=500, leak=3.0), dump(n=500, leak=3.0)
    made.logits[np.arange(1000), made.labels] += 3
    of = slice(500) if group == "members" else slice(500, 1000)
    other.logits[:] = made.logits
    other.logits[of] = np.random.default_rng(0).permutation(made.logits[of])
    text = " ".join(run(made, {"int8": other}).summary.split())
    assert "int8 gives the original's class for only" in text and f"of the {group}. Are the rows" in text
    assert f"of the {group}, hardly better than guessing" in text
    assert "Ship" not in text and "int8 leaks" not in text and "Holding" not in text
    assert text.count("read the warnings before you believe it") == text.count("int8 tells who was a member") == 1
    assert "int8: which of the two leaks more cannot be told" in text


def test_two_classes_in_another_order_are_suspected(dump):
    """Half of the classes agree by chance."""
    made, other = dump(n=500, classes=2), dump(n=500, classes=2)
    made.logits[np.arange(1000), made.labels] += 3
    other.logits[:] = made.logits
    other.logits[:500] = made.logits[:500][np.random.default_rng(0).permutation(500)]
    assert "int8 gives the original's class for only" in run(made, {"int8": other}).summary


def test_accuracy_that_few_examples_show_is_no_reason_to_ship(dump):
    """With 100 non-members that all agree, a loss of 1 point is not excluded (1.96² / (100 + 1.96²) = 3.7 %)."""
    original, compressed = dump(n=100, leak=3.0, seed=1), dump(n=100, leak=0.5, seed=1)
    text = " ".join(run(original, {"int8": compressed}).summary.split())
    assert "int8 leaks less than the original" in text and "Ship" not in text
    assert "loses about 0.0 points of accuracy, but so few non-members do not exclude 3.7" in text


@pytest.mark.parametrize(
    ("auc", "low", "gain", "says"),
    [
        (0.60, 0.57, 0.05, "more"),
        (0.55, 0.52, -0.05, "less"),
        (0.49, 0.46, -0.11, "less"),
        (0.42, 0.39, -0.13, ""),  # 0.58 with the sign turned, against 0.55
        (0.47, 0.44, -0.08, ""),  # up to 0.56, against 0.55
        (0.45, 0.42, 0.05, ""),  # from 0.40 towards 0.5
        (0.60, 0.57, 0.19, ""),  # from 0.41, which is 0.59
        (0.60, 0.57, 0.12, "more"),
    ],
)
def test_an_auc_below_a_half_is_not_read_as_less(auc, low, gain, says, dump):
    row = run(dump(n=20), resamples=100).rows[0]
    assert leaks(row.model_copy(update={"auc": auc, "auc_low": low, "auc_minus_original": gain})) == says


def test_compressed_models_alone_can_be_audited(dump):
    made = dump(n=60)
    rows = np.arange(120)
    found = audit(
        compressed=[lookup(made), lookup(dump(n=60, seed=0, leak=0.5))],
        members=(rows[:60], made.labels[:60]),
        nonmembers=(rows[60:], made.labels[60:]),
        outputs="logits",
        resamples=100,
    )
    assert {row.setting for row in found.rows} == {"compressed-1", "compressed-2", "compressed-1;compressed-2"}
    assert all(row.auc_minus_original is None and row.accuracy_original is None for row in found.rows)
    assert "No original was given" in found.summary


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"outputs": "scores"}, "say what its outputs are"),
        ({"outputs": {"int8": "logits"}}, "original: say what its outputs are"),
        ({"original": None, "compressed": {}}, "no model to audit"),
        ({"original": 7}, "give a function"),
        ({"original": lambda x: x[:1].astype(float)[:, None]}, r"shape \[1, 1\] for 40 inputs"),
        ({"original": lambda x: 1 / 0 if x is None else np.asarray("a") + 1}, "failed"),
        ({"members": (np.arange(40), np.zeros(39, int))}, "equal lengths"),
        ({"members": np.arange(40)}, "must be a pair"),
        ({"compressed": {"a b": lambda x: x}}, "no name"),
        ({"name": "../x"}, "no name"),
    ],
)
def test_refusals(change, says, dump):
    made = dump(n=40)
    rows = np.arange(80)
    given = {
        "original": lookup(made),
        "members": (rows[:40], made.labels[:40]),
        "nonmembers": (rows[40:], made.labels[40:]),
        "outputs": "logits",
        **change,
    }
    with pytest.raises(AuditError, match=says):
        audit(**given)


@pytest.fixture(scope="module")
def shadowed(dump):
    """An audit with two shadows, of a leak that only the true class of the original shows."""

    def groups(made):
        n = len(made.labels) // 2
        rows = np.arange(2 * n)
        return (rows[:n], made.labels[:n]), (rows[n:], made.labels[n:])

    def of(seed):
        original, compressed = dump(n=200, classes=3, leak=2.0, seed=seed), dump(n=200, classes=3, leak=1.0, seed=seed)
        members, nonmembers = groups(original)
        return {
            "original": lookup(original),
            "compressed": {"int8": lookup(compressed), "other": lookup(compressed)},
            "members": members,
            "nonmembers": nonmembers,
        }

    return audit(**of(0), outputs="logits", shadows=[Shadow(**of(1)), Shadow(**of(2))], resamples=100)


@pytest.mark.slow
def test_with_shadows_the_registered_attacks_are_run(shadowed, tmp_path):
    found = {row.attack for row in shadowed.rows}
    assert found == set(SHADOWED)
    assert all(row.shadows == 2 for row in shadowed.rows)
    learned = next(row for row in shadowed.rows if (row.setting, row.attack) == ("original", "compleak-nr-train2-rf"))
    assert learned.auc_low > 0.6 and learned.balanced_accuracy > 0.6
    pair = next(row for row in shadowed.rows if (row.setting, row.attack) == ("int8", "compleak-sr2-rf"))
    assert pair.baseline == "compleak-sr2-rf with the original in place of each compressed model"
    results = open_results(shadowed.write(tmp_path / "audit"))
    assert all(results.baseline_of(row) is not None for row in results.rows if row.setting != "original")


def test_a_shadow_must_show_the_same_models(dump):
    made = dump(n=40)
    rows = np.arange(80)
    groups = {"members": (rows[:40], made.labels[:40]), "nonmembers": (rows[40:], made.labels[40:])}
    shadow = Shadow(original=lookup(made), compressed={"int8": lookup(made)}, **groups)
    with pytest.raises(AuditError, match="Give it the same"):
        audit(lookup(made), outputs="logits", shadows=[shadow], **groups)


def test_importing_the_package_imports_nothing_else():
    code = (
        "import sys, compleak; assert not {'numpy', 'torch', 'pydantic'} & set(sys.modules);"
        "assert compleak.audit.__name__ == 'audit'; print('numpy' in sys.modules, 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"True False\n"
    with pytest.raises(AttributeError, match="nonsense"):
        _ = compleak.nonsense
