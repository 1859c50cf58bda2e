from __future__ import annotations

import os
import signal

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)

# Property tests try the same examples everywhere, so that a failure is one on any machine; with the
# slow tests they try new ones.
settings.register_profile("same", derandomize=True)
if not os.environ.get("CONVSCOPE_SLOW_TESTS"):
    settings.load_profile("same")

# A shell that starts the tests in the background has them ignore Ctrl-C, and their children too.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Tests that take minutes run with `make test-slow` only."""
    if os.environ.get("CONVSCOPE_SLOW_TESTS"):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="minutes; `make test-slow` runs it"))


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
