from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from convscope import metrics
from convscope.errors import OptionError
from convscope.metrics._case import MetricInput
from convscope.metrics._run import (
    check_metrics,
    heatmaps_in,
    masks_of,
    measure,
    method_in,
    target_in,
)
from convscope.photos.fingerprint import fingerprint
from convscope.probe import Probe
from convscope.questions.target import TargetLike
from convscope.results.result import Result
from convscope.verbs._verb import PhotoLike, bytes_of, network_input, verb

if TYPE_CHECKING:
    from convscope.networks.model import Model


from convscope.results.arrays import to_numpy
from convscope.verbs._names import listed_names


@verb  # type: ignore[arg-type]  # mypy: a `model` among the options would clash
def evaluate(
    model: Model,
    photo: PhotoLike,
    result: Result | str,
    *,
    metric: str | Sequence[str] = "insertion",
    target: TargetLike | Sequence[TargetLike] = None,
    mask: Any = None,
    seed: int = 0,
    **options: Any,
) -> Result:
    """How good the heatmaps of `explain` are, in numbers.

    `result.table` has a row per photo, method and metric (photo, target, method, metric, value,
    better); metrics that make a curve leave it as an array `METHOD.METRIC`, n steps.

    Args:
        model: what `load_model` takes.
        photo: the photos that were explained.
        result: what `explain` gave, or the .npz file it was saved in.
        metric: the metric, or several, as a list or separated by commas.
        target: what was asked about, where the result does not know it (a callable).
        mask: for the metrics of place, where the object is: for each photo an image of its size,
            white there.
        seed: of the one random generator, for the metrics that draw random numbers.

    Example:
        result = convscope.explain(model, "cat.jpg")
        convscope.evaluate(model, "cat.jpg", result, metric="insertion,deletion")
        $ convscope evaluate cat.jpg heat.npz --metric insertion,deletion
    """
    given = Result.load(result) if isinstance(result, str) else result
    names = listed_names(metric, metrics.registry)
    check_metrics(names, options)
    maps = heatmaps_in(given)
    photo_of = given.details["photo_of"]
    if max(photo_of) >= len(photo):
        raise OptionError(
            f"The result is about {max(photo_of) + 1} photo(s); {len(photo)} were given."
        )
    for place, (one, made) in enumerate(
        zip(photo, given.provenance.get("photos", []), strict=False)
    ):
        if fingerprint(one) != made["sha256"]:
            name = made["path"] or "a photo from memory"
            raise OptionError(
                f"The result was made from another photo ({name}) than photo {place} given here;"
                " give that one, or explain this one first."
            )
    table: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {}
    with Probe(model) as probe:
        image = network_input(model, photo)[photo_of]
        wanted = target_in(given, model, target).expand(len(image))
        masks = masks_of(model, mask, photo, photo_of)
        for method, heatmap in maps.items():
            again = method_in(given, method, probe)
            case = MetricInput.of(
                probe, image, wanted, torch.from_numpy(heatmap), mask=masks, method=again, seed=seed
            )
            for name in names:
                better = metrics.registry.traits(name).better
                values = measure(case, name, options).tolist()
                for place, (title, value) in enumerate(zip(wanted.titles(), values, strict=True)):
                    row = {
                        "photo": photo_of[place],
                        "target": title,
                        "method": method,
                        "metric": name,
                    }
                    table.append(row | {"value": value, "better": better})
            arrays |= {f"{method}.{name}": to_numpy(curve) for name, curve in case.curves.items()}
    return Result(
        "evaluate", "table", arrays, table, bytes_of(photo), {"title": "How good the heatmaps are"}
    )
