"""Make a saved picture again from the provenance inside it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from convscope.core.interrupt import stop_after
from convscope.core.types import Options
from convscope.core.validation import checked
from convscope.errors import InputError, ModelError
from convscope.networks.load import load_model
from convscope.networks.model import Model
from convscope.photos.fingerprint import fingerprint
from convscope.photos.load_image import load_image
from convscope.photos.samples import PREFIX
from convscope.results.png import compare_pictures, read_provenance
from convscope.results.provenance import PhotoRecord, Provenance
from convscope.results.result import Result
from convscope.verbs._record import VERBS, check_record, outside_names
from convscope.verbs._verb import photo_argument

logger = logging.getLogger("convscope")


@checked()
def rerun(
    path: str | Path,
    *,
    photo: str | Path | None = None,
    device: str | None = None,
    trust: bool = False,
) -> Result:
    """Run again what made a saved picture: the same verb on the same network and photo, with the
    same options and seed.

    On the machine that made it, with the same versions, `rerun(path).save(other)` writes the same
    bytes on a CPU; `result.note` says whether the picture is the same, and which versions differ.
    An interrupted picture is stopped at the same step. The file is data: its record is checked
    before anything runs, and the network's weights and the photo are compared with what it says.

    Args:
        path: a PNG that Convscope saved.
        photo: where the photo is now, if it was moved or came from memory.
        device: where to run; by default where it ran.
        trust: open what the picture names outside the working folder, and run code that its
            network needs (python:, TorchScript); without it, both are named and refused.

    Raises:
        InputError: the file carries no provenance, or a record that is not one of a verb; the
            network, a photo or an option only existed in memory; or the photo is not the one it was
            made with.
        ModelError: the network's weights are not those it was made with.

    Example:
        convscope.explain(None, "sample:chelsea").save("cat-explain.png")
        convscope.rerun("cat-explain.png").save("again.png")
        $ convscope rerun cat-explain.png --out again.png
    """
    path, photo = str(path), None if photo is None else str(photo)
    record = read_provenance(path)
    check_record(path, record)
    names = outside_names(record, with_photos=photo is None)
    if names and trust:
        logger.warning("%s opens or runs: %s", path, ", ".join(map(ascii, names)))
    elif names:
        raise InputError(
            f"{path} names what lies outside the working folder or runs code:"
            f" {', '.join(map(ascii, names[:5]))}; look at it, and allow it with trust=True"
            " (--trust)."
        )
    model = _load(path, record, device, trust)
    arguments = dict(record["arguments"])
    explanation = arguments.get("result")
    with _threads(record["threads"]):
        if isinstance(explanation, Mapping):
            arguments["result"] = _run(path, explanation["made_by"], model, photo)
        result = _run(path, record, model, photo, arguments)
    picture = result.picture(None, **record.get("picture", {}))
    if "picture" in record:
        result.provenance["picture"] = record["picture"]
    return replace(result, note=compare_pictures(path, record, picture))


def _load(path: str, record: Provenance, device: str | None, trust: bool) -> Model:
    """The network of the record, with the weights that it had."""
    spec = record["model"]["spec"]
    options = {**record["model"]["options"], "trust": trust}
    model = load_model(spec, device=device or record["device"], **options)
    resize = record["model"].get("resize", "crop")
    if model.preprocessing.resize != resize:  # the source's default was another one then
        model = load_model(model, resize=resize)  # type: ignore[arg-type]
    if model.identity != record["model"]["weights"]:
        raise ModelError(
            f"{path} was made with other weights of {spec}"
            f" ({record['model']['weights'][:12]}, these are {model.identity[:12]})."
        )
    return model


def _run(
    path: str,
    record: Provenance,
    model: Model,
    photo: str | None,
    arguments: Options | None = None,
) -> Result:
    """The verb of a record with its own arguments, stopped where it was interrupted."""
    arguments = dict(record["arguments"]) if arguments is None else arguments
    if record["photos"]:
        arguments[photo_argument(VERBS[record["verb"]])] = _photos(path, record["photos"], photo)
    interrupted = record.get("interrupted")
    with stop_after(interrupted["all_steps"] if interrupted else None):
        return VERBS[record["verb"]](model, **arguments)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """So many threads inside the block, since their number changes sums in the last digit."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _photos(path: str, records: list[PhotoRecord], moved: str | None) -> list[str]:
    """Where the photos are, checked against their hashes."""
    places = [moved] if moved else [record["path"] for record in records]
    if None in places:
        raise InputError(
            f"{path} was made from a photo that only existed in memory; say where it is with"
            " photo=PATH (--photo PATH)."
        )
    if len(places) != len(records):
        raise InputError(f"{path} was made from {len(records)} photos; one was given.")
    for place, record in zip(map(str, places), records, strict=True):
        if not place.startswith(PREFIX) and not os.path.isfile(place):
            raise InputError(
                f"The photo {place} is not there any more; say where it is now with photo=PATH"
                " (--photo PATH)."
            )
        if fingerprint(load_image(place)) != record["sha256"]:
            raise InputError(
                f"{place} is not the photo that {path} was made from: its pixels differ."
            )
    return [str(place) for place in places]
