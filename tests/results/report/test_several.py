"""Several results on one page: each keeps what is its own, and none speaks for another."""

from pathlib import Path

import numpy as np
import pytest
import yaml
import zarr
from scipy.stats import binomtest

from compleak.results.leaderboard import write_leaderboard
from compleak.results.report.configuration import configuration
from compleak.results.report.examples import examples
from compleak.results.report.labels import labels
from compleak.results.report.leaderboard import leaderboard
from compleak.results.report.models import models
from compleak.results.report.overview import overview
from compleak.results.report.settings import side_by_side
from compleak.results.report.site import render
from compleak.results.scores import Scores, write_pack
from compleak.results.store import Results, open_together

ORIGINAL = {"framework": "none", "technique": "none", "setting": "original"}


def run(folder, rows, *, null=(), suite=None, pool=None):
    """A run's folder; its pool is a mapping from example to class."""
    write_leaderboard(rows, folder / "leaderboard.csv")
    if null:
        write_leaderboard(null, folder / "null_control.csv")
    if suite:
        (folder / "suite.yaml").write_text(yaml.safe_dump(suite))
    if pool:
        group = zarr.open_group(folder / "nodes" / "collect" / "all" / "observations.zarr", mode="w")
        group["example"], group["label"] = np.array(list(pool)), np.array(list(pool.values()))
    return folder


@pytest.fixture
def encoders(make_row):
    """Rows of six suites of one target: an attack that scored all 200 and 200 examples, and one that scored half."""

    def rows(suite):
        whole = {"attack": "encodermi-v", "access": "shadow", "shadows": 1, "n_members": 200, "n_nonmembers": 200}
        half = {"attack": "encodermi-t-known", "access": "partial-known", "shadows": 0}
        facts = {**ORIGINAL, "suite": suite, "recipe_sha256": suite[-1] * 64}
        return [make_row(**facts, **half, n_members=100, n_nonmembers=100), make_row(**facts, **whole)]

    return [row for i in range(6) for row in rows(f"encoders-{i}")]


def test_the_overview_counts_targets_and_all_of_their_examples(encoders):
    said = overview(Results(Path("x.csv"), tuple(encoders)), frozenset())
    sure = " ".join(said.sure)
    assert "(6 targets)" in said.attacked and "There are 6 targets" in sure and "There is one target" not in sure
    assert "tell 200 members" in said.attacked and "from 200 non-members" in said.attacked
    assert "One of these attacks was told one half" in said.attacked
    # 1 % of 200 non-members.
    assert "with 200 non-members it rests on at most 2 false positives" in sure
    assert "200 non-members cannot show so low a rate" in sure
    one = overview(Results(Path("x.csv"), tuple(encoders[:2])), frozenset())
    assert "There is one target" in " ".join(one.sure)


def test_rows_beside_another_attack_are_not_counted_as_beside_the_same(make_row):
    cells = {"auc_minus_original": -0.2, "auc_minus_original_low": -0.3, "auc_minus_original_high": -0.1}
    same = make_row(attack="lm-sr-rf", baseline="lm-sr-rf with the original in place of each compressed model", **cells)
    other = make_row(attack="lm-reference-compressed", baseline="lm-loss on the original", **cells)
    found = overview(Results(Path("x.csv"), (same, other)), frozenset((same, other))).found
    assert found.startswith("Of 1 row compared with the same attack on the original alone, 0 leak more and 1 leak less")
    assert "compared with another attack: lm-reference-compressed (lm-loss on the original)" in found
    made = leaderboard((same, other), frozenset((same, other)))
    column = next(c for c in made["columns"] if c["title"] == "Than the original")
    assert [column["values"][code] for code in column["codes"]] == ["leaks less", "below another attack"]


def test_a_framework_that_nobody_knows_is_not_named(make_row):
    row = make_row(framework="unknown", setting="int8", auc_minus_original=0.2)
    said = overview(Results(Path("x.csv"), (row,)), frozenset((row,)))
    assert "compressed in 1 way." in said.attacked and "on int8: +0.200 AUC" in said.found


def test_targets_of_other_sizes_are_said_to_differ(make_row):
    rows = tuple(make_row(target=f"t-{n}", n_members=n, n_nonmembers=2 * n) for n in (300, 500))
    said = overview(Results(Path("x.csv"), rows), frozenset())
    assert "at least 300 members" in said.attacked and "at least 600 non-members" in said.attacked


