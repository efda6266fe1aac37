"""Running model files in a process of their own: right numbers, and no way for a file to take the audit down."""

import subprocess

import numpy as np
import pytest
import torch

from compleak.benchmarks.audit import AuditError, child, models
from compleak.benchmarks.audit.layout import Layout
from compleak.benchmarks.audit.models import run_file
from compleak.benchmarks.audit.runners import RUNNERS, open_model
from compleak.compressors.tflite.interpreter import ArtifactError
from compleak.models.checkpoints import load_network, save_checkpoint
from compleak.models.inputs import Normalization
from compleak.models.networks import NetworkSpec, build
from compleak.models.training import predict_logits

SPEC = NetworkSpec(name="resnet8", width=4, image=(12, 12, 1), classes=3)
NORMALIZATION = Normalization(mean=(0.5,), std=(0.25,))
NHWC = Layout("NHWC", 1 / 255, (0.5,), (0.25,))
NCHW = Layout("NCHW", 1 / 255, (0.5,), (0.25,))
PLAIN = Layout("as-is", 1.0, (0.0,), (1.0,))
IMAGES = np.random.default_rng(0).integers(0, 256, (37, 12, 12, 1)).astype(np.uint8)


def run_here(path, examples, layout):
    """Run a file in this process, which already has its framework."""
    return open_model(path)(layout.prepare(examples))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    network = build(SPEC)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
    path = tmp_path_factory.mktemp("checkpoint") / "model.safetensors"
    save_checkpoint(network, path)
    return path


@pytest.fixture(scope="module")
def expected(checkpoint):
    return predict_logits(load_network(SPEC, checkpoint), IMAGES, NORMALIZATION)


@pytest.fixture(scope="module")
def exported(checkpoint, tmp_path_factory):
    """The network as .pt2, for any batch size and for batches of 5."""
    network, folder = load_network(SPEC, checkpoint), tmp_path_factory.mktemp("pt2")
    blank = torch.zeros(5, 1, 12, 12)
    batch = {0: torch.export.Dim("batch", min=1, max=64)}
    torch.export.save(torch.export.export(network, (blank,), dynamic_shapes=(batch,)), folder / "any.pt2")
    torch.export.save(torch.export.export(network, (blank,)), folder / "five.pt2")
    return folder


def test_pt2_gives_the_networks_logits_in_a_process_of_its_own(exported, expected):
    ran = run_file(exported / "any.pt2", IMAGES, NCHW)
    np.testing.assert_allclose(ran.outputs, expected, atol=1e-4)
    assert ran.facts["framework"] == "pytorch"
    assert ran.facts["bytes"] == (exported / "any.pt2").stat().st_size


def test_pt2_of_a_fixed_batch_size_gives_them_too(exported, expected):
    np.testing.assert_allclose(run_here(exported / "five.pt2", IMAGES, NCHW), expected, atol=1e-4)


def test_the_wrong_layout_is_refused_with_both_shapes(exported):
    with pytest.raises(AuditError, match=r"takes inputs of shape \[1, 12, 12\], got \[12, 12, 1\]\. Try --layout NCHW"):
        run_here(exported / "any.pt2", IMAGES, NHWC)


@pytest.mark.parametrize("suffix", sorted(RUNNERS))
def test_a_file_of_noise_is_refused(suffix, tmp_path):
    path = tmp_path / f"noise{suffix}"
    path.write_bytes(np.random.default_rng(0).bytes(3000))
    with pytest.raises(ValueError, match="noise"):
        open_model(path)


def test_what_a_file_did_wrong_is_told_by_its_process(tmp_path):
    (tmp_path / "noise.keras").write_bytes(b"no zip")
    with pytest.raises(AuditError, match=r"noise\.keras is not a \.keras file"):
        run_file(tmp_path / "noise.keras", IMAGES, NHWC)


