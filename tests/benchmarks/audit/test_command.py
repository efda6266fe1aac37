"""``compleak audit`` as it is typed: what it writes, and how it refuses."""

import shlex
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from compleak.benchmarks.audit import AuditError
from compleak.benchmarks.cli import app
from compleak.results.store import open_results


def run(*arguments):
    """The command in this process; an ``AuditError`` is what ``main`` turns into exit code 2."""
    result = CliRunner().invoke(app, ["audit", "--resamples", "100", *map(str, arguments)])
    if isinstance(result.exception, AuditError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


@pytest.fixture
def vectors(dump, save_pair, tmp_path):
    save_pair(dump(n=60, leak=1.0), tmp_path / "target")
    save_pair(dump(n=60, leak=0.5), tmp_path / "target" / "int8")
    return tmp_path / "target"


def test_files_one_by_one_and_a_folder_give_the_same(vectors, tmp_path):
    one = run(
        "--members", vectors / "members.npz", "--nonmembers", vectors / "nonmembers.npz", "--outputs", "logits",
        "--compressed-members", f"int8={vectors}/int8/members.npz",
        "--compressed-nonmembers", f"int8={vectors}/int8/nonmembers.npz", "--out", tmp_path / "a",
    )  # fmt: skip
    run("--data", vectors, "--outputs", "logits", "--out", tmp_path / "b")
    assert "Audit of own-model: 60 members, 60 non-members, 5 classes, logits, no shadow models" in one
    assert f"compleak verify {tmp_path}/a" in one
    assert (tmp_path / "a" / "leaderboard.csv").read_bytes() == (tmp_path / "b" / "leaderboard.csv").read_bytes()
    assert len(open_results(tmp_path / "a").rows) == 9


def test_labels_of_their_own_and_probabilities_of_one_model(dump, tmp_path):
    made = dump(n=60)
    for name in ("members", "nonmembers"):
        logits, labels = getattr(made, name)
        odds = np.exp(logits.astype(np.float64))
        np.save(tmp_path / f"{name}.npy", logits)
        np.save(tmp_path / f"{name}-labels.npy", labels)
        columns = [f"p{i}" for i in range(5)]
        pd.DataFrame(odds / odds.sum(1, keepdims=True), columns=columns).to_csv(tmp_path / f"{name}.csv", index=False)
    said = run(
        "--members", tmp_path / "members.npy", "--nonmembers", tmp_path / "nonmembers.npy",
        "--labels", tmp_path / "members-labels.npy", tmp_path / "nonmembers-labels.npy",
        "--compressed-members", f"b={tmp_path}/members.csv", "--compressed-nonmembers", f"b={tmp_path}/nonmembers.csv",
        "--outputs", "logits", "--outputs", "b=probabilities", "--name", "mine", "--out", tmp_path / "out",
    )  # fmt: skip
    assert "Audit of mine" in said and "logits and probabilities" in said
    rows = {(r.setting, r.attack): r for r in open_results(tmp_path / "out").rows}
    assert rows["b", "audit-nr-loss"].auc == rows["original", "audit-nr-loss"].auc
    assert rows["b", "audit-nr-loss"].model == "mine"


def test_shadows_are_folders_like_the_targets(dump, save_pair, tmp_path):
    for i, name in enumerate(("target", "shadow-0")):
        save_pair(dump(n=100, leak=2.0, seed=i), tmp_path / name)
    said = run(
        "--data", tmp_path / "target", "--shadow", tmp_path / "shadow-0", "--outputs", "logits", "--out", tmp_path / "o"
    )
    assert "1 shadow model " in said
    assert {r.attack for r in open_results(tmp_path / "o").rows} >= {"compleak-nr-train2-rf", "compleak-nr-loss"}
    save_pair(dump(n=100, classes=4), tmp_path / "shadow-1")
    with pytest.raises(AuditError, match="Shadow 0 shows original with 4 classes"):
        run("--data", tmp_path / "target", "--shadow", tmp_path / "shadow-1", "--outputs", "logits")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Nothing to audit"),
        (("--data", "{v}"), "original: say what its outputs are: --outputs logits .* or --outputs prob[a-z]* [^;]*$"),
        (("--data", "{v}", "--outputs", "scores"), "got 'scores'"),
        (("--data", "{v}", "--outputs", "probabilities"), "said to be probabilities"),
        (("--data", "{v}", "--outputs", "logits", "--members", "{v}/members.npz"), "or the files one by one"),
        (("--data", "{v}", "--outputs", "logits", "--scale", "1"), "--scale cannot be used with dumped outputs"),
        (
            ("--members", "{v}/members.npz", "--outputs", "logits"),
            "Only the members of original .* add --nonmembers FILE",
        ),
        (
            ("--data", "{v}", "--outputs", "logits", "--compressed-members", "{v}/members.npz"),
            "or the files one by one",
        ),
        (("--members", "{v}/members.npz", "--compressed-members", "{v}/members.npz"), "give NAME=FILE"),
        (("--data", "{v}/nowhere", "--outputs", "logits"), "There is no folder"),
        (("--data", "{v}", "--outputs", "logits", "--out", "{v}"), "something else"),
        (("--original", "m.tflite", "--outputs", "logits"), "needs examples to run on"),
        (("--original", "m.tflite", "--data", "{v}", "--shadow", "s"), "--shadow cannot be used with model files"),
        (
            ("--original", "m.tflite", "--data", "{v}", "--outputs", "logits"),
            "--layout, --scale, --mean, --std not given",
        ),
        (("m.tflite", "--data", "{v}", "--outputs", "logits", "--outputs", "n=logits"), "no model 'n'"),
        (("--compressed", "a/m.ptl", "b/m.ptl", "--data", "{v}"), "both called m"),
        (("--original", "m.tflite", "--data", "{v}/int8/members.npz"), "must hold one of members"),
        (
            ("--members", "{v}/members.npz", "--nonmembers", "{v}/members.npz", "--outputs", "logits"),
            "Members and non-members are both .*members.npz",
        ),
        (("{v}/members.npz", "--outputs", "logits"), "is no model file. Dumped outputs are given by --members"),
        (
            ("--nonmembers", "{v}/members.npz", "--outputs", "logits"),
            "Only the nonmembers of original .* --members FILE",
        ),
    ],
)
def test_refusals_say_what_to_do(arguments, says, vectors, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(AuditError, match=says):
        run(*(a.format(v=vectors) for a in arguments))
    assert sorted(tmp_path.rglob("*")) == before


def test_what_to_read_on_with_can_be_typed(vectors, tmp_path):
    """Each of the commands ends well, in a folder whose name needs quotes."""
    files = ["--members", vectors / "members.npz", "--nonmembers", vectors / "nonmembers.npz", "--outputs", "logits"]
    for given, expected in ((files, 2), (["--data", vectors, "--outputs", "logits"], 3)):
        out = tmp_path / f"my audit {expected}"
        result = CliRunner().invoke(app, ["audit", *map(str, given), "--resamples", "100", "--out", str(out)])
        commands = [shlex.split(line) for line in result.output.split("Read on with:")[1].splitlines() if line]
        assert len(commands) == expected
        for program, *arguments in commands:
            assert program == "compleak"
            assert CliRunner().invoke(app, arguments).exit_code == 0, arguments
        assert (out / "report" / "index.html").is_file()
        assert CliRunner().invoke(app, ["verify", str(out)]).exit_code == 0


def test_a_taken_place_is_refused_before_anything_is_computed(vectors, tmp_path, monkeypatch):
    given = ("--data", vectors, "--outputs", "logits", "--out", tmp_path / "a")
    run(*given)
    run(*given)

    def never(*_):
        raise AssertionError

    monkeypatch.setattr("compleak.benchmarks.audit.api.attack_by_formula", never)
    with pytest.raises(AuditError, match="something else"):
        run(*given, "--seed", "1")


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".parquet", ".csv"])
def test_a_file_that_is_none_is_said_to_be_none(suffix, vectors, tmp_path):
    path = tmp_path / f"garbage{suffix}"
    for content, says in (
        (
            b"hello there, \x00 no outputs here" * 9,
            f"garbage{suffix} is no {suffix} file, only called so. Write it with",
        ),
        (b"", f"garbage{suffix} is empty"),
        (
            (vectors / "members.npz").read_bytes(),
            f"is no {suffix} file, only called so: it looks like .npz. Call it that",
        ),
    ):
        if suffix == ".npz" and "looks like" in says:
            continue
        path.write_bytes(content)
        with pytest.raises(AuditError, match=says) as refused:
            run("--members", path, "--nonmembers", vectors / "nonmembers.npz", "--outputs", "logits")
        assert "pickle" not in str(refused.value) and "Error" not in str(refused.value)


