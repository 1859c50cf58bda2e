"""Detectors."""

from __future__ import annotations

import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import detection
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from tests.task_networks.common import PLAIN, SIDE, STAGES, Build, conv_block

PAGE = Path(__file__).parents[2] / "docs" / "questions.md"

RCNN: dict[str, Any] = {
    "min_size": SIDE,
    "max_size": SIDE,
    "rpn_score_thresh": 0.0,
    "rpn_post_nms_top_n_test": 50,
    "box_score_thresh": 0.0,
    "box_detections_per_img": 5,
}
ONE_STAGE: dict[str, Any] = {"score_thresh": 0.0, "detections_per_img": 5}


def pyramid() -> nn.Module:
    """A ResNet-18 with a feature pyramid, as torchvision's detectors have."""
    network: nn.Module = detection.backbone_utils.resnet_fpn_backbone(
        backbone_name="resnet18", weights=None
    )
    return network


def faster_rcnn() -> nn.Module:
    return detection.fasterrcnn_mobilenet_v3_large_320_fpn(**PLAIN, **RCNN)


def small_box_head(classes: int) -> dict[str, nn.Module]:
    """A narrow head for boxes."""
    return {
        "box_head": detection.faster_rcnn.TwoMLPHead(256 * 49, 16),
        "box_predictor": detection.faster_rcnn.FastRCNNPredictor(16, classes),
    }


def mask_rcnn() -> nn.Module:
    return detection.MaskRCNN(
        pyramid(),
        **RCNN,
        **small_box_head(4),
        mask_head=detection.mask_rcnn.MaskRCNNHeads(256, (16,), 1),
        mask_predictor=detection.mask_rcnn.MaskRCNNPredictor(16, 16, 4),
    )


def keypoint_rcnn() -> nn.Module:
    return detection.KeypointRCNN(
        pyramid(),
        **RCNN,
        **small_box_head(2),
        keypoint_head=detection.keypoint_rcnn.KeypointRCNNHeads(256, (16,)),
        keypoint_predictor=detection.keypoint_rcnn.KeypointRCNNPredictor(16, 3),
    )


def retinanet() -> nn.Module:
    return detection.RetinaNet(
        detection.backbone_utils.resnet_fpn_backbone(
            backbone_name="resnet18",
            weights=None,
            returned_layers=[2, 3, 4],
            extra_blocks=LastLevelP6P7(256, 256),
        ),
        4,
        min_size=SIDE,
        max_size=SIDE,
        **ONE_STAGE,
    )


def fcos() -> nn.Module:
    backbone = detection.backbone_utils.resnet_fpn_backbone(
        backbone_name="resnet18",
        weights=None,
        returned_layers=[2, 3, 4],
        extra_blocks=LastLevelP6P7(256, 256),
    )
    return detection.FCOS(backbone, 4, min_size=SIDE, max_size=SIDE, **ONE_STAGE)


class TwoScales(nn.Module):
    """Maps at 1/4 and 1/8, as SSD reads them."""

    out_channels = (16, 32)

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(conv_block(3, 16), nn.MaxPool2d(4))
        self.second = nn.Sequential(conv_block(16, 32), nn.MaxPool2d(2))

    def forward(self, image: Tensor) -> OrderedDict[str, Tensor]:
        first = self.first(image)
        return OrderedDict(fine=first, coarse=self.second(first))


def ssd() -> nn.Module:
    """torchvision's SSD on a small trunk: its own are made for 300 pixels."""
    boxes = detection.anchor_utils.DefaultBoxGenerator([[2], [2, 3]])
    head = detection.ssd.SSDHead([16, 32], boxes.num_anchors_per_location(), 4)
    return detection.ssd.SSD(TwoScales(), boxes, (SIDE, SIDE), 4, head=head, **ONE_STAGE)


def ssdlite() -> nn.Module:
    return detection.ssdlite320_mobilenet_v3_large(**PLAIN, **ONE_STAGE)


def resnet_config() -> Any:
    import transformers

    return transformers.ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage4"],
    )


def detr() -> nn.Module:
    import transformers

    return transformers.DetrForObjectDetection(
        transformers.DetrConfig(
            use_timm_backbone=False,
            use_pretrained_backbone=False,
            backbone=None,
            backbone_config=resnet_config(),
            d_model=16,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=16,
            decoder_ffn_dim=16,
            num_queries=5,
            num_labels=4,
        )
    )


def yolos() -> nn.Module:
    import transformers

    return transformers.YolosForObjectDetection(
        transformers.YolosConfig(
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=16,
            image_size=[64, 64],
            patch_size=16,
            num_detection_tokens=5,
            num_labels=4,
        )
    )


def rt_detr() -> nn.Module:
    import transformers

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


class RawYolo(nn.Module):
    """A stand-in whose output is shaped as YOLO's (n, 4 + classes, k): two anchors, the left and
    the right half; each class's score is the sigmoid of a color's mean there."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1, bias=False)
        with torch.no_grad():
            self.conv.weight.copy_(torch.eye(3)[:, :, None, None] * 4)

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        maps = self.conv(image)
        side = image.shape[-1]
        halves = maps[..., : side // 2], maps[..., side // 2 :]
        scores = torch.stack([half.mean((2, 3)).sigmoid() for half in halves], 2)
        corners = [[side / 4, side * 3 / 4], [side / 2] * 2, [side / 2] * 2, [side] * 2]
        boxes = torch.tensor(corners).expand(len(image), 4, 2)
        return torch.cat([boxes, scores], 1), [maps]


def yolo() -> nn.Module:
    """The stand-in in the adapter of docs/questions.md."""
    names: dict[str, Any] = {}
    code = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    exec(compile("".join(code), PAGE.name, "exec"), names)
    network: nn.Module = names["Yolo"](RawYolo())
    return network


DETECTORS: dict[str, Build] = {
    "torchvision: Faster R-CNN": faster_rcnn,
    "torchvision: Mask R-CNN": mask_rcnn,
    "torchvision: Keypoint R-CNN": keypoint_rcnn,
    "torchvision: RetinaNet": retinanet,
    "torchvision: FCOS": fcos,
    "torchvision: SSD": ssd,
    "torchvision: SSDlite": ssdlite,
    "hf: DETR": detr,
    "hf: RT-DETR": rt_detr,
    "hf: YOLOS": yolos,
    "YOLO (stand-in, adapter)": yolo,
}
