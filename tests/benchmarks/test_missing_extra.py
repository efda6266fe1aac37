"""A suite that lists a framework whose extra is not installed is refused before anything runs."""

import pytest

from compleak.benchmarks.cli import main


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
