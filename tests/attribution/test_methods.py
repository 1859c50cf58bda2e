"""Methods against what can be worked out by hand, and against what each promises about itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import convscope
from convscope.attribution.method import Method
from convscope.errors import NoGradientError, OptionError, RuleError, TargetError
from convscope.probe import Probe
from convscope.questions.target import Target
from tests.small_networks import ByHand, Functional, Trunk

IMAGE = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]])


def run(model, method, image, target=0, layer=None, **options):
    with Probe(model) as probe:
        return Method.of(method, probe, layer=layer, options=options)(
            probe, image, Target.of(model, target).expand(len(image))
        )


@pytest.fixture
def by_hand():
    return convscope.load_model(ByHand(), channels=1, size=2)


@pytest.fixture
def trunk():
    torch.manual_seed(0)
    return convscope.load_model(Trunk(), size=16)


@pytest.fixture
def image():
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def test_by_hand(by_hand):
    """Maps are 2x and -x; score 1 is their means' difference, 3 mean(x), with the gradient 1/4 and
    -1/4 at every place."""
    assert torch.equal(run(by_hand, "gradient_x_input", IMAGE, 1), IMAGE * 0.75)
    assert torch.allclose(run(by_hand, "integrated_gradients", IMAGE, 1), IMAGE * 0.75)
    for method in ("hires_cam", "grad_cam"):
        assert torch.allclose(run(by_hand, method, IMAGE, 1, "conv"), IMAGE * 0.75)
    assert torch.allclose(run(by_hand, "cam", IMAGE, 1, "conv"), IMAGE * 3)
    assert torch.allclose(run(by_hand, "layer_cam", IMAGE, 1, "conv"), IMAGE * 0.5)
    assert torch.allclose(run(by_hand, "xgrad_cam", IMAGE, 1, "conv"), IMAGE * 0.75)
    assert torch.allclose(
        run(by_hand, "ablation_cam", IMAGE, 1, "conv"), IMAGE * (2 * 6 / 9 - 3 / 9)
    )
    assert torch.allclose(run(by_hand, "occlusion", IMAGE, 1, window=1, stride=1), IMAGE * 0.75)
    assert torch.allclose(run(by_hand, "cam", IMAGE, "0 vs 1", "conv"), IMAGE * -4)


def test_grad_cam_plus_plus_is_the_papers_quotient(by_hand):
    """Map 0 sums to 24 with gradient 1/4; map 1 has a negative gradient and no weight."""
    alpha = (1 / 16) / (2 / 16 + 24 / 64)
    assert torch.allclose(
        run(by_hand, "grad_cam_plus_plus", IMAGE, 1, "conv"), 4 * alpha * 0.25 * 2 * IMAGE
    )


def test_grad_cam_plus_plus_by_autograd():
    """The closed form against derivatives of exp(S) taken one after the other at every place."""
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)
    ).double()
    model = convscope.load_model(network, channels=1, size=2)
    image = torch.rand(1, 1, 2, 2, dtype=torch.float64)
    maps = network[:2](image).detach().requires_grad_()
    first = torch.autograd.grad(network[2:](maps)[0, 1].exp(), maps, create_graph=True)[0].flatten()
    seconds, thirds = [], []
    for place, slope in enumerate(first):
        second = torch.autograd.grad(slope, maps, create_graph=True)[0].flatten()[place]
        seconds.append(second)
        thirds.append(torch.autograd.grad(second, maps, retain_graph=True)[0].flatten()[place])
    second, third, first = (
        torch.stack(list(part)).view_as(maps).detach() for part in (seconds, thirds, first)
    )
    below = 2 * second + maps.sum((2, 3), keepdim=True) * third
    alpha = torch.where(below > 0, second / below, 0)
    wanted = (
        ((alpha * first.clamp_min(0)).sum((2, 3), keepdim=True) * maps)
        .sum(1, keepdim=True)
        .detach()
    )
    heatmap = run(model, "grad_cam_plus_plus", image, 1, "1").double()
    scale = network(image)[0, 1].exp().detach()
    assert torch.allclose(heatmap * scale, wanted, rtol=1e-4)


def test_smoothgrad_of_any_method(trunk, image):
    base = run(trunk, "grad_cam", image, 1, "first")
    for method, wanted in (("smoothgrad", base), ("squaregrad", base**2), ("vargrad", base * 0)):
        assert torch.allclose(
            run(trunk, method, image, 1, "first", base="grad_cam", noise=0.0, samples=3),
            wanted,
            atol=1e-5,
        )


def test_wrappers_are_moments_of_the_same_noise(trunk, image):
    mean, square, variance = (
        run(trunk, method, image, 1, samples=7, batch=3)
        for method in ("smoothgrad", "squaregrad", "vargrad")
    )
    assert torch.allclose(square - mean**2, variance, atol=1e-6)
    assert torch.allclose(mean, run(trunk, "smoothgrad", image, 1, samples=7, batch=7), atol=1e-6)


def test_wrappers_take_the_options_of_what_they_wrap(trunk, image):
    run(trunk, "smoothgrad", image, 1, base="integrated_gradients", steps=2, samples=2)
    with pytest.raises(OptionError, match="no option 'stepz'"):
        run(trunk, "smoothgrad", image, 1, base="integrated_gradients", stepz=2)
    with pytest.raises(OptionError, match="no wrapper itself"):
        run(trunk, "smoothgrad", image, 1, base="vargrad")
    with pytest.raises(OptionError, match="not at a layer"):
        run(trunk, "smoothgrad", image, 1, layer="first")


def test_completeness_error_falls_with_steps(trunk):
    photo = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    few, many = (
        convscope.explain(trunk, photo, method="integrated_gradients", target=2, steps=steps)
        for steps in (1, 200)
    )
    errors = [[abs(row["completeness_error"]) for row in result.table] for result in (few, many)]
    assert len(errors[0]) == 2
    assert max(errors[1]) < 2e-3
    assert max(errors[1]) < max(errors[0]) / 3


def test_guided_backprop_sees_functional_and_reused_relus(image):
    for network in (Trunk(), Functional()):
        model = convscope.load_model(network, size=16)
        assert not torch.allclose(
            run(model, "guided_backprop", image, 1), run(model, "saliency", image, 1)
        )


def test_a_rule_that_changes_nothing_raises(by_hand):
    for method in ("guided_backprop", "deconvnet"):
        with pytest.raises(RuleError, match="changed nothing"):
            run(by_hand, method, IMAGE, 1)


def test_cam_exists_only_before_pooling_and_one_layer(trunk, image):
    with pytest.raises(OptionError, match="only average pooling and one linear layer"):
        run(trunk, "cam", image, 1, "first")
    maps = run(trunk, "cam", image, 1, "relu#3")
    with Probe(trunk) as probe:
        scores = probe.scores(image)[:, 1]
    assert torch.allclose(maps.mean((1, 2, 3)) + trunk.network.head.bias[1], scores, atol=1e-5)


def test_fullgrad_sums_to_the_score():
    """f(x) = x . df/dx + sum of bias . df/dbias, over all biases."""
    torch.manual_seed(0)
    body = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU()]
    network = nn.Sequential(
        *body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2, bias=False)
    )
    nn.init.uniform_(network[1].running_mean)
    model = convscope.load_model(network, size=12)
    image = torch.randn(1, 3, 12, 12)
    leaf = image.clone().requires_grad_()
    network.eval()
    x = network[0](leaf)
    x.retain_grad()
    y = network[1](x)
    y.retain_grad()
    z = network[3](network[2](y))
    z.retain_grad()
    score = network[4:](z)[0, 1]
    score.backward()
    norm = network[1]
    implied = norm.bias - norm.running_mean * norm.weight / (norm.running_var + norm.eps).sqrt()
    biases = [(network[0].bias, x), (implied, y), (network[3].bias, z)]
    parts = [leaf.grad * image, *(bias[:, None, None] * made.grad for bias, made in biases)]
    assert torch.allclose(sum(part.sum() for part in parts), score, atol=1e-5)
    wanted = sum(
        F.interpolate(part.abs().sum(1, keepdim=True), (12, 12), mode="bilinear") for part in parts
    )
    assert torch.allclose(
        run(model, "fullgrad", image, 1, rescale="none"), wanted.detach(), atol=1e-6
    )


def test_finer_cam(trunk, image):
    assert torch.allclose(
        run(trunk, "finer_cam", image, 1, "third", strength=0.0),
        run(trunk, "grad_cam", image, 1, "third"),
        atol=1e-6,
    )
    with Probe(trunk) as probe:
        scores = probe.scores(image[:1])[0]
    near = min(
        (other for other in range(5) if other != 1),
        key=lambda other: abs(float(scores[other] - scores[1])),
    )
    heatmap = run(trunk, "finer_cam", image[:1], 1, "third", rivals=1)
    assert torch.allclose(
        heatmap, run(trunk, "grad_cam", image[:1], f"1 vs {near}", "third"), atol=1e-6
    )
    with pytest.raises(TargetError, match="one class"):
        run(trunk, "finer_cam", image, "1 vs 2", "third")


def test_a_layer_the_score_does_not_see(trunk, image):
    class Beside(Trunk):
        def forward(self, image):
            return super().forward(image) + self.second(self.first(image)).mean() * 0

    model = convscope.load_model(Beside(), size=16)
    with pytest.raises(NoGradientError):
        run(model, "hires_cam", image, 1, "second#3")


def test_several_layers_are_fused(trunk, image):
    one, two = (run(trunk, "layer_cam", image, 1, layer) for layer in ("first", "third"))
    fused = convscope.explain(
        trunk, torch.rand(3, 16, 16), method="layer_cam", layer="first, third", target=1
    )
    assert fused["attribution"].shape == (1, 1, 16, 16)
    assert fused["attribution"].min() >= 0
    assert fused.details["layer"] == "first, third"
    parts = [
        part.clamp_min(0) / part.clamp_min(0).amax((1, 2, 3), keepdim=True) for part in (one, two)
    ]
    wanted = (parts[0] + F.interpolate(parts[1], (16, 16), mode="bilinear")) / 2
    assert torch.allclose(run(trunk, "layer_cam", image, 1, ["first", "third"]), wanted, atol=1e-6)
    with pytest.raises(OptionError, match="takes one layer"):
        run(trunk, "guided_grad_cam", image, 1, ["first", "third"])


def test_a_sheet_of_methods_by_targets(trunk):
    photo = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(1))
    result = convscope.explain(
        trunk, photo, method="grad_cam, saliency,smoothgrad", target="1, 2, 1 vs 2", samples=2
    )
    assert result["grad_cam.attribution"].shape == (3, 1, 8, 8)
    assert result["saliency.heatmap"].shape == (3, 16, 16)
    assert result.details["titles"] == ["class 1", "class 2", "class 1 vs class 2"]
    assert result.picture().width > 300
    alone = convscope.explain(trunk, photo, method="saliency", target=2)
    assert np.allclose(alone["heatmap"][0], result["saliency.heatmap"][1], atol=1e-6)
    with pytest.raises(OptionError, match="no option 'window'"):
        convscope.explain(trunk, photo, method="grad_cam,saliency", window=3)


def test_labels_with_commas(embedded, chelsea):
    one = convscope.explain(embedded, chelsea, target="tabby, tabby cat")
    two = convscope.explain(embedded, chelsea, target="tabby,tiger cat")
    assert one.details["titles"] == ["tabby"]
    assert two.details["titles"] == ["tabby", "tiger cat"]


def test_segmentation_by_a_callable(image):
    """The mean logit of class 1 under a mask: only pixels under it (and the kernel around)
    matter."""

    class Segments(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU())
            self.head = nn.Conv2d(6, 2, 1)

        def forward(self, image):
            return {"out": self.head(self.body(image))}

    model = convscope.load_model(Segments(), size=16)
    mask = torch.zeros(16, 16)
    mask[4:8, 4:8] = 1

    def under_the_mask(output):
        return (output["out"][:, 1] * mask).sum((1, 2)) / mask.sum()

    photo = torch.rand(3, 16, 16)
    for method in (
        "saliency",
        "grad_cam",
        "hires_cam",
        "occlusion",
        "integrated_gradients",
        "score_cam",
        "ablation_cam",
    ):
        layer = {"layer": "body"} if method.endswith("cam") else {}
        result = convscope.explain(model, photo, method=method, target=under_the_mask, **layer)
        assert result.details["titles"] == ["under_the_mask"]
        if method in ("saliency", "hires_cam", "integrated_gradients"):
            heat = np.abs(result["heatmap"][0])
            assert heat[3:9, 3:9].sum() == pytest.approx(heat.sum())


def test_box_score_of_a_detector():
    """The score of the box that a small detector finds best, through a callable."""
    from torchvision.models.detection import FasterRCNN
    from torchvision.models.detection.rpn import AnchorGenerator

    torch.manual_seed(0)
    first, second = nn.Conv2d(3, 8, 5, stride=4, padding=2), nn.Conv2d(8, 8, 3, stride=2, padding=1)
    backbone = nn.Sequential(first, nn.ReLU(inplace=True), second, nn.ReLU())
    backbone.out_channels = 8
    network = FasterRCNN(
        backbone,
        3,
        min_size=64,
        max_size=64,
        rpn_anchor_generator=AnchorGenerator(((16, 32),), ((1.0,),)),
        box_score_thresh=0.0,
    )

    class Detector(nn.Module):
        """Torchvision's detectors take a list of images and give a list of dicts."""

        def __init__(self):
            super().__init__()
            self.detector = network

        def forward(self, image):
            return self.detector(list(image))

    model = convscope.load_model(Detector(), size=64)

    def best_box(found):
        return torch.stack([each["scores"][0] for each in found])

    photo = torch.rand(3, 64, 64)
    for method, layer in (
        ("saliency", None),
        ("grad_cam", "detector.backbone"),
        ("occlusion", None),
    ):
        options = {"window": 32, "stride": 32} if method == "occlusion" else {}
        result = convscope.explain(
            model, photo, method=method, target=best_box, layer=layer, **options
        )
        assert np.abs(result["attribution"]).max() > 0


