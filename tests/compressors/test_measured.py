from pathlib import Path

import numpy as np
import pytest

from compleak.compressors.measured import ArtifactMismatchError, check, distinct_values, measure
from compleak.compressors.protocol import Weight
from compleak.compressors.settings import parse_setting


def conv(zeros: int) -> Weight:
    values = np.arange(1, 101, dtype=np.float32)
    values[:zeros] = 0
    return Weight("conv", values.reshape(10, 10, 1, 1))


def test_sparsity_bytes_and_types_are_counted_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * 5000)
    dense = Weight("dense", np.ones((10, 10), np.int8), scales=np.array([0.1]))
    measured = measure(path, (conv(60), dense))
    assert measured.sparsity == pytest.approx(60 / 200)
    assert measured.bytes == 5000
    assert measured.bytes_gzip < 100
    assert measured.distinct_values == 41
    assert measured.weight_dtypes == ("float32", "int8")


def test_each_layer_must_show_magnitude_pruning() -> None:
    setting = parse_setting("pruning-magnitude-0.6")
    check(setting, (conv(60),))
    with pytest.raises(ArtifactMismatchError, match=r"conv: sparsity 0\.400, asked for 0\.6"):
        check(setting, (conv(60), conv(40), conv(100)))


def test_global_pruning_counts_all_layers_together() -> None:
    setting = parse_setting("pruning-global-0.6")
    check(setting, (conv(20), conv(100)))
    with pytest.raises(ArtifactMismatchError):
        check(setting, (conv(20), conv(60)))


def test_filter_pruning_needs_whole_filters() -> None:
    setting = parse_setting("pruning-filter-l1-0.5")
    check(setting, (conv(50),))
    scattered = conv(0).values.copy()
    scattered[:, :5] = 0
    with pytest.raises(ArtifactMismatchError, match=r"sparsity 0\.000"):
        check(setting, (Weight("conv", scattered),))


def test_clusters_are_counted_per_channel_where_scales_are() -> None:
    values = np.stack([np.repeat(np.arange(4), 4), np.repeat(np.arange(10, 14), 4)]).astype(np.int8)
    per_channel = Weight("w", values, scales=np.array([0.1, 0.2]))
    per_tensor = Weight("w", values, scales=np.array([0.1]))
    assert (distinct_values(per_channel), distinct_values(per_tensor)) == (4, 8)
    check(parse_setting("clustering-k4"), (per_channel,))
    with pytest.raises(ArtifactMismatchError, match="8 distinct values, asked for at most 4"):
        check(parse_setting("clustering-k4"), (per_tensor,))


def test_a_stored_value_that_stands_for_zero_is_a_zero(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"x")
    table = Weight("table", np.array([[3, 0, 3], [1, 2, 3]], np.int8), scales=np.array([0.1]), zero_point=3)
    assert measure(path, (table,)).sparsity == pytest.approx(3 / 6)


def test_distinct_values_are_those_of_the_layers_that_are_clustered(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"x")
    dense = Weight("dense", np.tile(np.array([1, 2], np.float32), (4, 4)))
    table = Weight("table", np.arange(100, dtype=np.float32), spared=True)
    assert measure(path, (dense, table)).distinct_values == 2
    assert measure(path, (table,)).distinct_values == 100


def test_int4_is_asked_of_every_layer_but_those_without_a_4_bit_form() -> None:
    from ml_dtypes import int4

    setting = parse_setting("quantization-int4-weights")
    dense = Weight("dense", np.ones((4, 4), int4), scales=np.array([0.1]))
    depthwise = Weight("depthwise", np.ones((4, 4), np.float32), spared=True)
    check(setting, (dense, depthwise))
    with pytest.raises(ArtifactMismatchError, match="dense8: stored as int8, asked for int4"):
        check(setting, (dense, Weight("dense8", np.ones((4, 4), np.int8), scales=np.array([0.1]))))


@pytest.mark.parametrize("kind", ["int8-static", "int8-qat", "float16", "dynamic", "int8-weights", "int4-weights"])
def test_a_float_file_does_not_pass_for_a_quantized_one(kind: str) -> None:
    with pytest.raises(ArtifactMismatchError, match="stored as float32"):
        check(parse_setting(f"quantization-{kind}"), (conv(0),))


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("dynamic", "dynamic int8"),
        ("int8-static", "static int8"),
        ("int8-qat", "static int8"),
        ("int8-weights", "float"),
    ],
)
def test_int8_kinds_are_told_apart_by_how_a_layer_takes_its_inputs(kind: str, shown: str) -> None:
    def file(taken: str) -> tuple[Weight, ...]:
        dense = Weight("dense", np.ones((4, 4), np.int8), scales=np.array([0.1]), activations=taken)
        return dense, Weight("table", np.ones((4, 4), np.int8), scales=np.array([0.1]), spared=True)

    check(parse_setting(f"quantization-{kind}"), file(shown))
    for taken in {"float", "dynamic int8", "static int8"} - {shown}:
        with pytest.raises(ArtifactMismatchError, match=f"dense: takes activations of {taken}, asked for {shown}"):
            check(parse_setting(f"quantization-{kind}"), file(taken))
