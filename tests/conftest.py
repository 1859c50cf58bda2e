from __future__ import annotations

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def embedded():
    """The embedded network, loaded once a process."""
    import convscope

    return convscope.load_model()


@pytest.fixture(scope="session")
def chelsea():
    """A photo of a cat, h w 3, uint8."""
    from convscope.photos.samples import sample

    return sample("chelsea")
