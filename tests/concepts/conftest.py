"""A small network with labels, and photos of noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import convscope
from tests.small_networks import Trunk


@pytest.fixture
def trunk():
    torch.manual_seed(0)
    return convscope.load_model(Trunk(), size=32, labels=["ant", "bee", "cat", "dog", "eel"])


@pytest.fixture
def photos():
    generator = np.random.default_rng(0)
    return [generator.random((32, 32, 3)).astype(np.float32) for _ in range(4)]
