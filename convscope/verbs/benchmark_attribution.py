"""Attribution methods against each other, over a folder of labeled photos."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from convscope import attribution, metrics
from convscope.attribution.method import Method
from convscope.attribution.method_options import check_layer, check_options, options_for
from convscope.core import progress
from convscope.core.ranges import Runs, Seed, Tiles
from convscope.core.types import Options
from convscope.errors import OptionError, suggest
from convscope.metrics.measure import measure
from convscope.metrics.metric_input import MetricInput
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.questions.target import Choice, Target
from convscope.results.details import MeasurementsDetails
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.verbs._tiled_photos import TiledPicture, labeled_photos, tile_photos
from convscope.verbs._verb import verb

FLOOR = "random_map"
"""The method that knows nothing; a method below it is worse than no explanation."""


@verb  # type: ignore[arg-type]  # mypy: a `model` among the options would clash
def benchmark_attribution(
    model: Model,
    folder: str,
    *,
    methods: str | Sequence[str] | None = None,
    metric: str | Sequence[str] = "grid_pointing,insertion,deletion",
    grids: Runs = 40,
    tiles: Tiles = 2,
    alpha_masks: bool = False,
    layer: str | None = None,
    seed: Seed = 0,
    **options: object,
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
    metric_names = _names(metric, metrics.registry.names(), "metric")
    with Probe(model) as probe, Probe(inference_copy(model)) as judge:
        method_names = (
            _names(methods, attribution.registry.names(), "attribution method")
            if methods is not None
            else _usual_methods(probe)
        )
        for_methods = _without_metric_options(options, metric_names)
        check_options(method_names, for_methods)
        check_layer(method_names, layer, for_methods)
        pictures = list(
            tile_photos(model, labeled_photos(probe, folder, alpha_masks), grids, tiles, seed)
        )
        values: dict[str, list[list[float]]] = {name: [] for name in metric_names}
        table: list[Row] = []
        for name in progress.track(method_names, "methods", len(method_names)):
            measured, seconds = _measure_method(
                probe, judge, name, pictures, metric_names, layer, seed, options
            )
            row: Row = {"method": name}
            for metric_name, numbers in measured.items():
                values[metric_name].append(numbers)
                row[metric_name] = float(np.mean(numbers))
                row[f"{metric_name}_sd"] = float(np.std(numbers))
            table.append(row | {"seconds": round(seconds, 3)})
    better = {name: metrics.registry.traits(name).better for name in metric_names}
    first = metric_names[0]
    table.sort(key=lambda row: -row[first] if better[first] == "higher" else row[first])
    details = MeasurementsDetails(
        methods=method_names,
        metrics=better,
        grids=[picture.title for picture in pictures],
        floor=FLOOR,
        tiles=tiles,
    )
    arrays = {name: np.array(rows, np.float32) for name, rows in values.items()}
    return Result("benchmark_attribution", details, arrays, table)


def _measure_method(
    probe: Probe,
    judge: Probe,
    name: str,
    pictures: list[TiledPicture],
    metric_names: list[str],
    layer: str | None,
    seed: int,
    options: Options,
) -> tuple[dict[str, list[float]], float]:
    """All metrics of one method over all pictures, and the seconds an explanation took."""
    values: dict[str, list[float]] = {metric_name: [] for metric_name in metric_names}
    seconds = 0.0
    for number, picture in enumerate(progress.track(pictures, "pictures", len(pictures))):
        method = Method.of(
            name, probe, seed=seed + number, **options_for(name, layer, options, alone=False)
        )
        target = Target(probe.model, (Choice(picture.index),))
        started = time.perf_counter()
        heatmap = method.heatmap_of(method(probe, picture.image, target))
        seconds += time.perf_counter() - started
        for metric_name in metric_names:
            mask = picture.tile if metric_name == "grid_pointing" else picture.object
            # Metrics that run the method again need the network that it ran on.
            needs_method = metrics.registry.traits(metric_name).needs == "method"
            case = MetricInput.of(
                probe if needs_method else judge,
                picture.image,
                target,
                heatmap,
                mask=mask,
                method=method,
                seed=seed + number,
            )
            values[metric_name].append(float(measure(case, metric_name, options)))
    return values, seconds / len(pictures)


def _names(text: str | Sequence[str], known: Sequence[str], kind: str) -> list[str]:
    """Names from a list or from text with commas, each once."""
    names = [part.strip() for part in text.split(",")] if isinstance(text, str) else list(text)
    for name in names:
        if name not in known:
            raise OptionError(f"There is no {kind} {name!r}; {suggest(name, known)}")
    return list(dict.fromkeys(names))


def _usual_methods(probe: Probe) -> list[str]:
    """The methods that this network allows and that need no optional package."""
    attends = any(
        "attention" in layer.kind.lower() or layer.kind == "Attention"
        for layer in probe.layers.values()
    )
    traits = {name: attribution.registry.traits(name) for name in attribution.registry}
    return [
        name
        for name, trait in traits.items()
        if not trait.extra and (trait.needs is None or (attends and trait.needs == "attention"))
    ]


def _without_metric_options(options: Options, metric_names: list[str]) -> Options:
    """The options that are for the methods."""
    for_metrics = {
        parameter.name
        for name in metric_names
        for parameter in metrics.registry.schema(name).options
    }
    return {name: value for name, value in options.items() if name not in for_metrics}
