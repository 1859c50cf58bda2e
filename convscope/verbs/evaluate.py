from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import torch
from torch import Tensor

from convscope import metrics
from convscope.core.quantities import pluralize
from convscope.core.ranges import Seed
from convscope.errors import OptionError
from convscope.metrics.measure import MaskLike, check_metrics, masks_of, measure
from convscope.metrics.metric_input import MetricInput
from convscope.networks.model import Model
from convscope.photos.fingerprint import fingerprint
from convscope.probe import Probe
from convscope.questions.target import TargetLike
from convscope.results.arrays import Array, to_numpy
from convscope.results.details import MapDetails, TableDetails
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.verbs._explanation import heatmaps_in, method_in, target_in
from convscope.verbs._names import listed_names
from convscope.verbs._questions import ask
from convscope.verbs._verb import PhotoLike, bytes_of, network_input, verb


@verb  # type: ignore[arg-type]  # mypy: a `model` among the options would clash
def evaluate(
    model: Model,
    photo: PhotoLike,
    result: Result | str | Path,
    *,
    metric: str | Sequence[str] = "insertion",
    target: TargetLike | Sequence[TargetLike] = None,
    mask: MaskLike | None = None,
    seed: Seed = 0,
    **options: object,
) -> Result:
    """How good the heatmaps of `explain` are, in numbers.

    `result.table` has a row per photo, method and metric (photo, target, method, metric, value,
    better); metrics that make a curve leave it as an array `METHOD.METRIC`, n steps.

    Args:
        model: what `load_model` takes.
        photo: the photos that were explained.
        result: what `explain` gave, or the .npz file it was saved in.
        metric: the metric, or several, as a list or separated by commas.
        target: what the metrics ask about; by default what the result was asked about, which it
            knows unless that was a callable.
        mask: for the metrics of place, where the object is: for each photo an image of its size,
            white there.
        seed: of the one random generator, for the metrics that draw random numbers.

    Example:
        result = convscope.explain(model, "cat.jpg")
        convscope.evaluate(model, "cat.jpg", result, metric="insertion,deletion")
        $ convscope evaluate cat.jpg heat.npz --metric insertion,deletion
    """
    explanation = Result.load(result) if isinstance(result, (str, Path)) else result
    names = listed_names(metric, metrics.registry)
    check_metrics(names, options)
    heatmaps = heatmaps_in(explanation)
    photo_of = explanation.details_as(MapDetails).photo_of
    _require_same_photos(explanation, photo, photo_of)
    table: list[Row] = []
    arrays: dict[str, Array] = {}
    with ExitStack() as stack:
        probe = stack.enter_context(Probe(model))
        image = network_input(model, photo)[photo_of]
        targets = target_in(explanation, model, target).expand(len(image))
        asked, targets = ask(probe, targets, image, [photo[index] for index in photo_of])
        probe = stack.enter_context(Probe(asked))
        if targets.open:
            targets = targets.resolved(probe.output(image))
        masks = masks_of(model, mask, photo, photo_of)
        for method, heatmap in heatmaps.items():
            case = MetricInput.of(
                probe,
                image,
                targets,
                torch.from_numpy(heatmap),
                mask=masks,
                method=method_in(explanation, method, probe),
                seed=seed,
            )
            for name in names:
                values = measure(case, name, options).tolist()
                table += _rows(method, name, values, targets.titles(), photo_of)
            arrays |= {f"{method}.{name}": to_numpy(curve) for name, curve in case.curves.items()}
    title = TableDetails(title="How good the heatmaps are")
    return Result("evaluate", title, arrays, table, bytes_of(photo))


def _rows(
    method: str, metric: str, values: list[float], titles: list[str], photo_of: Sequence[int]
) -> list[Row]:
    """One metric's values of one method, a row for each map."""
    better = metrics.registry.traits(metric).better
    return [
        {
            "photo": photo,
            "target": title,
            "method": method,
            "metric": metric,
            "value": value,
            "better": better,
        }
        for photo, title, value in zip(photo_of, titles, values, strict=True)
    ]


def _require_same_photos(
    explanation: Result, photos: Sequence[Tensor], photo_of: Sequence[int]
) -> None:
    """Refuse photos that are not those of the explanation."""
    if max(photo_of) >= len(photos):
        raise OptionError(
            f"The result is about {max(photo_of) + 1} photo(s); {len(photos)} were given."
        )
    if len(photos) > max(photo_of) + 1:
        raise OptionError(
            f"The result is about {pluralize(max(photo_of) + 1, 'photo')}, and {len(photos)} were"
            " given: leave out those that it is not about."
        )
    records = explanation.provenance.get("photos", [])
    for place, (photo, record) in enumerate(zip(photos, records, strict=False)):
        if fingerprint(photo) != record["sha256"]:
            name = record["path"] or "a photo from memory"
            raise OptionError(
                f"The result was made from another photo ({name}) than photo {place} given here;"
                " give that one, or explain this one first."
            )
