"""Metrics against cases with known answers: a map that is right, one that is reversed, one that
knows nothing; and against peers."""

from __future__ import annotations

import copy
import csv
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

import convscope
from convscope import metrics
from convscope.attribution.method import Method
from convscope.errors import ImageError, OptionError, TargetError
from convscope.metrics.measure import measure
from convscope.metrics.metric_input import MetricInput, order, swapped
from convscope.metrics.road import imputed
from convscope.probe import Probe
from convscope.questions.target import Target
from tests.small_networks import Trunk

SIDE = 8


class Counts(nn.Module):
    """Its only output is the share of the left half that is bright: a probability that is known for
    every image."""

    def forward(self, image: Tensor) -> Tensor:
        return image[:, :, :, : SIDE // 2].mean((1, 2, 3))[:, None]


@pytest.fixture
def model():
    return convscope.load_model(Counts(), channels=1, size=SIDE, head="probability")


def case_of(model, heatmap, **more):
    probe = Probe(model)
    image = torch.ones(1, 1, SIDE, SIDE)
    return MetricInput.of(probe, image, Target.of(model, 0), heatmap[None], **more)


@pytest.fixture
def maps():
    """Right: the left half, hottest first. Reversed: the right half first. Both without ties."""
    right = torch.arange(SIDE * SIDE, 0, -1).reshape(SIDE, SIDE).T.float()
    return {"right": right, "reversed": right.flip(1)}


def test_insertion_and_deletion(model, maps):
    """A right map brings all back in half of the steps: 1/4 + 1/2; a reversed one begins when half
    is shown: 1/4."""
    for metric, wanted in {
        "insertion": {"right": 0.75, "reversed": 0.25},
        "deletion": {"right": 0.25, "reversed": 0.75},
    }.items():
        for name, heatmap in maps.items():
            case = case_of(model, heatmap)
            actual = measure(case, metric, {"baseline": "black", "points": SIDE})
            assert float(actual) == pytest.approx(wanted[name], abs=1e-6)
            assert case.curves[metric].shape == (1, SIDE + 1)


def test_swapped_takes_the_hottest_first(maps):
    images = swapped(
        torch.zeros(1, 1, SIDE, SIDE), torch.ones(1, 1, SIDE, SIDE), order(maps["right"]), 4
    )[:]
    assert [float(image.mean()) for image in images] == [0, 0.25, 0.5, 0.75, 1]
    assert float(images[1, 0, :, :2].mean()) == 1


def test_the_images_of_a_curve_are_made_a_batch_at_a_time(model, maps, monkeypatch):
    """So that memory does not grow with the number of points."""
    sizes = []
    run = Probe.output

    def counted(probe, image):
        sizes.append(len(image))
        return run(probe, image)

    monkeypatch.setattr(Probe, "output", counted)
    images = swapped(
        torch.zeros(1, 1, SIDE, SIDE), torch.ones(1, 1, SIDE, SIDE), order(maps["right"]), 1000
    )
    assert sum(value.numel() for value in vars(images).values()) < 2000
    measure(case_of(model, maps["right"]), "insertion", {"points": 40, "batch": 7})
    assert max(sizes) == 7
    assert sum(sizes) == 41


def test_average_drop_and_increase(model):
    left, right, half = torch.zeros(3, SIDE, SIDE)
    left[:, : SIDE // 2], right[:, SIDE // 2 :], half[: SIDE // 2, : SIDE // 2] = 1, 1, 1
    drops = [
        float(measure(case_of(model, heatmap), "average_drop", {}))
        for heatmap in (left, right, half)
    ]
    assert drops == [0, 1, 0.5]
    assert float(measure(case_of(model, left), "increase", {})) == 0


def test_pointing_and_energy(model):
    heatmap, mask = torch.zeros(2, SIDE, SIDE)
    heatmap[0, 0], heatmap[7, 7], heatmap[7, 0] = 3, 1, -5
    mask[:2, :2] = 1
    inside, outside = mask[None].bool(), (1 - mask)[None].bool()
    assert float(measure(case_of(model, heatmap, mask=inside), "energy", {})) == 0.75
    assert float(measure(case_of(model, heatmap, mask=outside), "grid_pointing", {})) == 0.25
    assert float(measure(case_of(model, heatmap, mask=inside), "pointing", {})) == 1
    assert float(measure(case_of(model, heatmap, mask=outside), "pointing", {"tolerance": 0})) == 0
    assert float(measure(case_of(model, heatmap, mask=outside), "pointing", {"tolerance": 2})) == 1
    assert float(measure(case_of(model, -heatmap.abs(), mask=inside), "energy", {})) == 4 / 64
    with pytest.raises(OptionError, match="mask="):
        measure(case_of(model, heatmap), "energy", {})


def test_road(model, maps):
    actual = {
        name: float(measure(case_of(model, heatmap), "road", {})) for name, heatmap in maps.items()
    }
    assert abs(actual["right"]) < 0.05, (
        "an even image is imputed perfectly, so removing tells nothing"
    )
    assert abs(actual["reversed"]) < 0.05


def test_imputation_as_pytorch_grad_cam():
    from pytorch_grad_cam.metrics.road import NoisyLinearImputer

    generator = torch.Generator().manual_seed(0)
    image = torch.rand(3, 12, 12, generator=generator)
    keep = (torch.rand(12, 12, generator=generator) > 0.6).float()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = NoisyLinearImputer(noise=0.0)(image, keep)
    pixels = (keep.flatten() == 0).nonzero()[:, 0]
    ours = imputed(image[None], pixels, generator)
    assert float((ours[0] - theirs).abs().max()) < 0.06, "ours has noise of 0.01"
    assert float((ours[0] - theirs).abs().mean()) < 0.01
    assert torch.equal(ours[0][:, keep.bool()], image[:, keep.bool()])


def test_average_drop_as_torch_cam(embedded):
    from torchcam.methods import GradCAM
    from torchcam.metrics import ClassificationMetric

    image = embedded.preprocess(
        torch.nn.functional.interpolate(convscope.load_image("sample:chelsea"), (64, 64))
    )
    for weight in embedded.network.parameters():
        weight.requires_grad_(True)
    embedded.network.eval()
    extractor = GradCAM(embedded.network, "bn2")
    metric = ClassificationMetric(extractor, lambda scores: torch.softmax(scores, -1))
    metric.update(image.clone())
    theirs = metric.summary()
    extractor.remove_hooks()
    embedded.network.zero_grad(set_to_none=True)
    with Probe(embedded) as probe:
        target = Target.of(embedded, None).resolved(probe.output(image))
        method = Method.of("grad_cam", probe, layer="bn2")
        case = MetricInput.of(
            probe, image, target, method(probe, image, target.as_probability())[:, 0]
        )  # torch-cam explains the probability
        assert float(measure(case, "average_drop", {})) == pytest.approx(
            theirs["avg_drop"], rel=1e-3, abs=1e-6
        )
        assert float(measure(case, "increase", {})) == theirs["conf_increase"]


def test_sensitivity_and_sanity():
    """Saliency of a linear network does not move with the image, and has nothing to do with it
    after new weights."""
    torch.manual_seed(3)
    linear = convscope.load_model(nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 5)), size=8)
    photo = torch.rand(3, 8, 8)
    saliency = convscope.explain(linear, photo, method="saliency", target=1)
    table = convscope.evaluate(linear, photo, saliency, metric="sensitivity,sanity").table
    values = {row["metric"]: row["value"] for row in table}
    assert values["sensitivity"] == 0
    assert abs(values["sanity"]) < 0.4
    blind = convscope.explain(linear, photo, method="random_map", target=1)
    values = {
        row["metric"]: row["value"]
        for row in convscope.evaluate(linear, photo, blind, metric="sensitivity,sanity").table
    }
    assert values == {
        "sensitivity": 0,
        "sanity": pytest.approx(1),
    }, "what does not ask the network fails the sanity check"


