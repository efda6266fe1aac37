"""The page docs/audit.md: its snippets are run as they stand, and its tables say what the program does."""

import re
from pathlib import Path

import numpy as np
import pytest

from compleak.benchmarks.audit.examples import read_examples
from compleak.benchmarks.audit.formulas import FORMULAS
from compleak.benchmarks.audit.runners import RUNNERS
from compleak.benchmarks.audit.subject import make_subject
from compleak.benchmarks.audit.tables import read_table

PAGE = (Path(__file__).parents[3] / "docs" / "audit.md").read_text()
N, CLASSES = 40, 3


def snippet(mark):
    """The one Python block with ``mark`` in it."""
    (block,) = (b for b in re.findall(r"```python\n(.*?)```", PAGE, re.S) if mark in b)
    return block


def run(mark, names):
    exec(snippet(mark), dict(names))  # noqa: S102  our own page


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        **{f"x_{g}": rng.normal(size=(N, 6)).astype(np.float32) for g in ("members", "nonmembers")},
        **{f"y_{g}": rng.integers(0, CLASSES, N) for g in ("members", "nonmembers")},
    }


def dumped(kind):
    tables = tuple(read_table(Path(f"{g}.npz"), kind) for g in ("members", "nonmembers"))
    return make_subject({"original": tables}, {"original": kind})


def test_numpy_and_python_snippets(arrays, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    weights = np.random.default_rng(1).normal(size=(6, CLASSES)).astype(np.float32)
    names = {**arrays, "predict": lambda x: x @ weights, "predict_int8": lambda x: np.rint(x @ weights * 4) / 4}
    run("predict: your own function", names)
    assert dumped("logits").members == N
    run("import compleak", names)
    assert "What could not be concluded" in capsys.readouterr().out
    assert (tmp_path / "my-audit" / "leaderboard.csv").is_file()


def test_pytorch_snippet(arrays, tmp_path, monkeypatch):
    import torch

    monkeypatch.chdir(tmp_path)
    tensors = {name: torch.from_numpy(value) for name, value in arrays.items()}
    run("import torch", {**tensors, "model": torch.nn.Linear(6, CLASSES)})
    assert dumped("logits").classes == CLASSES


@pytest.mark.tflite
def test_keras_snippet(arrays, tmp_path, monkeypatch):
    import keras

    monkeypatch.chdir(tmp_path)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(CLASSES, activation="softmax")])
    run("model.predict", {**arrays, "model": model})
    assert dumped("probabilities").nonmembers == N


def test_examples_are_read_as_the_page_says(tmp_path):
    np.savez(tmp_path / "members.npz", images=np.zeros((4, 6, 6), np.uint8), labels=np.arange(4))
    assert read_examples(tmp_path / "members.npz").inputs.shape == (4, 6, 6)


def test_tables_name_every_file_and_every_formula():
    stated = re.findall(r"^\| `(\.[a-z0-9]+)` \|", PAGE, re.M)
    assert set(stated) == set(RUNNERS)
    rows = "\n".join(line for line in PAGE.splitlines() if line.startswith("| `audit-"))
    assert set(re.findall(r"`(audit-[a-z-]+)`", rows)) == set(FORMULAS)
