"""Where a method looks when nobody said: the last places, a trunk's end, a pyramid's levels."""

from __future__ import annotations

from convscope.networks.layer import Layer, Layers
from convscope.probe import Probe


def default_layer(probe: Probe, until: str | None = None) -> str | None:
    """The last layer with places, none behind `until`; of a detector or segmenter with a backbone,
    the last layer of that."""
    if until:
        return probe.layers.until(until).last_spatial()
    return _end_of_backbone(probe) or probe.layers.last_spatial()


def pyramid_levels(probe: Probe) -> list[str]:
    """The layers with the maps, finest first, from which a detector or segmenter reads objects of
    different sizes: the levels of a feature pyramid (torchvision's `FeaturePyramidNetwork`), or the
    scales of an SSD; none where the network has no such layers."""
    return _levels_of_fpn(probe) or _scales_of_ssd(probe)


def _levels_of_fpn(probe: Probe) -> list[str]:
    prefixes = [
        name for name, module in probe.model.modules.items() if hasattr(module, "layer_blocks")
    ]
    levels = [
        (prefix, int(level))
        for prefix in prefixes
        for name in probe.layers
        if name.startswith(f"{prefix}.layer_blocks.")
        and (level := name.removeprefix(f"{prefix}.layer_blocks.")).isdigit()
    ]
    # Not in the order in which they run: the coarsest level runs first.
    return [f"{prefix}.layer_blocks.{level}" for prefix, level in sorted(levels)]


def _scales_of_ssd(probe: Probe) -> list[str]:
    """Of each of the trunk's coarsest resolutions, as many as have anchors, the last one of the
    outermost layers: a stage's end is read, the first layers of the next one are not."""
    ratios = getattr(getattr(probe.model.network, "anchor_generator", None), "aspect_ratios", ())
    outermost: dict[tuple[int, int], str] = {}
    for layer in _backbone_layers(probe):
        size = layer.shape[1], layer.shape[2]
        known = outermost.get(size)
        if known is None or layer.name.count(".") <= known.count("."):
            outermost[size] = layer.name
    finest_first = sorted(outermost, reverse=True)[-len(ratios) :] if ratios else []
    return [outermost[size] for size in finest_first if min(size) > 1]


def _end_of_backbone(probe: Probe) -> str | None:
    """Of a detector or segmenter with a backbone, the last layer of it, before any pyramid: what
    follows works on proposals, queries or finished scores, not on places of the image."""
    rows = [layer for layer in _backbone_layers(probe) if ".fpn" not in layer.name]
    if not rows or probe.model.task not in ("detection", "segmentation"):
        return None
    name = Layers(rows, probe.layers.parameters).last_spatial()
    # What a trunk returns may hold its last maps twice; the layer that made them gives them once.
    return None if name is None else probe.layers[name].source


def _backbone_layers(probe: Probe) -> list[Layer]:
    return [probe.layers[name] for name in probe.layers if "backbone." in name]
