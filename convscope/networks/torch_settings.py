"""The host program's settings of torch: set aside while Convscope works, and then put back.

    torch.set_default_dtype(torch.float64)
    convscope.predict(model, photo)  # computed in float32 all the same
    torch.zeros(1).dtype             # float64

What concerns one thread (autocast, inference mode, gradients, the default device) is set in that
thread. What concerns the whole process (the default type, anomaly detection) is set by the first
call that needs it and put back by the last one, so that calls of several threads may overlap.

Deterministic mode, the number of threads and the precision of matrix products stay as the host
chose them: they ask for another way to the same answer. Only a forked process works on one thread,
since the threads of its parent are not there and OpenMP would wait for them for ever.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from convscope.core.shared_block import SharedBlock

AUTOCAST_DEVICES = ("cpu", "cuda", "mps", "xpu")
"""Devices that have an autocast of their own."""

_host_dtypes: list[torch.dtype] = []
"""The default type that the host program had set, while it is set aside."""


@contextmanager
def _process_settings() -> Iterator[None]:
    """float32 as the default type, and no anomaly detection."""
    dtype, is_anomaly = torch.get_default_dtype(), torch.is_anomaly_enabled()
    checks_nan = torch.is_anomaly_check_nan_enabled()
    if dtype != torch.float32:
        _host_dtypes.append(dtype)
        torch.set_default_dtype(torch.float32)
    if is_anomaly:
        torch.autograd.set_detect_anomaly(False)
    try:
        yield
    finally:
        if dtype != torch.float32:
            torch.set_default_dtype(dtype)
            _host_dtypes.clear()
        if is_anomaly:
            torch.autograd.set_detect_anomaly(True, checks_nan)


_shared_settings = SharedBlock(_process_settings)
_thread = threading.local()
_first_process = os.getpid()


@contextmanager
def _one_thread() -> Iterator[None]:
    count = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(count)


@contextmanager
def plain_torch_settings() -> Iterator[None]:
    """Inside the block torch is as it is in a fresh process, whatever the host program set."""
    with ExitStack() as stack:
        stack.enter_context(_shared_settings)
        if os.getpid() != _first_process:
            stack.enter_context(_one_thread())
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.set_grad_enabled(True))
        for device in AUTOCAST_DEVICES:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        default = torch.get_default_device()
        if default.type != "cpu":
            stack.enter_context(torch.device("cpu"))
            stack.callback(setattr, _thread, "host_device", _host_device())
            _thread.host_device = default
        yield


def _host_device() -> torch.device | None:
    device: torch.device | None = getattr(_thread, "host_device", None)
    return device


@contextmanager
def defaults_for_network(dtype: torch.dtype, device: torch.device) -> Iterator[None]:
    """While a network runs: the host's default type and device where the network's weights have
    them, since its forward may make tensors that fit only so."""
    host_device = _host_device()
    if not _host_dtypes and host_device is None:
        yield
        return
    with ExitStack() as stack:
        if host_device is not None and host_device.type == device.type:
            stack.enter_context(torch.device(device))
        if dtype in _host_dtypes:
            stack.callback(torch.set_default_dtype, torch.float32)
            torch.set_default_dtype(dtype)
        yield
