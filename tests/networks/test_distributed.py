from __future__ import annotations

import numpy as np
import torch
from torch import nn

import convscope
from tests.small_networks import Trunk


def test_distributed_data_parallel_is_looked_through(tmp_path):
    torch.manual_seed(0)
    network = Trunk().eval()
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1
    )
    try:
        wrapped = nn.parallel.DistributedDataParallel(network)
        photo = np.random.default_rng(0).random((16, 16, 3)).astype(np.float32)
        plain = convscope.explain(
            convscope.load_model(network, size=16), photo, target=1, layer="first"
        )
        result = convscope.explain(
            convscope.load_model(wrapped, size=16), photo, target=1, layer="first"
        )
        assert np.array_equal(plain["attribution"], result["attribution"])
        assert "second" in [
            row["name"] for row in convscope.layers(convscope.load_model(wrapped, size=16)).table
        ]
    finally:
        torch.distributed.destroy_process_group()
