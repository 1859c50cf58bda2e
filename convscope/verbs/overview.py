from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from convscope.core.ranges import PositiveInt, Seed
from convscope.core.types import Options
from convscope.errors import OptionError
from convscope.networks.concept_layer import versioned
from convscope.networks.layout import image_size
from convscope.photos.fingerprint import fingerprint
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.probe.recorded_run import RecordedRun, kept_run
from convscope.questions.target import TargetLike
from convscope.results.arrays import to_numpy
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.verbs._names import listed_layers
from convscope.verbs._verb import PhotoLike, network_input, verb
from convscope.verbs.activations import describe
from convscope.verbs.explain import attribute, methods_of, read_targets
from convscope.verbs.predict import answer_of

if TYPE_CHECKING:
    from convscope.attribution.method import Method
    from convscope.networks.model import Model


@verb  # type: ignore[arg-type]  # mypy: a `model` among the options would clash
def overview(
    model: Model,
    photo: PhotoLike,
    *,
    layers: Sequence[str] | str | None = None,
    method: str | None = None,
    target: TargetLike | Sequence[TargetLike] = None,
    layer: str | None = None,
    seed: Seed = 0,
    top: PositiveInt = 5,
    **options: object,
) -> Result:
    """The answer, what every stage does and, with a method, where the answer comes from: all from
    one run of the network.

    What `predict`, `activations` and `explain` give, for those who want them at once: the arrays of
    `predict`, every layer's maps (n c h w) under its name, and with `method` the `attribution` and
    `heatmap` of `explain`. In `result.table` the rows of `predict` come first, then those of
    `activations`. The run is that of the faster copy of the network, so the last digits may differ
    from those of the other verbs; of one photo it is kept, so that another target costs little.

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor, or a list of these.
        layers: dotted names or patterns, in which `**` crosses dots; by default every stage.
        method: an attribution method; none by default.
        target: what the method is asked about, as in `explain`.
        layer: where the method looks, as in `explain`.
        seed: of the method's random generator.
        top: how many classes, boxes or masks to name.

    Example:
        convscope.overview(model, "cat.jpg", method="grad_cam")["blocks.3"]
        $ convscope overview cat.jpg --top 3
    """
    if method is None:
        _require_nothing_asked({"target": target, "layer": layer, **options})
    with Probe(model) as probe:
        names = listed_layers(probe.layers, layers, probe.layers.stages)
        stages = probe.layers.stages()
        methods, targets = [], read_targets(model, target)
        if method is not None:
            methods = methods_of(
                probe,
                method,
                layer=layer,
                until=targets.layer,
                seed=seed,
                options=options,
            )
    read = _layers_read(methods)
    image = network_input(model, photo)
    wanted = list(dict.fromkeys([*stages, *names]))
    with Probe(inference_copy(model, [*wanted, *read])) as probe:
        run = _recorded(probe, photo, image, wanted, read)
        maps = probe.maps_of(run, names)
        answer = answer_of(model, run.output, photo, image_size(image), top)
        probe.recorded = run
        explanation = (
            attribute(probe, photo, run.image, methods, targets)
            if methods and all(method.takes_copy for method in methods)
            else None
        )
    if methods and explanation is None:
        with Probe(model) as probe:
            explanation = attribute(probe, photo, image, methods, targets)
    rows: list[Row] = [*answer.table]
    rows += [
        describe(index, name, activation)
        for name, batch in maps.items()
        for index, activation in enumerate(batch.float())
    ]
    arrays = {name: to_numpy(batch) for name, batch in maps.items()} | answer.arrays
    if explanation is None:
        return Result("overview", answer.details, arrays, rows, answer.photos)
    arrays |= explanation.arrays
    return Result("overview", explanation.details, arrays, rows, answer.photos)


def _require_nothing_asked(values: Options) -> None:
    """Refuse what only a method would heed."""
    names = [name for name, value in values.items() if value is not None]
    if names:
        raise OptionError(
            f"{' and '.join(names)} tell an attribution method what to do, and none is named; pass"
            " method= too."
        )


def _layers_read(methods: list[Method]) -> list[str]:
    """The layers at whose maps the methods ask for gradients, in the copy that is recorded."""
    return [name for method in methods if method.takes_copy for name in method.layers]


def _recorded(
    probe: Probe, photo: list[Tensor], image: Tensor, layers: list[str], read: list[str]
) -> RecordedRun:
    """One run at the layers, with gradients at those in `read`; that of a single photo is kept."""

    def run() -> RecordedRun:
        return probe.record(image, layers, read)

    if len(photo) != 1:
        return run()
    key = fingerprint(photo[0]), *map(versioned, layers), None, *map(versioned, read)
    return kept_run(probe.model, RecordedRun, key, run)
