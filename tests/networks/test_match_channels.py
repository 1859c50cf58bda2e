"""A photo with as many channels as a network takes, and what cannot be made of it."""

from __future__ import annotations

import pytest
import torch

from convscope.errors import ImageError
from convscope.networks.match_channels import match_channels


def test_gray_is_repeated_and_color_averaged():
    gray = torch.rand(2, 1, 4, 5, generator=torch.Generator().manual_seed(0))
    color = match_channels(gray, 3, "net")
    assert color.shape == (2, 3, 4, 5)
    assert all(torch.equal(color[:, channel], gray[:, 0]) for channel in range(3))
    mixed = torch.tensor([0.0, 0.3, 0.9]).reshape(1, 3, 1, 1).expand(1, 3, 4, 5)
    assert torch.allclose(match_channels(mixed, 1, "net"), torch.full((1, 1, 4, 5), 0.4))
    assert match_channels(mixed, 3, "net") is mixed


@pytest.mark.parametrize(("channels", "wanted"), [(2, 3), (3, 4), (1, 2), (4, 1)])
def test_other_numbers_are_refused(channels, wanted):
    with pytest.raises(ImageError, match=rf"has {channels} channel\(s\), but net takes {wanted}"):
        match_channels(torch.zeros(1, channels, 4, 4), wanted, "net")
