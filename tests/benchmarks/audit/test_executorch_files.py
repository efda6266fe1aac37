"""Auditing .pte files: run by ExecuTorch in a process of its own; without it, what to install is said."""

import numpy as np
import pytest

from compleak.benchmarks.audit import AuditError
from compleak.benchmarks.audit.layout import Layout
from compleak.benchmarks.audit.models import run_file
from compleak.benchmarks.audit.runners import open_model
from compleak.benchmarks.cli import main
from compleak.compressors.executorch.adapter import ExecutorchCompressor, missing_extra
from compleak.compressors.protocol import Finetuning, Target
from compleak.compressors.settings import parse_setting
from compleak.models.checkpoints import save_checkpoint
from compleak.models.inputs import Normalization
from compleak.models.networks import NetworkSpec, build

SPEC = NetworkSpec(name="resnet8", width=4, image=(12, 12, 1), classes=3)
NORMALIZATION = Normalization(mean=(0.5,), std=(0.25,))
NCHW = Layout("NCHW", 1 / 255, (0.5,), (0.25,))
IMAGES = np.random.default_rng(0).integers(0, 256, (37, 12, 12, 1)).astype(np.uint8)

needs_executorch = pytest.mark.skipif(missing_extra() is not None, reason=f"the extra executorch: {missing_extra()}")


@needs_executorch
def test_pte_of_the_adapter_gives_its_predictors_logits(tmp_path):
    adapter, path = ExecutorchCompressor(), tmp_path / "m.pte"
    save_checkpoint(build(SPEC).eval(), tmp_path / "model.safetensors")
    target = Target(SPEC, tmp_path / "model.safetensors", NORMALIZATION, IMAGES, np.zeros(len(IMAGES), np.int64))
    adapter.compress(target, parse_setting("quantization-int8-static"), Finetuning(), path, seed=0)
    ran = run_file(path, IMAGES, NCHW)
    np.testing.assert_allclose(ran.outputs, adapter.predictor(path, NORMALIZATION)(IMAGES), atol=1e-6)
    assert (ran.facts["framework"], ran.facts["weight_dtypes"], ran.notes) == ("executorch", "int8", ())
    with pytest.raises(AuditError, match=r"takes inputs of shape \[1, 12, 12\], got \[12, 12, 1\]"):
        open_model(path)(IMAGES.astype(np.float32))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(AuditError, match=r"m\.pte is not a \.pte file"):
        open_model(path)


def test_without_executorch_the_audit_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr("compleak.compressors.executorch.adapter.find_spec", lambda name: None)
    (tmp_path / "m.pte").write_bytes(b"any")
    with pytest.raises(AuditError, match=r"m\.pte.*pip install compleak-bench\[executorch\]"):
        open_model(tmp_path / "m.pte")


@pytest.mark.skipif(missing_extra() is None, reason="ExecuTorch is installed")
def test_without_executorch_the_command_ends_with_2(monkeypatch, tmp_path, capsys):
    (tmp_path / "m.pte").write_bytes(b"any")
    for group, images in (("members", IMAGES), ("nonmembers", 255 - IMAGES)):
        np.savez(tmp_path / f"{group}.npz", images=images, labels=np.arange(len(images)) % 3)
    given = ["--compressed", str(tmp_path / "m.pte"), "--data", str(tmp_path), "--outputs", "logits"]
    layout = ["--layout", "NCHW", "--scale", "1/255", "--mean", "0.5", "--std", "0.25"]
    monkeypatch.setattr("sys.argv", ["compleak", "audit", *given, *layout])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "pip install compleak-bench[executorch]" in capsys.readouterr().err.replace("\n", "")
