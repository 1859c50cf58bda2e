"""Every registered method, found by the registry: right shapes, same answer in a batch and alone,
and no trace left behind."""

from __future__ import annotations

import gc
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn

import convscope
from convscope import attribution
from convscope.errors import ConvscopeError, TargetError
from tests.small_networks import assert_unchanged, snapshot

METHODS = [
    name
    for name in attribution.registry.names()
    if attribution.registry.traits(name).needs != "detection"  # tests/questions has these
]
SMALL = {"masks": 6, "samples": 3, "steps": 4, "window": 8, "stride": 8, "cells": 3, "batch": 4}
SAMPLING = {"samples": 12}
LONGEST = 95  # lines, of at most 100 columns


class Plain(nn.Module):
    """What every method can work on: convolutions, batch norm, ReLU modules used once, average
    pooling, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3, padding=1),
            nn.ReLU(inplace=True),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8, 4)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.pool(self.features(image)).flatten(1))


def network_for(method: str) -> nn.Module:
    torch.manual_seed(0)
    if attribution.registry.traits(method).needs == "attention":
        return VisionTransformer(
            img_size=16, patch_size=4, embed_dim=12, depth=2, num_heads=2, num_classes=4
        )
    return Plain()


def options_for(method: str) -> dict[str, object]:
    own = {parameter.name for parameter in attribution.registry.schema(method).options}
    chosen = SMALL | (SAMPLING if method in ("lime", "kernel_shap") else {})
    return {name: value for name, value in chosen.items() if name in own}


def prepared(method: str):
    """A network as a user may hold it: in training mode, one part not, one weight frozen."""
    network = network_for(method).train()
    list(network.modules())[-1].eval()
    next(network.parameters()).requires_grad_(False)
    return network, convscope.load_model(network, size=16)


@pytest.fixture
def photos():
    return torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("method", METHODS)
def test_shape_trace_and_repeat(method, photos):
    network, model = prepared(method)
    before = snapshot(network)
    first, second = (
        convscope.explain(
            model, photos, method=method, target=[0, 1, 2], seed=4, **options_for(method)
        )
        for _ in range(2)
    )
    assert_unchanged(before, network)
    assert first["attribution"].dtype == np.float32
    assert first["attribution"].ndim == 4
    assert len(first["attribution"]) == 3
    assert first["heatmap"].shape == (3, *first["attribution"].shape[2:])
    assert np.array_equal(first["attribution"], second["attribution"])
    if attribution.registry.traits(method).space == "input":
        assert first["attribution"].shape[2:] == (16, 16)


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_gives_what_single_images_give(method, photos):
    _, model = prepared(method)
    together = convscope.explain(
        model, photos, method=method, target=[0, 1, 2], **options_for(method)
    )["attribution"]
    for place in range(3):
        alone = convscope.explain(
            model, photos[place], method=method, target=place, **options_for(method)
        )["attribution"]
        assert np.abs(alone[0] - together[place]).max() <= 1e-5 * np.abs(together).max()


@pytest.mark.parametrize("runs", [1, 2, 3])
@pytest.mark.parametrize("method", [name for name in METHODS if name != "random_map"])
def test_no_trace_when_the_network_raises(method, runs, photos):
    network, model = prepared(method)
    model.classes  # noqa: B018  (a dry run that must not break)
    convscope.layers(model)
    left = runs

    def fuse(module, given):
        nonlocal left
        left -= 1
        if left < 0:
            raise RuntimeError("broken on purpose")

    list(network.children())[len(list(network.children())) // 2].register_forward_pre_hook(fuse)
    before = snapshot(network)
    said = ""
    try:
        convscope.explain(model, photos[:1], method=method, target=1, **options_for(method))
    except ConvscopeError as error:
        said = str(error)
    assert ("broken on purpose" in said) == (left < 0), "the network broke and nothing was said"
    assert_unchanged(before, network)


@pytest.mark.parametrize("method", METHODS)
def test_wrong_target(method, photos):
    network, model = prepared(method)
    before = snapshot(network)
    with pytest.raises(TargetError, match="0 to 3"):
        convscope.explain(model, photos, method=method, target=4, **options_for(method))
    assert_unchanged(before, network)


@pytest.mark.parametrize("method", METHODS)
def test_the_file(method):
    source = (Path(attribution.__file__).parent / f"{method}.py").read_text()
    doc = attribution.registry.schema(method).doc
    assert len(source.splitlines()) <= LONGEST
    assert re.search(r"\b(19|20)\d\d\b", doc) or method == "random_map"
    assert "Example:" in doc
    for parameter in attribution.registry.schema(method).options:
        assert parameter.name == "layer" or parameter.help, f"{parameter.name} has no help"


def tensor_bytes() -> int:
    """Bytes of all tensors that something still refers to."""
    gc.collect()
    tensors = (item for item in gc.get_objects() if issubclass(type(item), torch.Tensor))
    return sum(map(bytes_of_tensor, tensors))


def bytes_of_tensor(tensor: torch.Tensor) -> int:
    """0 for what has no memory of its own to count: other tests leave sparse ones, and those of
    exported programs with sizes that are symbols."""
    try:
        return tensor.nbytes
    except RuntimeError:
        return 0


@pytest.mark.parametrize(
    "method", ["grad_cam", "integrated_gradients", "guided_backprop", "score_cam", "smoothgrad"]
)
def test_memory_does_not_grow(method, photos):
    """Counted, not read from the process: a long-lived process has memory to hide a leak in."""
    _, model = prepared(method)

    def calls(count: int) -> int:
        for _ in range(count):
            convscope.explain(model, photos, method=method, target=1, **options_for(method))
        return tensor_bytes()

    before = calls(3)
    assert calls(10) <= before
