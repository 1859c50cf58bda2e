"""Attribution methods against each other, over a folder of labeled photos."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from convscope import attribution, metrics
from convscope.attribution._method import Method, check_options, fitting
from convscope.core import progress
from convscope.errors import ImageError, OptionError, suggest
from convscope.metrics._case import MetricInput
from convscope.metrics._run import measure
from convscope.networks.model import Model
from convscope.photos.load_image import load_photos
from convscope.photos.resize import resize
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.questions.target import Choice, Target, find_class
from convscope.results.result import Result
from convscope.verbs._verb import verb

LABELS = "labels.csv"
"""The file that names each photo's class: a column `file`, and `imagenet_index`, `index` or
`label`."""

PHOTOS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class Labeled:
    """A photo (1 c h w in [0, 1]), its class, and where its object is (1 1 h w), where that is
    known."""

    name: str
    photo: Tensor
    index: int
    mask: Tensor | None


@verb  # type: ignore[arg-type]  # mypy: a `model` among the options would clash
def benchmark_attribution(
    model: Model,
    folder: str,
    *,
    methods: str | Sequence[str] | None = None,
    metric: str | Sequence[str] = "grid_pointing,insertion,deletion",
    grids: int = 40,
    tiles: int = 2,
    alpha_masks: bool = False,
    layer: str | None = None,
    seed: int = 0,
    **options: Any,
) -> Result:
    """Which attribution method finds what the network looks at: a table of methods over photos,
    with the spread.

    The photos of a folder are tiled at random, `tiles` x `tiles` different classes at the network's
    own size, and each method is asked about the class of one tile. `result.table` has a row per
    method (the mean and the standard deviation of every metric, and the seconds an explanation
    took); `result[METRIC]` has every value, methods x grids. `random_map` is the floor.

    Args:
        model: what `load_model` takes.
        folder: photos, and a `labels.csv` with the columns file and index (or label); without it, a
            photo's class is its top prediction.
        methods: a list, or names separated by commas; by default all that this network allows and
            that need no optional package.
        metric: a list, or names separated by commas.
        grids: how many tiled pictures.
        tiles: photos per row and column of a tiled picture.
        alpha_masks: the photos' alpha channel is the object's mask: `pointing` and `energy` then
            ask for the object in its tile.
        layer: for the methods that look at a layer; the default one if none is given.
        seed: of the tiling and of the methods that draw random numbers.

    Raises:
        OptionError: too few photos or classes, or an unknown method, metric or option.
        ImageError: there is no such folder, or a photo in it cannot be read.

    Example:
        convscope.benchmark_attribution(model, "photos/", methods="grad_cam,layer_cam,random_map")
        $ convscope benchmark_attribution photos/ --methods grad_cam,random_map --out table.png
    """
    if grids < 1 or tiles < 1:
        raise OptionError(f"grids and tiles must be 1 or more; {grids} and {tiles} were given.")
    measures = _names(metric, metrics.registry.names(), "metric")
    with Probe(model) as probe, Probe(inference_copy(model)) as judge:
        wanted = (
            _names(methods, attribution.registry.names(), "attribution method")
            if methods is not None
            else _all(probe)
        )
        check_options(
            [*wanted],
            {key: value for key, value in options.items() if not _of_a_metric(key, measures)},
        )
        cases = list(tiled(model, labeled(probe, folder, alpha_masks), grids, tiles, seed))
        values: dict[str, list[list[float]]] = {name: [] for name in measures}
        table = []
        for done, name in enumerate(wanted):
            found, seconds = _one(probe, judge, name, cases, measures, layer, seed, options)
            row: dict[str, Any] = {"method": name}
            for each in measures:
                values[each].append(found[each])
                row |= {each: float(np.mean(found[each])), f"{each}_sd": float(np.std(found[each]))}
            table.append(row | {"seconds": round(seconds, 3)})
            progress.advance("benchmark", done + 1, len(wanted))
    better = {name: metrics.registry.traits(name).better for name in measures}
    details = {
        "methods": wanted,
        "metrics": better,
        "grids": [case.title for case in cases],
        "floor": "random_map",
        "tiles": tiles,
    }
    table.sort(
        key=lambda row: -row[measures[0]] if better[measures[0]] == "higher" else row[measures[0]]
    )
    arrays = {name: np.array(rows, np.float32) for name, rows in values.items()}
    return Result("benchmark_attribution", "measurements", arrays, table, [], details)


@dataclass(frozen=True)
class Tiled:
    """One tiled picture (network input, 1 c h w), the class asked about, the tile (or the object in
    it), and what is where."""

    image: Tensor
    index: int
    tile: Tensor
    object: Tensor | None
    title: str


def labeled(probe: Probe, folder: str, alpha_masks: bool) -> list[Labeled]:
    """The photos of a folder with their classes."""
    place = Path(folder)
    if not place.is_dir():
        raise ImageError(f"There is no folder {folder}.")
    known: dict[str, str] = {}
    if (place / LABELS).is_file():
        with open(place / LABELS, encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                column = next(
                    (name for name in ("imagenet_index", "index", "label") if row.get(name)), None
                )
                if not row.get("file") or column is None:
                    raise OptionError(
                        f"{place / LABELS} must have the columns file and imagenet_index, index or"
                        " label."
                    )
                known[row["file"]] = row[column]
    paths = [place / name for name in known] or sorted(
        path for path in place.iterdir() if path.suffix.lower() in PHOTOS
    )
    found = []
    for path in paths:
        photo, mask = _read(path, alpha_masks)
        fitted = probe.model.fit(photo)
        index = (
            find_class(probe.model, known[path.name])
            if known
            else int(probe.scores(probe.model.preprocess(fitted)).argmax())
        )
        found.append(Labeled(path.stem, photo, index, mask))
    return found


def tiled(
    model: Model, photos: list[Labeled], grids: int, tiles: int, seed: int
) -> Iterator[Tiled]:
    """Random tiled pictures without a class twice; the tile asked about goes round.

    Raises:
        OptionError: the photos have fewer classes than a picture has tiles.
    """
    classes, count = len({photo.index for photo in photos}), tiles * tiles
    if classes < count:
        raise OptionError(
            f"A picture of {tiles} x {tiles} tiles needs {count} classes; the photos have"
            f" {classes}."
        )
    generator = torch.Generator().manual_seed(seed)
    height, width = (side // tiles for side in model.size)
    for number in range(grids):
        taken: dict[int, Labeled] = {}
        for place in torch.randperm(len(photos), generator=generator).tolist():
            taken.setdefault(photos[place].index, photos[place])
        chosen = list(taken.values())[:count]
        sheet = torch.zeros(1, model.channels, *model.size)
        tile, thing = torch.zeros(2, 1, *model.size, dtype=torch.bool)
        for at, photo in enumerate(chosen):
            rows, columns = (
                slice(step * side, (step + 1) * side)
                for step, side in zip(divmod(at, tiles), (height, width), strict=True)
            )
            sheet[:, :, rows, columns] = resize(model.fit(photo.photo).cpu(), (height, width))
            if at == number % count:
                tile[:, rows, columns] = True
                if photo.mask is not None:
                    thing[:, rows, columns] = (
                        resize(model.preprocessing.fit(photo.mask), (height, width))[:, 0] > 0.5
                    )
        asked = chosen[number % count]
        title = f"{asked.name} in {', '.join(photo.name for photo in chosen)}"
        marked = None if asked.mask is None else thing.to(model.device)
        yield Tiled(model.preprocess(sheet), asked.index, tile.to(model.device), marked, title)


def _one(
    probe: Probe,
    judge: Probe,
    name: str,
    cases: list[Tiled],
    measures: list[str],
    layer: str | None,
    seed: int,
    options: dict[str, Any],
) -> tuple[dict[str, list[float]], float]:
    """All metrics of one method over all pictures, and the seconds an explanation took."""
    found: dict[str, list[float]] = {each: [] for each in measures}
    seconds = 0.0
    for number, case in enumerate(cases):
        method = Method.of(
            name, probe, seed=seed + number, **fitting(name, layer, options, alone=False)
        )
        target = Target(probe.model, (Choice(case.index),))
        started = time.perf_counter()
        heatmap = method.heatmap_of(method(probe, case.image, target))
        seconds += time.perf_counter() - started
        for each in measures:
            place = case.tile if each == "grid_pointing" else case.object
            asked = probe if metrics.registry.traits(each).needs == "method" else judge
            looked = MetricInput.of(
                asked, case.image, target, heatmap, mask=place, method=method, seed=seed + number
            )
            found[each].append(float(measure(looked, each, options)))
    return found, seconds / len(cases)


def _read(path: Path, alpha_masks: bool) -> tuple[Tensor, Tensor | None]:
    """A photo, and its mask where the alpha channel is one (the colors are then taken as they
    are)."""
    if not alpha_masks:
        return load_photos(path)[0], None
    load_photos(path)  # refuses what cannot be read
    with Image.open(path) as picture:
        if "A" not in picture.getbands():
            raise ImageError(
                f"{path} has no alpha channel, so it holds no mask; leave out alpha_masks."
            )
        pixels = np.asarray(picture.convert("RGBA"))
    return load_photos(pixels[..., :3])[0], load_photos(pixels[..., 3])[0]


def _names(given: str | Sequence[str], known: Sequence[str], kind: str) -> list[str]:
    names = [part.strip() for part in given.split(",")] if isinstance(given, str) else list(given)
    for name in names:
        if name not in known:
            raise OptionError(f"There is no {kind} {name!r}; {suggest(name, known)}")
    return list(dict.fromkeys(names))


def _all(probe: Probe) -> list[str]:
    """The methods that this network allows and that need no optional package."""
    attends = any(
        "attention" in layer.kind.lower() or layer.kind == "Attention"
        for layer in probe.layers.values()
    )
    traits = {name: attribution.registry.traits(name) for name in attribution.registry}
    return [
        name
        for name, each in traits.items()
        if not each.extra and (attends or each.needs != "attention")
    ]


def _of_a_metric(option: str, measures: list[str]) -> bool:
    return any(
        option == parameter.name
        for name in measures
        for parameter in metrics.registry.schema(name).options
    )
