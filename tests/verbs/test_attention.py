"""Attention per head against the weights that transformers itself gives, and by a named token."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch

import convscope
from convscope.errors import OptionError, TargetError
from tests.small_networks import Trunk

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def vit():
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
        num_labels=3,
        attn_implementation="eager",
    )
    return transformers.ViTForImageClassification(config).eval()


@pytest.fixture(scope="module")
def photo():
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("token", "query"), [(None, 0), ("class", 0), ("17,9", 1 + 4 + 2)])
@pytest.mark.parametrize("block", [-1, 1])
def test_the_weights_of_transformers(vit, photo, token, query, block):
    with torch.no_grad():
        oracle = vit(photo, output_attentions=True).attentions[block][:, :, query]
    result = convscope.attention(
        convscope.load_model(vit, size=32), photo, token=token, block=block
    )
    expected = oracle[:, :, 1:].unflatten(2, (4, 4)).numpy()
    np.testing.assert_allclose(result["attention"], expected, atol=1e-6)
    np.testing.assert_array_equal(result["heatmap"], result["attention"].reshape(8, 4, 4))
    row = result.table[5]
    assert (row["photo"], row["head"]) == (1, 1)
    assert row["on_places"] == pytest.approx(float(expected[1, 1].sum()), abs=1e-4)
    weights = oracle[1, 1].double()
    assert row["entropy"] == pytest.approx(float(-(weights * weights.log2()).sum()), abs=1e-3)


def test_fused_attention_of_timm(photo, tmp_path):
    torch.manual_seed(0)
    network = timm.create_model(
        "vit_tiny_patch16_224", img_size=32, embed_dim=16, depth=2, num_heads=2, patch_size=8
    )
    result = convscope.attention(convscope.load_model(network, size=32), photo)
    assert result["attention"].shape == (2, 2, 4, 4)
    assert result.save(tmp_path / "heads.png").stat().st_size > 500


def test_what_has_no_such_attention_is_said(vit, photo):
    model = convscope.load_model(vit, size=32)
    with pytest.raises(OptionError, match="3 layers of attention between places, 0 to 2; block 3"):
        convscope.attention(model, photo, block=3)
    with pytest.raises(TargetError, match="lies outside: the photo is 32 pixels wide"):
        convscope.attention(model, photo, token="40,3")
    with pytest.raises(TargetError, match="written pixel:X,Y"):
        convscope.attention(model, photo, token="last")
    with pytest.raises(OptionError, match="needs a network with self-attention"):
        convscope.attention(convscope.load_model(Trunk(), size=16), photo)
    swin = timm.create_model(
        "swin_tiny_patch4_window7_224",
        img_size=64,
        window_size=4,
        embed_dim=8,
        depths=(1, 1),
        num_heads=(1, 1),
    )
    with pytest.raises(OptionError, match="within windows"):
        convscope.attention(convscope.load_model(swin, size=64), photo)