@pytest.mark.parametrize("metric", metrics.registry.names())
def test_every_metric_through_evaluate(metric, tmp_path):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(16, 3),
    )
    model = convscope.load_model(network, size=16)
    photo = torch.rand(3, 16, 20)
    mask = np.zeros((16, 20), np.uint8)
    mask[4:12, 4:12] = 255
    result = convscope.explain(model, photo, method="grad_cam,smoothgrad", target=[0, 1], samples=2)
    result.save(tmp_path / "result.npz")
    evaluated = [
        convscope.evaluate(model, photo, given, metric=metric, mask=[mask])
        for given in (result, str(tmp_path / "result.npz"))
    ]
    assert len(evaluated[0].table) == 4
    assert evaluated[0].table == evaluated[1].table
    assert {row["better"] for row in evaluated[0].table} <= {"higher", "lower"}
    assert evaluated[0].picture().width > 100
    with open(evaluated[0].save(tmp_path / "table.csv"), newline="") as file:
        assert [float(row["value"]) for row in csv.DictReader(file)] == [
            row["value"] for row in evaluated[0].table
        ]


@pytest.mark.parametrize("target", ["0 vs 1", "1 vs 0", "unit:third:1"])
def test_average_drop_is_of_a_probability(target):
    """A share of a score that may be negative was up to 1e37."""
    model = convscope.load_model(Trunk(), size=16)
    photo = np.random.default_rng(0).random((16, 16, 3)).astype(np.float32)
    result = convscope.explain(model, photo, method="saliency", target=target)
    with pytest.raises(OptionError, match="has none; ask about a class"):
        convscope.evaluate(model, photo, result, metric="average_drop")
    assert convscope.evaluate(model, photo, result, metric="increase").table[0]["value"] in (0, 1)