def test_no_message_names_an_exception(tmp_path):
    """Neither those of our own rooms nor a framework's: here a convolution that gets the channels last."""
    assert child._in_short(ArtifactError("m.tflite is damaged.")) == "m.tflite is damaged."
    assert child._in_short(KeyError()) == "it failed, and gave no reason"
    traced = torch.jit.trace(torch.nn.Conv2d(1, 2, 3), torch.zeros(2, 1, 12, 12))
    traced._save_for_lite_interpreter(str(tmp_path / "m.ptl"))
    with pytest.raises(AuditError, match=r"1 channels.* try another --layout than NHWC\.$") as refused:
        run_file(tmp_path / "m.ptl", IMAGES, NHWC)
    assert "Error" not in str(refused.value)


@pytest.mark.parametrize("suffix", sorted(RUNNERS))
def test_an_empty_file_is_said_to_be_empty(suffix, tmp_path):
    (tmp_path / f"m{suffix}").touch()
    with pytest.raises(AuditError, match="is empty"):
        run_file(tmp_path / f"m{suffix}", IMAGES, NHWC)


def test_unknown_and_missing_files_are_refused_before_anything_runs(tmp_path):
    with pytest.raises(AuditError, match=r"only .*tflite.* files are run"):
        run_file(tmp_path / "m.onnx", IMAGES, NCHW)
    with pytest.raises(AuditError, match="no file"):
        run_file(tmp_path / "m.tflite", IMAGES, NCHW)


def test_a_checkpoint_outside_a_run_is_refused(checkpoint):
    with pytest.raises(AuditError, match="weights without their network"):
        open_model(checkpoint)


def test_a_crash_is_told_and_survived(monkeypatch, exported):
    dying = ["import os, signal; print('last words'); os.kill(os.getpid(), signal.SIGSEGV)"]
    real = subprocess.run
    monkeypatch.setattr(models.subprocess, "run", lambda command, **more: real([command[0], "-c", *dying], **more))
    with pytest.raises(AuditError, match=r"brought its interpreter down: the process was killed by SIGSEGV"):
        run_file(exported / "any.pt2", IMAGES, NCHW)


def test_an_endless_model_is_stopped(tmp_path):
    class Endless(torch.nn.Module):
        def forward(self, x):
            while bool(x.mean() == x.mean()):
                x = x * 0 + 1
            return x

    module = torch.jit.script(Endless().eval())
    module._save_for_lite_interpreter(str(tmp_path / "endless.ptl"))
    with pytest.raises(AuditError, match=r"endless\.ptl was still running after 6 s and was stopped"):
        run_file(tmp_path / "endless.ptl", np.ones((4, 3), np.float32), PLAIN, timeout=6)


class Pair(torch.nn.Module):
    def forward(self, x):
        return x, x


