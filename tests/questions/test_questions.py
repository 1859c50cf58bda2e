"""Every question against an answer computed by hand; every bad one gets a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import convscope
from convscope.errors import ConvscopeError, TargetError
from convscope.results.details import ComparisonDetails
from tests.questions.answering_networks import Detector, Embedder, Regressor, Segmenter
from tests.small_networks import Trunk

SIDE = 16


@pytest.fixture
def photo():
    """Left half red, right half green, the lowest rows blue."""
    image = torch.zeros(1, 3, SIDE, SIDE)
    image[:, 0, :, : SIDE // 2] = 1
    image[:, 1, :, SIDE // 2 :] = 0.8
    image[:, :, 12:] = torch.tensor([0.0, 0, 1])[:, None, None]
    return image


@pytest.fixture
def detector():
    return convscope.load_model(Detector(), size=SIDE, labels=["none", "cat", "dog"])


@pytest.fixture
def segmenter():
    return convscope.load_model(Segmenter(), size=SIDE, labels=["cat", "road", "sky"])


def gradient(model, photo, target) -> np.ndarray:
    return convscope.explain(model, photo, method="saliency", target=target)["attribution"][0]


def test_tasks(detector, segmenter):
    assert detector.task == "detection"
    assert segmenter.task == "segmentation"
    assert convscope.load_model(Embedder(), size=SIDE).task == "embedding"
    assert convscope.load_model(Trunk(), size=SIDE).task == "classification"
    assert convscope.load_model(Regressor(), size=SIDE, task="regression").task == "regression"
    with pytest.raises(ConvscopeError, match="task must be classification"):
        convscope.load_model(Trunk(), size=SIDE, task="ranking")


def test_predict_lists_boxes_in_the_photos_pixels(detector, photo):
    wide = torch.nn.functional.pad(photo, (4, 4))  # the network sees the middle
    rows = convscope.predict(detector, wide).table
    assert [row["label"] for row in rows] == ["cat", "dog"], "the weak candidate is suppressed"
    assert [rows[0][name] for name in ("x1", "y1", "x2", "y2")] == [4, 0, 12, 16]
    assert rows[0]["probability"] == pytest.approx(1 / (1 + np.exp(-3)))
    assert rows[1]["probability"] == pytest.approx(1 / (1 + np.exp(-2.4)))


@pytest.mark.parametrize("target", ["box:1", "box:dog", "box:dog#0", "dog"])
def test_the_gradient_of_a_box(detector, photo, target):
    p = 1 / (1 + np.exp(-2.4))
    expected = np.zeros((3, SIDE, SIDE))
    expected[1, :, SIDE // 2 :] = p * (1 - p) * 4 / (SIDE * SIDE / 2)
    assert np.allclose(gradient(detector, photo, target), expected, atol=1e-7)


def test_the_top_of_a_detector_is_its_surest_box(detector, photo):
    assert np.array_equal(gradient(detector, photo, None), gradient(detector, photo, "box:cat"))


def test_several_boxes_make_a_batch(detector, photo):
    result = convscope.explain(detector, photo, method="saliency", target=["box:0", "box:1"])
    assert np.array_equal(result["attribution"][1], gradient(detector, photo, "box:1"))
    assert result.details["titles"] == ["box:0 cat", "box:1 dog"]


def test_d_rise_finds_the_box(detector, photo):
    result = convscope.explain(
        detector, photo, method="d_rise", target="box:dog", masks=300, cells=4, seed=0
    )
    heat = result["heatmap"][0]
    assert heat[:12, SIDE // 2 :].mean() > heat[:12, : SIDE // 2].mean() + 0.005
    with pytest.raises(TargetError, match="one box"):
        convscope.explain(detector, photo, method="d_rise", target="dog", masks=2)


def test_segmentation_by_hand(segmenter, photo):
    result = convscope.predict(segmenter, photo)
    assert result["segmentation"].shape == (1, 8, 8)
    assert [(row["label"], row["share"]) for row in result.table] == [
        ("cat", 0.375),
        ("road", 0.375),
        ("sky", 0.25),
    ]
    expected = np.zeros((3, SIDE, SIDE))
    expected[1, :12, SIDE // 2 :] = 0.25
    assert np.allclose(gradient(segmenter, photo, "mask:road"), expected)
    expected[:] = 0
    expected[2, 4:6, 2:4] = 0.25
    assert np.allclose(gradient(segmenter, photo, "pixel:3,5@sky"), expected)
    expected[:] = 0
    expected[0, 4:6, 2:4] = 0.25  # the class that is seen there
    assert np.allclose(gradient(segmenter, photo, "pixel:3,5"), expected)


def test_a_mask_stays_fixed_while_the_photo_changes(segmenter, photo):
    heat = convscope.explain(
        segmenter, photo, method="occlusion", target="mask:road", window=4, stride=4
    )["heatmap"][0]
    assert heat[0, 10] == pytest.approx(4 * 0.8), "four places of the mask were covered"
    assert heat[0, 2] == 0


def test_values(photo):
    model = convscope.load_model(Regressor(), size=SIDE, task="regression")
    assert [row["value"] for row in convscope.predict(model, photo).table] == pytest.approx(
        [2 * 0.375 - 0.8 * 0.375, 0.25]
    )
    red = gradient(model, photo, "value")
    assert np.allclose(red[:, 0, 0], [2 / 256, -1 / 256, 0])
    assert np.allclose(gradient(model, photo, "value:1")[:, 0, 0], [0, 0, 1 / 256])
    with pytest.raises(TargetError, match="is a regression, so it has no class 'cat'"):
        gradient(model, photo, "cat")


def test_likeness(photo, tmp_path):
    from PIL import Image

    model = convscope.load_model(Embedder(), size=SIDE)
    Image.fromarray(np.full((SIDE, SIDE, 3), (255, 0, 0), np.uint8)).save(tmp_path / "red.png")
    mean = torch.tensor([0.375, 0.3, 0.25], requires_grad=True)
    cosine = mean[0] / mean.norm()
    expected = torch.autograd.grad(cosine, mean)[0] / 256
    for target in (f"like:{tmp_path / 'red.png'}", "text:a red thing"):
        actual = gradient(model, photo, target)
        assert np.allclose(actual[:, 3, 3], expected, atol=1e-7)


@pytest.mark.parametrize("unit", ["second:3", "second:3:4,7"])
def test_a_unit_as_autograd_says(unit, photo):
    torch.manual_seed(0)
    network = Trunk().eval()
    model = convscope.load_model(network, size=SIDE)
    leaf = photo.clone().requires_grad_()
    x = network.first(leaf)
    maps = network.second(network.second(x).relu())[0, 3]
    score = maps[4, 7] if unit.endswith("7") else maps.mean()
    expected = torch.autograd.grad(score, leaf)[0][0]
    actual = gradient(model, photo, f"unit:{unit}")
    assert np.allclose(actual, expected, atol=1e-7)
    cam = convscope.explain(model, photo, target=f"unit:{unit}", layer="first")["attribution"]
    assert cam.shape == (1, 1, SIDE, SIDE)
    assert np.abs(cam).max() > 0


@pytest.mark.parametrize(
    ("network", "target", "sentence"),
    [
        (Detector, "box:9", r"found 2 box\(es\)"),
        (Detector, "box:road#4", r"found 1 box\(es\) of class 'road'"),
        (Detector, "box:cow", "no class 'cow'"),
        (Detector, "mask:cat", "asked of a network for segmentation, and .* is for detection"),
        (Segmenter, "box:1", "asked of a network for detection, and .* is for segmentation"),
        (Segmenter, "pixel:99,3@cat", "16 pixels wide and 16 high"),
        (Segmenter, "pixel:3", "written pixel:X,Y"),
        (Segmenter, "text:a cat", "no text side"),
        (Trunk, "value:9", "gives 5 value"),
        (Trunk, "value:x", "written value or value:3"),
        (Trunk, "unit:second:99", "8 units"),
        (Trunk, "unit:nowhere:1", "no layer 'nowhere'"),
        (Trunk, "pixel:1,1@0", "is for classification; it can be asked: a class"),
        (Embedder, None, "gives an embedding, which has no top class"),
        (
            Embedder,
            "tabby",
            "gives an embedding, which has no class 'tabby'; it can be",
        ),
    ],
)
def test_bad_questions_get_a_sentence(network, target, sentence, photo):
    labels = ["cat", "road", "dog"] if network in (Detector, Segmenter) else None
    model = convscope.load_model(network(), size=SIDE, labels=labels)
    with pytest.raises(ConvscopeError, match=sentence):
        convscope.explain(model, photo, method="saliency", target=target)


def test_pictures(detector, segmenter, photo, tmp_path):
    for model in (detector, segmenter, convscope.load_model(Embedder(), size=SIDE)):
        path = convscope.predict(model, photo).save(tmp_path / "answer.png")
        assert path.stat().st_size > 500


def test_evaluate_asks_the_same_question(detector, photo):
    result = convscope.explain(detector, photo, method="occlusion", target="box:dog", window=4)
    table = convscope.evaluate(detector, photo, result, metric="insertion", points=4).table
    assert table[0]["target"] == "box:dog dog"
    assert 0 < table[0]["value"] <= 1


def test_inputs_beside_the_image(photo):
    class Two(Trunk):
        def forward(self, image, scale):  # type: ignore[override]
            return super().forward(image) * scale

    torch.manual_seed(0)
    network = Two()
    model = convscope.load_model(network, size=SIDE, inputs={"scale": torch.tensor(3.0)})
    torch.manual_seed(0)
    plain = convscope.predict(convscope.load_model(Trunk(), size=SIDE), photo)["score"]
    assert np.allclose(convscope.predict(model, photo)["score"], 3 * plain, atol=1e-6)


@pytest.mark.parametrize("method", ["ablation_cam", "grad_cam"])
def test_a_layer_behind_the_unit_explains_nothing(photo, method):
    torch.manual_seed(0)
    model = convscope.load_model(Trunk(), size=SIDE)
    with pytest.raises(ConvscopeError, match=r"changes the score|does not depend"):
        convscope.explain(model, photo, method=method, target="unit:first:3", layer="third")


@pytest.mark.parametrize(
    ("unit", "layer"), [("first:3", "first"), ("second:3", "second"), ("third:1", "third")]
)
def test_the_default_layer_of_a_unit_is_at_it_or_before(photo, unit, layer):
    torch.manual_seed(0)
    model = convscope.load_model(Trunk(), size=SIDE)
    result = convscope.explain(model, photo, target=f"unit:{unit}")
    assert result.details["layer"] == layer
    # At the unit's own layer the gradient of its mean is one number, so Grad-CAM is the unit's map.
    maps = convscope.activations(model, photo, layers=[layer])[layer][0]
    places = maps[0].size
    unit_map = maps[int(unit[-1])] / places
    np.testing.assert_allclose(result["attribution"][0, 0], unit_map, atol=1e-6)
    table = convscope.evaluate(model, photo, result, metric="sensitivity", samples=2).table
    assert np.isfinite(table[0]["value"])
    both = convscope.explain(model, photo, target=f"unit:{unit}", method="grad_cam,layer_cam")
    methods = both.details_as(ComparisonDetails).methods
    assert {record.layer for record in methods} == {layer}
    with pytest.raises(ConvscopeError, match="no layer 'nowhere'"):
        convscope.explain(model, photo, target="unit:nowhere:3")


def test_a_list_of_detections_may_name_fewer_classes_than_there_are():
    """Which classes a detector of one's own has shows only where it detects something."""

    class Silent(Detector):
        def forward(self, image):
            return [
                {name: values[:0] for name, values in row.items()} for row in super().forward(image)
            ]

    labels = ["none", "cat", "dog", "cow"]
    for network in (Silent(), Detector()):
        model = convscope.load_model(network, size=SIDE, labels=labels)
        assert model.classes == 4
        with pytest.raises(TargetError, match=r"box:cow was asked for, but .* found"):
            convscope.explain(model, torch.zeros(1, 3, SIDE, SIDE), target="box:cow")
    with pytest.raises(ConvscopeError, match="has 3 classes, but 2 labels"):
        convscope.load_model(Detector(), size=SIDE, labels=labels[:2])


