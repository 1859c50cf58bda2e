from __future__ import annotations

import copy
from collections.abc import Sequence

from torch import Tensor

from convscope import attribution
from convscope.attribution.default_layers import pyramid_levels
from convscope.attribution.finer_cam import is_single_class
from convscope.attribution.method import Method
from convscope.attribution.method_options import check_layer, check_options, options_for
from convscope.core.progress import track
from convscope.core.ranges import Seed
from convscope.core.types import Options
from convscope.errors import TargetError
from convscope.networks.layout import image_size
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.questions.callable_question import CallableQuestion
from convscope.questions.target import Choice, Question, Target, TargetLike
from convscope.results.arrays import Array, to_numpy
from convscope.results.details import (
    AttributionDetails,
    ComparisonDetails,
    MapDetails,
    MethodRecord,
    TargetRecord,
)
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.verbs._marks import mark_of, masks_of
from convscope.verbs._names import listed_names
from convscope.verbs._questions import ask
from convscope.verbs._verb import PhotoLike, bytes_of, network_input, verb

DEFAULT_RIVALS = 10
"""How many classes a class is compared with where no method is named: of 3 to 50, as good as any
on photos tiled two by two (`benchmarks.attribution_quality`), over three networks."""


DEFAULT_METHODS = ("finer_cam", "grad_cam", "layer_cam")
"""What `explain` chooses from where no method is named."""


