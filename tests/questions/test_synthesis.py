"""Pictures and changed photos for questions, against gradients that are known by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import convscope
from convscope.errors import NoGradientError, TargetError, UnitError
from convscope.probe import Probe
from convscope.synthesis.parse import parse
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.step import OptimizationStep
from tests.questions.answering_networks import Detector, Embedder, Regressor, Segmenter
from tests.task_networks.detectors import faster_rcnn, fcos, mask_rcnn, retinanet, ssd, ssdlite

SIDE = 16
PLAIN = {
    "preset": "distill",
    "size": SIDE,
    "steps": 8,
    "parameterization": "pixels",
    "transforms": "none",
}


@pytest.fixture
def segmenter():
    return convscope.load_model(Segmenter(), size=SIDE, labels=["cat", "road", "sky"])


@pytest.fixture
def detector():
    return convscope.load_model(Detector(), size=SIDE, labels=["none", "cat", "dog"])


def colors(model, units, **options) -> np.ndarray:
    """The mean color (n 3) of the pictures."""
    image = convscope.visualize(model, units, **PLAIN, **options)["image"]
    return image.mean((2, 3))


def test_pictures_for_masks_values_and_boxes(segmenter, detector):
    green = colors(segmenter, ["mask:road", "score(mask:sky)", "-1*score(mask:sky)"])
    assert green[0].argmax() == 1
    assert green[1].argmax() == 2
    assert green[2].argmin() == 2
    assert colors(detector, "box:dog")[0].argmax() == 1
    regressor = convscope.load_model(Regressor(), size=SIDE, task="regression")
    red, blue = colors(regressor, ["value", "value:1"])
    assert red[0] > red[2] > red[1], "red is wanted, green is not"
    assert blue.argmax() == 2


def test_a_sum_of_questions_in_one_batch(segmenter):
    red, mixed = colors(segmenter, ["mask:cat", "score(mask:sky) + 0.5*score(mask:road)"])
    assert red.argmax() == 0
    assert mixed[2] > mixed[1] > mixed[0]


def test_the_gradient_of_a_pixel_is_at_its_cell(segmenter):
    with Probe(segmenter) as probe:
        objectives = [parse("pixel:3,5@sky", probe)]
        step = OptimizationStep(probe, objectives, RandomStreams.of(0, ["pixel"]))
        _, gradient = step.gradient(torch.full((1, 3, SIDE, SIDE), 0.5))
    moved = gradient[0].abs().amax(0).numpy() > 0
    expected = np.zeros((SIDE, SIDE), bool)
    expected[4:6, 2:4] = True
    np.testing.assert_array_equal(moved, expected)


def test_likeness(tmp_path):
    from PIL import Image

    model = convscope.load_model(Embedder(), size=SIDE)
    Image.new("RGB", (SIDE, SIDE), "blue").save(tmp_path / "blue.png")
    for question in (f"like:{tmp_path / 'blue.png'}", "text:a blue thing"):
        assert colors(model, question)[0].argmax() == 2


def test_class_images(segmenter):
    options = {key: PLAIN[key] for key in ("preset", "steps", "parameterization", "transforms")}
    result = convscope.class_image(segmenter, ["sky", "mask:road"], **options)
    assert result["image"].mean((2, 3)).argmax(1).tolist() == [2, 1]
    assert [row["target"] for row in result.table] == ["sky", "mask of road"]
    regressor = convscope.load_model(Regressor(), size=SIDE, task="regression")
    result = convscope.class_image(regressor, "value:1", **options)
    assert result.table[0]["last_score"] > result.table[0]["first_score"]
    assert result.details["titles"] == ["value 1"]


def test_what_needs_a_photo_or_is_a_unit_is_said(detector, segmenter):
    with pytest.raises(TargetError, match=r"box:0 counts the boxes in a photo"):
        convscope.visualize(detector, "box:0", **PLAIN)
    with pytest.raises(TargetError, match="write conv:1 instead"):
        convscope.visualize(segmenter, "unit:conv:1", **PLAIN)
    with pytest.raises(TargetError, match="no class 'cow'"):
        convscope.visualize(segmenter, "score(mask:cow)", **PLAIN)
    with Probe(segmenter) as probe:
        text = "score(pixel:3,5@sky)"
        assert str(parse(text, probe)) == text
        with pytest.raises(UnitError, match="bracket"):
            parse("score(mask:road", probe)


@pytest.mark.parametrize("build", [faster_rcnn, retinanet, fcos, ssd, ssdlite])
def test_the_score_of_a_class_is_its_surest_candidates(build):
    """Whether it is kept or not; where one is kept, it is the class's surest detection."""
    torch.manual_seed(0)
    network = build().eval()
    model = convscope.load_model(network, size=64)
    photo = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        scores = model.scores(model(model.preprocess(photo)))
        plain = network(model.preprocess(photo))
    assert scores.shape == (2, 4)
    for image, detections in enumerate(plain):
        assert sorted(detections) == ["boxes", "labels", "scores"], "the network is as it was"
        assert len(detections["labels"]) > 0
        for label in detections["labels"].unique().tolist():
            kept = detections["scores"][detections["labels"] == label].max()
            assert scores[image, label] == pytest.approx(float(kept), abs=1e-6)


@pytest.mark.parametrize("build", [ssd, mask_rcnn])
def test_a_detector_of_torchvision_has_a_gradient_in_noise(build):
    torch.manual_seed(0)
    network = build().eval()
    network.score_thresh = 0.99
    if build is mask_rcnn:
        network.roi_heads.score_thresh = 0.99
    model = convscope.load_model(network, size=64)
    noise = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    assert not convscope.predict(model, noise).table, "nothing is above the threshold"
    options = {key: PLAIN[key] for key in ("preset", "parameterization", "transforms")}
    picture = convscope.class_image(model, 1, steps=3, **options)
    row = picture.table[0]
    assert picture["image"].std() > 0.005
    assert row["last_score"] > row["first_score"]
    scores = model.scores(model(model.preprocess(torch.from_numpy(picture["image"]))))
    assert row["probability"] == pytest.approx(float(scores[0, 1].detach()), abs=1e-6)


def test_a_detector_that_shows_no_candidates_says_where_to_start():
    class Silent(Detector):
        def forward(self, image):
            return [
                {name: values[:0] for name, values in row.items()} for row in super().forward(image)
            ]

    model = convscope.load_model(Silent(), size=SIDE, labels=["none", "cat", "dog"])
    with pytest.raises(NoGradientError, match=r"candidate for cat in noise.*fool\(model, photo"):
        convscope.class_image(model, "cat", steps=2)
    assert convscope.predict(model, "sample:chelsea").table == []
