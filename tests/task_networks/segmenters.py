"""Segmenters."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models import resnet18, segmentation
from torchvision.models._utils import IntermediateLayerGetter

from tests.task_networks.common import CONVNEXT, PLAIN, STAGES, Build, conv_block


def fcn() -> nn.Module:
    """torchvision's FCN on a ResNet-18: its own are on ResNet-50 and larger."""
    trunk = IntermediateLayerGetter(resnet18(weights=None), {"layer4": "out"})
    return segmentation.FCN(trunk, segmentation.fcn.FCNHead(512, 4))


def deeplab() -> nn.Module:
    return segmentation.deeplabv3_mobilenet_v3_large(**PLAIN)


def lraspp() -> nn.Module:
    return segmentation.lraspp_mobilenet_v3_large(**PLAIN)


def segformer() -> nn.Module:
    import transformers

    return transformers.SegformerForSemanticSegmentation(
        transformers.SegformerConfig(
            hidden_sizes=[8, 8, 16, 16],
            depths=[1, 1, 1, 1],
            num_attention_heads=[1, 1, 2, 2],
            decoder_hidden_size=16,
            num_labels=4,
        )
    )


def upernet() -> nn.Module:
    import transformers

    return transformers.UperNetForSemanticSegmentation(
        transformers.UperNetConfig(
            backbone_config=transformers.ConvNextConfig(**CONVNEXT, out_features=STAGES),
            hidden_size=16,
            pool_scales=[1, 2],
            use_auxiliary_head=False,
            num_labels=4,
        )
    )


def mask2former() -> nn.Module:
    import transformers

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


class UNet(nn.Module):
    """One of one's own: two steps down, two up, the maps of each step handed across."""

    def __init__(self, classes: int = 4, width: int = 8) -> None:
        super().__init__()
        self.down1, self.down2 = conv_block(3, width), conv_block(width, 2 * width)
        self.bottom = conv_block(2 * width, 4 * width)
        self.up2 = nn.ConvTranspose2d(4 * width, 2 * width, 2, stride=2)
        self.joined2 = conv_block(4 * width, 2 * width)
        self.up1 = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.joined1 = conv_block(2 * width, width)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        first = self.down1(image)
        second = self.down2(self.pool(first))
        x = self.up2(self.bottom(self.pool(second)))
        x = self.up1(self.joined2(torch.cat([x, second], 1)))
        logits: Tensor = self.head(self.joined1(torch.cat([x, first], 1)))
        return logits


SEGMENTERS: dict[str, Build] = {
    "torchvision: FCN": fcn,
    "torchvision: DeepLabV3": deeplab,
    "torchvision: LR-ASPP": lraspp,
    "hf: SegFormer": segformer,
    "hf: UperNet": upernet,
    "hf: Mask2Former": mask2former,
    "U-Net": UNet,
}