class Wide(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(10, 4)

    def forward(self, ids):
        return self.table(ids).mean(1)


def test_a_model_of_two_outputs_is_refused(tmp_path):
    torch.export.save(torch.export.export(Pair(), (torch.zeros(2, 3),)), tmp_path / "pair.pt2")
    with pytest.raises(AuditError, match="must return one tensor"):
        run_here(tmp_path / "pair.pt2", np.ones((4, 3), np.float32), PLAIN)


def test_whole_numbers_reach_a_model_that_takes_them(tmp_path):
    torch.manual_seed(0)
    model = Wide()
    torch.export.save(torch.export.export(model, (torch.zeros(2, 3, dtype=torch.int64),)), tmp_path / "ids.pt2")
    ids = np.random.default_rng(0).integers(0, 10, (7, 3)).astype(np.int32)
    with torch.no_grad():
        own = model(torch.from_numpy(ids).long()).numpy()
    np.testing.assert_allclose(run_here(tmp_path / "ids.pt2", ids, PLAIN), own, rtol=1e-6)
    with pytest.raises(AuditError, match="no whole numbers"):
        run_here(tmp_path / "ids.pt2", ids + 0.5, PLAIN)


def test_ptl_of_the_adapter_gives_its_predictors_logits(checkpoint, tmp_path):
    from compleak.compressors.protocol import Finetuning, Target
    from compleak.compressors.pytorch_mobile.adapter import PytorchMobileCompressor
    from compleak.compressors.settings import parse_setting

    adapter = PytorchMobileCompressor()
    target = Target(SPEC, checkpoint, NORMALIZATION, IMAGES, np.zeros(len(IMAGES), np.int64))
    path = tmp_path / "m.ptl"
    adapter.compress(target, parse_setting("quantization-int8-static"), Finetuning(), path, seed=0)
    ran = run_file(path, IMAGES, NCHW)
    np.testing.assert_allclose(ran.outputs, adapter.predictor(path, NORMALIZATION)(IMAGES), atol=1e-5)
    assert ran.facts["framework"] == "pytorch-mobile"
    assert ran.facts["weight_dtypes"] == "int8"
    assert ran.notes == ()


@pytest.mark.tflite
@pytest.mark.parametrize("setting", ["float32", "quantization-int8-static"])
def test_tflite_of_the_adapter_gives_its_predictors_logits(setting, checkpoint, expected, tmp_path):
    from compleak.compressors.protocol import Finetuning, Target
    from compleak.compressors.settings import parse_setting
    from compleak.compressors.tflite.adapter import TfliteCompressor

    adapter = TfliteCompressor()
    target = Target(SPEC, checkpoint, NORMALIZATION, IMAGES, np.zeros(len(IMAGES), np.int64))
    path = tmp_path / "m.tflite"
    adapter.compress(target, parse_setting(setting), Finetuning(), path, seed=0)
    own = run_here(path, IMAGES, NHWC)
    np.testing.assert_allclose(own, adapter.predictor(path, NORMALIZATION)(IMAGES), atol=1e-5)
    if setting == "float32":
        np.testing.assert_allclose(own, expected, atol=1e-4)
    ran = run_file(path, IMAGES, NHWC)
    np.testing.assert_array_equal(ran.outputs, own)
    assert ran.facts["weight_dtypes"] == ("float32" if setting == "float32" else "int8")
    with pytest.raises(AuditError, match=r"takes inputs of shape \[12, 12, 1\], got \[1, 12, 12\]"):
        run_here(path, IMAGES, NCHW)
    damaged = bytearray(path.read_bytes())
    path.write_bytes(damaged[: len(damaged) // 2])
    with pytest.raises(ValueError, match=r"m\.tflite"):
        open_model(path)


def small_keras(keras):
    keras.utils.set_random_seed(0)
    image = keras.Input((12, 12, 1))
    x = keras.layers.Conv2D(4, 3, activation="relu")(image)
    return keras.Model(image, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))


@pytest.mark.tflite
@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_keras_files_of_both_libraries_are_run(library, tmp_path):
    import importlib

    keras = importlib.import_module(library)
    model = small_keras(keras)
    path = tmp_path / "m.keras"
    model.save(path)
    own = model.predict(NHWC.prepare(IMAGES), verbose=0)
    np.testing.assert_allclose(run_here(path, IMAGES, NHWC), own, atol=1e-5)


@pytest.mark.tflite
def test_tflite_with_an_int8_input_and_a_fixed_batch_is_run(tmp_path):
    """As other programs convert: int8 in and out, batches of one; the file's own scales do the rest."""
    import tensorflow as tf
    import tf_keras

    model = small_keras(tf_keras)
    prepared = NHWC.prepare(IMAGES)
    fixed = tf.function(lambda x: tf.nn.softmax(model(x))).get_concrete_function(tf.TensorSpec([1, 12, 12, 1]))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([fixed], model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([prepared[i : i + 1]] for i in range(len(prepared)))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    path = tmp_path / "int8.tflite"
    path.write_bytes(converter.convert())
    outputs = run_here(path, IMAGES, NHWC)
    exact = tf.nn.softmax(model(prepared)).numpy()
    np.testing.assert_allclose(outputs, exact, atol=0.03)
    assert (outputs * 256 == np.rint(outputs * 256)).all()
