"""The networks: published parameter counts, shapes, and what the compressors need of them."""

import pytest
import torch
from torch import nn
from torch.ao.quantization import get_default_qconfig_mapping
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

from compleak.models.networks import NETWORKS, NetworkSpec, build

IMAGES = [(28, 28, 1), (32, 32, 3)]


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("name", "classes", "published"),
    [
        # 11,173,962: CompLeak's ResNet-18, measured on its authors' code.
        ("resnet18", 10, 11_173_962),
        # 3,504,872: MobileNetV2 at 1,000 classes (3.4 M in the paper), as in torchvision; strides cost nothing.
        ("mobilenetv2", 1000, 3_504_872),
        # 14,728,266 in the CIFAR form, less 4,224 convolution biases, which batch normalisation makes redundant.
        ("vgg16bn", 10, 14_728_266 - 4_224),
        # 269,722 with parameter-free shortcuts (0.27 M in He et al. 2016, table 6), plus two projections with their
        # batch normalisation.
        ("resnet20", 10, 269_722 + (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)),
        # 78,666 in MLPerf Tiny's ResNet-8, which has convolution biases and counts moving statistics, but has no batch
        # normalisation on its two projections.
        ("resnet8", 10, 78_666 - 336 - 480 + 2 * (32 + 64)),
    ],
)
def test_a_network_has_as_many_parameters_as_published(name, classes, published):
    with torch.device("meta"):
        network = build(NetworkSpec(name=name, image=(32, 32, 3), classes=classes))
    assert parameters(network) == published


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_maps_images_to_one_logit_a_class(name, image):
    network = build(NetworkSpec(name=name, width=4, image=image, classes=7)).eval()
    logits = network(torch.rand(3, image[2], *image[:2]))
    assert logits.shape == (3, 7)
    assert logits.dtype == torch.float32
    assert logits.std() > 0


@pytest.mark.parametrize("name", NETWORKS)
def test_doubling_the_width_about_quadruples_the_parameters(name):
    with torch.device("meta"):
        narrow, wide = (build(NetworkSpec(name=name, width=w, image=(28, 28, 1), classes=10)) for w in (16, 32))
    assert 3.2 < parameters(wide) / parameters(narrow) < 4.0


@pytest.mark.parametrize("name", NETWORKS)
def test_too_small_an_image_is_refused_with_the_reason(name):
    with pytest.raises(ValueError, match=rf"{name} shrinks its images \d+ times.*only 3 x 32 pixels"):
        build(NetworkSpec(name=name, width=4, image=(3, 32, 1), classes=2))


def test_the_smallest_image_of_each_stride_is_accepted():
    for name, side in {"resnet8": 4, "resnet20": 4, "resnet18": 16, "vgg16bn": 16, "mobilenetv2": 16}.items():
        network = build(NetworkSpec(name=name, width=4, image=(side, side, 1), classes=2)).eval()
        assert network(torch.rand(1, 1, side, side)).shape == (1, 2)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_traced_network_computes_the_same_at_another_batch_size(name):
    network = build(NetworkSpec(name=name, width=4, image=(28, 28, 1), classes=3)).eval()
    traced = torch.jit.freeze(torch.jit.trace(network, torch.rand(1, 1, 28, 28)))
    batch = torch.rand(5, 1, 28, 28)
    torch.testing.assert_close(traced(batch), network(batch), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_fx_quantization_leaves_no_float_convolution_or_addition(name):
    network = build(NetworkSpec(name=name, width=4, image=(28, 28, 1), classes=3)).eval()
    example = torch.rand(8, 1, 28, 28)
    prepared = prepare_fx(network, get_default_qconfig_mapping("qnnpack"), (example,))
    prepared(example)
    quantized = convert_fx(prepared)
    assert not [m for m in quantized.modules() if type(m) in (nn.Conv2d, nn.BatchNorm2d, nn.Linear)]
    dequantized = [n for n in quantized.graph.nodes if n.target == "dequantize"]
    assert len(dequantized) == 1, "the graph should stay quantized up to its logits"


def test_resnet18_keeps_compleaks_pool_and_dropout():
    network = build(NetworkSpec(name="resnet18", width=4, image=(32, 32, 3), classes=10))
    stem = network.get_submodule("conv")
    assert (stem.kernel_size, stem.stride) == ((3, 3), (1, 1))
    pool = network.get_submodule("pool")
    assert (pool.kernel_size, pool.stride, pool.padding) == (3, 2, 1)
    assert network.get_submodule("head.dropout").p == 0.5
