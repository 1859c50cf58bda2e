"""The networks of the speed benchmark, the same object family for us and for the peers, and images
for them."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

import convscope
from convscope.networks.model import Model
from convscope.photos.load_image import load_photos
from convscope.probe import Probe

LAYERS = {
    "googlenet": ("conv3", "inception3b", "inception4a", "inception4e"),
    "vgg16": ("features.5", "features.10", "features.17", "features.24"),
    "resnet50": ("layer1", "layer2", "layer3", "layer4"),
    "embedded": ("blocks.1", "blocks.3", "blocks.4", "blocks.6"),
}
"""Four layers each, from early to late."""


@cache
def model_of(name: str, device: str = "cpu") -> Model:
    """Random weights but for the embedded network, drawn from one seed."""
    torch.manual_seed(0)
    output = (
        convscope.load_model()
        if name == "embedded"
        else convscope.load_model(f"torchvision:{name}", weights=False)
    )
    return output.to(device)


@cache
def network_of(name: str, device: str = "cpu") -> Any:
    """A network of the peers' own with the same weights, as a user loads it: in evaluation mode,
    weights not frozen."""
    network: nn.Module = copy.deepcopy(model_of(name, device).network).eval()
    return network.requires_grad_(True)


def noise(count: int, size: int, device: str = "cpu") -> Tensor:
    """A network input (n 3 h w)."""
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0)).to(device)


def photos(count: int, size: int = 224) -> list[Image.Image]:
    """Square photos as a user has them in memory, each another part of a sample photo."""
    whole = Image.fromarray(
        load_photos("sample:chelsea")[0][0].mul(255).byte().permute(1, 2, 0).numpy()
    )
    edge = min(whole.size) - 8 * count
    return [
        whole.crop((8 * place, 4 * place, 8 * place + edge, 4 * place + edge)).resize((size, size))
        for place in range(count)
    ]


def peer_input(model: Model, photos: list[Image.Image]) -> Tensor:
    """Photos of the network's size as the peers' users prepare them: with torchvision."""
    from torchvision.transforms.v2 import functional

    known = model.preprocessing
    batch = torch.stack(
        [functional.to_dtype(functional.pil_to_tensor(photo), scale=True) for photo in photos]
    )
    normalized: Tensor = functional.normalize(batch, list(known.mean), list(known.std))
    return normalized.to(model.device)


def living(model: Model, layer: str, count: int) -> list[int]:
    """The units that answer most to noise: with random weights many are dead."""
    with Probe(model) as probe:
        maps = probe.activations(model.noise_input(), [layer])[layer]
    return [int(place) for place in maps[0].flatten(1).mean(1).argsort(descending=True)[:count]]
