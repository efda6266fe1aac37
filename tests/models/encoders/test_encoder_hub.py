"""Encoders of the hub, on tiny ones that the transformers library writes into a folder."""

import json
from pathlib import Path

import pytest
import torch
from transformers import (
    BertConfig,
    CLIPVisionConfig,
    CLIPVisionModel,
    Dinov2Config,
    Dinov2Model,
    ViTConfig,
    ViTMAEConfig,
    ViTMAEModel,
    ViTModel,
)

from compleak.models.data.pool import DataError
from compleak.models.encoders.hub import load_hub_encoder

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 12,
    "patch_size": 4,
}
FAMILIES = {
    "vit": (ViTConfig, ViTModel),
    "dinov2": (Dinov2Config, Dinov2Model),
    "vit_mae": (ViTMAEConfig, ViTMAEModel),
    "clip": (CLIPVisionConfig, CLIPVisionModel),
}


@pytest.fixture(params=list(FAMILIES))
def saved(request, tmp_path: Path) -> tuple[str, Path]:
    config, model = FAMILIES[request.param]
    torch.manual_seed(0)
    network = model(config(**SIZES))
    for layer in network.modules():  # an untrained LayerNorm would not show whether it was applied
        if isinstance(layer, torch.nn.LayerNorm):
            torch.nn.init.uniform_(layer.weight, 0.5, 2)
    network.save_pretrained(tmp_path)
    return request.param, tmp_path


def test_an_encoder_answers_as_ours_do(saved) -> None:
    family, folder = saved
    encoder = load_hub_encoder(str(folder))
    assert encoder.image == (12, 12, 3)
    images = torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    answer = encoder.module(images)
    assert tuple(answer.shape) == (2, 1 + 9, 16)
    assert not answer.requires_grad
    assert torch.equal(answer, encoder.module(images))
    torch.testing.assert_close(encoder.module(images[1:])[0], answer[1])
    if family == "clip":
        torch.testing.assert_close(answer[:, 0], encoder.module.model(pixel_values=images).pooler_output)


def test_patches_are_in_order(saved) -> None:
    encoder = load_hub_encoder(str(saved[1]))
    seen = []
    encoder.module.model.get_input_embeddings().register_forward_hook(lambda *call: seen.append(call[2]))
    blocks = [m for name, m in encoder.module.named_modules() if name.endswith((".layer.0", ".layers.0"))]
    blocks[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    image, changed = torch.zeros(1, 3, 12, 12), torch.zeros(1, 3, 12, 12)
    changed[:, :, 4:8, 8:] = 1  # patch 5 of 0 to 8
    encoder.module(torch.cat([image, changed]))
    tokens = seen[-1]
    assert (tokens[0] - tokens[1]).abs().sum(dim=1).nonzero().ravel().tolist() == [1 + 5]


def test_a_processor_s_constants_and_crop_are_taken(tmp_path: Path) -> None:
    Dinov2Model(Dinov2Config(**SIZES)).save_pretrained(tmp_path)
    about = {"image_processor_type": "BitImageProcessor", "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(about | {"crop_size": {"height": 8, "width": 8}}))
    encoder = load_hub_encoder(str(tmp_path))
    assert encoder.image == (8, 8, 3)
    assert encoder.normalization.mean == (0.1, 0.2, 0.3)
    assert tuple(encoder.module(torch.zeros(1, 3, 8, 8)).shape) == (1, 1 + 4, 16)


def test_what_is_no_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No encoder in"):
        load_hub_encoder(str(tmp_path))
    BertConfig().save_pretrained(tmp_path)
    with pytest.raises(DataError, match="is a bert; known are vit, dinov2"):
        load_hub_encoder(str(tmp_path))
