"""Against Captum, pytorch-grad-cam and torch-cam: on the embedded network, and on ResNet-50 and
VGG16 with random weights.

Images are small, which changes nothing in what is compared; every difference that is not rounding
is in the method's docstring.
"""

from __future__ import annotations

import copy

import pytest
import torch

import convscope
from convscope.attribution.method import Method
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.questions.target import Target
from tests.peers import closeness, grad_cam_peer, not_in_place, quiet

CLOSE = 1e-4
INDEX = 281

NETWORKS = {
    "embedded": ("embedded", None, "bn2", "blocks.1.1.bn2"),
    "resnet50": ("torchvision:resnet50", False, "layer4", "layer1"),
    "vgg16": ("torchvision:vgg16", False, "features.29", "features.4"),
}
"""Source, weights, a late layer and one with few channels."""


@pytest.fixture(scope="module", params=NETWORKS)
def case(request, embedded):
    source, weights, late, narrow = NETWORKS[request.param]
    model = embedded if source == "embedded" else convscope.load_model(source, weights=weights)
    image = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    if source == "embedded":
        image = model.preprocess(
            torch.nn.functional.interpolate(convscope.load_image("sample:chelsea"), (64, 64))
        )
    network = model.network.eval()
    return request.param, model, network, image, late, narrow


def ours(model: Model, method: str, image: torch.Tensor, **options) -> torch.Tensor:
    with Probe(model) as probe:
        layer = options.pop("layer", None)
        return Method.of(method, probe, layer=layer, options=options)(
            probe, image, Target.of(model, INDEX).expand(len(image))
        )


@pytest.mark.parametrize(
    "method", ["saliency", "gradient_x_input", "integrated_gradients", "occlusion", "grad_cam"]
)
def test_captum(case, method):
    from captum import attr

    _, model, network, image, late, _ = case
    image = image[:1] if method in ("integrated_gradients", "occlusion") else image
    if method == "integrated_gradients":
        # In float32 rounding carries single units across the kinks of ReLU and max pooling, now and
        # then; in float64 the two agree.
        network = copy.deepcopy(network).double()
        model, image = Model(network), image.double()
    with quiet():
        if method == "saliency":
            theirs = attr.Saliency(network).attribute(image, target=INDEX, abs=False)
        elif method == "gradient_x_input":
            theirs = attr.InputXGradient(network).attribute(image, target=INDEX)
        elif method == "integrated_gradients":
            theirs = attr.IntegratedGradients(network).attribute(image, target=INDEX, n_steps=5)
        elif method == "occlusion":
            theirs = attr.Occlusion(network).attribute(
                image, target=INDEX, sliding_window_shapes=(3, 30, 30), strides=(3, 20, 20)
            )[:, :1]
        else:
            theirs = attr.LayerGradCam(network, network.get_submodule(late)).attribute(
                image, target=INDEX
            )
    options = {
        "integrated_gradients": {"steps": 5},
        "occlusion": {"window": 30, "stride": 20},
        "grad_cam": {"layer": late},
    }
    assert closeness(ours(model, method, image, **options.get(method, {})), theirs.detach()) < CLOSE


@pytest.mark.parametrize(
    ("method", "peer"), [("guided_backprop", "GuidedBackprop"), ("deconvnet", "Deconvolution")]
)
def test_captum_rules(case, method, peer):
    from captum import attr

    name, model, network, image, *_ = case
    if name == "embedded":
        pytest.skip("Captum leaves ReLU6 as it is; test_rules_by_hand covers it")
    with quiet():
        theirs = getattr(attr, peer)(not_in_place(network)).attribute(image, target=INDEX)
    assert closeness(ours(model, method, image), theirs.detach()) < CLOSE


def test_guided_backprop_on_relu6_as_captum_on_relu(embedded, chelsea):
    """The embedded network with plain ReLUs: no activation of this photo reaches its ceiling in a
    network scaled down."""
    from captum import attr
    from torch import nn

    network = copy.deepcopy(embedded.network)
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.ReLU6):
                setattr(module, name, nn.ReLU())
    model = Model(network, preprocessing=embedded.preprocessing)
    image = embedded.preprocess(
        torch.nn.functional.interpolate(convscope.load_image("sample:chelsea"), (64, 64))
    )
    with quiet():
        theirs = attr.GuidedBackprop(network.eval()).attribute(image, target=INDEX)
    assert closeness(ours(model, "guided_backprop", image), theirs.detach()) < CLOSE


@pytest.mark.parametrize(
    ("method", "peer"),
    [
        ("grad_cam", "GradCAM"),
        ("xgrad_cam", "XGradCAM"),
        ("hires_cam", "HiResCAM"),
        ("layer_cam", "LayerCAM"),
        ("eigen_cam", "EigenCAM"),
        ("eigen_grad_cam", "EigenGradCAM"),
        ("shapley_cam", "ShapleyCAM"),
        ("score_cam", "ScoreCAM"),
        ("ablation_cam", "AblationCAM"),
    ],
)
def test_pytorch_grad_cam(case, method, peer):
    name, model, network, image, late, narrow = case
    slow = method in ("score_cam", "ablation_cam")
    layer = narrow if slow or (method.startswith("eigen") and name == "resnet50") else late
    image = image[:1, :, :32, :32] if slow or layer == narrow else image
    if method == "ablation_cam":
        # Each weight is a small difference of scores over the score, here 0.017 where single terms
        # of it are much larger: in float32 either side is 3e-4 away from the exact map, on the side
        # that the processor's order of additions says. In float64 both are within 2e-6 of it.
        network = copy.deepcopy(network).double()
        model, image = Model(network), image.double()
    theirs = grad_cam_peer(peer, network, layer, image, INDEX)
    heatmap = ours(model, method, image, layer=layer)[:, 0]
    if method == "ablation_cam":
        with Probe(model) as probe:
            theirs = theirs * torch.sign(probe.scores(image)[:, INDEX])[:, None, None]
    if method.startswith("eigen"):
        agree = torch.sign((heatmap * theirs).sum((1, 2)))[:, None, None]
        theirs = theirs * agree
    assert closeness(heatmap, theirs) < (CLOSE / 10 if method == "ablation_cam" else CLOSE)


def test_fullgrad(case):
    name, model, network, image, late, _ = case
    if name == "embedded":
        pytest.skip(
            "pytorch-grad-cam does not see timm's BatchNormAct2d; test_fullgrad_sums_to_the_score"
            " covers it"
        )
    theirs = grad_cam_peer("FullGrad", network, late, image[:1], INDEX)
    assert closeness(ours(model, "fullgrad", image[:1])[:, 0], theirs) < 1e-3


@pytest.mark.parametrize(
    ("method", "peer"),
    [("grad_cam", "GradCAM"), ("layer_cam", "LayerCAM"), ("xgrad_cam", "XGradCAM"), ("cam", "CAM")],
)
def test_torch_cam(case, method, peer):
    from torchcam import methods

    name, model, network, image, late, _ = case
    if method == "cam" and name == "vgg16":
        pytest.skip("VGG16 has three dense layers, so it has no CAM")
    with quiet():
        extractor = getattr(methods, peer)(network, late)
        extractor._relu = False
        scores = network(image.clone())
        theirs = extractor(INDEX, scores, normalized=False)[0]
        extractor.remove_hooks()
    network.zero_grad(set_to_none=True)
    assert closeness(ours(model, method, image, layer=late)[:, 0], theirs.detach()) < CLOSE
