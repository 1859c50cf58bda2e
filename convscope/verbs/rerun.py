"""Make a saved picture again from the provenance inside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

import convscope
from convscope.errors import InputError, ModelError
from convscope.networks.load import load_model
from convscope.photos.fingerprint import fingerprint
from convscope.photos.load_image import load_image
from convscope.photos.samples import PREFIX
from convscope.results.png import read_provenance
from convscope.results.provenance import PhotoRecord
from convscope.results.result import Result


def rerun(path: str, *, photo: str | None = None, device: str | None = None) -> Result:
    """Run again what made a saved picture: the same verb on the same network and photo, with the
    same options and seed.

    On the machine that made it, with the same versions, `rerun(path).save(other)` writes the same
    bytes on a CPU. The network's weights and the photo are compared with what the picture says
    before anything runs.

    Args:
        path: a PNG that Convscope saved.
        photo: where the photo is now, if it was moved or came from memory.
        device: where to run; by default where it ran.

    Raises:
        InputError: the file carries no provenance; the network, a photo or an option only existed
            in memory; or the weights or the photo are not those it was made with.

    Example:
        convscope.rerun("cat-explain.png").save("again.png")
        $ convscope rerun cat-explain.png --out again.png
    """
    record = read_provenance(path)
    opaque = _opaque(record["arguments"]) + _opaque(record["model"]["options"])
    if opaque:
        raise InputError(
            f"{path} was made with {opaque[0]}, an object that only existed in memory, so it cannot"
            " be made again from the file."
        )
    if record["model"]["spec"] is None:
        raise ModelError(
            f"{path} was made with {record['model']['name']}, a network given as an object in"
            " memory, so it cannot be loaded again by name."
        )
    model = load_model(
        record["model"]["spec"], device=device or record["device"], **record["model"]["options"]
    )
    if model.identity != record["model"]["weights"]:
        raise ModelError(
            f"{path} was made with other weights of {record['model']['spec']}"
            f" ({record['model']['weights'][:12]}, these are {model.identity[:12]})."
        )
    arguments: dict[str, Any] = dict(record["arguments"])
    if record["photos"]:
        arguments["photo"] = _photos(path, record["photos"], photo)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(record["threads"])
        result: Result = getattr(convscope, record["verb"])(model, **arguments)
    finally:
        torch.set_num_threads(before)
    if "picture" in record:
        result.provenance["picture"] = record["picture"]
    return result


def _photos(path: str, wanted: list[PhotoRecord], moved: str | None) -> list[str]:
    """Where the photos are, checked against their hashes."""
    places = [moved] if moved else [photo["path"] for photo in wanted]
    if None in places:
        raise InputError(
            f"{path} was made from a photo that only existed in memory; say where it is with"
            " photo=PATH (--photo PATH)."
        )
    if len(places) != len(wanted):
        raise InputError(f"{path} was made from {len(wanted)} photos; one was given.")
    for place, photo in zip(places, wanted, strict=True):
        if not str(place).startswith(PREFIX) and not Path(str(place)).is_file():
            raise InputError(
                f"The photo {place} is not there any more; say where it is now with photo=PATH"
                " (--photo PATH)."
            )
        if fingerprint(load_image(str(place))) != photo["sha256"]:
            raise InputError(
                f"{place} is not the photo that {path} was made from: its pixels differ."
            )
    return [str(place) for place in places]


def _opaque(value: Any) -> list[str]:
    """What provenance could only describe, not keep."""
    if isinstance(value, str) and value.startswith("<") and value.endswith(">"):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [found for part in parts for found in _opaque(part)]
