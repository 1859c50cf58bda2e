"""The photos that a text names: a folder, Parquet files, archives or a Hugging Face dataset."""

from __future__ import annotations

from convscope.errors import ImageError, InputError
from convscope.photos.sources import registry
from convscope.photos.sources.entry import ENDINGS
from convscope.photos.sources.place import PhotoSource, Place

FOLDER = "folder"
"""The source that answers to a folder of pictures."""


def source_of(images: str) -> PhotoSource:
    """The photos that a text names.

    Raises:
        InputError: there is nothing, or nothing that is a photo.
    """
    text = str(images)
    traits = {name: registry.traits(name) for name in registry}
    prefixes = {known.prefix: name for name, known in traits.items() if known.prefix}
    by_ending = {known.ending: name for name, known in traits.items() if known.ending}
    for prefix, name in prefixes.items():
        if text.startswith(prefix):
            return _source(name, Place(text.removeprefix(prefix)))
    place = Place(text)
    known_places = (
        f"a folder, {' or '.join(sorted(by_ending))} files, or"
        f" {' or '.join(f'{prefix}NAME' for prefix in sorted(prefixes))}."
    )
    if not place.paths or not all(place.files.exists(name) for name in place.paths):
        raise InputError(f"There are no photos at {text}; give {known_places}")
    if len(place.paths) == 1 and place.files.isdir(place.paths[0]):
        return _in_folder(place, by_ending)
    endings = {"." + name.rpartition(".")[2].lower() for name in place.paths}
    if len(endings) == 1 and endings <= by_ending.keys():
        return _source(by_ending[endings.pop()], place)
    raise InputError(f"{text} is none of the places photos can come from: {known_places}")


def _source(name: str, place: Place) -> PhotoSource:
    source: PhotoSource = registry.get(name)(place)
    return source


def _in_folder(place: Place, by_ending: dict[str, str]) -> PhotoSource:
    """A folder of pictures, or else of Parquet files or archives."""
    folder = _source(FOLDER, place)
    if next(folder.walk(), None) is not None:
        return folder
    for ending in sorted(by_ending):
        inside = place.under(ending)
        if inside.paths:
            return _source(by_ending[ending], inside)
    raise ImageError(
        f"There is no photo in {place.text}; photos end in {', '.join(ENDINGS[:4])} ..."
    )
