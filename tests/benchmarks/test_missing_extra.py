"""A suite that lists a framework whose extra is not installed is refused before anything runs."""

import re

import pytest
from rich.console import Console

from compleak.benchmarks.cli import main
from compleak.benchmarks.run import _require_extras, run_suite
from compleak.benchmarks.schema import SuiteError
from compleak.benchmarks.suite_files import load_suite


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_suite_of_executorch_says_at_once_what_to_install(command, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("compleak.compressors.executorch.adapter.find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    given = ["compleak", command, "quickstart", "--set", "compress.executorch=[float32]"]
    monkeypatch.setattr("sys.argv", given)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "executorch and torchao not installed; run: pip install compleak-bench[executorch]" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("part", "says"),
    [("simclr", "needs kornia, which is not installed; run: pip install compleak-bench[ssl]"), ("mae", None)],
)
def test_an_encoder_that_cannot_be_trained_here_says_so_before_it_begins(part, says, monkeypatch, tmp_path):
    monkeypatch.setattr("compleak.benchmarks.run.find_spec", lambda name: None)
    suite = load_suite(f"encoders/{part}")
    if says is None:
        _require_extras(suite)
    else:
        with pytest.raises(SuiteError, match=re.escape(says)):
            run_suite(suite, tmp_path / "run", 0, Console(), Console(), "compleak run")
        assert list(tmp_path.iterdir()) == []
