"""The encoders: shapes as their specs promise, the arrangement of an answer, positions, traces, quantization."""

import pytest
import torch
from torch import nn

from compleak.models.networks import ENCODERS, EncoderSpec, build
from compleak.models.networks.encoders import Attention, VisionTransformer, heads_of, sine_positions

SPECS = [
    EncoderSpec(name="resnet8-encoder", width=4, image=(16, 12, 3)),
    EncoderSpec(name="resnet18-encoder", width=4, image=(16, 24, 1)),
    EncoderSpec(name="vit-tiny", width=128, layers=2, image=(8, 12, 3)),
    EncoderSpec(name="vit-tiny", width=20, layers=1, image=(12, 8, 1)),
]


def _images(spec: EncoderSpec, count: int = 2) -> torch.Tensor:
    height, width, channels = spec.image
    return torch.randn(count, channels, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.name}-{spec.width}")
def test_an_answer_has_the_promised_shape_and_can_be_traced_for_any_batch(spec: EncoderSpec) -> None:
    torch.manual_seed(0)
    network = build(spec).eval()
    torch.manual_seed(0)
    again = build(spec).eval()
    traced = torch.jit.trace(network, _images(spec))
    assert not list(traced.graph.findAllNodes("aten::size"))
    symbolic = torch.fx.symbolic_trace(network)
    images = _images(spec, 3)
    with torch.no_grad():
        answer = network(images)
        assert tuple(answer.shape) == (3, *spec.outputs)
        assert torch.equal(answer, again(images))
        torch.testing.assert_close(traced(images), answer)
        torch.testing.assert_close(symbolic(images), answer)
        torch.testing.assert_close(network(images[1:2]), answer[1:2], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", list(ENCODERS))
def test_usual_sizes(name: str) -> None:
    spec = EncoderSpec(name=name, image=(32, 32, 3))
    with torch.no_grad():
        answer = build(spec).eval()(_images(spec, 1))
    assert tuple(answer.shape[1:]) == spec.outputs
    assert spec.outputs == {"resnet8-encoder": (65, 64), "resnet18-encoder": (17, 512), "vit-tiny": (65, 192)}[name]


def test_vit_tiny_has_the_parameters_of_deit_tiny_less_its_head_cls_and_positions() -> None:
    network = build(EncoderSpec(name="vit-tiny", image=(32, 32, 3)))
    # DeiT-tiny, Touvron et al. 2021 (patch 16, 224 px, 1,000 classes) has 5,717,416 parameters.
    parts = 192 * 1000 + 1000 + 192 * (1 + 1 + 196) + (16**2 - 4**2) * 3 * 192
    assert sum(p.numel() for p in network.parameters()) == 5_717_416 - parts
    assert heads_of(192) == 3


def test_a_residual_embedding_is_the_mean_of_its_map_row_by_row() -> None:
    network = build(SPECS[0]).eval()
    images = _images(SPECS[0])
    with torch.no_grad():
        answer = network(images)
        feature_map = network[:-1](images)
    torch.testing.assert_close(answer[:, 0], answer[:, 1:].mean(dim=1))
    torch.testing.assert_close(answer[:, 1 + 1 * 3 + 2], feature_map[:, :, 1, 2])


def test_attention_is_that_of_torch() -> None:
    torch.manual_seed(0)
    ours, theirs = Attention(12, 3), nn.MultiheadAttention(12, 3, batch_first=True)
    theirs.load_state_dict(
        {
            "in_proj_weight": ours.qkv.weight,
            "in_proj_bias": ours.qkv.bias,
            "out_proj.weight": ours.proj.weight,
            "out_proj.bias": ours.proj.bias,
        }
    )
    x = torch.randn(2, 5, 12)
    torch.testing.assert_close(ours(x), theirs(x, x, x, need_weights=False)[0])


def test_positions_are_sines_of_columns_and_rows() -> None:
    table = sine_positions(2, 3, 9)
    assert table.shape == (1, 6, 9)
    row, column = 1, 2  # the last position; frequencies 1 and 1/100
    angles = torch.tensor([column, column / 100, row, row / 100])
    expected = torch.cat([angles[:2].sin(), angles[:2].cos(), angles[2:].sin(), angles[2:].cos(), torch.zeros(1)])
    torch.testing.assert_close(table[0, 5], expected)


def test_a_transformer_takes_patches_row_by_row_and_is_normalised_at_its_end() -> None:
    spec = EncoderSpec(name="vit-tiny", width=16, layers=1, image=(8, 12, 1))
    network = build(spec).eval()
    assert isinstance(network, VisionTransformer)
    image = torch.zeros(1, 1, 8, 12)
    image[..., 4:, 8:] = 1  # the last patch of the second row
    with torch.no_grad():
        changed = (network.tokens(image) - network.tokens(torch.zeros_like(image))).abs().sum(dim=2)[0]
        answer = network(image)
    assert changed[:6].eq(0).all() and changed[6] > 0
    torch.testing.assert_close(answer.mean(dim=2), torch.zeros(1, 7), atol=1e-5, rtol=0)


def test_images_of_another_size_are_refused_by_a_transformer() -> None:
    network = build(SPECS[2])
    with pytest.raises(RuntimeError, match="must match"):
        network(torch.zeros(1, 3, 16, 16))


@pytest.mark.filterwarnings("ignore")
def test_residual_encoders_can_be_quantized_in_graph_mode() -> None:
    from torch.ao.quantization import get_default_qconfig_mapping
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

    network = build(SPECS[0]).eval()
    images = _images(SPECS[0], 8)
    before = torch.backends.quantized.engine
    try:
        torch.backends.quantized.engine = "qnnpack"
        mapping = get_default_qconfig_mapping("qnnpack").set_module_name("answer", None)
        prepared = prepare_fx(network, mapping, (images,))
        prepared(images)
        quantized = convert_fx(prepared)
        with torch.no_grad():
            error = (quantized(images) - network(images)).abs().mean() / network(images).abs().mean()
    finally:
        torch.backends.quantized.engine = before
    assert "quantize_per_tensor" in quantized.code
    assert 0 < error < 0.1
