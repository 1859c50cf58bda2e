from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from convscope.core.ranges import PositiveInt
from convscope.errors import NoGradientError
from convscope.metrics import register
from convscope.metrics.metric_input import MetricInput
from convscope.probe import Probe
from convscope.questions.target import Target


@register(better="lower", needs="method")
def sanity(case: MetricInput, *, stages: PositiveInt = 4) -> Tensor:
    """Whether the map depends on what the network has learned (Adebayo et al., 2018).

    On a copy, the weights are made random again from the last layer backwards, in `stages` steps
    that add up; the number is the mean rank correlation (Spearman's, of the magnitudes) of the maps
    with the trained network's. A method that shows what the network sees comes near 0; near 1 it
    would have drawn the same picture for a network that knows nothing.

    Args:
        stages: steps from the last layers to all.

    Example:
        convscope.evaluate(model, "cat.jpg", result, metric="sanity")
    """
    method, model = case.required_method, copy.copy(case.probe.model)
    model.network = copy.deepcopy(model.network)
    modules = model.network.modules()
    layers = [
        module
        for module in modules
        if hasattr(module, "reset_parameters") and list(module.parameters(recurse=False))
    ]
    stages = min(stages, len(layers))
    target = Target(model, case.target.choices)
    before = method.heatmap_of(method(case.probe, case.image, case.target)).abs().flatten(1)
    similarities = []
    with torch.random.fork_rng(), Probe(model) as probe:
        torch.manual_seed(case.seed)
        for stage in range(stages):
            for layer in layers[
                len(layers) - (stage + 1) * len(layers) // stages : len(layers)
                - stage * len(layers) // stages
            ]:
                _randomize(layer)
            try:
                after = method.heatmap_of(method(probe, case.image, target)).abs().flatten(1)
            except (
                NoGradientError
            ):  # what is left of the network answers nothing, and neither does the method
                after = torch.zeros_like(before)
            similarities.append(
                torch.stack(
                    [
                        _rank_correlation(first, second)
                        for first, second in zip(before, after, strict=True)
                    ]
                )
            )
    return torch.stack(similarities).mean(0)


def _randomize(layer: nn.Module) -> None:
    """Fresh weights as the layer's own class draws them; they stay frozen, as the probe holds
    them."""
    with torch.no_grad():
        layer.reset_parameters()  # type: ignore[operator]


def _rank_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Spearman's, with ties at their mean rank; 0 where one of the maps is flat."""
    first, second = (_ranks(values) for values in (first, second))
    first, second = first - first.mean(), second - second.mean()
    together: Tensor = (first * second).sum() / (first.norm() * second.norm()).clamp_min(
        torch.finfo(first.dtype).tiny
    )
    return together


def _ranks(values: Tensor) -> Tensor:
    _, group, counts = torch.unique(values, return_inverse=True, return_counts=True)
    ranks: Tensor = (counts.cumsum(0).double() - (counts.double() - 1) / 2)[group]
    return ranks
