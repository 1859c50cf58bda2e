"""Attention, read without touching a module, against hooks and against the libraries' own window
functions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from timm.models.swin_transformer import SwinTransformer, window_partition
from timm.models.vision_transformer import VisionTransformer
from torchvision.models.swin_transformer import SwinTransformer as TorchvisionSwin
from torchvision.models.vision_transformer import VisionTransformer as TorchvisionVit

import convscope
from convscope.errors import OptionError
from convscope.probe import Probe
from convscope.probe.attention import run_with_attention, unwindow
from convscope.questions.target import Target


def timm_vit(**options):
    torch.manual_seed(0)
    return VisionTransformer(
        img_size=32, patch_size=8, embed_dim=12, depth=3, num_heads=2, num_classes=4, **options
    ).eval()


def torchvision_vit():
    """Torchvision starts the head at zero, where nothing has a gradient."""
    network = TorchvisionVit(32, 8, 2, 2, 12, 24, num_classes=4).eval()
    torch.nn.init.normal_(network.heads.head.weight)
    return network


def networks():
    torch.manual_seed(0)
    return {
        "timm ViT": timm_vit(),
        "timm ViT without a class token": timm_vit(class_token=False, global_pool="avg"),
        "timm ViT with registers": timm_vit(reg_tokens=4),
        "torchvision ViT": torchvision_vit(),
        "timm Swin": (
            SwinTransformer(
                32, 4, embed_dim=12, depths=(2, 2), num_heads=(2, 2), window_size=4, num_classes=4
            ).eval()
        ),
        "torchvision Swin": (
            TorchvisionSwin([4, 4], 12, [2, 2], [2, 2], [4, 4], num_classes=4).eval()
        ),
    }


@pytest.fixture
def image():
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", networks())
def test_reading_the_attention_changes_nothing(name, image):
    network = networks()[name]
    model = convscope.load_model(network, size=32)
    with Probe(model) as probe:
        plain = probe.scores(image)
        layers, output = run_with_attention(probe, image, "test")
    assert torch.allclose(model.scores(output), plain, atol=1e-5)
    assert len(layers) == (3 if name.startswith("timm ViT") else 2 if "ViT" in name else 4)
    for layer in layers:
        assert torch.allclose(layer.weights.sum(-1), torch.ones(()), atol=1e-5)
    assert [layer.shift for layer in layers if "Swin" in name][:2] == (
        [(0, 0), (2, 2)] if "Swin" in name else []
    )


@pytest.fixture
def hooked(image):
    """A timm ViT whose attention is read by hooks, from the unfused path."""
    network = timm_vit()
    kept = []

    def keep(module, given, output):
        output.retain_grad()
        kept.append(output)

    for block in network.blocks:
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_hook(keep)
    leaf = image.clone().requires_grad_()
    network(leaf)[:, 2].sum().backward()
    return kept


def test_rollout_and_legrad_as_by_hooks(hooked, image):
    model = convscope.load_model(timm_vit(), size=32)
    rolled = torch.eye(17)
    for weights in hooked:
        mixed = 0.5 * weights.mean(1) + 0.5 * torch.eye(17)
        rolled = torch.matmul(mixed, rolled)
    wishes = torch.stack([F.relu(weights.grad).mean((1, 2)) for weights in hooked]).mean(0)
    with Probe(model) as probe:
        target = Target.of(model, 2).expand(2)
        from convscope.attribution.attention_rollout import attention_rollout
        from convscope.attribution.legrad import legrad

        assert torch.allclose(
            attention_rollout(probe, image, target), rolled[:, 0, 1:].reshape(2, 1, 4, 4), atol=1e-6
        )
        assert torch.allclose(
            legrad(probe, image, target), wishes[:, 1:].reshape(2, 1, 4, 4), atol=1e-7
        )


@pytest.mark.parametrize("shift", [0, 2])
def test_windows_are_put_back(shift):
    numbers = torch.arange(8 * 16).reshape(1, 8, 16, 1)
    windows = window_partition(numbers.roll((-shift, -shift), (1, 2)), (4, 4)).reshape(-1, 16)
    assert torch.equal(unwindow(windows, 1, (shift, shift), 0.5)[0, 0], numbers[0, :, :, 0])


@pytest.mark.parametrize("name", networks())
def test_maps_on_the_patch_grid_without_a_reshape_function(name):
    model = convscope.load_model(networks()[name], size=32)
    photo = torch.rand(3, 32, 32)
    for method in ("legrad", "grad_cam", "hires_cam", "layer_cam", "eigen_cam", "ablation_cam"):
        maps = convscope.explain(model, photo, method=method, target=1)["attribution"]
        assert maps.shape[1] == 1
        assert maps.shape[2] == maps.shape[3] > 1
        assert np.abs(maps).max() > 0
    if "Swin" in name:
        with pytest.raises(OptionError, match="within windows"):
            convscope.explain(model, photo, method="attention_rollout")
    else:
        assert convscope.explain(model, photo, method="attention_rollout")["attribution"].shape == (
            1,
            1,
            4,
            4,
        )


def test_a_network_without_attention():
    from tests.small_networks import Trunk

    for method in ("legrad", "attention_rollout"):
        with pytest.raises(OptionError, match="self-attention, and Trunk has none"):
            convscope.explain(
                convscope.load_model(Trunk(), size=16), torch.rand(3, 16, 16), method=method
            )
