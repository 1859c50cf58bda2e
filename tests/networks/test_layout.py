"""Layer outputs as maps: tokens, channels last and windows, found by looking, not by name."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

import convscope
from convscope import Probe
from tests.user_networks import seeded


class Windows(nn.Module):
    """Cuts a 8 x 12 map into shifted windows of 4 x 4, works in them, and lays them back (Swin's
    steps, written out)."""

    def __init__(self, shift: int = 2) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 5, 4, stride=4)
        self.norm = nn.LayerNorm(5)
        self.inside = nn.Linear(5, 5, bias=False)
        self.head = nn.Linear(5, 3)
        self.shift = shift
        nn.init.eye_(self.inside.weight)

    def forward(self, image: Tensor) -> Tensor:
        x = self.norm(self.stem(image).permute(0, 2, 3, 1))
        count, rows, columns, depth = x.shape
        x = x.roll((-self.shift, -self.shift), (1, 2))
        x = (
            x.reshape(count, rows // 4, 4, columns // 4, 4, depth)
            .transpose(2, 3)
            .reshape(-1, 16, depth)
        )
        x = self.inside(x)
        x = (
            x.reshape(count, rows // 4, columns // 4, 4, 4, depth)
            .transpose(2, 3)
            .reshape(count, rows, columns, depth)
        )
        return self.head(x.roll((self.shift, self.shift), (1, 2)).mean((1, 2)))


def test_shifted_windows_are_laid_back_where_they_came_from():
    """The layer inside does nothing, so its maps are those that went in."""
    model = convscope.load_model(seeded(Windows), size=(32, 48))
    with torch.no_grad():
        model.network.inside.weight.copy_(torch.eye(5))
    photos = torch.rand(2, 3, 32, 48)
    result = convscope.activations(model, photos, layers=["stem", "norm", "inside"])
    assert result["inside"].shape == result["norm"].shape == (2, 5, 8, 12)
    assert np.array_equal(result["inside"], result["norm"])
    with Probe(model) as probe:
        rest = probe.partial_forward(photos[:1], "inside")
        assert rest._way != "whole"
        assert torch.allclose(
            rest.scores(rest.maps.expand(3, -1, -1, -1)),
            probe.scores(photos[:1]).expand(3, -1),
            atol=1e-6,
        )


@pytest.mark.parametrize(("registers", "kept"), [(0, True), (4, True), (0, False)])
def test_tokens_of_a_photo_that_is_not_square(registers, kept):
    """Class and register tokens are dropped; the rest is the grid the patches were cut from, in its
    order."""
    make = lambda: timm.models.vision_transformer.VisionTransformer(  # noqa: E731
        img_size=(32, 48),
        patch_size=8,
        embed_dim=16,
        depth=2,
        num_heads=2,
        num_classes=3,
        reg_tokens=registers,
        class_token=kept,
        global_pool="token" if kept else "avg",
    )
    model = convscope.load_model(seeded(make), size=(32, 48))
    photo = torch.rand(1, 3, 32, 48)
    result = convscope.activations(model, photo, layers=["patch_embed", "blocks.0"])
    wanted = model.network.patch_embed.proj(photo).detach().numpy()
    assert result["blocks.0"].shape == (1, 16, 4, 6)
    assert np.allclose(result["patch_embed"], wanted, atol=1e-6)


def test_the_default_layer_of_a_transformer_is_one_that_is_read():
    """Only the class token is read after the last block, so its other tokens have no gradient:
    Grad-CAM would be zero."""
    model = convscope.load_model("timm:test_vit", weights=False)
    with Probe(model) as probe:
        last = probe.layers.last_spatial()
    assert last is not None
    assert last.endswith("norm1")
    assert np.abs(convscope.explain(model, torch.rand(1, 3, 160, 160))["attribution"]).max() > 0


@pytest.mark.parametrize(
    ("spec", "layer", "shape"),
    [
        ("torchvision:swin_t", "features.1", (96, 16, 24)),
        ("timm:test_convnext", "stages.3", (64, 2, 3)),
        ("torchvision:convnext_tiny", "features.1.0.block.3", (384, 16, 24)),
    ],
)
def test_channels_last_inside_a_network(spec, layer, shape):
    model = convscope.load_model(spec, weights=False, size=(64, 96))
    with Probe(model) as probe:
        assert probe.layers[layer].shape == shape


def test_windows_of_timms_swin_follow_the_norm_before_them():
    model = convscope.load_model("timm:swin_tiny_patch4_window7_224", weights=False)
    actual: dict[str, torch.Tensor] = {}
    handle = model.modules["layers.0.blocks.1.attn"].register_forward_hook(
        lambda module, given, output: actual.update(entered=given[0].clone())
    )
    result = convscope.activations(
        model,
        torch.rand(1, 3, 224, 224),
        layers=["layers.0.blocks.1.norm1", "layers.0.blocks.1.attn"],
    )
    handle.remove()
    assert result["layers.0.blocks.1.attn"].shape == (1, 96, 56, 56)
    with Probe(model) as probe:
        maps = probe.layout.to_maps(actual["entered"], "layers.0.blocks.1.attn", (224, 224))
    entered = maps.detach().numpy()
    assert np.array_equal(entered, result["layers.0.blocks.1.norm1"])


def test_a_channel_axis_as_long_as_the_sides():
    """8 channels on 8 x 8 places: only what ran tells n c h w from n h w c."""

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 4, stride=4)
            self.act = nn.GELU()
            self.last = nn.Linear(8, 8)
            self.act_last = nn.GELU()
            self.head = nn.Linear(8, 2)

        def forward(self, image: Tensor) -> Tensor:
            x = self.act(self.stem(image))
            return self.head(self.act_last(self.last(x.permute(0, 2, 3, 1))).mean((1, 2)))

    model = convscope.load_model(seeded(Both), size=32)
    photo = torch.rand(1, 3, 32, 32)
    result = convscope.activations(model, photo, layers=["act", "last", "act_last"])
    network = model.network
    with torch.no_grad():
        first = network.act(network.stem(photo))
        last = network.last(first.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    assert np.allclose(result["act"], first, atol=1e-6)
    assert np.allclose(result["last"], last, atol=1e-6)
    assert np.allclose(result["act_last"], network.act_last(last).detach(), atol=1e-6)
