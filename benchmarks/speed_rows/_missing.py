"""What to say where a peer is not installed, or the processor lacks what a row is about."""

from __future__ import annotations

from importlib import import_module

import torch

from convscope.probe.bfloat16 import computes_bfloat16

NOT_INSTALLED = "is not installed"

PACKAGES = {"lucent": "torch-lucent", "pytorch_grad_cam": "grad-cam"}


def missing_bfloat16(device: str) -> str:
    """An empty text, or why rows in bfloat16 say nothing here: without the instructions for it the
    processor takes many times as long as in full precision."""
    if torch.device(device).type != "cpu" or computes_bfloat16(device):
        return ""
    return "this processor has no instructions for bfloat16"


def precisions_of(device: str) -> dict[str, str]:
    """The precisions that are timed: the contestant's name, and what the row's title adds."""
    return {"ours": ""} if missing_bfloat16(device) else {"ours": "", "ours in half": ", bfloat16"}


def missing(module: str) -> str:
    """An empty text, or why a peer cannot run."""
    try:
        import_module(module)
    except ImportError as error:
        package = PACKAGES.get(module, module)
        return (
            f'{package} {NOT_INSTALLED} ({error}); `make bench` installs it with the extra "bench"'
        )
    return ""