def test_refusals(model):
    photo = torch.rand(1, SIDE, SIDE)
    result = convscope.explain(model, photo, method="saliency")
    with pytest.raises(OptionError, match="no metric 'insertoin'; did you mean 'insertion'"):
        convscope.evaluate(model, photo, result, metric="insertoin")
    with pytest.raises(OptionError, match="no option 'pionts'"):
        convscope.evaluate(model, photo, result, pionts=3)
    with pytest.raises(OptionError, match="explain is measured"):
        convscope.evaluate(model, photo, convscope.predict(model, photo))
    with pytest.raises(OptionError, match="size of its photo"):
        convscope.evaluate(model, photo, result, metric="energy", mask=torch.ones(1, 3, 3))
    by_callable = convscope.explain(
        model, photo, method="saliency", target=lambda output: output[:, 0]
    )
    with pytest.raises(TargetError, match="callable"):
        convscope.evaluate(model, photo, by_callable)
    assert convscope.evaluate(model, photo, by_callable, target=lambda output: output[:, 0]).table


def test_benchmark(tmp_path):
    """Four photos of one color each and a network that knows the colors by their place in the
    cube."""

    class Colors(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1, bias=False)
            self.relu = nn.ReLU()
            with torch.no_grad():
                self.conv.weight[:] = torch.tensor(
                    [[1.0, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, -1.5]]
                )[:, :, None, None]

        def forward(self, image: Tensor) -> Tensor:
            return self.relu(self.conv(image)).mean((2, 3)) * 10

    colors = {
        "red": (255, 0, 0),
        "green": (0, 255, 0),
        "blue": (0, 0, 255),
        "yellow": (255, 255, 0),
    }
    with open(tmp_path / "labels.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "index"])
        for index, (name, color) in enumerate(colors.items()):
            pixels = np.full((20, 20, 4), (*color, 0), np.uint8)
            pixels[5:15, 5:15, 3] = 255
            Image.fromarray(pixels).save(tmp_path / f"{name}.png")
            writer.writerow([f"{name}.png", index])
    model = convscope.load_model(Colors(), size=16)
    result = convscope.benchmark_attribution(
        model,
        str(tmp_path),
        methods="hires_cam,random_map,rise",
        metric="grid_pointing,energy,pointing,insertion",
        grids=12,
        alpha_masks=True,
        masks=10,
        points=4,
        layer="relu",
    )
    rows = {row["method"]: row for row in result.table}
    assert result["grid_pointing"].shape == (3, 12)
    assert rows["hires_cam"]["grid_pointing"] > 0.75
    assert rows["random_map"]["grid_pointing"] == pytest.approx(0.25, abs=0.06)
    assert rows["hires_cam"]["energy"] < rows["hires_cam"]["grid_pointing"]
    assert result.table[0]["method"] == "hires_cam"
    assert result.picture().width > 500
    few = {"grids": 1, "masks": 4, "samples": 2, "steps": 2}
    every = convscope.benchmark_attribution(
        model, str(tmp_path), metric="grid_pointing", layer="relu", **few
    )
    assert {"saliency", "grad_cam", "score_cam"} <= {row["method"] for row in every.table}
    assert not {"legrad", "deep_lift"} & {row["method"] for row in every.table}
    with pytest.raises(OptionError, match="needs 9 classes"):
        convscope.benchmark_attribution(model, str(tmp_path), tiles=3)
    with pytest.raises(ImageError, match="no folder"):
        convscope.benchmark_attribution(model, str(tmp_path / "nowhere"))


class WithoutResets(nn.Module):
    """Its weights are in a module that does not say how it draws them, the last to run first; with
    attention, whose class says it under a private name."""

    def __init__(self, *, reverse: bool = False) -> None:
        super().__init__()
        names = {"first": (8, 3, 3, 3), "head": (5, 8)}
        generator = torch.Generator().manual_seed(0)
        weights = {
            name: nn.Parameter(torch.randn(shape, generator=generator))
            for name, shape in names.items()
        }
        for name in sorted(weights, reverse=reverse):
            setattr(self, name, weights[name])
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, image):
        tokens = functional.conv2d(image, self.first).relu().flatten(2).mT
        return (tokens + self.attention(tokens, tokens, tokens)[0]).mean(1) @ self.head.T