@pytest.mark.parametrize(("broken", "passed"), [(False, None), (True, False)])
def test_a_control_speaks_for_its_own_suite_only(tmp_path, make_row, broken, passed):
    null = {**ORIGINAL, "target": "null", "auc_minus_original": None}
    chance = (
        {"auc": 0.7, "auc_low": 0.68, "auc_high": 0.72} if broken else {"auc": 0.5, "auc_low": 0.48, "auc_high": 0.52}
    )
    controlled = run(tmp_path / "a", [make_row(suite="with")], null=[make_row(suite="with", **null, **chance)])
    other = run(tmp_path / "b", [make_row(suite="without")])
    said = overview(open_together([controlled, other]), frozenset())
    first, second = said.control
    assert said.control_passed is passed
    assert first.startswith("with: ") and ("FAILED" in first) is broken and ("passed" in first) is not broken
    assert second.startswith("No null control was run for without,")


def test_each_control_is_corrected_for_its_own_rows(tmp_path, make_row):
    """An interval 2.1 standard errors from chance is a finding alone, and none among many."""
    null = {**ORIGINAL, "target": "null", "auc_minus_original": None}
    off = make_row(suite="one", **null, auc=0.521, auc_low=0.5014, auc_high=0.5406)
    many = [make_row(suite="two", **null, attack=f"a-{i}", auc=0.5, auc_low=0.48, auc_high=0.52) for i in range(50)]
    folders = [
        run(tmp_path / "a", [make_row(suite="one")], null=[off]),
        run(tmp_path / "b", [make_row(suite="two")], null=many),
    ]
    said = overview(open_together(folders), frozenset())
    assert said.control_passed is False
    assert "FAILED" in said.control[0] and "corrected for 50 rows: passed" in said.control[1]


def scores(values, attack, examples_, member):
    return Scores.of(examples_, member, values, target="target-0", variant="v", attack=attack, threshold=0.0)


def published(folder, make_row, suite, *, keep=True):
    """An original and an artifact under one attack, with their scores or without."""
    member, rng = np.repeat([True, False], 100), np.random.default_rng(len(suite))
    base = scores(rng.normal(size=200) + member, "original", np.arange(200), member)
    own = scores(base.score + 0.01 * rng.normal(size=200), "v", np.arange(200), member)
    rows = [
        make_row(suite=suite, **ORIGINAL, scores_sha256=base.sha256, baseline_sha256=""),
        make_row(
            suite=suite,
            scores_sha256=own.sha256,
            baseline_sha256=base.sha256,
            accuracy_original=0.8,
            accuracy=0.8,
            agreement=1,
        ),
    ]
    write_leaderboard(rows, folder / f"{suite}.csv")
    if keep:
        write_pack([base, own], folder / f"{suite}.scores.parquet")
    return folder / f"{suite}.csv"


def test_one_without_scores_does_not_take_the_others_comparison(tmp_path, make_row):
    paths = [published(tmp_path, make_row, suite, keep=suite != "bare") for suite in ("first", "bare", "second-one")]
    together = open_together(paths)
    shown, without = side_by_side(together)
    assert [one.title for one in shown] == ["first: digits, small-cnn", "second-one: digits, small-cnn"]
    assert without == ["bare"]
    assert "The settings of bare cannot be compared here" in render(together, {})
    assert side_by_side(open_together(paths[1:2])) == ([], ["bare"])


def test_every_suite_is_shown_under_its_name_with_its_own_commands(tmp_path, make_row):
    suites = {"a": {"name": "first", "seed": 1}, "b": {"name": "second", "seed": 2}, "c": None}
    paths = [
        run(tmp_path / k, [make_row(suite=(v or {"name": "third"})["name"], versions=f"compleak-bench={k}")], suite=v)
        for k, v in suites.items()
    ]
    made = configuration(open_together(paths)).suites
    assert [ran.name for ran in made] == ["first", "second", "third"]
    assert [yaml.safe_load(ran.suite) for ran in made] == [suites["a"], suites["b"], None]
    assert [ran.commands[0] for ran in made] == [f"pip install compleak-bench=={k}" for k in suites]
    assert len({command for ran in made for command in ran.commands}) == 4 + 4 + 1
    page = render(open_together(paths), {})
    assert all(f"<h3>Do it again: {ran.name}</h3>" in page for ran in made)
    assert page.count("The suite is not kept beside these rows.") == 1


