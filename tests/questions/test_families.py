"""Detectors, segmenters and backbones as people have them, small and with random weights: each
answers, and a gradient and a perturbation method run on its own kind of question."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import convscope
from convscope.errors import NoGradientError
from convscope.networks.model import Model
from convscope.probe import Probe
from tests.task_networks.detectors import (
    DETECTORS,
    detr,
    faster_rcnn,
    retinanet,
    ssd,
    ssdlite,
    yolos,
)
from tests.task_networks.embedders import EMBEDDERS
from tests.task_networks.segmenters import SEGMENTERS

pytest.importorskip("transformers")


def loaded(build) -> Model:
    torch.manual_seed(0)
    return convscope.load_model(build().eval(), size=64)


@pytest.fixture
def photo():
    return torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("build", DETECTORS.values(), ids=list(DETECTORS))
def test_detectors(build, photo):
    model = loaded(build)
    result = convscope.predict(model, photo)
    assert result.details.view == "detections"
    assert len(result.table) > 0
    assert result.picture().width > 64
    saliency = convscope.explain(model, photo, method="saliency", target="box:0")
    assert np.abs(saliency["heatmap"]).max() > 0
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


@pytest.mark.parametrize("build", SEGMENTERS.values(), ids=list(SEGMENTERS))
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


@pytest.mark.parametrize("build", EMBEDDERS.values(), ids=list(EMBEDDERS))
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


@pytest.mark.parametrize("build", [ssd, ssdlite])
def test_the_default_of_an_ssds_box_is_layer_cam_over_its_scales(build, photo):
    """The layers whose maps its head reads, by the head's own inputs."""
    model = loaded(build)
    heads_inputs = []
    handle = model.network.head.register_forward_pre_hook(
        lambda module, inputs: heads_inputs.extend(inputs[0])
    )
    with torch.no_grad():
        model(model.preprocess(photo))
    handle.remove()
    scales = [tuple(maps.shape[1:]) for maps in heads_inputs if min(maps.shape[2:]) > 1]
    result = convscope.explain(model, photo, target="box:0")
    layers = str(result.details["layer"]).split(", ")
    assert result.details["method"] == "layer_cam"
    maps = convscope.activations(model, photo, layers=layers)
    assert [maps[layer].shape[1:] for layer in layers] == scales
    for layer, read in zip(layers, heads_inputs, strict=False):
        np.testing.assert_allclose(maps[layer], read, atol=1e-5)
    assert result["heatmap"].max() > 0


def test_the_detection_tokens_of_yolos_are_no_places(photo):
    """Tokens are class, patches, detections, in this order."""
    model = loaded(yolos)
    with torch.no_grad():
        tokens = model.network.vit(model.preprocess(photo)).last_hidden_state
    assert tokens.shape[1] == 1 + 16 + 5
    patches = tokens[:, 1:17].transpose(1, 2).reshape(1, 16, 4, 4)
    maps = convscope.activations(model, photo, layers=["vit.layernorm"])["vit.layernorm"]
    np.testing.assert_allclose(maps, patches, atol=1e-5)
    cam = convscope.explain(model, photo, target="box:0")
    assert cam["attribution"].shape == (1, 1, 4, 4)
    assert cam.details["layer"] == "vit.encoder.layer.1.layernorm_before"
    # Exchanging a layer's maps leaves class and detection tokens alone: the answer stays.
    with Probe(model) as probe:
        partial = probe.partial_forward(model.preprocess(photo), "vit.encoder.layer.0")
        before: Any = partial.output
        after: Any = partial(partial.maps)
        np.testing.assert_allclose(after.logits.detach(), before.logits, atol=1e-5)
