"""More networks of transformers, small and with random weights: each is read as what it is."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch.nn import functional

import convscope
from convscope.errors import TargetError

transformers = pytest.importorskip("transformers")

STAGES = ["stage1", "stage2", "stage3", "stage4"]
CONVNEXT = {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 8, 16, 16]}


def rt_detr():
    backbone = transformers.RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 16, 16],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=STAGES[1:],
    )
    return transformers.RTDetrForObjectDetection(
        transformers.RTDetrConfig(
            backbone_config=backbone,
            encoder_hidden_dim=16,
            encoder_in_channels=[16, 16, 16],
            encoder_layers=1,
            encoder_ffn_dim=16,
            encoder_attention_heads=2,
            d_model=16,
            decoder_in_channels=[16, 16, 16],
            decoder_ffn_dim=16,
            decoder_layers=1,
            decoder_attention_heads=2,
            num_queries=5,
            num_denoising=0,
            num_labels=4,
        )
    )


def upernet():
    return transformers.UperNetForSemanticSegmentation(
        transformers.UperNetConfig(
            backbone_config=transformers.ConvNextConfig(**CONVNEXT, out_features=STAGES),
            hidden_size=16,
            pool_scales=[1, 2],
            use_auxiliary_head=False,
            num_labels=4,
        )
    )


def mask2former():
    backbone = transformers.SwinConfig(
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 1, 1],
        window_size=2,
        image_size=64,
        out_features=STAGES,
    )
    return transformers.Mask2FormerForUniversalSegmentation(
        transformers.Mask2FormerConfig(
            backbone_config=backbone,
            feature_size=32,
            mask_feature_size=32,
            hidden_dim=32,
            encoder_feedforward_dim=16,
            dim_feedforward=16,
            encoder_layers=1,
            decoder_layers=2,
            num_attention_heads=2,
            num_queries=5,
            num_labels=4,
        )
    )


def convnext():
    return transformers.ConvNextModel(transformers.ConvNextConfig(**CONVNEXT))


def convnext_backbone():
    config = transformers.ConvNextConfig(**CONVNEXT, out_features=["stage2", "stage4"])
    return transformers.ConvNextBackbone(config)


@pytest.fixture(scope="module")
def photo():
    return torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("build", "task", "target"),
    [
        (rt_detr, "detection", "box:0"),
        (upernet, "segmentation", None),
        (mask2former, "segmentation", None),
        (convnext, "embedding", "like:sample:chelsea"),
        (convnext_backbone, "embedding", "like:sample:chelsea"),
    ],
)
def test_each_is_read_as_what_it_is(build, task, target, photo):
    torch.manual_seed(0)
    model = convscope.load_model(build().eval(), size=64)
    assert model.task == task
    assert convscope.predict(model, photo).picture().width > 64
    for method in ("saliency", None):
        heat = convscope.explain(model, photo, method=method, target=target)["heatmap"]
        assert np.abs(heat).max() > 0


def test_convnexts_embedding_is_the_pooled_output(photo):
    torch.manual_seed(0)
    network = convnext().eval()
    with torch.no_grad():
        expected = network(photo).pooler_output
    actual = convscope.predict(convscope.load_model(network, size=64), photo)["embedding"]
    np.testing.assert_allclose(actual, expected, atol=1e-6)


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    """A tiny CLIP and its tokenizer, saved as the hub's are."""
    folder = tmp_path_factory.mktemp("clip")
    letters = [chr(code) for code in range(97, 123)]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: at for at, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer.save_pretrained(folder)
    side = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "projection_dim": 8,
    }
    text = side | {
        "vocab_size": len(tokens),
        "bos_token_id": len(tokens) - 2,
        "eos_token_id": len(tokens) - 1,
    }
    torch.manual_seed(0)
    config = transformers.CLIPConfig(
        text_config=text,
        vision_config=side | {"image_size": 32, "patch_size": 8},
        projection_dim=8,
    )
    transformers.CLIPModel(config).eval().save_pretrained(folder)
    return folder


def test_clip_from_a_folder_is_asked_by_text(clip_folder):
    model = convscope.load_model(f"hf:{clip_folder}")
    assert (model.size, model.task) == ((32, 32), "embedding")
    photo = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    network = transformers.CLIPModel.from_pretrained(clip_folder).eval()
    tokenizer = transformers.CLIPTokenizer.from_pretrained(clip_folder)
    leaf = photo.clone().requires_grad_()
    output = network(**tokenizer("a cat", return_tensors="pt"), pixel_values=leaf)
    cosine = functional.cosine_similarity(output.image_embeds, output.text_embeds)
    expected = torch.autograd.grad(cosine.sum(), leaf)[0]
    heat = convscope.explain(model, photo, method="saliency", target="text:a cat")["attribution"]
    np.testing.assert_allclose(heat, expected, atol=1e-6)
    with pytest.raises(TargetError, match="needs a text"):
        convscope.explain(model, photo, target="text:")
