"""A suite that lists a framework whose extra is not installed is refused before anything runs."""

import re

import pytest
from rich.console import Console

from compleak.benchmarks.cli import main
from compleak.benchmarks.extras import lacking
from compleak.benchmarks.run import run_suite
from compleak.benchmarks.schema import SuiteError
from compleak.benchmarks.suite_files import load_suite


@pytest.mark.parametrize(
    ("framework", "says"),
    [
        ("executorch", "executorch and torchao not installed; run: pip install compleak-bench[executorch]"),
        ("tflite", "run: pip install tensorflow tf_keras tensorflow-model-optimization"),
    ],
)
def test_a_suite_says_before_it_runs_what_its_frameworks_lack(framework, says, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(f"compleak.compressors.{framework}.adapter.find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    given = ["quickstart", "--set", f"compress.{framework}=[float32]"]
    monkeypatch.setattr("sys.argv", ["compleak", "plan", *given])
    with pytest.raises(SystemExit) as planned:
        main()
    assert planned.value.code in (None, 0)
    assert says in " ".join(capsys.readouterr().out.split())
    monkeypatch.setattr("sys.argv", ["compleak", "run", *given])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert says in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("part", "says"),
    [("simclr", "needs kornia, which is not installed; run: pip install compleak-bench[ssl]"), ("mae", None)],
)
def test_an_encoder_that_cannot_be_trained_here_says_so_before_it_begins(part, says, monkeypatch, tmp_path):
    monkeypatch.setattr("compleak.benchmarks.extras.find_spec", lambda name: None)
    suite = load_suite(f"encoders/{part}")
    if says is None:
        assert list(lacking(suite)) == []
    else:
        with pytest.raises(SuiteError, match=re.escape(says)):
            run_suite(suite, tmp_path / "run", 0, Console(), Console(), "compleak run")
        assert list(tmp_path.iterdir()) == []
