from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from convscope import attribution
from convscope.attribution._method import Method, check_options, fitting
from convscope.errors import TargetError
from convscope.probe import Probe
from convscope.questions.target import Target, TargetLike
from convscope.results.result import Result
from convscope.verbs._verb import PhotoLike, bytes_of, network_input, verb

if TYPE_CHECKING:
    from convscope.networks.model import Model


from convscope.results.arrays import to_numpy
from convscope.verbs._names import listed_names


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

    `result["attribution"]` is raw and signed, n c h w, at the method's own resolution (a CAM has c
    = 1 and no ReLU, scaling or resizing); `result["heatmap"]`, n h w, is the method's own reduction
    over channels. Several targets of one photo make a batch. Several methods make one sheet,
    methods by targets, with the arrays `METHOD.attribution` and `METHOD.heatmap`. Several layers
    are fused into one map. What a method measured on its way is in `result.table`.

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor, or a list of these.
        method: the attribution method, or several, as a list or separated by commas.
        target: a class index, a label or an unambiguous part of one, "a vs b", or a callable;
            several as a list or separated by commas; by default the top prediction.
        layer: for the methods that look at a layer, or several to fuse; by default the last one
            whose output still has places.
        seed: of the one random generator, for the methods that draw random numbers.
        half: compute in bfloat16, faster where the processor has it: CAMs and masks are then right
            to about two digits, while gradients at the image become noisy.

    Example:
        convscope.explain(model, "cat.jpg", method="grad_cam", target="Egyptian cat")
        $ convscope explain cat.jpg --method grad_cam,saliency --target tabby --out heat.png
    """
    names = listed_names(method, attribution.registry)
    check_options(names, options)
    seen = copy.copy(model)
    seen.half = half
    with Probe(seen) as probe:
        runs = [
            Method.of(
                name, probe, seed=seed, **fitting(name, layer, options, alone=len(names) == 1)
            )
            for name in names
        ]
        image = network_input(model, photo)
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
            wanted = wanted.resolved(probe.last_output)
        notes = probe.notes
    details: dict[str, Any] = {
        "titles": wanted.titles(),
        "photo_of": photo_of,
        "boxes": [model.preprocessing.box(*photo[place].shape[-2:]) for place in photo_of],
        "targets": [
            None if choice.function else {"index": choice.index, "against": choice.against}
            for choice in wanted.choices
        ],
    }
    table = (
        [
            {"photo": photo_of[place], "target": title}
            for place, title in enumerate(details["titles"])
        ]
        if notes
        else []
    )
    for row, values in zip(table, zip(*notes.values(), strict=False), strict=False):
        row |= dict(zip(notes, values, strict=True))
    described = [
        {
            "method": run.name,
            "space": run.space,
            "signed": run.signed,
            "layer": ", ".join(run.layers) or None,
        }
        for run in runs
    ]
    heatmaps = [run.heatmap_of(maps) for run, maps in zip(runs, found, strict=True)]
    if len(runs) == 1:
        arrays = {"attribution": to_numpy(found[0]), "heatmap": to_numpy(heatmaps[0])}
        return Result(
            "explain", "attribution", arrays, table, bytes_of(photo), details | described[0]
        )
    arrays = {
        f"{name}.attribution": to_numpy(maps) for name, maps in zip(names, found, strict=True)
    }
    arrays |= {
        f"{name}.heatmap": to_numpy(maps) for name, maps in zip(names, heatmaps, strict=True)
    }
    return Result(
        "explain", "comparison", arrays, table, bytes_of(photo), details | {"methods": described}
    )


def _targets(
    model: Model, target: TargetLike | Sequence[TargetLike]
) -> TargetLike | Sequence[TargetLike]:
    """Text with commas is one label where the network has it (labels hold commas), and else several
    targets."""
    if not isinstance(target, str) or "," not in target:
        return target
    try:
        Target.of(model, target)
    except TargetError:
        return [part.strip() for part in target.split(",") if part.strip()]
    return target
