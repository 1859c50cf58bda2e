"""The verbs that look (the verbs that make pictures by ascent are the files of `techniques/`)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from convscope import attribution, metrics
from convscope.attribution._method import Method, check_options, fitting
from convscope.core.registry import Registry
from convscope.errors import OptionError, TargetError
from convscope.metrics._case import Case
from convscope.metrics._run import check_metrics, heatmaps_in, masks_of, measure, method_in, target_in
from convscope.networks.load import load_model
from convscope.photos import image as images
from convscope.probe.probe import Probe
from convscope.questions.target import Target, TargetLike
from convscope.results.result import Result
from convscope.verb import PhotoLike, bytes_of, enter, verb

if TYPE_CHECKING:
    from convscope.networks.model import Model

__all__ = ["activations", "evaluate", "explain", "layers", "load_model", "predict"]


@verb
def predict(model: Model, photo: PhotoLike, *, top: int = 5) -> Result:
    """What the network says a photo is: the top classes with their probabilities.

    `result.table` has a row per photo and rank (photo, rank, index, label, probability); `result["score"]` are the raw
    scores and `result["probability"]` the probabilities of all classes, n classes. A network with one output is read
    through a sigmoid.

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor, or a list of these.
        top: how many classes to name.

    Example:
        convscope.predict(model, "cat.jpg", top=3)
        $ convscope predict cat.jpg --top 3
    """
    if top < 1:
        raise OptionError(f"top must be 1 or more; {top} was given.")
    with Probe(model) as probe:
        scores = probe.scores(enter(model, photo))
    likely = model.probabilities(scores)
    table = []
    for place, row in enumerate(likely):
        order = row.argsort(descending=True, stable=True)[:top]
        for rank, index in enumerate(order.tolist(), start=1):
            table.append({"photo": place, "rank": rank, "index": index, "label": model.label(index), "probability": float(row[index])})
    return Result("predict", "predictions", {"score": _array(scores), "probability": _array(likely)}, table, bytes_of(photo))


@verb
def layers(model: Model, *, match: str = "*") -> Result:
    """Every layer of a network: dotted name, kind, output shape, units and parameters, from one dry run.

    `result.table` has a row per layer in the order in which they finish (name, kind, shape, units, parameters, calls);
    `parameters` of a container count its children's. `result.details` has the totals.

    Args:
        model: what `load_model` takes.
        match: only layers whose name fits this shell pattern, such as "blocks.*".

    Example:
        convscope.layers(model, match="blocks.?")
        $ convscope layers --match "blocks.?"
    """
    with Probe(model) as probe:
        found = probe.layers
    rows = [found[name] for name in found.match(match)]
    table = [
        {
            "name": layer.name,
            "kind": layer.kind,
            "shape": " x ".join(map(str, layer.shape)),
            "units": layer.units,
            "parameters": layer.parameters,
            "calls": layer.calls,
        }
        for layer in rows
    ]
    totals = {"layers": len(table), "units": sum(layer.units for layer in rows), "parameters": found.parameters}
    return Result(
        "layers",
        "table",
        {},
        table,
        details={"totals": totals, "title": f"{model.name}: {len(table)} layers, {found.parameters:,} parameters"},
    )


@verb
def activations(model: Model, photo: PhotoLike, *, layers: Sequence[str] | str | None = None) -> Result:
    """What every channel of a layer does on a photo (Chollet, Deep Learning with Python, 5.4.1).

    The arrays are keyed by layer name, n c h w, raw float32; a dense layer has h = w = 1. `result.table` has a row per
    photo and layer: the share of exact zeros, of values at or below zero, of blank channels (constant over all places; a dense layer's are
    those at zero), and the five strongest channels by their mean.

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor, or a list of these.
        layers: dotted names or shell patterns; by default an early, a middle and a late stage.

    Example:
        convscope.activations(model, "cat.jpg", layers=["blocks.1", "blocks.4"])
        $ convscope activations cat.jpg --layers blocks.1,blocks.4 --out maps.png
    """
    with Probe(model) as probe:
        wanted = [layers] if isinstance(layers, str) else list(layers or probe.layers.spread(3))
        names = list(dict.fromkeys(name for pattern in wanted for name in probe.layers.match(pattern)))
        found = probe.activations(enter(model, photo), names)
    table = []
    for name, maps in found.items():
        for place, one in enumerate(maps.float()):
            flat = one.flatten(1)
            strongest = flat.mean(1).argsort(descending=True, stable=True)[:5].tolist()
            blank = (flat == flat[:, :1]).all(1) if flat.shape[1] > 1 else flat[:, 0] == 0
            table.append(
                {
                    "photo": place,
                    "layer": name,
                    "shape": " x ".join(map(str, one.shape)),
                    "zeros": float((one == 0).float().mean()),
                    "inactive": float((one <= 0).float().mean()),
                    "blank": float(blank.float().mean()),
                    "strongest": strongest,
                }
            )
    return Result("activations", "activations", {name: _array(maps) for name, maps in found.items()}, table, bytes_of(photo))


@verb  # type: ignore[arg-type]  # mypy: a `model` among the options would clash
def explain(
    model: Model,
    photo: PhotoLike,
    *,
    method: str | Sequence[str] = "grad_cam",
    target: TargetLike | Sequence[TargetLike] = None,
    layer: str | Sequence[str] | None = None,
    seed: int = 0,
    half: bool = False,
    **options: Any,
) -> Result:
    """Where in the photo the answer comes from, by any attribution method.

    `result["attribution"]` is raw and signed, n c h w, at the method's own resolution (a CAM has c = 1 and no ReLU,
    scaling or resizing); `result["heatmap"]`, n h w, is the method's own reduction over channels. Several targets of
    one photo make a batch. Several methods make one sheet, methods by targets, with the arrays `METHOD.attribution` and
    `METHOD.heatmap`. Several layers are fused into one map. What a method measured on its way is in `result.table`.

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor, or a list of these.
        method: the attribution method, or several, as a list or separated by commas.
        target: a class index, a label or an unambiguous part of one, "a vs b", or a callable; several as a list or separated
            by commas; by default the top prediction.
        layer: for the methods that look at a layer, or several to fuse; by default the last one whose output still has places.
        seed: of the one random generator, for the methods that draw random numbers.
        half: compute in bfloat16, faster where the processor has it: CAMs and masks are then right to about two digits, while
            gradients at the image become noisy.

    Example:
        convscope.explain(model, "cat.jpg", method="grad_cam", target="Egyptian cat")
        $ convscope explain cat.jpg --method grad_cam,saliency --target "tabby,tiger cat" --out heat.png
    """
    names = _listed(method, attribution.registry)
    check_options(names, options)
    seen = copy.copy(model)
    seen.half = half
    with Probe(seen) as probe:
        runs = [Method.of(name, probe, seed=seed, **fitting(name, layer, options, alone=len(names) == 1)) for name in names]
        image = enter(model, photo)
        wanted = Target.of(model, _targets(model, target))
        photo_of = list(range(len(photo)))
        if len(photo) == 1 and len(wanted) > 1:
            image, photo_of = image.expand(len(wanted), -1, -1, -1), [0] * len(wanted)
        wanted = wanted.expand(len(image))
        found = []
        for run in runs:
            if wanted.open and not run.single_run:
                wanted = wanted.resolved(probe.output(image))
            found.append(run(probe, image, wanted))
            wanted = wanted.resolved(probe.seen)
        notes = probe.notes
    details: dict[str, Any] = {
        "titles": wanted.titles(),
        "photo_of": photo_of,
        "boxes": [model.preprocessing.box(*photo[place].shape[-2:]) for place in photo_of],
        "targets": [None if choice.function else {"index": choice.index, "against": choice.against} for choice in wanted.choices],
    }
    table = [{"photo": photo_of[place], "target": title} for place, title in enumerate(details["titles"])] if notes else []
    for row, values in zip(table, zip(*notes.values(), strict=False), strict=False):
        row |= dict(zip(notes, values, strict=True))
    described = [{"method": run.name, "space": run.space, "signed": run.signed, "layer": ", ".join(run.layers) or None} for run in runs]
    heatmaps = [run.heatmap_of(maps) for run, maps in zip(runs, found, strict=True)]
    if len(runs) == 1:
        arrays = {"attribution": _array(found[0]), "heatmap": _array(heatmaps[0])}
        return Result("explain", "attribution", arrays, table, bytes_of(photo), details | described[0])
    arrays = {f"{name}.attribution": _array(maps) for name, maps in zip(names, found, strict=True)}
    arrays |= {f"{name}.heatmap": _array(maps) for name, maps in zip(names, heatmaps, strict=True)}
    return Result("explain", "comparison", arrays, table, bytes_of(photo), details | {"methods": described})


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

    `result.table` has a row per photo, method and metric (photo, target, method, metric, value, better); metrics that make a
    curve leave it as an array `METHOD.METRIC`, n steps.

    Args:
        model: what `load_model` takes.
        photo: the photos that were explained.
        result: what `explain` gave, or the .npz file it was saved in.
        metric: the metric, or several, as a list or separated by commas.
        target: what was asked about, where the result does not know it (a callable).
        mask: for the metrics of place, where the object is: for each photo an image of its size, white there.
        seed: of the one random generator, for the metrics that draw random numbers.

    Example:
        convscope.evaluate(model, "cat.jpg", convscope.explain(model, "cat.jpg"), metric="insertion,deletion")
        $ convscope evaluate cat.jpg heat.npz --metric insertion,deletion
    """
    given = Result.load(result) if isinstance(result, str) else result
    names = _listed(metric, metrics.registry)
    check_metrics(names, options)
    maps = heatmaps_in(given)
    photo_of = given.details["photo_of"]
    if max(photo_of) >= len(photo):
        raise OptionError(f"The result is about {max(photo_of) + 1} photo(s); {len(photo)} were given.")
    for place, (one, made) in enumerate(zip(photo, given.provenance.get("photos", []), strict=False)):
        if images.fingerprint(one) != made["sha256"]:
            name = made["path"] or "a photo from memory"
            raise OptionError(
                f"The result was made from another photo ({name}) than photo {place} given here; give that one, or explain this one first."
            )
    table: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {}
    with Probe(model) as probe:
        image = enter(model, photo)[photo_of]
        wanted = target_in(given, model, target).expand(len(image))
        masks = masks_of(model, mask, photo, photo_of)
        for method, heatmap in maps.items():
            again = method_in(given, method, probe)
            case = Case.of(probe, image, wanted, torch.from_numpy(heatmap), mask=masks, method=again, seed=seed)
            for name in names:
                better = metrics.registry.traits(name)["better"]
                values = measure(case, name, options).tolist()
                for place, (title, value) in enumerate(zip(wanted.titles(), values, strict=True)):
                    row = {"photo": photo_of[place], "target": title, "method": method, "metric": name}
                    table.append(row | {"value": value, "better": better})
            arrays |= {f"{method}.{name}": _array(curve) for name, curve in case.curves.items()}
    return Result("evaluate", "table", arrays, table, bytes_of(photo), {"title": "How good the heatmaps are"})


def _listed(names: str | Sequence[str], known: Registry) -> list[str]:
    """Names from a list or from text with commas, each once."""
    parts = names.split(",") if isinstance(names, str) else list(names)
    found = list(dict.fromkeys(part.strip() for part in parts if part.strip()))
    if not found:
        raise OptionError(f"No {known.kind} was given; there is: {', '.join(known.names())}.")
    return found


def _targets(model: Model, target: TargetLike | Sequence[TargetLike]) -> TargetLike | Sequence[TargetLike]:
    """Text with commas is one label where the network has it (labels hold commas), and else several targets."""
    if not isinstance(target, str) or "," not in target:
        return target
    try:
        Target.of(model, target)
    except TargetError:
        return [part.strip() for part in target.split(",") if part.strip()]
    return target


def _array(tensor: Tensor) -> Any:
    return tensor.detach().float().cpu().contiguous().numpy()