def test_a_constant_score_is_refused(trunk):
    with pytest.raises(NoGradientError, match="does not depend"):
        convscope.explain(
            trunk,
            torch.rand(3, 16, 16),
            method="saliency",
            target=lambda output: torch.ones(len(output)),
        )


def test_missing_captum(trunk, image, monkeypatch):
    import sys

    from convscope.errors import ExtraError

    monkeypatch.setitem(sys.modules, "captum", None)
    with pytest.raises(ExtraError, match=r"convscope\[captum\]"):
        run(trunk, "deep_lift", image, 1)


def test_score_cam_of_the_channels_that_vary_most(trunk, image):
    every = run(trunk, "score_cam", image, 1, "third")
    assert torch.equal(run(trunk, "score_cam", image, 1, "third", most=12), every)
    assert not torch.allclose(run(trunk, "score_cam", image, 1, "third", most=2), every)


@pytest.mark.parametrize(
    "activation",
    [
        "ReLU",
        "ReLU6",
        "SiLU",
        "GELU",
        "Mish",
        "SELU",
        "CELU",
        "PReLU",
        "Hardsigmoid",
        "Softsign",
        "LogSigmoid",
        "Hardshrink",
        "RReLU",
        "Tanhshrink",
        "Softshrink",
    ],
)
def test_deep_lift_sums_to_the_rise_of_the_score(activation):
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(3, 6, 3),
        getattr(nn, activation)(),
        nn.Conv2d(6, 6, 3),
        getattr(nn, activation)(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 3),
    ]
    model = convscope.load_model(nn.Sequential(*layers), size=16)
    image = 9 * torch.randn(2, 3, 16, 16)
    with Probe(model) as probe:
        rise = (probe.scores(image) - probe.scores(torch.zeros_like(image)))[:, 1]
    assert torch.allclose(
        run(model, "deep_lift", image, 1).sum((1, 2, 3)), rise, rtol=1e-4, atol=1e-5
    )


