from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from convscope.ascend import ascend
from convscope.errors import OptionError
from convscope.model import Model
from convscope.prepare import prepare
from convscope.probe import Probe
from convscope.result import Result
from convscope.streams import Streams
from convscope.techniques import register
from convscope.techniques._plan import Plan, numpy
from convscope.term import Objective, objective, parse
from convscope.verb import verb

BATCH = 16
"""Images optimised at once; more gain little on a CPU and cost memory."""


@register()
@verb
def visualize(
    model: Model,
    units: str | Objective | Sequence[str | Objective],
    *,
    preset: str = "distill",
    steps: int | None = None,
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
    diversity: int = 1,
    diversity_weight: float = 100.0,
    parameterization: str | None = None,
    transforms: str | None = None,
    regularizers: str | None = None,
    optimiser: str | None = None,
    rate: float | None = None,
    redirect: int | None = None,
    patience: int | None = None,
    snapshots: list[int] | None = None,
    half: bool = False,
    batch: int = BATCH,
) -> Result:
    """The picture that excites a unit most: what it looks for (Erhan et al., 2009; Olah et al., 2017).

    `result["image"]` is n 3 h w in [0, 1], `result["score"]` n steps. A list of units makes a batch; a unit's picture does not
    depend on its batch. "blocks.3:*" are all units of a layer.

    Args:
        model: what `load_model` takes.
        units: `layer:index`, `layer:index:row,column`, a layer, `logit(label)`, or a sum such as "0.5*a + b"; or a list.
        preset: a published way: distill, lucid, chollet, maco, simonyan ...
        steps: how many steps; the preset's number by default.
        size: height and width of the picture in pixels; the preset's by default.
        seed: of the one random generator.
        diversity: so many different faces of each unit.
        diversity_weight: how strongly faces are driven apart.
        parameterization: what the image is made of, instead of the preset's.
        transforms: instead of the preset's, such as "pad(16) jitter(8) rotate(5)"; "none" for none.
        regularizers: instead of the preset's, such as "0.5*total_variation 0.1*l1".
        optimiser: ascent, adam or nadam.
        rate: step size of the optimiser.
        redirect: for how many steps closed ReLUs let the gradient through.
        patience: stop when no score has risen for so many steps.
        snapshots: steps at which the pictures are kept too, in `result["snapshot"]` (k n 3 h w).
        half: compute in bfloat16; faster where the processor has it.
        batch: images optimised at once.

    Raises:
        LayerError, UnitError: no such layer or unit.
        DeadUnitError: no gradient reached the image.

    Example:
        convscope.visualize(model, "blocks.3:11", preset="distill", steps=256)
        $ convscope visualize blocks.3:11 --steps 256 --out unit.png
    """
    plan = Plan(
        preset, steps=steps, size=size, parameterization=parameterization, transforms=transforms, regularizers=regularizers,
        optimiser=optimiser, rate=rate, redirect=redirect, patience=patience, snapshots=tuple(snapshots or ()),
    )  # fmt: skip
    if diversity < 1 or batch < 1:
        raise OptionError(f"diversity and batch must be 1 or more; {diversity} and {batch} were given.")
    with Probe(model) as probe:
        layers = probe.layers
        given: list[Any] = [units] if isinstance(units, (str, Objective)) else list(units)
        wanted = [parse(each, model, layers) for text in given for each in _spread(text, layers)]
    return _climb(model, wanted, plan, seed, diversity, diversity_weight, batch, half)


def _climb(model: Model, wanted: list[Objective], plan: Plan, seed: int, diversity: int, weight: float, batch: int, half: bool) -> Result:
    titles = [str(each) for each in wanted for _ in range(diversity)]
    if diversity > 1:
        wanted = [
            each + objective("diversity", layer=each.layers[0] if each.layers else _late(model)) * _scaled(weight) for each in wanted for _ in range(diversity)
        ]
    fast = prepare(model, list(dict.fromkeys(name for each in wanted for name in each.layers)), half=half)
    streams_of = [str(each) for each in wanted]
    per = max(diversity, batch // diversity * diversity)
    pieces = []
    with Probe(fast) as probe:
        keys = Streams.keys(streams_of)
        for first in range(0, len(wanted), per):
            part = slice(first, first + per)
            streams = Streams.of(seed, keys[part], model.device)
            canvas = plan.canvas(model, len(wanted[part]), streams)
            recipe = plan.recipe()
            made = ascend(probe, wanted[part], canvas, streams, recipe, what=f"visualize {first + 1} to {first + len(wanted[part])} of {len(wanted)}")
            pieces.append((plan.shown(made), made))
    short = min(made.score.shape[1] for _, made in pieces)
    arrays = {
        "image": numpy(torch.cat([shown for shown, _ in pieces])),
        "score": numpy(torch.cat([made.score[:, :short] for _, made in pieces])),
        "transparency": numpy(torch.cat([made.transparency for _, made in pieces if made.transparency is not None])),
    }
    kept = sorted(set.intersection(*(set(made.snapshots) for _, made in pieces)))
    if kept:
        arrays["snapshot"] = numpy(torch.stack([torch.cat([made.snapshots[step] for _, made in pieces]) for step in kept]).clamp(0, 1))
    ended = [made.ended for _, made in pieces if made.ended]
    details = {"titles": titles, "snapshots": kept, "ended": ended[0] if ended else None}
    return Result("visualize", "images", arrays, [], [], details)


def _spread(text: Any, layers: Any) -> list[Any]:
    """`layer:*` as all units of the layer, `layer:0-15` as a range."""
    if not isinstance(text, str):
        return [text]
    layer, colon, unit = text.rpartition(":")
    if colon and unit == "*" and layer in layers:
        return [f"{layer}:{index}" for index in range(layers[layer].units)]
    first, dash, last = unit.partition("-")
    if colon and dash and first.isdigit() and last.isdigit() and layer in layers:
        return [f"{layer}:{index}" for index in range(int(first), int(last) + 1)]
    return [text]


def _scaled(weight: float) -> float:
    return weight / 100.0


def _late(model: Model) -> str:
    with Probe(model) as probe:
        return probe.layers.last_spatial() or next(iter(probe.layers))