def test_python_objects_are_refused_without_advice_to_unpickle(tmp_path):
    np.savez(tmp_path / "m.npz", logits=np.array([None, {}], dtype=object), labels=[0, 1])
    with pytest.raises(AuditError, match="it holds Python objects") as refused:
        run("--members", tmp_path / "m.npz", "--nonmembers", tmp_path / "m2.npz", "--outputs", "logits")
    assert "pickle" not in str(refused.value)


def test_a_mistake_ends_with_code_2_and_no_traceback(tmp_path):
    shown = subprocess.run(
        [sys.executable, "-m", "compleak", "audit", "--members", "m.npz", "--nonmembers", "n.npz",
         "--outputs", "logits"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert shown.returncode == 2
    assert "Error: There is no file m.npz." in shown.stderr
    assert "Traceback" not in shown.stderr
    assert list(tmp_path.iterdir()) == []


def test_model_files_are_run_on_examples(tmp_path):
    """A network that knows its members by heart, and itself again as a compressed one: end to end."""
    import torch

    images = np.random.default_rng(0).integers(0, 256, (60, 6, 6, 1)).astype(np.uint8)
    labels = np.arange(60) % 3
    weights = torch.zeros(3, 36)
    pixels = torch.from_numpy(images[:30].reshape(30, -1) / 255 - 0.5).float()
    for row, label in zip(pixels, labels[:30], strict=True):
        weights[label] += row
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 3, bias=False))
    network[1].weight = torch.nn.Parameter(weights)
    traced = torch.jit.trace(network, torch.zeros(2, 1, 6, 6))
    for name in ("m", "c"):
        traced._save_for_lite_interpreter(str(tmp_path / f"{name}.ptl"))
    for i, name in enumerate(("members", "nonmembers")):
        np.savez(tmp_path / f"{name}.npz", images=images[30 * i : 30 * (i + 1)], labels=labels[30 * i : 30 * (i + 1)])
    said = run(
        "--original", tmp_path / "m.ptl", "--compressed", tmp_path / "c.ptl", "--data", tmp_path, "--outputs", "logits",
        "--layout", "NCHW", "--scale", "1/255", "--mean", "0.5", "--std", "1", "--out", tmp_path / "out",
    )  # fmt: skip
    assert "original tells who was a member" in said and "c: undecided whether it leaks more" in said
    assert "c was fed NCHW, (input * 0.00392157 - 0.5) / 1 and is right for" in said
    rows = {(r.setting, r.attack): r for r in open_results(tmp_path / "out").rows}
    compressed = rows["c", "audit-nr-loss"]
    assert compressed.framework == "pytorch-mobile"
    assert compressed.bytes == (tmp_path / "c.ptl").stat().st_size
    assert compressed.accuracy_members > compressed.accuracy
    assert rows["original", "audit-nr-loss"].framework == "none"
