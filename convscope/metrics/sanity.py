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

    On a copy, the weights are made random again from the last layer that runs backwards, in
    `stages` steps that add up, in the end all of them; the number is the mean rank correlation
    (Spearman's, of the magnitudes) of the maps with the trained network's. A method that shows what
    the network sees comes near 0; near 1 it would have drawn the same picture for a network that
    knows nothing. A layer draws its weights as its class does at first; those of classes that do
    not say how come from a normal distribution with their own mean and deviation. A network
    without weights keeps its map: 1.

    Args:
        stages: steps from the last layers to all.

    Example:
        convscope.evaluate(model, "cat.jpg", result, metric="sanity")
    """
    method, model = case.required_method, copy.copy(case.probe.model)
    order = {name: row.order for name, row in case.probe.layers.items()}
    model.network = copy.deepcopy(model.network)
    modules = _with_weights(model.network, order)
    stages = max(1, min(stages, len(modules)))
    target = Target(model, case.target.choices)
    before = method.heatmap_of(method(case.probe, case.image, case.target)).abs().flatten(1)
    similarities = []
    with torch.random.fork_rng(), Probe(model) as probe:
        torch.manual_seed(case.seed)
        for stage in range(stages):
            first, end = (
                len(modules) - step * len(modules) // stages for step in (stage + 1, stage)
            )
            for module in modules[first:end]:
                _randomize(module)
            try:
                after = method.heatmap_of(method(probe, case.image, target)).abs().flatten(1)
            except NoGradientError:
                # What is left of the network answers nothing, and neither does the method.
                after = torch.zeros_like(before)
            pairs = zip(before, after, strict=True)
            similarities.append(torch.stack([_rank_correlation(*pair) for pair in pairs]))
    return torch.stack(similarities).mean(0)


def _with_weights(network: nn.Module, order: dict[str, int]) -> list[nn.Module]:
    """The modules that hold weights themselves, in the order in which they run. One whose output is
    no layer (its weights are read from outside) goes with the module before it in the network."""
    ranks: list[tuple[int, nn.Module]] = []
    rank = -1
    for name, module in network.named_modules():
        rank = order.get(name, rank)
        if next(module.parameters(recurse=False), None) is not None:
            ranks.append((rank, module))
    return [module for _, module in sorted(ranks, key=lambda pair: pair[0])]


def _randomize(module: nn.Module) -> None:
    """Fresh weights as the module's own class draws them, or like the old ones in mean and
    deviation; they stay frozen, as the probe holds them."""
    reset = getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)
    with torch.no_grad():
        if callable(reset):
            reset()
            return
        for weight in module.parameters(recurse=False):
            if weight.is_floating_point():
                values = weight.float()
                random = torch.randn(weight.shape).to(weight.device)
                weight.copy_(values.mean() + values.std(correction=0) * random)


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
