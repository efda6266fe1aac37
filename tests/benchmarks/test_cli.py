import subprocess
import sys
from pathlib import Path

import pytest


def compleak(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "compleak", *arguments], capture_output=True, text=True, check=False, cwd=cwd
    )


def test_list_shows_every_kind_and_imports_no_framework() -> None:
    shown = compleak("list")
    assert shown.returncode == 0
    for name in ("fashion-mnist", "resnet18", "pytorch-mobile", "compleak-sr2-rf", "quickstart"):
        assert name in shown.stdout
    code = (
        "import sys; from compleak.benchmarks.catalog import entries; entries();"
        "print([m for m in ('torch', 'tensorflow', 'sklearn', 'xarray', 'pandas', 'datasets') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"


def test_plan_counts_nodes_and_writes_nothing(tmp_path: Path) -> None:
    shown = compleak("plan", "quickstart", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "compress" in shown.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "quickstrat"], "Did you mean 'quickstart'"),
        (["plan", "quickstart", "--set", "training.epoch=3"], "Did you mean 'epochs'"),
        (["plan", "quickstart", "--set", "compress.tflite=[pruning-global-0.6]"], "tflite cannot do"),
        (["data", "fetch", "cifar11"], "cifar10"),
        (["list", "attack"], "attacks"),
        (["nonsense"], "No such command"),
    ],
)
def test_a_mistake_ends_with_code_2_and_no_traceback(arguments: list[str], says: str, tmp_path: Path) -> None:
    shown = compleak(*arguments, cwd=tmp_path)
    assert shown.returncode == 2
    assert says in shown.stderr.replace("\n", " ")
    assert "Traceback" not in shown.stderr + shown.stdout
    assert list(tmp_path.iterdir()) == []


def test_help_has_examples() -> None:
    assert "compleak run quickstart" in compleak("run", "--help").stdout
