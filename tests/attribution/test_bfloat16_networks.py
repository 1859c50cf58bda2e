"""Networks whose own weights are bfloat16."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

import convscope
from convscope.errors import OptionError
from tests.small_networks import Trunk

PHOTO = np.random.default_rng(0).random((32, 32, 3), dtype=np.float32)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Trunk().eval()


@pytest.mark.parametrize("method", ["multi_scale", "gradient_shap", "kernel_shap"])
def test_the_map_is_nearly_that_in_32_bits(network, method):
    options = {"samples": 100} if method == "kernel_shap" else {}
    full, half = (
        convscope.explain(
            convscope.load_model(weights, size=32), PHOTO, method=method, target=1, **options
        )["heatmap"].ravel()
        for weights in (network, copy.deepcopy(network).bfloat16())
    )
    assert np.corrcoef(full, half)[0, 1] > 0.9


def test_kernel_shap_of_one_cell_is_refused(network):
    with pytest.raises(OptionError, match="2 or more"):
        convscope.explain(
            convscope.load_model(network, size=32), PHOTO, method="kernel_shap", cells=1, target=0
        )
