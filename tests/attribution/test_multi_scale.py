"""A method averaged over an image's sizes, against maps that are worked out apart."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

import convscope
from convscope.attribution.method import Method
from convscope.cli import main
from convscope.errors import ImageError, OptionError, TargetError
from convscope.probe import Probe
from convscope.questions.target import Target
from tests.small_networks import ByHand, Trunk

IMAGE = torch.tensor([[[[1.0, 2.0], [3.0, -6.0]]]])


def run(model, image, target=1, layer="conv", **options):
    with Probe(model) as probe:
        method = Method.of("multi_scale", probe, layer=layer, options=options)
        return method(probe, image, Target.of(model, target).expand(len(image)))


@pytest.fixture
def by_hand():
    return convscope.load_model(ByHand(), channels=1, size=2)


def test_one_scale_is_the_base_method_over_its_largest_value(by_hand):
    """Grad-CAM of score 1 is a multiple of the image (see `test_methods`)."""
    assert torch.allclose(run(by_hand, IMAGE, scales=(1.0,)), IMAGE / 6)


def test_several_scales_are_averaged_with_their_signs(by_hand):
    """The network gives a multiple of what it sees, so that each size's map is the resized image
    over its largest value."""
    larger = functional.interpolate(IMAGE, (4, 4), mode="bicubic", antialias=True)
    back = functional.interpolate(
        larger / larger.abs().max(), (2, 2), mode="bilinear", antialias=True
    )
    map_of_two = run(by_hand, IMAGE, scales=(1.0, 2.0))
    assert torch.allclose(map_of_two, (IMAGE / 6 + back) / 2, atol=1e-6)
    assert map_of_two.min() < 0 < map_of_two.max()


def test_a_batch_gives_what_its_images_give_alone():
    torch.manual_seed(0)
    model = convscope.load_model(Trunk(), size=16)
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    together = run(model, images, layer="first", base="layer_cam")
    alone = [run(model, image[None], layer="first", base="layer_cam") for image in images]
    assert together.shape == (2, 1, 16, 16)
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)


def test_the_base_takes_its_options():
    torch.manual_seed(0)
    model = convscope.load_model(Trunk(), size=16)
    image = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    run(model, image, layer=None, base="integrated_gradients", steps=2)
    with pytest.raises(OptionError, match="no option 'stepz'"):
        run(model, image, layer=None, base="integrated_gradients", stepz=2)
    with pytest.raises(OptionError, match="no wrapper itself"):
        run(model, image, layer=None, base="smoothgrad")
    with pytest.raises(OptionError, match="needs scales"):
        run(model, image, layer="first", scales=())


def test_what_a_resized_image_cannot_be_asked(by_hand):
    with pytest.raises(TargetError, match="ask for a class"):
        run(by_hand, IMAGE, target="unit:conv:0")


def test_a_network_of_one_size_says_so():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))
    model = convscope.load_model(network, size=8)
    with pytest.raises(ImageError, match="its own size is 8 x 8"):
        run(model, torch.zeros(1, 3, 8, 8), layer="0")


def test_the_command_line_passes_options_on_to_the_base(tmp_path, capsys):
    out = str(tmp_path / "heat.npz")
    words = ["explain", "sample:chelsea", "--method", "multi_scale", "--scales", "1,1.5"]
    assert main([*words, "--base", "finer_cam", "--rivals", "5", "--out", out]) == 0
    assert convscope.Result.load(out)["heatmap"].shape == (1, 224, 224)
    assert main([*words, "--base", "saliency", "--rivals", "5", "--out", out]) == 2
    assert "multi_scale has no option --rivals" in capsys.readouterr().err
    assert main([*words, "--base", "nothing", "--out", out]) == 2
    assert "no attribution method 'nothing'" in capsys.readouterr().err