def test_the_task_is_said_on_the_command_line_and_in_a_card(tmp_path, monkeypatch, capsys):
    """And the picture of a network of Python code is made again where that is trusted."""
    from convscope.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    plain = 'architecture = "python:answering_networks:Regressor"\n'
    size = f"[preprocessing]\nsize = {SIDE}\n"
    Path("plain.toml").write_text(plain + size)
    Path("card.toml").write_text(f'{plain}task = "regression"\n{size}')
    words = ["explain", "sample:chelsea", "--method", "saliency", "--trust", "--out"]
    said = [["--model", "plain.toml", "--task", "regression"], ["--model", "card.toml"]]
    for number, model in enumerate(said):
        assert main([*words, f"{number}.png", *model]) == 0
        assert "value 0" in capsys.readouterr().err
        assert main([*words, "x.png", *model, "--target", "cat"]) == 2
        assert "is a regression, so it has no class 'cat'" in capsys.readouterr().err
        assert main(["rerun", f"{number}.png", "--out", f"again{number}.png"]) == 2
        assert "--trust" in capsys.readouterr().err
        assert main(["rerun", f"{number}.png", "--out", f"again{number}.png", "--trust"]) == 0
        assert "same picture" in capsys.readouterr().err
    assert main([*words, "x.png", "--model", "plain.toml", "--task", "ranking"]) == 2
    assert "ranking" in capsys.readouterr().err
    assert not Path("x.png").exists()


def test_fullgrad_leaves_out_what_the_score_does_not_read(photo):
    """Of a unit in the first convolution: the image's part, and that convolution's own bias."""
    torch.manual_seed(0)
    network = Trunk().eval()
    model = convscope.load_model(network, size=SIDE)
    actual = convscope.explain(
        model, photo, method="fullgrad", target="unit:first.0:3", rescale="none"
    )["attribution"][0, 0]
    leaf = photo.clone().requires_grad_()
    (slope,) = torch.autograd.grad(network.first[0](leaf)[0, 3].mean(), leaf)
    bias = network.first[0].bias[3].abs() / SIDE**2
    expected = (slope * photo).abs().sum(1)[0] + bias
    np.testing.assert_allclose(actual, expected.detach(), atol=1e-6)