class WritesInItsInput(Trunk):
    """Normalizes the photo in place, as many a user's network does."""

    def forward(self, image):
        image.sub_(0.5).mul_(2)
        return super().forward(image)


class WritesNowhere(Trunk):
    def forward(self, image):
        return super().forward((image - 0.5) * 2)


@pytest.mark.parametrize(
    "method",
    ["occlusion", "smoothgrad", "multi_scale", "score_cam", "fullgrad", "saliency", "rise"],
)
def test_a_network_that_writes_in_its_input(method):
    maps = []
    options = {"rise": {"masks": 8}, "smoothgrad": {"samples": 3}}.get(method, {})
    for kind in (WritesInItsInput, WritesNowhere):
        torch.manual_seed(0)
        model = convscope.load_model(kind().eval(), size=32, mean=0.0, std=1.0)
        photos = np.random.default_rng(0).random((1, 32, 32, 3), dtype=np.float32).repeat(2, 0)
        result = convscope.explain(model, [*photos], method=method, target=1, **options)
        maps.append(result["attribution"])
    scale = np.abs(maps[1]).max()
    np.testing.assert_allclose(maps[0] / scale, maps[1] / scale, atol=1e-4)
    np.testing.assert_allclose(maps[0][0] / scale, maps[0][1] / scale, atol=1e-4)


def test_rise_of_a_contrast_has_a_sign(trunk):
    """A score that is negative for every mask gives a negative map, which is drawn as such."""
    photo = np.random.default_rng(0).random((16, 16, 3), dtype=np.float32)
    results = [
        convscope.explain(trunk, photo, method="rise", target=target, masks=8)
        for target in ("1 vs 2", "2 vs 1", 1)
    ]
    np.testing.assert_allclose(results[0]["heatmap"], -results[1]["heatmap"], atol=1e-5)
    for result in results:
        has_negative = bool((result["heatmap"] < 0).any())
        assert result.details["signed"] == has_negative
    assert any(result.details["signed"] for result in results[:2])
    assert not results[2].details["signed"]


def test_fullgrad_of_a_norm_without_running_statistics():
    """It takes the moments of the image itself; the map exists."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.ReLU()]
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    model = convscope.load_model(network, size=12)
    image = torch.randn(1, 3, 12, 12)
    heatmap = run(model, "fullgrad", image, 1)
    assert heatmap.shape == (1, 1, 12, 12)
    assert bool(heatmap.isfinite().all())
    assert float(heatmap.abs().max()) > 0