def test_sanity_makes_all_weights_random(monkeypatch):
    model = convscope.load_model(WithoutResets(), size=12)
    photo = torch.rand(3, 12, 12, generator=torch.Generator().manual_seed(0))
    copies: list[nn.Module] = []
    deepcopy = copy.deepcopy

    def kept(network):
        copies.append(deepcopy(network))
        return copies[-1]

    result = convscope.explain(model, photo, method="saliency", target=1)
    monkeypatch.setattr("convscope.metrics.sanity.copy.deepcopy", kept)
    value = convscope.evaluate(model, photo, result, metric="sanity").table[0]["value"]
    monkeypatch.undo()
    assert abs(value) < 0.9
    before = dict(model.network.named_parameters())
    for name, weight in copies[0].named_parameters():
        is_zero_at_first = name.endswith("bias")
        assert is_zero_at_first or not torch.allclose(weight, before[name]), name


def test_sanity_goes_backwards_from_the_layer_that_runs_last():
    """The order in which layers were registered says nothing."""

    class Registered(nn.Module):
        def __init__(self, names):
            super().__init__()
            torch.manual_seed(0)
            layers = {"first": nn.Conv2d(3, 8, 3), "second": nn.Conv2d(8, 8, 3)}
            layers["head"] = nn.Linear(8, 5)
            for name in names:
                setattr(self, name, layers[name])

        def forward(self, image):
            return self.head(self.second(self.first(image).relu()).relu().mean((2, 3)))

    values = []
    photo = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))
    for names in (("first", "second", "head"), ("head", "second", "first")):
        model = convscope.load_model(Registered(names), size=16, channels=3)
        result = convscope.explain(model, photo, method="saliency", target=1)
        table = convscope.evaluate(model, photo, result, metric="sanity", stages=3).table
        values.append(table[0]["value"])
    assert values[0] == pytest.approx(values[1], abs=1e-5)
    flat = convscope.load_model(Counts(), channels=1, size=SIDE, head="probability")
    gray = torch.rand(1, SIDE, SIDE)
    result = convscope.explain(flat, gray, method="saliency", target=0)
    table = convscope.evaluate(flat, gray, result, metric="sanity").table
    assert table[0]["value"] == pytest.approx(1), "a network without weights keeps its map"
