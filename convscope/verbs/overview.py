from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from convscope.errors import OptionError
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.results.arrays import to_numpy
from convscope.results.details import PredictionsDetails
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.verbs._verb import PhotoLike, bytes_of, network_input, verb
from convscope.verbs.activations import describe
from convscope.verbs.predict import best_classes

if TYPE_CHECKING:
    from convscope.networks.model import Model


@verb
def overview(
    model: Model,
    photo: PhotoLike,
    *,
    layers: Sequence[str] | str | None = None,
    top: int = 5,
) -> Result:
    """The answer and what every stage does, from one run of the network.

    What `predict` and `activations` give, for those who want both at once: `result["score"]` and
    `result["probability"]` are n classes, and every layer's maps (n c h w) stand under its name. In
    `result.table` the rows of `predict` come first, then those of `activations`. The run is that of
    the faster copy of the network, so the last digits may differ from those of the two verbs.

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor, or a list of these.
        layers: dotted names or shell patterns; by default every stage.
        top: how many classes to name.

    Example:
        convscope.overview(model, "cat.jpg")["blocks.3"]
        $ convscope overview cat.jpg --top 3
    """
    if top < 1:
        raise OptionError(f"top must be 1 or more; {top} was given.")
    with Probe(model) as probe:
        patterns = [layers] if isinstance(layers, str) else list(layers or probe.layers.stages())
        names = list(dict.fromkeys(name for text in patterns for name in probe.layers.match(text)))
    with Probe(inference_copy(model, names)) as probe:
        activation, output = probe.activations_and_output(network_input(model, photo), names)
    scores = model.scores(output)
    probabilities = model.probabilities(scores)
    rows: list[Row] = best_classes(model, probabilities, top)
    rows += [
        describe(index, name, maps)
        for name, batch in activation.items()
        for index, maps in enumerate(batch.float())
    ]
    arrays = {name: to_numpy(batch) for name, batch in activation.items()}
    arrays |= {"score": to_numpy(scores), "probability": to_numpy(probabilities)}
    return Result("overview", PredictionsDetails(), arrays, rows, bytes_of(photo))
