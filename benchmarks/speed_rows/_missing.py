"""What to say where a peer is not installed."""

from __future__ import annotations

from importlib import import_module

PACKAGES = {"lucent": "torch-lucent", "pytorch_grad_cam": "grad-cam"}


def missing(module: str) -> str:
    """An empty text, or why a peer cannot run."""
    try:
        import_module(module)
    except ImportError as error:
        package = PACKAGES.get(module, module)
        return (
            f'{package} is not installed ({error}); `make bench` installs it with the extra "bench"'
        )
    return ""
