from __future__ import annotations

from typing import Literal

import numpy as np

from convscope.concepts import registry
from convscope.core.ranges import Copies, PositiveInt, Seed
from convscope.errors import OptionError, shown
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.questions.target import Target, TargetLike
from convscope.results.arrays import Array, to_numpy
from convscope.results.details import AttributionDetails
from convscope.results.result import Result
from convscope.verbs._concept_cards import with_cards
from convscope.verbs._concept_layer import ConceptLayer
from convscope.verbs._concept_measures import (
    choose_count,
    kept_share,
    measure_importance,
)
from convscope.verbs._concept_rows import (
    concept_rows,
    maps_on_best_photos,
    note_on,
    title_of,
    with_stability,
)
from convscope.verbs._concept_tests import concept_tests
from convscope.verbs._verb import PhotoLike, bytes_of, network_input, verb


@verb  # type: ignore[arg-type]  # mypy: a `model` among the options would clash
def concepts(
    model: Model,
    photos: PhotoLike,
    *,
    layer: str | None = None,
    method: Literal["craft", "ice", "nmf", "pca", "semi_nmf", "sparse_autoencoder", "tcav"] = "nmf",
    count: PositiveInt | None = 10,
    target: TargetLike = None,
    importance: bool = False,
    seed: Seed = 0,
    seeds: Copies = 1,
    cards: bool = False,
    **options: object,
) -> Result:
    """What a layer's activations on photos are made of: `count` directions, where each fires, and
    how much it matters for a class.

    `result["directions"]` is k c, `result["offset"]` c, `result["coefficients"]` n k h w: their
    product is close to the activations (for nmf, ice and craft, to their positive part: take
    semi_nmf or pca where a layer is signed). `result["heatmap"]` (k h w, at most 64) is each
    concept on the photo that it fires most on. `result["error"]` is the relative error of the
    reconstruction and `result["kept"]` the share of top predictions that stay when the layer is
    replaced by it (one number each). `result.table` has a row per concept: its share of the
    explained energy, its best photo and its highest value there.

    With `importance` the table also has the mean over the photos of each concept's importance for
    the target, the ends of its 95 % interval (`low`, `high`; a bootstrap over the photos) and the
    target that it matters most for. It is the total Sobol index of the concept's coefficient
    (CRAFT, Fel et al., 2023), or of `ice` and `tcav` the directional derivative.
    `result["importance"]` is n k; `result["deletion"]` and `result["insertion"]` (n k+1) are the
    target's probability while concepts are taken away from the layer's activations, or put into
    their reconstruction, the most important first and those that speak against the target last.

    `tcav` takes concepts that you show: a folder of photos for each (`examples=`) and other photos
    (`random=`). Its rows have the concept's `name`, the share of the photos whose score rises along
    it (`tcav`), that of random photos (`tcav_random`), the `p_value` of the difference, and whether
    it `is_significant`.

    With `seeds` above 1 the method runs so often: `result["stability"]` is the mean cosine between
    the matched directions of two runs, and `result.note` says when it is below 0.9. That is about
    the method's chance, not about other photos.

    Saved as NAME.safetensors, a concept is a unit: `concept:NAME/3` can be drawn by `visualize` and
    asked about by `explain`, and it or all of them (`concept:NAME`) stand wherever a layer does, a
    channel each: in `explain(layer=)`, `activations`, `caricature`, `atlas examples` and `atlas
    cards`. `intervene` silences or strengthens one.

    Args:
        model: what `load_model` takes.
        photos: a path, PIL image, array or tensor, or a list of these; the more, the better.
        layer: the layer; by default the last one whose output still has places.
        method: how the activations are taken apart.
        count: how many concepts (tcav: as many as were shown); none takes the smallest number that
            keeps at least 95 % of the top predictions, found by doubling and bisection
            (`result["curve"]`, m 2).
        target: of the importance: a class; by default each photo's top prediction.
        importance: measure it; this runs the rest of the network many times for each photo.
        seed: of the method, and of the Sobol sequence.
        seeds: how often the method runs, from `seed` on, to see whether its concepts are stable.
        cards: draw a card of each concept: a picture made to excite it (`result["picture"]`, k 3 s
            s), the four crops that it fires most on (`result["crop"]`, k 4 3 s s), where it fires
            on its best photo, and what else was measured.

    Raises:
        OptionError: more concepts than channels or places, or an option that the method lacks.
        LayerError: no such layer, or none with places.
        NumericError: the layer is silent on these photos, or its activations are not finite.

    Example:
        convscope.concepts(model, ["cat.jpg", "dog.jpg"], layer="blocks.5", count=10)
        $ convscope concepts cat.jpg dog.jpg --layer blocks.5 --count 10 --out concepts.png
        $ convscope concepts cat.jpg dog.jpg --layer blocks.5 --importance --cards --out cards.png
        $ convscope concepts cat.jpg dog.jpg --layer blocks.5 --out pets.safetensors
        $ convscope concepts zebra*.jpg --method tcav --examples textures/ --random random/
    """
    _require_used(target, importance or method == "tcav")
    image = network_input(model, photos)
    # A class that the network lacks is refused before anything runs.
    asked = Target.of(model, target)
    arrays: dict[str, Array] = {}
    with Probe(model) as probe:
        source = ConceptLayer.read(probe, image, layer, method, options)
        is_labeled = registry.traits(method).labeled
        if count is None and not is_labeled:
            count, arrays["curve"] = choose_count(source, seed)
        runs = [source.factorize(count or 0, seed + run) for run in range(seeds)]
        factors, coefficients = runs[0], source.as_maps(runs[0].coefficients)
        rows = concept_rows(factors, coefficients)
        if is_labeled:
            tests = concept_tests(source, asked, seed)
            rows = [row | more for row, more in zip(rows, tests, strict=True)]
        arrays["kept"] = np.array([kept_share(source, factors)], np.float32)
        if importance:
            measured = measure_importance(source, factors, asked, seed)
            rows = [row | more for row, more in zip(rows, measured.columns(seed), strict=True)]
            arrays |= measured.arrays
    if seeds > 1:
        rows, arrays["stability"] = with_stability(rows, [run.directions for run in runs])
    best, heatmap = maps_on_best_photos(rows, coefficients)
    error = np.linalg.norm(source.places - factors.reconstruction) / np.linalg.norm(source.places)
    arrays |= {
        "heatmap": to_numpy(heatmap),
        "directions": factors.directions,
        "offset": factors.offset,
        "coefficients": to_numpy(coefficients),
        "error": np.array([error], np.float32),
    }
    details = AttributionDetails(
        titles=[title_of(rows[index]) for index in range(len(best))],
        photo_of=best,
        boxes=[model.preprocessing.box(*photos[place].shape[-2:]) for place in best],
        targets=[None] * len(best),
        method=method,
        space="layer",
        signed=bool((factors.coefficients < 0).any()),
        layer=source.name,
    )
    note = note_on(rows, arrays, seeds)
    result = Result("concepts", details, arrays, rows, bytes_of(photos), note=note)
    return with_cards(result, model, photos, seed) if cards else result


def _require_used(target: TargetLike, is_measured: bool) -> None:
    """Refuse a target that nothing is measured for."""
    if target is not None and not is_measured:
        raise OptionError(
            f"target={shown(target)} is what the importance is for, and it is not measured; pass"
            " importance=True too."
        )
