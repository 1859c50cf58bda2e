"""Detectors, segmenters and backbones as people have them, small and with random weights: each
answers, and a gradient and a perturbation method run on its own kind of question."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from torchvision import models

import convscope
from convscope.errors import NoGradientError
from convscope.networks.model import Model

transformers = pytest.importorskip("transformers")

RESNET = {"weights": None, "weights_backbone": None, "num_classes": 4}
RCNN = RESNET | {"min_size": 64, "max_size": 64, "box_score_thresh": 0.0}


def faster_rcnn():
    return models.detection.fasterrcnn_mobilenet_v3_large_320_fpn(
        **RCNN, rpn_score_thresh=0.0, box_detections_per_img=5
    )


def mask_rcnn():
    return models.detection.maskrcnn_resnet50_fpn(**RCNN, box_detections_per_img=3)


def keypoint_rcnn():
    options = RCNN | {"num_classes": 2, "num_keypoints": 3}
    return models.detection.keypointrcnn_resnet50_fpn(**options, box_detections_per_img=3)


def retinanet():
    return models.detection.retinanet_resnet50_fpn(
        **RESNET, min_size=64, max_size=64, score_thresh=0.0, detections_per_img=5
    )


def fcos():
    return models.detection.fcos_resnet50_fpn(
        **RESNET, min_size=64, max_size=64, score_thresh=0.0, detections_per_img=5
    )


def ssdlite():
    return models.detection.ssdlite320_mobilenet_v3_large(
        **RESNET, score_thresh=0.0, detections_per_img=5
    )


def ssd():
    return models.detection.ssd300_vgg16(**RESNET, score_thresh=0.0, detections_per_img=5)


def resnet_config():
    return transformers.ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage4"],
    )


def detr():
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


def yolos():
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


DETECTORS = [
    faster_rcnn,
    mask_rcnn,
    keypoint_rcnn,
    retinanet,
    fcos,
    ssdlite,
    ssd,
    detr,
    yolos,
]

SLOW = (mask_rcnn, keypoint_rcnn, ssd)


def lraspp():
    return models.segmentation.lraspp_mobilenet_v3_large(**RESNET)


def fcn():
    return models.segmentation.fcn_resnet50(**RESNET)


def deeplab():
    return models.segmentation.deeplabv3_mobilenet_v3_large(**RESNET)


def segformer():
    return transformers.SegformerForSemanticSegmentation(
        transformers.SegformerConfig(
            hidden_sizes=[8, 8, 16, 16],
            depths=[1, 1, 1, 1],
            num_attention_heads=[1, 1, 2, 2],
            decoder_hidden_size=16,
            num_labels=4,
        )
    )


SEGMENTERS = [lraspp, fcn, deeplab, segformer]


def headless():
    return timm.create_model("resnet10t", pretrained=False, num_classes=0)


def features_only():
    return timm.create_model("resnet10t", pretrained=False, features_only=True)


def dinov2():
    return transformers.Dinov2Model(
        transformers.Dinov2Config(
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=64,
            patch_size=16,
        )
    )


EMBEDDERS = [headless, features_only, dinov2]


def loaded(build) -> Model:
    torch.manual_seed(0)
    return convscope.load_model(build().eval(), size=64)


@pytest.fixture
def photo():
    return torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("build", DETECTORS)
def test_detectors(build, photo):
    model = loaded(build)
    result = convscope.predict(model, photo)
    assert result.details.view == "detections"
    assert len(result.table) > 0
    assert result.picture().width > 64
    saliency = convscope.explain(model, photo, method="saliency", target="box:0")
    assert np.abs(saliency["heatmap"]).max() > 0
    if build in SLOW:
        return
    rise = convscope.explain(
        model, photo, method="d_rise", target="box:0", masks=2, cells=3, batch=2
    )
    assert rise["heatmap"].shape == (1, 64, 64)


@pytest.mark.parametrize("build", [faster_rcnn, detr])
def test_a_cam_of_a_box(build, photo):
    model = loaded(build)
    cam = convscope.explain(model, photo, target="box:0")
    assert "backbone" in cam.details["layer"]
    assert np.abs(cam["attribution"]).max() > 0


def test_layer_cam_over_the_pyramid(photo):
    """The levels of a feature pyramid, each divided by its maximum, at the finest one's size."""
    model = loaded(retinanet)
    levels = [f"backbone.fpn.layer_blocks.{level}.0" for level in range(3)]
    together = convscope.explain(model, photo, method="layer_cam", target="box:0", layer=levels)[
        "attribution"
    ]
    parts = []
    for level in levels:
        try:
            heat = convscope.explain(model, photo, method="layer_cam", target="box:0", layer=level)
        except NoGradientError:  # the box comes from another level
            parts.append(torch.zeros_like(torch.from_numpy(together)))
            continue
        part = torch.from_numpy(heat["attribution"]).clamp_min(0)
        part = part / part.max().clamp_min(1e-30)
        parts.append(
            torch.nn.functional.interpolate(
                part, together.shape[-2:], mode="bilinear", align_corners=False
            )
        )
    assert np.allclose(together, torch.stack(parts).mean(0), atol=1e-5)


@pytest.mark.parametrize("build", SEGMENTERS)
def test_segmenters(build, photo):
    model = loaded(build)
    result = convscope.predict(model, photo)
    assert result.details.view == "segmentation"
    label = result.table[0]["index"]
    cam = convscope.explain(model, photo, method="saliency", target=[None, f"mask:{label}"])
    assert np.array_equal(cam["attribution"][0], cam["attribution"][1])
    pixel = convscope.explain(
        model, photo, method="occlusion", target="pixel:30,40", window=32, stride=32
    )
    assert pixel["heatmap"].shape == (1, 64, 64)


@pytest.mark.parametrize("build", EMBEDDERS)
def test_embedders(build, photo, tmp_path):
    from PIL import Image

    model = loaded(build)
    assert convscope.predict(model, photo)["embedding"].ndim == 2
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    target = f"like:{tmp_path / 'red.png'}"
    saliency = convscope.explain(model, photo, method="saliency", target=target)
    assert np.abs(saliency["heatmap"]).max() > 0


def test_the_default_of_a_box_is_layer_cam_over_the_pyramid(photo):
    model = loaded(retinanet)
    result = convscope.explain(model, photo, target="box:0")
    levels = [f"backbone.fpn.layer_blocks.{level}" for level in range(3)]
    assert (result.details["method"], result.details["layer"]) == ("layer_cam", ", ".join(levels))
    named = convscope.explain(model, photo, target="box:0", method="layer_cam", layer=levels)
    assert np.array_equal(result["attribution"], named["attribution"])
    # A trunk that returns several maps is not mistaken for its first one.
    cam = convscope.explain(model, photo, target="box:0", method="grad_cam")
    assert str(cam.details["layer"]).startswith("backbone.body.layer4")
