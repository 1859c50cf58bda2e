"""The answer, and the identity in the provenance, are those of the network as it is now."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

import convscope
from convscope.networks.checksum import BLOCK, checksum
from tests.small_networks import Trunk


def scaled(network: Trunk) -> None:
    network.second.weight.data.mul_(1.5)


def written_through_numpy(network: Trunk) -> None:
    network.second.weight.detach().numpy()[3, 2, 1, 1] += 0.5


def shifted_mean(network: Trunk) -> None:
    network.first[1].running_mean.data.add_(0.3)


def exchanged_values(network: Trunk) -> None:
    network.second.weight.data = network.second.weight.data.flip(0)


def permuted_in_place(network: Trunk) -> None:
    values = network.second.weight.detach().numpy()
    values[:] = values[::-1].copy()


def swapped_module(network: Trunk) -> None:
    network.third = nn.Conv2d(16, 12, 3, padding=1, stride=2)


def other_weights(network: Trunk) -> None:
    network.third.weight = nn.Parameter(network.third.weight.detach() * -1)


def changed_setting(network: Trunk) -> None:
    network.first[1].eps = 0.5


CHANGES: list[Callable[[Trunk], None]] = [
    scaled,
    written_through_numpy,
    shifted_mean,
    exchanged_values,
    permuted_in_place,
    swapped_module,
    other_weights,
    changed_setting,
]


def answers(model: convscope.Model, photo: torch.Tensor) -> list[np.ndarray]:
    return [
        convscope.explain(model, photo, target=0)["attribution"],
        convscope.explain(model, photo, target=0, method="saliency")["attribution"],
        convscope.visualize(model, "third:1", steps=2, size=32)["image"],
    ]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_changed_network_is_answered_for_as_it_is(change):
    network = Trunk().eval()
    model = convscope.load_model(network, size=32)
    photo = torch.rand(1, 3, 32, 32)
    before = answers(model, photo)
    identity = convscope.predict(model, photo).provenance["model"]["weights"]
    change(network)
    after = answers(model, photo)
    fresh = convscope.load_model(copy.deepcopy(network), size=32)
    for answer, expected in zip(after, answers(fresh, photo), strict=True):
        assert np.allclose(answer, expected, atol=1e-5)
    assert not all(np.allclose(a, b, atol=1e-5) for a, b in zip(before, after, strict=True))
    now = convscope.predict(model, photo).provenance["model"]["weights"]
    if change is not changed_setting:  # the identity is that of the weights
        assert now != identity
    assert now == fresh.identity


def test_a_patched_forward_is_used():
    network = Trunk().eval()
    model = convscope.load_model(network, size=32)
    photo = torch.rand(1, 3, 32, 32)
    before = answers(model, photo)[0]
    forward = network.second.forward
    network.second.forward = lambda image: 3 * forward(image)  # type: ignore[method-assign]
    after = answers(model, photo)[0]
    assert not np.allclose(before, after, atol=1e-5)
    del network.second.forward  # type: ignore[attr-defined]
    assert np.allclose(answers(model, photo)[0], before, atol=1e-6)


@contextmanager
def doubled_norms() -> Iterator[None]:
    def double(module: nn.Module, inputs: object, output: torch.Tensor) -> torch.Tensor | None:
        return output * 2 if isinstance(module, nn.BatchNorm2d) else None

    handle = register_module_forward_hook(double)
    try:
        yield
    finally:
        handle.remove()


def test_a_global_hook_is_obeyed():
    model = convscope.load_model(Trunk().eval(), size=32)
    photo = torch.rand(1, 3, 32, 32)
    maps = []
    for context in (nullcontext(), doubled_norms(), nullcontext()):
        with context:
            maps.append(convscope.explain(model, photo, target=0)["attribution"])
    assert np.allclose(maps[0], maps[2], atol=1e-6)
    assert not np.allclose(maps[0], maps[1], atol=1e-4)


def test_a_head_with_other_classes():
    network = Trunk(classes=5).eval()
    model = convscope.load_model(network, size=32)
    photo = torch.rand(1, 3, 32, 32)
    convscope.explain(model, photo, target=4)
    network.head.weight = nn.Parameter(torch.randn(9, 12))
    network.head.bias = nn.Parameter(torch.zeros(9))
    assert model.classes == 9
    assert convscope.explain(model, photo, target=8)["attribution"].shape[0] == 1


@pytest.mark.parametrize("size", [10, BLOCK + 3])
@pytest.mark.parametrize("value", [-torch.inf, torch.nan, torch.finfo(torch.float32).min])
def test_the_checksum_of_infinite_values(size, value):
    """A mask of minus infinity is the same as itself, and a change beside it is noticed."""
    tensor = torch.full((size,), value)
    tensor[::2] = 1.0
    assert checksum([tensor]) == checksum([tensor.clone()])
    changed = tensor.clone()
    changed[1] = 0.0
    assert checksum([changed]) != checksum([tensor])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64])
def test_the_checksum_notices_one_value(dtype):
    tensor = (torch.randn(3 * BLOCK + 17, generator=torch.Generator().manual_seed(0)) * 8).to(dtype)
    before = checksum([tensor])
    assert checksum([tensor.clone()]) == before
    for place in (0, BLOCK + 5, 3 * BLOCK + 16):
        changed = tensor.clone()
        changed[place] += 1
        assert checksum([changed]) != before
    assert checksum([tensor.roll(BLOCK)]) != before, "rows that changed places"