def test_classes_come_from_the_results_and_from_nowhere_else(tmp_path, make_row, monkeypatch):
    here = run(tmp_path / "here", [make_row(suite="here")], pool={1: 9})
    bare = [run(tmp_path / "here" / k, [make_row(suite=k)]) for k in ("a", "b")]
    monkeypatch.chdir(here)
    assert labels(open_together(bare)) == {}
    assert labels(open_together([Path("a"), Path("b")])) == {}


def test_classes_are_merged_by_pool_unless_they_contradict(tmp_path, make_row):
    one, other = "11" * 32, "22" * 32
    pools = {"a": (one, {1: 0, 2: 1}), "b": (one, {2: 1, 3: 0}), "c": (other, {1: 7}), "d": (one, {3: 5})}
    paths = {k: run(tmp_path / k, [make_row(suite=k, data_sha256=d)], pool=p) for k, (d, p) in pools.items()}
    assert labels(open_together([paths[k] for k in "abc"])) == {one: {1: 0, 2: 1, 3: 0}, other: {1: 7}}
    assert labels(open_together([paths[k] for k in "abcd"])) == {other: {1: 7}}


def test_parts_of_a_run_keep_their_classes(tmp_path, make_row):
    parts = {k: [make_row(suite=f"s-{k}")] for k in ("x", "y")}
    run(tmp_path, [row for rows in parts.values() for row in rows], suite={"name": "s", "parts": {"x": {}, "y": {}}})
    for number, (part, rows) in enumerate(parts.items()):
        run(tmp_path / part, rows, pool={number: 3})
    assert labels(open_together([tmp_path])) == {"ab" * 32: {0: 3, 1: 3}}


def test_originals_on_data_of_one_name_but_another_content_are_not_ranked_together(make_row):
    def three(data, sha256):
        return [
            make_row(
                **ORIGINAL,
                suite=f"s-{data}-{sha256[:2]}-{i}",
                data=data,
                data_sha256=sha256,
                accuracy=0.5 + i / 10,
                scores_sha256=f"{i:064x}",
            )
            for i in range(3)
        ]

    shared = [*three("digits", "12" * 32), *three("digits", "34" * 32)]
    assert [(f["attack"], len(f["models"])) for f in models([*shared, *three("letters", "56" * 32)])] == [
        ("nr-train2-rf, digits 12121212", 3), ("nr-train2-rf, digits 34343434", 3), ("nr-train2-rf, letters", 3),
    ]  # fmt: skip
    assert models([*shared[:2], shared[3]]) == []


def test_an_accuracys_interval_is_that_of_all_non_members(encoders):
    apart = ({"accuracy": 0.6, "scores_sha256": f"{i:064x}"} for i in range(len(encoders)))
    rows = [row.model_copy(update=cells) for row, cells in zip(encoders, apart, strict=True)]
    ends = binomtest(120, 200).proportion_ci(method="wilson")
    found = models(rows)
    assert len(found) == 2
    for group in found:
        assert group["models"][0]["accuracy"] == pytest.approx([0.6, ends.low, ends.high], abs=1e-6)


@pytest.mark.parametrize("first", ["half", "whole"])
def test_examples_are_counted_over_attacks_that_scored_all_of_them(make_row, first):
    """Of 200 and 200 one attack with one model exposes the first member, one with two models the second."""
    member, rows, kept = np.repeat([True, False], 200), [], {}

    def add(access, exposes, chosen):
        score = np.where(np.arange(400) == exposes, 2.0, np.arange(400) / 1000)[chosen]
        own = scores(score, access, np.arange(400)[chosen], member[chosen])
        kept[own.sha256] = own
        size = {"n_members": int(own.member.sum()), "n_nonmembers": int((~own.member).sum())}
        rows.append(make_row(attack=f"a-{len(rows)}", access=access, scores_sha256=own.sha256, **size))

    everyone, half = np.arange(400) >= 0, np.arange(400) % 2 == 1
    add("partial-known", 1, half)
    add("shadow", 0, everyone)
    add("shadow, original+compressed", 1, everyone)
    listed, (tally,) = examples(rows if first == "half" else rows[::-1], kept, {})
    assert (tally.one_model, tally.several, tally.n_members, tally.n_nonmembers) == (1, 1, 200, 200)
    # Non-members are scored above all other members: 2 of 200 are exposed at 1 %, by either attack alike.
    assert (tally.members, tally.nonmembers) == (1, 0)
    assert {0, 1} < set(listed["columns"][0]["values"])
