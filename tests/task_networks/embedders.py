"""Networks without a head, one with two inputs, and CLIP."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from tests.small_networks import Trunk
from tests.task_networks.common import CONVNEXT, Build


def headless() -> nn.Module:
    import timm

    network: nn.Module = timm.create_model("resnet10t", pretrained=False, num_classes=0)
    return network


def features_only() -> nn.Module:
    import timm

    network: nn.Module = timm.create_model("resnet10t", pretrained=False, features_only=True)
    return network


def dinov2() -> nn.Module:
    import transformers

    return transformers.Dinov2Model(
        transformers.Dinov2Config(
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=64,
            patch_size=16,
        )
    )


def convnext() -> nn.Module:
    import transformers

    return transformers.ConvNextModel(transformers.ConvNextConfig(**CONVNEXT))


def convnext_backbone() -> nn.Module:
    import transformers

    config = transformers.ConvNextConfig(**CONVNEXT, out_features=["stage2", "stage4"])
    return transformers.ConvNextBackbone(config)


EMBEDDERS: dict[str, Build] = {
    "timm: num_classes=0": headless,
    "timm: features_only": features_only,
    "hf: DINOv2": dinov2,
    "hf: ConvNeXt backbone": convnext_backbone,
    "hf: ConvNeXt without a head": convnext,
}


class Scaled(Trunk):
    """Takes a number beside the image."""

    def forward(self, image: Tensor, scale: Tensor) -> Tensor:  # type: ignore[override]
        scores: Tensor = super().forward(image) * scale
        return scores


def save_clip(folder: Path) -> Path:
    """A tiny CLIP and its tokenizer, saved as the hub's are."""
    import transformers

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
