"""The packages that a benchmark cannot do without, and what to say where one is not installed."""

from __future__ import annotations

import sys
from importlib.util import find_spec

PEERS_OF = {
    "concepts": {"captum": "captum"},
    "fooling_quality": {"foolbox": "foolbox"},
    "questions": {"pytorch_grad_cam": "grad-cam"},
    "recipes": {"keras": "keras"},
    "same_score": {"lucent": "torch-lucent", "kornia": "kornia"},
    "synthesis_quality": {"lucent": "torch-lucent", "kornia": "kornia"},
}
"""Benchmark -> module -> package. The speed benchmark is not here: its rows say what is missing."""


def not_installed(benchmark: str) -> list[str]:
    """A sentence for each package that a benchmark lacks."""
    return [
        f"{benchmark} needs {package}, which is not installed; `make bench` installs it with the"
        ' extra "bench".'
        for module, package in PEERS_OF.get(benchmark, {}).items()
        if find_spec(module) is None
    ]


def require_peers(benchmark: str) -> None:
    """End with a sentence, before any work, where a package is not installed.

    Raises:
        SystemExit: with code 2.
    """
    sentences = not_installed(benchmark)
    if sentences:
        print(*sentences, sep="\n", file=sys.stderr)
        raise SystemExit(2)