@verb  # type: ignore[arg-type]  # mypy: a `model` among the options would clash
def explain(
    model: Model,
    photo: PhotoLike,
    *,
    method: str | Sequence[str] | None = None,
    target: TargetLike | Sequence[TargetLike] = None,
    layer: str | Sequence[str] | None = None,
    seed: Seed = 0,
    half: bool = False,
    **options: object,
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
        method: the attribution method, or several, as a list or separated by commas. The default
            is finer_cam with 10 rivals for a class of a network that chooses one of several,
            which puts more of its heat on the class's object than grad_cam; layer_cam for a box,
            mask or pixel, where Grad-CAM's mean over places would light up all objects of the
            class; and grad_cam for all else.
        target: a class index, a label or an unambiguous part of one, "a vs b", a question in
            words (box:2, mask:road, pixel:120,88@cat, value:1, like:photo2.jpg, unit:blocks.3:11),
            or a callable; several as a list or separated by commas; by default the network's own
            answer.
        layer: for the methods that look at a layer, or several to fuse; by default the last one
            whose output still has places (of a unit, none behind its layer), and where no method
            is given either, for a box, mask or pixel, the levels of the network's feature pyramid.
            concept:NAME/3 is a saved concept as a layer of one channel: what the layer says along
            its direction alone.
        seed: of the one random generator, for the methods that draw random numbers.
        half: compute in bfloat16, faster where the processor has it: CAMs and masks are then right
            to about two digits, while gradients at the image become noisy.

    Example:
        convscope.explain(model, "cat.jpg", method="grad_cam", target="Egyptian cat")
        $ convscope explain cat.jpg --method grad_cam,saliency --target tabby --out heat.png
    """
    precise = copy.copy(model)
    precise.half = half
    targets = read_targets(model, target)
    with Probe(precise) as probe:
        if method is None:
            method, layer, defaults = _default_method(probe, targets, layer)
            options = {**defaults, **options}
        methods = methods_of(
            probe, method, layer=layer, until=targets.layer, seed=seed, options=options
        )
        return attribute(probe, photo, network_input(model, photo), methods, targets)


def methods_of(
    probe: Probe,
    method: str | Sequence[str],
    *,
    layer: str | Sequence[str] | None,
    until: str | None = None,
    seed: int,
    options: Options,
) -> list[Method]:
    """The methods that were asked for, each with its parameters filled in; where no layer is named,
    none behind `until` is chosen, the layer that is asked about."""
    names = listed_names(method, attribution.registry)
    check_options(names, options)
    if len(names) > 1:  # one alone says itself where it looks
        check_layer(names, layer, options)
    return [
        Method.of(
            name,
            probe,
            until=until,
            seed=seed,
            **options_for(name, layer, options, alone=len(names) == 1),
        )
        for name in names
    ]


def attribute(
    probe: Probe, photo: list[Tensor], image: Tensor, methods: list[Method], targets: Target
) -> Result:
    """The maps of the methods, as the result of `explain`; what the probe's recorded run knows is
    not run again."""
    model = probe.model
    photo_of = list(range(len(photo)))
    if len(photo) == 1 and len(targets) > 1:
        image, photo_of = image.expand(len(targets), -1, -1, -1), [0] * len(targets)
    asked, targets = ask(probe, targets, image, [photo[index] for index in photo_of])
    with Probe(asked) as reader:
        reader.recorded = probe.recorded if asked is model else None
        maps, targets, output = _run(reader, methods, image, targets.expand(len(image)))
        probabilities = _probabilities(asked, targets, output)
        table = _measured(reader.notes, photo_of, targets.titles())
    shared = MapDetails(
        titles=targets.titles(),
        photo_of=photo_of,
        boxes=[model.preprocessing.box(*photo[index].shape[-2:]) for index in photo_of],
        targets=[_record(question) for question in targets.choices],
        probabilities=probabilities,
        marks=[
            mark_of(model, question, image_size(image), photo[index])
            for question, index in zip(targets.choices, photo_of, strict=True)
        ],
    )
    details = _details(shared, methods, maps)
    arrays = _arrays(methods, maps) | masks_of(targets.choices)
    return Result("explain", details, arrays, table, bytes_of(photo))


def read_targets(model: Model, target: TargetLike | Sequence[TargetLike]) -> Target:
    """What was asked about; text with commas may be several targets.

    Raises:
        TargetError: it names nothing that the network has.
    """
    return Target.of(model, _split_targets(model, target))


def _default_method(
    probe: Probe, targets: Target, layer: str | Sequence[str] | None
) -> tuple[str, str | Sequence[str] | None, Options]:
    """Method, layers and options where no method was named."""
    if targets.is_local:
        return "layer_cam", layer or pyramid_levels(probe) or None, {}
    if all(map(is_single_class, targets.choices)) and _classes_compete(probe.model):
        return "finer_cam", layer, {"rivals": DEFAULT_RIVALS}
    return "grad_cam", layer, {}


def _classes_compete(model: Model) -> bool:
    """Whether a photo shows one class of several, so that what speaks for one speaks against the
    others."""
    return model.task == "classification" and model.head == "softmax" and model.classes > 1


def _record(question: Question) -> TargetRecord | None:
    """A question as a result keeps it; None for a callable, which no file can hold."""
    if isinstance(question, CallableQuestion):
        return None
    if isinstance(question, Choice):
        return TargetRecord(question.index, question.against)
    return TargetRecord(None, text=str(question))


def _run(
    probe: Probe, methods: list[Method], image: Tensor, targets: Target
) -> tuple[list[Tensor], Target, object]:
    """The raw map of every method (n c h w each), the targets with every top prediction named, and
    what the network returned for the images; None where no method ran on them as they are, and all
    are so quick that another run would be noticed."""
    maps: list[Tensor] = []
    output: object = None
    for method in track(methods, "methods", len(methods)):
        if targets.open and not method.single_run:
            output = probe.output(image)
            targets = targets.resolved(output)
        maps.append(method(probe, image, targets))
        if method.single_run:
            output = probe.last_output
            targets = targets.resolved(output)
    traits = [attribution.registry.traits(method.name) for method in methods]
    is_quick = all(trait.quick or trait.single_run for trait in traits)
    if output is None and not is_quick and any(map(_is_class, targets.choices)):
        output = probe.output(image)
    return maps, targets, output


def _probabilities(model: Model, targets: Target, output: object) -> list[float | None]:
    """The probability of the class that each map is about."""
    unknown: list[float | None] = [None] * len(targets)
    if output is None or model.task_of(output) not in ("classification", "multi-label"):
        return unknown
    if not any(map(_is_class, targets.choices)):
        return unknown
    probabilities = model.probabilities(model.scores(output, len(targets)).detach())
    return [
        float(row[choice.index]) if isinstance(choice, Choice) and _is_class(choice) else None
        for row, choice in zip(probabilities, targets.choices, strict=True)
    ]


def _is_class(question: Question) -> bool:
    """Whether a question asks about one class."""
    return isinstance(question, Choice) and question.index is not None and question.against is None


def _measured(notes: dict[str, list[float]], photo_of: list[int], titles: list[str]) -> list[Row]:
    """What the methods measured on their way, a row for each map; no rows where they measured
    nothing."""
    if not notes:
        return []
    table: list[Row] = [
        {"photo": photo, "target": title} for photo, title in zip(photo_of, titles, strict=True)
    ]
    for row, values in zip(table, zip(*notes.values(), strict=False), strict=False):
        row |= dict(zip(notes, values, strict=True))
    return table


def _details(
    shared: MapDetails, methods: list[Method], maps: list[Tensor]
) -> AttributionDetails | ComparisonDetails:
    """What the picture of one method, or of several, needs to know."""
    # Averages of scores, which are positive of a class's probability, may be negative of others.
    records = [
        MethodRecord(
            method.name,
            "input" if method.space == "input" else "layer",
            method.signed or bool((method.heatmap_of(attribution) < 0).any()),
            ", ".join(method.layers) or None,
            method.recorded_options,
        )
        for method, attribution in zip(methods, maps, strict=True)
    ]
    if len(records) > 1:
        return ComparisonDetails(**vars(shared), methods=records)
    return AttributionDetails(**vars(shared), **vars(records[0]))


def _arrays(methods: list[Method], maps: list[Tensor]) -> dict[str, Array]:
    """`attribution` and `heatmap`, under the method's name where there are several."""
    heatmaps = [
        method.heatmap_of(attribution) for method, attribution in zip(methods, maps, strict=True)
    ]
    if len(methods) == 1:
        return {"attribution": to_numpy(maps[0]), "heatmap": to_numpy(heatmaps[0])}
    names = [method.name for method in methods]
    raw = zip(names, maps, strict=True)
    reduced = zip(names, heatmaps, strict=True)
    return {
        **{f"{name}.attribution": to_numpy(attribution) for name, attribution in raw},
        **{f"{name}.heatmap": to_numpy(heatmap) for name, heatmap in reduced},
    }


def _split_targets(
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
